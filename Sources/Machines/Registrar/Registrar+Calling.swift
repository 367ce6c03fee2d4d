import Base
import SIP
import SIPStack

extension Binding {
    /// Where a new connection of ours finds the phone once the one it registered over is gone (RFC 3261 18.1.1): its Contact, over TCP, if that is at
    /// the very address it registered from. nil: it has to come back by itself, as it is behind a NAT or a proxy, or speaks TLS or WebSocket.
    public var opensTo: Endpoint? {
        guard flow.transport == .tcp, path.isEmpty, let uri = (try? SIPURIReference(parsing: SIPText(contact)))?.sip,
            uri.scheme == .sip, uri.knownTransport ?? .tcp == .tcp, let endpoint = uri.endpoint, endpoint.port != 0,
            endpoint.address == flow.remote.address
        else { return nil }
        return endpoint
    }

    /// Whether this flow of an instance is tried before another (RFC 5626 5.3).
    package func isBefore(_ other: Binding) -> Bool {
        if (reach == .reachable) != (other.reach == .reachable) { return reach == .reachable }
        return (updated, regID) > (other.updated, other.regID)
    }
}

/// Who can be called, be it over a connection that is yet to be opened.
extension Registrar {
    /// Whether a binding can be called now, be it over a connection that is yet to be opened. `others`: all of its address of record. What is
    /// reachable at the same address is the same phone, come back.
    package func isCallable(_ binding: Binding, among others: [Binding]) -> Bool {
        switch binding.reach {
        case .reachable: return ways.request(binding) != nil
        case .flowDead: return false
        case .connectionLost:
            return binding.opensTo != nil
                && !others.contains { $0.reach == .reachable && $0.flow.remote.address == binding.flow.remote.address }
        }
    }

    /// Over which flow a callable binding is called. A connection that is gone is opened anew and is the binding's from now on; should it come to
    /// nothing, it is closed like any other.
    package mutating func way(to binding: Binding, of aor: AddressOfRecord) -> FlowID? {
        guard case .connectionLost = binding.reach else { return ways.request(binding) }
        var list = locations.locations(of: aor)
        guard let remote = binding.opensTo,
            let index = list.firstIndex(where: { $0.binding.flow == binding.flow && $0.binding.contact == binding.contact })
        else { return nil }
        // The edge numbers what it accepts from below.
        let flow = FlowID(.tcp, local: binding.flow.local, remote: remote, connection: entropy.next() | 1 << 63)
        list[index].binding.flow = flow
        list[index].binding.reach = .reachable
        guard let slot = locations.replace(aor, with: list) else { return nil }
        streams[flow, default: []].insert(slot)
        note(.opens(aor, remote))
        outbox.append(.connect(flow))
        return flow
    }
}
