import Base
import SIP

/// Where responses to a request go (RFC 3261 18.2.2, RFC 3581 4, RFC 5626): the way back through a NAT.
public enum ResponsePath: Hashable, Sendable, CaseIterable {
    /// Always over the flow that brought the request, whether the client asked for it or not.
    case flow
    /// As the RFCs say: over the flow where `rport` is present, otherwise to the source address, but Via's port.
    case via

    /// The flow to send a response on. `maddr` is not honoured: it would let anyone aim our responses at others.
    public func responseFlow(for via: Via, received flow: FlowID) -> FlowID {
        guard self == .via, flow.transport == .udp, case .absent = via.rport else { return flow }
        var back = flow
        back.remote.port = via.port ?? flow.transport.defaultPort
        return back
    }
}
