import Base
import Capture

/// turn.refused: a TURN server that gives a host no relay, or lets it send to nobody through it.
///
/// Innocent: the first challenge, a nonce that ran out, one peer of several, what succeeds later; audio that goes both ways without.
extension Judge {
    func relays(_ ledger: RelayLedger, media: MediaAnalysis, _ table: SignallingTable) -> [Finding] {
        var result: [Finding] = []
        let list = ledger.uses.compactMap { key, use -> (key: RelayLedger.Key, refusal: RelayLedger.Refusal)? in
            if !use.hasRelay, let refusal = use.relay { return (key, refusal) }
            if !use.hasPermission, let refusal = use.permission { return (key, refusal) }
            return nil
        }
        for (key, refusal) in list.sorted(by: { $0.refusal.answer < $1.refusal.answer }).prefix(50) {
            var effect = effect(on: key, refusal, media, table)
            // Another TURN server of the list gave it one.
            if effect.severity == .risk,
                ledger.uses.contains(where: { $0.key != key && $0.key.client == key.client && $0.value.hasRelay })
            {
                effect.severity = .note
                effect.detail = "Another TURN server gave that host a relay."
            }
            result.append(refused(key, refusal, effect))
        }
        return result
    }

    private struct Effect {
        var severity: Severity
        var dialogs: [Int]
        var detail: String
    }

    /// What became of the host's calls.
    private func effect(
        on key: RelayLedger.Key, _ refusal: RelayLedger.Refusal, _ media: MediaAnalysis, _ table: SignallingTable
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
        let isNeeded = refusal.peer != nil && refusal.count > 2 && table.counts.rtp == 0
        if isNeeded,
            let call = calls.first(where: { table.dialogs[$0].began <= refusal.time && refusal.time <= table.dialogs[$0].last })
        {
            return Effect(
                severity: .fault, dialogs: [call], detail: "No audio at all is in the capture, beside the relay or through it.")
        }
        return Effect(
            severity: .risk, dialogs: calls,
            detail: "Where no other way leads to the other end, calls of that host have no audio.")
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
