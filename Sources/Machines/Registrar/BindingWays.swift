import Base
import SIP

/// Over which flow requests reach a binding. NAT handling: the one it registered over. Otherwise where Path or Contact says, as far as that is an
/// address.
struct BindingWays: Sendable {
    let natHandling: Bool
    /// Whether Contacts elsewhere are doubted.
    let asksContacts: Bool

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
