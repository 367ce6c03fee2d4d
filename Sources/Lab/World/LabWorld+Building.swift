import Base
import NAT
import PhoneNode
import RouterNode
import STUNStack
import ServerNode
import VirtualNetwork

extension LabWorld {
    /// Adds a link; every one may be recorded as a capture.
    public mutating func addLink(_ name: String, _ properties: LinkProperties = LinkProperties(), isRecorded: Bool = false)
        -> LinkID
    {
        let link = network.addLink(name, properties)
        if isRecorded { network.tap(link) }
        return link
    }

    /// Adds a phone; it does nothing until it is started.
    public mutating func addPhone(
        _ name: String, _ settings: PhoneSettings, on link: LinkID, _ addresses: [HostStack.HostAddress]
    ) -> BoxID {
        let host = addHost(link, addresses)
        var node = PhoneNode(settings: settings, entropy: entropy.fork())
        node.tracing = selection.contains(.phones)
        if case .tone(let tone)? = settings.calls?.answerPlay { listen(for: tone) }
        phones.append(PhoneBox(node: node, host: host, box: places.count))
        return finish(name, .phone(phones.count - 1))
    }

    /// Adds a SIP server on port 5060 of its addresses, UDP and TCP, and on 5061 for TLS (`StandInTLS`); `stun` answers on port
    /// 3478 of the same host.
    public mutating func addServer(
        _ name: String, _ settings: ServerSettings, accounts: [Account], on link: LinkID, _ addresses: [HostStack.HostAddress],
        ports: [UInt16] = [5060], tlsPorts: [UInt16] = [5061], stun: STUNServer? = nil
    ) -> BoxID {
        var host = addHost(link, addresses)
        for port in ports { host.stack.receive(.open(port), at: now) }
        if stun != nil { host.stack.receive(.open(3478), at: now) }
        var listeners: [UInt16: SIPTransport] = [:]
        for port in ports { listeners[port] = .tcp }
        for port in tlsPorts { listeners[port] = .tls }
        for port in listeners.keys.sorted() { host.stack.receive(.stream(.listen(port)), at: now) }
        var node = ServerNode(settings: settings, entropy: entropy.fork())
        node.traces.isOn = selection.contains(.servers)
        node.receive(.accounts(accounts), at: now)
        node.receive(.mediaPorts([ServerMedia.ports]), at: now)
        let streams = HostStreams(isServer: true, listeners: listeners)
        servers.append(
            ServerBox(
                node: node, stun: stun, host: host, streams: streams, box: places.count, accounts: accounts, ports: ports))
        let id = finish(name, .server(servers.count - 1))
        drainServer(servers.count - 1)
        return id
    }

    /// Adds a router between two links. On its LAN it takes what nobody there owns; on its WAN it answers for its NAT's
    /// addresses.
    public mutating func addRouter(_ settings: RouterSettings, lan: LinkID, wan: LinkID) -> BoxID {
        var inner: [IPAddress] = [.v4(settings.lanAddress)]
        if let address = settings.lanIPv6 { inner.append(.v6(address)) }
        var outer: [IPAddress] = [.v4(settings.wanAddress)]
        for address in settings.nat?.externalAddresses ?? [] where address != settings.wanAddress { outer.append(.v4(address)) }
        if let address = settings.wanIPv6 { outer.append(.v6(address)) }
        var behind = settings.lanRoutes
        if settings.nat == nil { behind.append(settings.lanPrefix) }
        let everything = [IPPrefix(.v4(.any), length: 0)] + (settings.lanIPv6 == nil ? [] : [IPPrefix(.v6(.any), length: 0)])
        let lanInterface = network.attach(to: lan, addresses: inner, answersFor: everything)
        owners.append(places.count)
        let wanInterface = network.attach(to: wan, addresses: outer, answersFor: behind)
        owners.append(places.count)
        var settings = settings
        settings.lanMTU = network.mtu(of: lanInterface)
        settings.wanMTU = network.mtu(of: wanInterface)
        var node = RouterNode(settings: settings, entropy: entropy.fork())
        node.isTracing = selection.contains(.routers)
        routers.append(RouterBox(node: node, lan: lanInterface, wan: wanInterface, box: places.count))
        return finish(settings.name, .router(routers.count - 1))
    }

    /// Adds a STUN server on port 3478, and on the endpoints of its alternates.
    public mutating func addSTUNServer(
        _ name: String, _ settings: STUNServerSettings = STUNServerSettings(), on link: LinkID,
        _ addresses: [HostStack.HostAddress]
    ) -> BoxID {
        var host = addHost(link, addresses)
        host.stack.receive(.open(3478), at: now)
        for alternate in [settings.alternateIPv4, settings.alternateIPv6] {
            for endpoint in alternate?.endpoints ?? [] { host.stack.receive(.open(endpoint.port), at: now) }
        }
        stunServers.append(STUNBox(node: STUNServer(settings), host: host, box: places.count))
        return finish(name, .stun(stunServers.count - 1))
    }

