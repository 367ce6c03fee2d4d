import Base
import Capture

extension Judge {
    /// Said of who cancels a call that was accepted.
    static let unheardAcceptance = "cancelled the call as if it still rang"

    /// sip.no-ack of a caller that cancels long after the 200: it never got it.
    ///
    /// Innocent: a CANCEL that crosses the 200, which is a matter of a second.
    mutating func unheardAcceptance(_ first: Int, _ again: [Int], _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        let accept = c.steps[first]
        let cancel = c.steps[first...].first {
            $0.isRequest && $0.method == .cancel && $0.leg == accept.leg && $0.record.sequence == accept.record.sequence
                && $0.flags.contains(.fromClient) != accept.flags.contains(.fromClient)
        }
        guard let cancel, let after = c.gap(accept, cancel), after > 2 * second else { return false }
        let before = again.filter { c.steps[$0].nanoseconds < cancel.nanoseconds }.count
        let rang = c.steps[..<first].first {
            !$0.isRequest && $0.method == .invite && $0.leg == accept.leg && (180..<200).contains($0.status)
        }
        guard before >= 2 else { return false }
        let (sender, caller) = (
            Self.name(table.endpoints[accept.record.source]), Self.name(table.endpoints[accept.record.destination])
        )
        report(.sipNoACK, .fault, variant: 5, c.server(accept, table), &c) { c in
            var evidence = [
                Self.evidence(accept, table, ["CSeq", "Contact", "Content-Length"], "the call is accepted"),
                Self.evidence(cancel, table, ["CSeq"], "cancels the call, as it does not know that"),
            ]
            var details = [
                "The 200 was sent \(before + 1) times before the CANCEL; who gets it sends ACK, and ends the call by BYE (RFC 3261 9.1)."
            ]
            if let rang {
                evidence.insert(Self.evidence(rang, table, ["CSeq"], "rings"), at: 0)
                if accept.size > rang.size {
                    details.append("The 200 is \(accept.size) octets long, with SDP, the \(rang.status) before it \(rang.size).")
                }
            }
            return Finding(
                .sipNoACK, .fault,
                "\(sender) accepted the call, but its 200 does not reach \(caller): no ACK came, and \(spoken(after)) later \(caller) "
                    + "\(Self.unheardAcceptance).",
                details: details, evidence: evidence, culprit: .between(sender, caller), confidence: .likely,
                remedies: [
                    Remedy(
                        .router,
                        "Look for what drops the 200 on its way from \(sender) to \(caller): a SIP helper that cannot cope with its SDP, a filter, lost fragments of a long message. Capture nearer to \(caller), too."
                    ), Remedy.disableALG,
                ], subject: Self.subject(c, accept, table))
        }
        return true
    }
}
