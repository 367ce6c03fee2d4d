import Base
import Capture

/// turn.refused: a TURN server that gives a host no relay, or lets it send to nobody through it, or is not there.
///
/// Innocent: the first challenge, a nonce that ran out, one peer of several, what succeeds later; audio that goes both ways without;
/// silence where the capture shows nothing that arrives at the host.
extension Judge {
    func relays(_ ledger: RelayLedger, media: MediaAnalysis, _ table: SignallingTable) -> [Finding] {
        var result: [Finding] = []
        let list = ledger.uses.compactMap { key, use -> (key: RelayLedger.Key, refusal: RelayLedger.Refusal)? in
            if !use.hasRelay, let refusal = use.relay { return (key, refusal) }
            if !use.hasPermission, let refusal = use.permission { return (key, refusal) }
            return nil
        }
        for (key, refusal) in list.sorted(by: { $0.refusal.answer < $1.refusal.answer }).prefix(50) {
            let isNeeded = refusal.peer != nil && refusal.count > 2 ? refusal.time : nil
            result.append(refused(key, refusal, effect(on: key, ledger, neededAt: isNeeded, media, table)))
        }
        let silent = ledger.uses.filter { isSilent($0.key, $0.value, table) }.sorted {
            $0.value.silence!.first < $1.value.silence!.first
        }
        for (key, use) in silent.prefix(50) {
            result.append(unanswered(key, use.silence!, effect(on: key, ledger, neededAt: nil, media, table)))
        }
        return result
    }

    /// Asked again and again, and no word came back, although what others send to that host is in the capture; or ICMP says why.
    private func isSilent(_ key: RelayLedger.Key, _ use: RelayLedger.Use, _ table: SignallingTable) -> Bool {
        guard !use.hasAnswered, let silence = use.silence, silence.sends >= 3 else { return false }
        if silence.errors >= 2 { return true }
        guard silence.sends >= 4, let lasted = elapsed(silence.time, silence.last), lasted >= Self.patience else { return false }
        return table.dialogs.contains { dialog in
            dialog.vantage.index == key.file && dialog.progress.contains(.finalResponse)
                && dialog.legs.contains { $0.client.address == key.client }
        }
    }

    private struct Effect {
        var severity: Severity
        var dialogs: [Int]
        var detail: String
    }

    /// As `outcome`, and a note where another TURN server of the list gave the host a relay.
    private func effect(
        on key: RelayLedger.Key, _ ledger: RelayLedger, neededAt: Int64?, _ media: MediaAnalysis, _ table: SignallingTable
    ) -> Effect {
        var effect = outcome(key, neededAt: neededAt, media, table)
        if effect.severity == .risk,
            ledger.uses.contains(where: { $0.key != key && $0.key.client == key.client && $0.value.hasRelay })
        {
            effect.severity = .note
            effect.detail = "Another TURN server gave that host a relay."
        }
        return effect
    }

    /// What became of the host's calls. `neededAt`: when it asked in vain, again and again, for leave to send.
    private func outcome(
        _ key: RelayLedger.Key, neededAt: Int64?, _ media: MediaAnalysis, _ table: SignallingTable
    ) -> Effect {
        let calls = table.dialogs.indices.filter { number in
            let dialog = table.dialogs[number]
            return dialog.kind == .call && dialog.progress.contains(.answered) && dialog.vantage.index == key.file
                && dialog.legs.contains { $0.client.address == key.client || $0.server.address == key.client }
        }
        let outcomes = calls.map { media.outcome(ofDialog: $0) }
        let deaf = zip(calls, outcomes).filter { $0.1 == .oneWay || $0.1 == .none }.map(\.0)
        if !deaf.isEmpty {
            return Effect(
                severity: .fault, dialogs: deaf,
                detail: "Audio of \(counted(deaf.count, "call")) of that host did not go both ways.")
        }
        if outcomes.contains(.bothWays) || outcomes.contains(.interrupted) {
            return Effect(
                severity: .note, dialogs: calls, detail: "Audio went both ways all the same: these calls needed no relay.")
        }
        // Whose relay may send to nobody has no audio by it; asked for in the midst of a call it was needed.
        if let time = neededAt, table.counts.rtp == 0,
            let call = calls.first(where: { table.dialogs[$0].began <= time && time <= table.dialogs[$0].last })
        {
            return Effect(
                severity: .fault, dialogs: [call], detail: "No audio at all is in the capture, beside the relay or through it.")
        }
        return Effect(
            severity: .risk, dialogs: calls,
            detail: "Where no other way leads to the other end, calls of that host have no audio.")
    }

