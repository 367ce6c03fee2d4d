import Base
import Capture

extension Judge {
    /// The ACK that came to the proxy from the caller's side, and was not passed on.
    func strandedACK(_ accept: Step, _ c: DialogCase, _ table: SignallingTable) -> Step? {
        let proxy = table.endpoints[accept.record.destination].address
        return c.steps.first { step in
            step.isRequest && step.method == .ack && step.leg != accept.leg && step.record.sequence == accept.record.sequence
                && table.endpoints[step.record.destination].address == proxy
        }
    }

    /// nat.private-contact: the ACK reaches the proxy, and its Request-URI is the private address in the Contact of whoever answered behind a
    /// NAT: there the proxy cannot send it. `ack`: where it came to the proxy.
    ///
    /// Innocent: a proxy within that network, and one that sends back to where the 200 came from, which ends the repetitions.
    mutating func unroutableACK(
        _ accept: Step, _ ack: Step, _ last: Step, _ count: Int, isEnded: Bool, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let source = table.endpoints[accept.record.source]
        let proxy = table.endpoints[ack.record.destination]
        guard accept.contact.isPrivateAddress, Self.isPublic(source), Self.isPublic(proxy), accept.flags.contains(.recordRoute),
            ack.target.kind == .address, ack.target.address == accept.contact.address
        else { return false }
        let place = "\(accept.contact.address):\(accept.contact.portOrDefault)"
        let server = Self.name(proxy)
        // Where the phone's own leg is in the capture.
        let phone = source == proxy ? "the phone behind it (\(place))" : Self.name(source)
        let severity: Severity = isEnded ? .fault : .note
        report(.natPrivateContact, severity, variant: 3, c.server(accept, table), &c) { c in
            Finding(
                .natPrivateContact, severity,
                "\(source == proxy ? "The phone behind \(server)" : phone) names the private address \(place) in its Contact, and \(server) leaves it so: the ACK comes "
                    + "to \(server) for that address, where it cannot be sent, the 200 was repeated \(count) times"
                    + (isEnded ? ", and the call ends after 32 s." : ", and then it arrived."),
                details: ["All that the other end asks in this call, a BYE too, goes the same way."],
                evidence: [
                    Self.evidence(accept, table, ["Contact", "Record-Route", "CSeq"], "a private Contact"),
                    Self.evidence(ack, table, ["CSeq", "Route", "To"], "sent to \(server), for the private address"),
                    Self.evidence(last, table, ["CSeq"], "sent again all the same, the last of \(count)"),
                ], culprit: .between(phone, server), confidence: .likely, remedies: Self.contactRemedies,
                subject: Self.subject(c, accept, table))
        }
        return true
    }
}
