import Base
import Capture

extension Judge {
    /// tcp.refused and tcp.unanswered: connections SIP did not get. `end`: the last moment a source shows.
    func connections(_ ledger: ConnectionLedger, _ table: SignallingTable, end: (UInt16) -> Int64) -> [Finding] {
        var result: [Finding] = []
        let list = ledger.attempts.sorted { ($0.value.first, $0.key.server.port) < ($1.value.first, $1.key.server.port) }
        for (key, attempts) in list where attempts.opened == 0 && result.count < 50 {
            // Who speaks SIP by another way has lost little.
            let speaks = ledger.speakers.contains(key.client)
            if attempts.refused > 0 {
                result.append(refusedConnection(key, attempts, speaks ? .note : .fault))
            } else if end(key.file) - attempts.firstTime > 3 * second {
                // The Internet is full of strangers that knock once.
                let isStranger = !key.client.isPrivateNetwork && attempts.tried < 2
                result.append(silentConnection(key, attempts, speaks || isStranger ? .note : .fault))
            }
        }
        for reset in ledger.resets.prefix(50) { result += resetConnection(reset, table) }
        return result
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

    /// Only where the request stayed without an answer in its dialog: another connection may have carried it on.
    private func resetConnection(_ reset: ConnectionLedger.Reset, _ table: SignallingTable) -> [Finding] {
        guard reset.dialog < table.dialogs.count else { return [] }
        let dialog = table.dialogs[reset.dialog]
        guard !dialog.progress.contains(.answered), !dialog.progress.contains(.finalResponse),
            dialog.kind == .call || dialog.kind == .registration
        else { return [] }
        let what = dialog.kind == .call ? "The call" : "The registration"
        return [
            Finding(
                .tcpRefused, .fault,
                "\(what) of \(String(decoding: dialog.from, as: UTF8.self)) failed: its TCP connection was reset (RST) before anybody answered.",
                details: [
                    "The reset came from \(Self.name(reset.by)), or from a box that speaks in its name: one that forgot the connection does."
                ],
                evidence: [
                    Evidence(place: reset.request, excerpt: "the request"),
                    Evidence(
                        place: reset.place, time: Instant(nanoseconds: reset.time), source: reset.by.endpoint, excerpt: "TCP RST"),
                ],
                remedies: [
                    Remedy(
                        .phone,
                        "Let the phone open a new connection when one is reset, and keep it alive (RFC 5626, CRLF every 90 s or less)."
                    ),
                    Remedy(.router, "Raise the time after which the firewall forgets idle TCP connections."),
                ], subject: FindingSubject(dialogs: [reset.dialog], vantage: dialog.vantage))
        ]
    }

    private func syn(_ key: ConnectionLedger.Key, _ attempts: ConnectionLedger.Attempts) -> Evidence {
        Evidence(
            place: attempts.first, time: Instant(nanoseconds: attempts.firstTime), source: attempts.client.endpoint,
            destination: key.server.endpoint, excerpt: "TCP SYN", says: "the first attempt")
    }

    private static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }
}
