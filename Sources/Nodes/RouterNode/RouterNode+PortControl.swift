import Base
import NAT
import PortControl

/// Ports that hosts open for themselves: pinholes of the NAT for anyone, for as long as was asked.
extension RouterNode {
    mutating func collectPortControl(_ now: Instant) {
        while let output = services.portControl?.nextOutput() {
            switch output {
            case .send(let datagram): sendOwn(datagram, on: .lan)
            case .open(let wish):
                if let external = open(wish, now) {
                    services.portControl?.receive(.granted(external: external), at: now)
                } else {
                    let reason: PortControlResult = wish.onlyThat ? .cannotProvideExternal : .noResources
                    services.portControl?.receive(.refused(reason), at: now)
                }
            case .extend(let external, let wish):
                let port = RouterServices.OpenPort(external: external, transport: wish.transport)
                if let id = services.openPorts[port] { translator?.setExpiry(of: id, to: wish.until) }
            case .close(let external, let transport):
                let port = RouterServices.OpenPort(external: external, transport: transport)
                if let id = services.openPorts.removeValue(forKey: port) { translator?.cancel(id) }
            }
        }
    }

    /// The port that was wished for, else any that is free; nil: there is none.
    private mutating func open(_ wish: PortWish, _ now: Instant) -> Endpoint? {
        guard let address = translator?.externalAddress(for: wish.inside.address) else { return nil }
        let proto: NATProtocol = wish.transport == .udp ? .udp : .tcp
        var external = Endpoint(address, wish.port)
        if wish.port == 0 || translator?.reservePort(proto, exactly: external) != true {
            guard !wish.onlyThat, let other = try? translator?.reservePorts(proto, for: wish.inside) else { return nil }
            external = other
        }
        let expectation = Expectation(
            proto, from: .any, to: external, for: wish.inside, expires: wish.until, isPermanent: true, purpose: .signalling)
        guard let id = try? translator?.expect(expectation, at: now) else {
            translator?.releasePort(proto, external)
            return nil
        }
        services.openPorts[RouterServices.OpenPort(external: external, transport: wish.transport)] = id
        return external
    }
}
