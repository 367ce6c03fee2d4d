import Base
import Capture

extension Judge {
    /// tcp.refused and tcp.unanswered: connections SIP did not get. `end`: the last moment a source shows.
    func connections(_ ledger: ConnectionLedger, _ table: SignallingTable, end: (UInt16) -> Int64) -> [Finding] {
        var result: [Finding] = []
        let speakers = table.speakers
        let phones = connected(table)
        let list = ledger.attempts.sorted { ($0.value.first, $0.key.server.port) < ($1.value.first, $1.key.server.port) }
        for (key, attempts) in list where result.count < 50 {
            let lasted = attempts.lastTime - attempts.firstTime
            if attempts.opened > 0 {
                let isUnheard = attempts.unheard >= 3 && attempts.opened <= attempts.tried + attempts.unheard && !attempts.stands
                if isUnheard, lasted > 3 * second, !speakers.contains(key.client) { result.append(unheard(key, attempts)) }
                continue
            }
            // Who speaks SIP by another way has lost little.
            let speaks = speakers.contains(key.client)
            let isSilent = attempts.refused == 0 && elapsed(attempts.firstTime, end(key.file)) ?? 0 > 3 * second
            if attempts.refused > 0 || isSilent, let back = connectionBack(key, attempts, phones, table) {
                result.append(back)
            } else if !ConnectionLedger.isSIP(key.server.port) {
                continue
            } else if attempts.refused > 0 {
                if let wrong = wrongTransport(key, attempts, table) {
                    result.append(wrong)
                    continue
                }
                let severity: Severity = speaks || Self.isKnock(key.client, key.server, attempts.tried, speakers) ? .note : .fault
                result.append(refusedConnection(key, attempts, severity))
            } else if isSilent {
                // The Internet is full of strangers that knock once.
                let isStranger = !key.client.isPrivateNetwork && attempts.tried < 2
                if let wrong = wrongTransport(key, attempts, table) {
                    result.append(wrong)
                    continue
                }
                // One that goes on asking for so long waits for it.
                let waits = attempts.repeats >= 5 && lasted >= 7 * second && !speakers.contains(key.server.address)
                result.append(
                    silentConnection(key, attempts, speaks || isStranger && !waits ? .note : isStranger ? .risk : .fault))
            }
        }
        result += resetConnections(ledger, table)
        result += silences(ledger, table, end: end)
        result += narrowPaths(ledger, table)
        return result
    }

    /// The Internet is full of strangers that look for open ports: one from outside that tries now and then, and never speaks SIP, at a
    /// server that speaks it with others.
    static func isKnock(_ client: PackedAddress, _ server: PackedEndpoint, _ tried: Int, _ speakers: Set<PackedAddress>) -> Bool {
        !client.isPrivateNetwork && tried <= 3 && !speakers.contains(client) && speakers.contains(server.address)
    }

