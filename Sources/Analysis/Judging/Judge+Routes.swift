import Base
import Capture

extension Judge {
    /// sip.no-ack or sip.retransmit of a request that leaves out the way it was told: the answer names proxies to go through
    /// (Record-Route, RFC 3261 12.2.1.1), and it goes straight to the private Contact behind them.
    ///
    /// Innocent: answers without Record-Route, requests that bear Route, and a phone's own Record-Route.
    mutating func leftOut(_ request: Step, _ said: Step, _ accept: Int, _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        let answer = c.steps[accept]
        guard said.record.source == answer.record.source, !said.isRequest, said.flags.contains(.recordRoute),
            !request.flags.contains(.truncated), !said.flags.contains(.truncated),
            let bytes = Self.bytes(request, table), MessageExcerpt.value(of: "Route", in: bytes) == nil,
            let told = Self.bytes(said, table), let route = MessageExcerpt.value(of: "Record-Route", in: told)
        else { return false }
        let (sender, goal) = (
            Self.name(table.endpoints[request.record.source]), Self.name(table.endpoints[request.record.destination])
        )
        let method = request.method.token
        let name: FindingName = request.method == .ack ? .sipNoACK : .sipRetransmit
        report(name, .fault, variant: 71, c.server(said, table), &c) { c in
            Finding(
                name, .fault,
                "\(sender) sends its \(method) straight to \(goal), the Contact of the other end, instead of by the way that the \(said.status) names (Record-Route): "
                    + "it is lost.",
                details: [
                    "With Record-Route each later request of the call goes through those proxies, in Route (RFC 3261 12.2.1.1). What is behind them may well be private.",
                    "Record-Route says: \(route)",
                ],
                evidence: [
                    Self.evidence(said, table, ["Record-Route", "Contact", "CSeq"], "names the way"),
                    Self.evidence(request, table, ["CSeq", "Route", "To"], "leaves it out"),
                ], culprit: .proved(sender), confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Renew the software of \(sender): its requests inside a call have to bear the Route that they were told."),
                    Remedy(
                        .router, "If \(sender) does send Route, a helper on the way (ALG) takes it off: capture at \(sender) too."
                    ),
                ], subject: Self.subject(c, request, table))
        }
        return true
    }
}
