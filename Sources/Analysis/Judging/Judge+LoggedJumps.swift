import Base
import Capture

/// nat.port-jump where a log gives no times or no Call-IDs.
extension Judge {
    private static let loggedFields = ["CSeq", "Contact", "Expires", "Via"]

    /// A log tells where responses went, too, and often no time: a port that comes back, or changes between neighbouring CSeqs.
    mutating func jumpsInLog(_ c: inout DialogCase, _ table: SignallingTable) {
        var path: [(index: Int, client: PackedEndpoint)] = []
        for (index, step) in c.steps.enumerated() where step.leg == 0 && !step.isOverStream {
            let client = c.client(step, table)
            guard client.port != 0 else { continue }
            if path.last?.client != client { path.append((index, client)) }
        }
        guard path.count >= 2 else { return }
        let (from, to) = (c.steps[path[0].index], c.steps[path[1].index])
        let isBack = Set(path.map(\.client)).count < path.count
        guard isBack || to.record.sequence &- from.record.sequence <= 2, !isRestart(from, to) else { return }
        if let gap = c.gap(from, to), gap > Self.shortestMapping { return }
        guard !c.dialog.progress.contains(.linkedByOrder) || isOnePhone(c, table) else { return }
        report(.natPortJump, .fault, c.server(to, table), &c) { c in
            let ports = path.map { String($0.client.port) }.joined(separator: ", ")
            let who = c.aor.isEmpty ? "the phone" : c.aor
            return Finding(
                .natPortJump, .fault,
                "The registration of \(who) jumped from port \(path[0].client.port) to port \(path[1].client.port)"
                    + (isBack ? " and back" : "") + " from one CSeq to the next.",
                details: [
                    "Ports in order: \(ports).",
                    c.dialog.progress.contains(.linkedByOrder)
                        ? "The messages show no Call-ID: they were linked by CSeq, nonce and order."
                        : "Call-ID is the same in all of them: neither a restart nor a second device.",
                ],
                evidence: path.prefix(4).map {
                    Self.evidence(c.steps[$0.index], table, Self.loggedFields, "client at port \($0.client.port)")
                },
                culprit: Self.between(c, to, table), confidence: .likely,
                remedies: [
                    .disableALG, Remedy(.phone, "Send keepalives from the SIP socket, or register over TLS."),
                ], subject: Self.subject(c, to, table))
        }
    }

    /// Without Call-IDs order alone joined the messages: several phones behind one address look like one that jumps. Another private
    /// address in Via, or the same CSeq at two ports, is another phone; where a CSeq was cut off nothing tells.
    private func isOnePhone(_ c: DialogCase, _ table: SignallingTable) -> Bool {
        let requests = c.steps.filter { $0.isRequest && $0.flags.contains(.fromClient) && $0.isFirst }
        for (index, a) in requests.enumerated() {
            guard a.record.sequence != 0 else { return false }
            for b in requests[(index + 1)...] where c.client(a, table) != c.client(b, table) {
                if a.method == b.method, a.record.sequence == b.record.sequence { return false }
                if a.via.isPrivateAddress, b.via.isPrivateAddress, a.via.address != b.via.address { return false }
            }
        }
        return true
    }
}