    private func unanswered(_ key: RelayLedger.Key, _ silence: RelayLedger.Silence, _ effect: Effect) -> Finding {
        let (client, server) = ("\(key.client)", Self.name(key.server))
        var evidence = [
            Evidence(
                place: silence.first, time: Instant(nanoseconds: silence.time), source: silence.client.endpoint,
                destination: key.server.endpoint, excerpt: "TURN Allocate", says: "asked, the first of \(silence.sends) times")
        ]
        if let error = silence.error {
            evidence.append(
                Evidence(
                    place: error.place, time: Instant(nanoseconds: error.time), source: Endpoint(error.source.address, 0),
                    excerpt: "ICMP: \(error.says)", says: "about this packet"))
        }
        let isClosed = silence.error.map { $0.source == key.server.address && $0.says == "port unreachable" } ?? false
        let reason =
            silence.error.map { isClosed ? "nothing listens there (ICMP)" : "\($0.source) says by ICMP: \($0.says)" }
            ?? "it does not answer"
        return Finding(
            .turnRefused, effect.severity,
            "The TURN server \(server) gives \(client) no relay: \(reason). It was asked \(silence.sends) times.",
            details: [effect.detail, "Not even a challenge came from it to that host in this capture."], evidence: evidence,
            culprit: isClosed
                ? .proved("the TURN server \(server)")
                : silence.error.map { .proved("\($0.source)") } ?? .between(client, "the TURN server \(server)"),
            confidence: silence.error == nil ? .likely : .proved,
            remedies: isClosed
                ? [
                    Remedy(.server, "Start the TURN server, or see on which address and port it listens."),
                    Remedy(.phone, "If it is elsewhere by now, enter its address and port anew, or switch TURN off."),
                ]
                : [
                    Remedy(.network, "Let UDP pass to \(server) and back, or use TURN over TCP or TLS."),
                    Remedy(.server, "See whether the TURN server runs and gets the requests: capture there too."),
                ],
            subject: FindingSubject(
                dialogs: effect.dialogs, client: silence.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: silence.sends)
    }

    private func refused(_ key: RelayLedger.Key, _ refusal: RelayLedger.Refusal, _ effect: Effect) -> Finding {
        let (client, server) = ("\(key.client)", Self.name(key.server))
        let times = refusal.count == 1 ? "" : ", \(refusal.count) times"
        let what: String
        var remedies: [Remedy]
        if let peer = refusal.peer {
            what = "gives \(client) a relay, but refuses to send to \(peer.address) through it (\(refusal.code)\(times))"
            remedies = [
                Remedy(
                    .server, "Let the TURN server relay to \(peer.address): it forbids peers of that network.",
                    commands: ["coturn: allowed-peer-ip=\(peer.address)"]),
                Remedy(.network, "Or let the other end name an address that the TURN server may send to."),
            ]
        } else {
            switch refusal.code {
            case 401, 403, 441:
                what = "gives \(client) no relay: it refuses its name and password (\(refusal.code)\(times))"
                remedies = [
                    Remedy(
                        .phone,
                        "Enter the name and password of the TURN server again; where they expire, mind the clocks of both."),
                    Remedy(
                        .server, "Compare the user, the realm and the shared secret at the TURN server.",
                        commands: ["coturn: lt-cred-mech and user=, or use-auth-secret and static-auth-secret="]),
                ]
            case 486, 508:
                what = "gives \(client) no relay: it has none to give any more (\(refusal.code)\(times))"
                remedies = [
                    Remedy(
                        .server, "Raise the quota and the range of ports of the TURN server.",
                        commands: ["coturn: user-quota, total-quota, min-port, max-port"])
                ]
            default:
                what = "gives \(client) no relay: it refuses the allocation (\(refusal.code)\(times))"
                remedies = [Remedy(.server, "See in the log of the TURN server why it refuses allocations.")]
            }
        }
        return Finding(
            .turnRefused, effect.severity, "The TURN server \(server) \(what).",
            details: [effect.detail, "No success came from it to that host in this capture."],
            evidence: [
                Evidence(
                    place: refusal.request, source: refusal.client.endpoint, destination: key.server.endpoint,
                    excerpt: refusal.peer == nil ? "TURN Allocate" : "TURN CreatePermission", says: "asked"),
                Evidence(
                    place: refusal.answer, time: Instant(nanoseconds: refusal.time), source: key.server.endpoint,
                    destination: refusal.client.endpoint, excerpt: "TURN error \(refusal.code)", says: "refused"),
            ], culprit: .between(client, server), confidence: .likely, remedies: remedies,
            subject: FindingSubject(
                dialogs: effect.dialogs, client: refusal.client.endpoint, server: key.server.endpoint, vantage: Vantage(key.file)),
            count: refusal.count)
    }
}
