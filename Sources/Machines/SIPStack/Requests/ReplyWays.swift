import Base
import SIP

/// Where answers go. NAT handling: back over the flow. Otherwise where Via says, as far as that can be believed.
package struct ReplyWays: Sendable {
    private let natHandling: Bool

    package init(natHandling: Bool) { self.natHandling = natHandling }

    /// Where a response goes. Streams and NAT handling: the flow. Otherwise the source's address, and its port only if `rport` asks for it
    /// (RFC 3261 18.2.2, RFC 3581 4). `maddr` is not followed: it would let a stranger point our answers anywhere.
    package func reply(_ via: Via, _ flow: FlowID) -> FlowID? {
        guard !flow.transport.isReliable, via.rport == .absent, !natHandling || Self.listensAtVia(via, flow) else {
            return flow
        }
        var way = flow
        way.remote.port = via.port ?? flow.transport.defaultPort
        return way.remote.port == 0 ? nil : way
    }

    /// A phone that says where it is, and is there, and does not ask for the port it sends from: it listens at the one in its Via (Cisco 79xx).
    private static func listensAtVia(_ via: Via, _ flow: FlowID) -> Bool { via.host.address == flow.remote.address }

    /// The flow that reaches whoever sent a request.
    package func home(_ request: ServerRequest) -> FlowID { reply(request.via, request.flow) ?? request.flow }
}
