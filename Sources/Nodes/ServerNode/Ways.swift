import Base
import SIP

/// Over which flow answers go back and requests reach a binding. NAT handling: the one it came by, or registered over. Otherwise where Via, Path
/// or Contact says, as far as that is an address.
struct Ways: Sendable {
    private let natHandling: Bool
    /// chan_sip trusts Contacts.
    private let asksContacts: Bool

    init(_ settings: ServerSettings) {
        natHandling = settings.natHandling
        asksContacts = settings.profile == .pinhole
    }

    /// Where a response goes. Streams and NAT handling: the flow. Otherwise the source's address, and its port only if `rport` asks for it
    /// (RFC 3261 18.2.2, RFC 3581 4). `maddr` is not followed: it would let a stranger point our answers anywhere.
    func reply(_ via: Via, _ flow: FlowID) -> FlowID? {
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
    func home(_ request: ServerRequest) -> FlowID { reply(request.via, request.flow) ?? request.flow }

    /// Over which flow a request reaches a binding; nil if what its Path or Contact says is no address.
    func request(_ binding: Binding) -> FlowID? {
        guard !natHandling, !binding.flow.transport.isReliable else { return binding.flow }
        let next: SIPURI?
        if binding.path.isEmpty {
            next = (try? SIPURIReference(parsing: SIPText(binding.contact)))?.sip
        } else {
            next = SIPText(binding.path).commaSeparated.first.flatMap { (try? NameAddress(parsing: $0))?.uri.sip }
        }
        guard let endpoint = next?.endpoint, endpoint.port != 0, !endpoint.address.isUnspecified,
            endpoint.address.isIPv6 == binding.flow.local.address.isIPv6, next?.knownTransport ?? .udp == .udp
        else { return nil }
        var flow = binding.flow
        flow.remote = endpoint
        return flow
    }

    /// Whether requests to a binding would go to an address that its REGISTER did not come from.
    func isElsewhere(_ binding: Binding) -> Bool {
        guard asksContacts, let flow = request(binding) else { return false }
        return flow.remote.address != binding.flow.remote.address
    }
}
