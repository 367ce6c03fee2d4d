import Base
import Capture

extension Judge {
    /// sip.no-ack of a 200 that lacks what its receiver needs: a tag in To (RFC 3261 8.2.6.2), or a Contact (12.1.1).
    ///
    /// Innocent: messages that the capture cuts, and changes of a call whose first 200 had them.
    mutating func incomplete(_ first: Int, _ again: [Int], _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        let accept = c.steps[first]
        guard accept.record.place.kind == .frame, !accept.flags.contains(.truncated), let bytes = Self.bytes(accept, table),
            bytes.withUnsafeBytes({ p in MessageFacts(p).map(\.isHeaderWhole) ?? false }),
            !c.steps[..<first].contains(where: { $0.isRequest && $0.branch == accept.branch && $0.toTag != 0 })
        else { return false }
        let lacksTag = accept.toTag == 0
        guard
            lacksTag
                || accept.contact.kind == .none && MessageExcerpt.contacts(bytes) == 0 && !accept.flags.contains(.recordRoute)
        else { return false }
        let (sender, caller) = (
            Self.name(table.endpoints[accept.record.source]), Self.name(table.endpoints[accept.record.destination])
        )
        report(.sipNoACK, .fault, variant: lacksTag ? 61 : 62, c.server(accept, table), &c) { c in
            Finding(
                .sipNoACK, .fault,
                "\(sender) accepted the call and repeated its 200 \(again.count) times, but no ACK came: its 200 has "
                    + (lacksTag
                        ? "no tag in To, so \(caller) cannot take it."
                        : "no Contact, so \(caller) does not know where to send the ACK."),
                details: [
                    lacksTag
                        ? "Each answer but 100 bears a tag in To (RFC 3261 8.2.6.2): without it there is no call to acknowledge."
                        : "A 2xx to an INVITE has to name a Contact (RFC 3261 12.1.1): the ACK goes there."
                ], evidence: [Self.evidence(accept, table, ["To", "Contact", "CSeq", "Server"], "the call is accepted")],
                culprit: .proved(sender), confidence: .likely,
                remedies: [
                    Remedy(
                        accept.flags.contains(.fromClient) ? .phone : .server,
                        "Renew the software of \(sender), or look what passes its answers on: its 200 lacks \(lacksTag ? "the tag in To" : "a Contact")."
                    )
                ], subject: Self.subject(c, accept, table))
        }
        return true
    }
}