    /// Requests over a connection that stands, and nobody answers: for as long as no server ponders, or until it closes the connection.
    private func silences(_ ledger: ConnectionLedger, _ table: SignallingTable, end: (UInt16) -> Int64) -> [Finding] {
        struct Ends: Hashable {
            var client: PackedAddress
            var server: PackedEndpoint
            var kind: Silence
        }
        var groups: [Ends: [ConnectionLedger.Waiting]] = [:]
        let speakers = table.speakers
        func note(_ waiting: ConnectionLedger.Waiting, _ kind: Silence) {
            guard waiting.dialog < table.dialogs.count, waiting.time != MessageRecord.unknownTime else { return }
            let dialog = table.dialogs[waiting.dialog]
            // Challenged before, it is asked anew.
            let isChallenged = dialog.status == 401 || dialog.status == 407
            guard dialog.kind == .call || dialog.kind == .registration, !dialog.progress.contains(.answered),
                !dialog.progress.contains(.finalResponse) || isChallenged && waiting.time >= dialog.last
            else { return }
            // The tap shows what comes from there, or the connection was seen to be opened.
            let isSeen =
                speakers.contains(waiting.destination.address)
                || ledger.attempts.contains {
                    $0.key.client == waiting.source.address && $0.key.server == waiting.destination && $0.value.opened > 0
                }
            guard isSeen else { return }
            let flow = PackedFlow(
                source: waiting.source.address, waiting.source.port, destination: waiting.destination.address,
                waiting.destination.port, .tcp)
            let stall = ledger.stalls[flow]
            if stall.map(Self.isNarrow) ?? false { return }
            // Shorter ones were acknowledged a moment before.
            let isCut = stall.map { $0.longest > 0 && $0.octets > $0.longest } ?? false && waiting.idle ?? .max < 5 * second
            let kind =
                stall.map {
                    kind != .silent
                        ? kind : isCut ? .cut(octets: $0.octets, longest: $0.longest) : .dead(isFirst: $0.longest == 0)
                } ?? kind
            groups[Ends(client: waiting.source.address, server: waiting.destination, kind: kind), default: []].append(waiting)
        }
        for waiting in ledger.abandoned { note(waiting, .silent) }
        for waiting in ledger.closed { note(waiting, waiting.meetsTLS ? .secure : .closed) }
        for waiting in ledger.pending.values where elapsed(waiting.time, end(waiting.place.file)) ?? 0 > Self.patience {
            note(waiting, .silent)
        }
        return groups.sorted { ($0.value.map(\.place).min()!) < ($1.value.map(\.place).min()!) }.prefix(50).map { ends, list in
            let first = list.min { $0.place < $1.place }!
            let dialog = table.dialogs[first.dialog]
            let what = dialog.kind == .call ? "call" : "register"
            let who = String(decoding: dialog.from, as: UTF8.self)
            let words = ends.kind.words(client: first.source, server: ends.server, count: list.count)
            return Finding(
                .tcpUnanswered, .fault, "\(who) cannot \(what): \(words.summary)", details: words.details,
                evidence: [
                    Evidence(
                        place: first.place,
                        time: first.time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: first.time),
                        source: first.source.endpoint,
                        destination: first.destination.endpoint, excerpt: "the request", says: "never answered")
                ],
                culprit: words.culprit, remedies: words.remedies,
                subject: FindingSubject(
                    dialogs: list.map(\.dialog),
                    callID: dialog.callIDLength > 0 ? String(decoding: dialog.callID, as: UTF8.self) : nil, aor: who,
                    client: first.source.endpoint, server: ends.server.endpoint,
                    vantage: dialog.vantage),
                count: list.count)
        }
    }

    private func refusedConnection(
        _ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts, _ severity: Severity
    ) -> Finding {
        Finding(
            .tcpRefused, severity,
            "\(attempts.client.endpoint.address) gets no TCP connection to \(Self.name(key.server)): it is refused (RST), \(Self.times(attempts.refused)).",
            details: ["An RST to a SYN says that nothing listens on that port, or that a firewall answers in its place."],
            evidence: [syn(key, attempts)], culprit: .between(Self.name(attempts.client), Self.name(key.server)),
            remedies: [
                Remedy(.server, "Let the server listen on TCP port \(key.server.port), or tell the phone another transport."),
                Remedy(.network, "If it listens, look for a firewall that resets connections to it."),
            ],
            subject: FindingSubject(
                client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: attempts.refused)
    }

    private func silentConnection(
        _ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts, _ severity: Severity
    ) -> Finding {
        Finding(
            .tcpUnanswered, severity,
            "\(attempts.client.endpoint.address) gets no TCP connection to \(Self.name(key.server)): nobody answers its SYN.",
            details: ["Neither SYN-ACK nor RST came back: a firewall on the way drops it, or the address is not there."],
            evidence: [syn(key, attempts)], culprit: .between(Self.name(attempts.client), Self.name(key.server)),
            remedies: [
                Remedy(.network, "Let TCP port \(key.server.port) pass to the server, or use a transport that does."),
                Remedy(.server, "Check that \(Self.name(key.server)) is the right address and port."),
            ],
            subject: FindingSubject(
                client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: max(1, attempts.tried))
    }

    /// Its SYN is answered, and it sends it again and again: the answer does not arrive.
    private func unheard(_ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts) -> Finding {
        let (client, server) = ("\(attempts.client.endpoint.address)", Self.name(key.server))
        return Finding(
            .tcpUnanswered, .fault,
            "\(client) gets no TCP connection to \(server): the SYN-ACK that answers its SYN does not arrive, as it sent the SYN again "
                + "\(Self.times(attempts.unheard)) after that.",
            details: ["The SYN arrives where this was captured, and what \(server) sends is lost on the way back."],
            evidence: [syn(key, attempts)], culprit: .between(server, client), confidence: .likely,
            remedies: [
                Remedy(
                    .network,
                    "Look on the way from \(server) to \(client) for what drops TCP: a firewall that did not see the SYN (another route back), or that lost its state."
                ),
                Remedy(.capture, "Capture at \(client) too: the SYN-ACK should be missing there."),
            ],
            subject: FindingSubject(
                client: attempts.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: attempts.unheard)
    }

    func syn(_ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts) -> Evidence {
        Evidence(
            place: attempts.first, time: Instant(nanoseconds: attempts.firstTime), source: attempts.client.endpoint,
            destination: key.server.endpoint, excerpt: "TCP SYN", says: "the first attempt")
    }

    private static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }
}