    /// Adds a name server on port 53.
    public mutating func addNameServer(
        _ name: String, _ server: NameServer, on link: LinkID, _ addresses: [HostStack.HostAddress]
    ) -> BoxID {
        var host = addHost(link, addresses)
        host.stack.receive(.open(53), at: now)
        nameServers.append(NameBox(node: server, host: host, box: places.count))
        return finish(name, .names(nameServers.count - 1))
    }

    mutating func addHost(_ link: LinkID, _ addresses: [HostStack.HostAddress]) -> Host {
        let interface = network.attach(to: link, addresses: addresses.map(\.address))
        owners.append(places.count)
        var stack = HostStack(addresses, mtu: network.mtu(of: interface), entropy: entropy.fork())
        stack.traces.isOn = selection.contains(.losses)
        return Host(stack: stack, interface: interface)
    }

    mutating func finish(_ name: String, _ place: Place) -> BoxID {
        names.append(name)
        places.append(place)
        return BoxID(index: places.count - 1)
    }

    // MARK: Looking

    public var boxes: [BoxID] { places.indices.map { BoxID(index: $0) } }

    public func name(of box: BoxID) -> String { names[box.index] }

    public func kind(of box: BoxID) -> BoxKind {
        switch places[box.index] {
        case .phone: .phone
        case .server: .server
        case .router: .router
        case .stun: .stunServer
        case .names: .nameServer
        case .bare: .host
        }
    }

    public func box(named name: String) -> BoxID? { names.firstIndex(of: name).map { BoxID(index: $0) } }

    /// The addresses a box has on its links.
    public func addresses(of box: BoxID) -> [IPAddress] {
        owners.indices.filter { owners[$0] == box.index }.flatMap { network.addresses(of: interface($0)) }
    }

    func interface(_ index: Int) -> InterfaceID { network.interfaceIDs[index] }

    /// The box that owns an interface.
    public func owner(of interface: InterfaceID) -> BoxID { BoxID(index: owners[interface.index]) }

    /// The router that serves the link a host stands on; nil where there is none.
    public func gateway(of box: BoxID) -> BoxID? {
        let links = owners.indices.filter { owners[$0] == box.index }.map { network.link(of: interface($0)) }
        return routers.first { links.contains(network.link(of: $0.lan)) }.map { BoxID(index: $0.box) }
    }

    /// What a phone's panel shows; nil before it is started, and for other boxes.
    public func status(of box: BoxID) -> PhoneStatus? {
        if case .phone(let index) = places[box.index] { phones[index].status } else { nil }
    }

    /// The server in a box; nil for other boxes.
    public func server(_ box: BoxID) -> ServerNode? {
        if case .server(let index) = places[box.index] { servers[index].node } else { nil }
    }

    /// The phone in a box; nil for other boxes.
    public func phone(_ box: BoxID) -> PhoneNode? {
        if case .phone(let index) = places[box.index] { phones[index].node } else { nil }
    }

    /// The router in a box; nil for other boxes.
    public func router(_ box: BoxID) -> RouterNode? {
        if case .router(let index) = places[box.index] { routers[index].node } else { nil }
    }

    /// TCP connections a box has open or is opening; 0 for boxes without.
    public func openStreams(of box: BoxID) -> Int {
        switch places[box.index] {
        case .phone(let index): phones[index].streams.count
        case .server(let index): servers[index].streams.count
        case .router, .stun, .names, .bare: 0
        }
    }

    /// What came of the last probe of an address of record; nil while it is under way or where there was none.
    public func probeOutcome(_ box: BoxID, _ aor: AddressOfRecord) -> [ProbeOutcome]? {
        if case .server(let index) = places[box.index] { servers[index].probes[aor] } else { nil }
    }

    /// Starts to record a link as a capture.
    public mutating func record(_ link: LinkID) { network.tap(link) }

    /// The captures so far: name of the link, pcap file. Only recorded links.
    public var captures: [(link: String, pcap: [UInt8])] {
        network.linkIDs.compactMap { link in network.capture(of: link).map { (network.name(of: link), $0) } }
    }

    /// Chooses packets to lose: ordinals from 1, counted per link.
    public mutating func lose(_ ordinals: Set<UInt64>, on link: LinkID) { network.lose(ordinals, on: link) }
}
