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
}

/// Who can be called, be it over a connection that is yet to be opened.
extension Registrar {
    /// Whether a binding can be called now, be it over a connection that is yet to be opened. `others`: all of its address of record. What is
    /// reachable at the same address is the same phone, come back.
    private func isCallable(_ binding: Binding, among others: [Binding]) -> Bool {
        switch binding.reach {
        case .reachable: return ways.request(binding) != nil
        case .flowDead: return false
        case .connectionLost:
            return binding.opensTo != nil
                && !others.contains { $0.reach == .reachable && $0.flow.remote.address == binding.flow.remote.address }
        }
    }

    /// A binding that can be called.
    package struct Reachable: Sendable {
        package let location: LocationTable.Location
        /// Over which it is called.
        package let flow: FlowID
        /// False: a connection that is gone, and that `connect` opens anew.
        package let isOpen: Bool
    }

    /// Where a user can be called now, in the order in which he registered.
    package func reachable(_ aor: AddressOfRecord, at now: Instant) -> [Reachable] {
        let live = locations.locations(of: aor).filter { $0.binding.expires > now }
        let bindings = live.map(\.binding)
        return live.compactMap { location in
            let binding = location.binding
            guard isCallable(binding, among: bindings) else { return nil }
            guard case .connectionLost = binding.reach, let remote = binding.opensTo else {
                return ways.request(binding).map { Reachable(location: location, flow: $0, isOpen: true) }
            }
            // The edge numbers what it accepts from below. Whoever looks it up again before it is opened finds the same.
            var hash = KeyedHash(key: connectionKey)
            hash.combine(binding.contact)
            hash.combine(binding.flow.connection)
            hash.combine(UInt64(binding.flow.remote.port))
            let number = hash.finish() | 1 << 63
            let flow = FlowID(.tcp, local: binding.flow.local, remote: remote, connection: number)
            return Reachable(location: location, flow: flow, isOpen: false)
        }
    }

    /// The connection of a binding that is gone is opened anew, and is the binding's from now on; should it come to nothing, it is closed like any
    /// other. False: the binding is another than when it was looked up, and that connection is never opened.
    package mutating func connect(_ aor: AddressOfRecord, contact: SIPText, over flow: FlowID) -> Bool {
        var list = locations.locations(of: aor)
        guard let index = list.firstIndex(where: { $0.binding.contact.elementsEqual(contact.bytes) }) else { return false }
        guard case .connectionLost = list[index].binding.reach else { return list[index].binding.flow == flow }
        list[index].binding.flow = flow
        list[index].binding.reach = .reachable
        guard let slot = locations.replace(aor, with: list) else { return false }
        streams[flow, default: []].insert(slot)
        note(.opens(aor, flow.remote))
        outbox.append(.connect(flow))
        return true
    }

    /// Whether a phone answers the keepalives over that flow.
    package func answersKeepalives(_ aor: AddressOfRecord, over flow: FlowID) -> Bool {
        locations.locations(of: aor).contains { location in
            guard location.binding.flow == flow, case .waiting(_, 0) = location.keepalive else { return false }
            return location.binding.reach == .reachable
        }
    }
}
