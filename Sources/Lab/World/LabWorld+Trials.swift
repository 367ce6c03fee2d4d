import Base
import MediaControl
import Packet
import PhoneNode
import ServerNode
import VirtualNetwork

/// What trials do to a world beyond what people and networks do: boxes die and come back, storage fails, media say what they like, packets change
/// on their way, hosts without a node send what they please.
extension LabWorld {
    package enum StorageState: Hashable, Sendable, CaseIterable {
        case works
        /// Nothing is said: neither that it is durable nor that it cannot be.
        case slow
        case fails
    }

    // MARK: Servers

    /// Tells a server anything at all.
    package mutating func tell(_ box: BoxID, _ input: ServerNode.Input) {
        guard case .server(let index) = places[box.index] else { return }
        if case .accounts(let accounts) = input { servers[index].accounts = accounts }
        servers[index].node.receive(input, at: now)
        drainServer(index)
        settle()
    }

    package mutating func setStorage(of box: BoxID, _ state: StorageState) {
        guard case .server(let index) = places[box.index] else { return }
        if let report = servers[index].storage.become(state) { servers[index].node.receive(report, at: now) }
        drainServer(index)
        settle()
    }

    package func storage(of box: BoxID) -> (state: StorageState, bindings: [StoredBinding])? {
        guard case .server(let index) = places[box.index] else { return nil }
        return (servers[index].storage.state, servers[index].storage.bindings)
    }

    /// From now on the server's media are a script's; before its first call.
    package mutating func scriptMedia(of box: BoxID) {
        if case .server(let index) = places[box.index] { servers[index].media.script = ScriptedMedia() }
    }

    /// Legs that are open, and those closed whose verdict is held back, of scripted media.
    package func scriptedLegs(of box: BoxID) -> (open: [MediaLegID], closing: [MediaLegID]) {
        guard case .server(let index) = places[box.index], let script = servers[index].media.script else { return ([], []) }
        return (script.open, script.closing)
    }

    /// Holds back the verdicts of closed legs, or gives them all.
    package mutating func holdVerdicts(of box: BoxID, _ isHeld: Bool) {
        guard case .server(let index) = places[box.index] else { return }
        servers[index].media.script?.hold(isHeld)
        drainServer(index)
        settle()
    }

    /// Has scripted media say something.
    package mutating func mediaSays(_ event: MediaEvent, to box: BoxID) {
        guard case .server(let index) = places[box.index] else { return }
        servers[index].media.script?.say(event)
        drainServer(index)
        settle()
    }

    // MARK: Dying, and coming back

    /// A phone or server loses all that is in its memory and starts anew: the phone is off, the server has what its storage made durable, its
    /// accounts and its ports. Connections are gone without a word.
    package mutating func restart(_ box: BoxID) {
        switch places[box.index] {
        case .phone(let index):
            phones[index].host.stack = renewed(phones[index].host.stack)
            phones[index].streams = HostStreams(isServer: false)
            let isTracing = phones[index].node.tracing
            phones[index].node = PhoneNode(settings: phones[index].node.settings, entropy: entropy.fork())
            phones[index].node.tracing = isTracing
            phones[index].status = nil
            phones[index].calls = [:]
            drainPhone(index)
        case .server(let index): restartServer(index)
        case .router, .stun, .names, .bare: break
        }
        settle()
    }

    private mutating func renewed(_ stack: HostStack) -> HostStack {
        var new = HostStack(stack.addresses, mtu: stack.mtu, entropy: entropy.fork())
        new.traces.isOn = stack.traces.isOn
        return new
    }

    private mutating func restartServer(_ index: Int) {
        let listeners = servers[index].streams.listeners
        servers[index].host.stack = renewed(servers[index].host.stack)
        for port in servers[index].ports { servers[index].host.stack.receive(.open(port), at: now) }
        if servers[index].stun != nil { servers[index].host.stack.receive(.open(3478), at: now) }
        for port in listeners.keys.sorted() { servers[index].host.stack.receive(.stream(.listen(port)), at: now) }
        servers[index].streams = HostStreams(isServer: true, listeners: listeners)
        var node = ServerNode(
            settings: servers[index].node.settings, entropy: entropy.fork(),
            traces: TraceBox(isOn: servers[index].node.traces.isOn)
        )
        node.receive(.accounts(servers[index].accounts), at: now)
        servers[index].storage.restart()
        node.receive(.restore(servers[index].storage.bindings), at: now)
        node.receive(.mediaPorts([ServerMedia.ports]), at: now)
        servers[index].node = node
        servers[index].probes = [:]
        let isScripted = servers[index].media.script != nil
        servers[index].media = ServerMedia()
        if isScripted { servers[index].media.script = ScriptedMedia() }
        drainServer(index)
    }

    // MARK: Phones

    /// The phone's media go nowhere from now on, and during calls it wakes at most that often: what is tried is its signalling.
    package mutating func muffle(_ box: BoxID, pace: Duration) {
        if case .phone(let index) = places[box.index] { phones[index].pace = pace }
    }

    func isUnheard(_ datagram: Datagram, phone index: Int) -> Bool {
        guard phones[index].pace != nil, let ports = phones[index].node.settings.calls?.rtpPorts else { return false }
        return ports.contains(datagram.source.port & ~1)
    }

    func nextWaking(phone index: Int) -> Instant? {
        guard let next = phones[index].node.nextDeadline else { return nil }
        guard let pace = phones[index].pace, phones[index].node.callCount > 0 else { return next }
        return max(next, phones[index].wokenAt + pace)
    }

    /// A phone roams: it has other addresses from now on, on the same link or on another. Its ports stay what they are.
    package mutating func move(_ box: BoxID, to link: LinkID, _ addresses: [HostStack.HostAddress]) {
        guard case .phone(let index) = places[box.index] else { return }
        network.setAddresses([], of: phones[index].host.interface)
        let known = owners.indices.first { owners[$0] == box.index && network.link(of: interface($0)) == link }
        if let known {
            phones[index].host.interface = interface(known)
            network.setAddresses(addresses.map(\.address), of: interface(known))
        } else {
            phones[index].host.interface = network.attach(to: link, addresses: addresses.map(\.address))
            owners.append(box.index)
        }
        phones[index].host.stack.receive(.addresses(addresses), at: now)
        let port = phones[index].node.settings.locals.first?.port ?? 5060
        phones[index].node.receive(.addressChanged(addresses.map { Endpoint($0.address, port) }), at: now)
        drainPhone(index)
        settle()
    }

    // MARK: Hosts without a node

    /// Adds a host that does nothing by itself.
    package mutating func addBareHost(
        _ name: String, on link: LinkID, _ addresses: [HostStack.HostAddress], ports: [UInt16]
    ) -> BoxID {
        var host = addHost(link, addresses)
        for port in ports { host.stack.receive(.open(port), at: now) }
        bareHosts.append(BareBox(host: host, box: places.count))
        return finish(name, .bare(bareHosts.count - 1))
    }

    /// Has a host without a node send a datagram, whatever source it names.
    package mutating func send(_ datagram: Datagram, from box: BoxID) {
        guard case .bare(let index) = places[box.index] else { return }
        bareHosts[index].host.stack.receive(.send(datagram), at: now)
        drainBare(index)
        settle()
    }

    /// What came to a host without a node since it was last asked.
    package mutating func takeReceived(by box: BoxID) -> [Datagram] {
        guard case .bare(let index) = places[box.index] else { return [] }
        defer { bareHosts[index].received = [] }
        return bareHosts[index].received
    }

    /// Whether something came to it that was not taken yet.
    package func hasReceived(_ box: BoxID) -> Bool {
        if case .bare(let index) = places[box.index] { !bareHosts[index].received.isEmpty } else { false }
    }

    mutating func drainBare(_ index: Int) {
        let box = bareHosts[index].box
        while let output = bareHosts[index].host.stack.nextOutput() {
            switch output {
            case .packet(let packet, let nextHop): put(packet, from: bareHosts[index].host.interface, nextHop: nextHop)
            case .datagram(let datagram): bareHosts[index].received.append(datagram)
            case .unreachable, .stream: break
            }
        }
        while let trace = bareHosts[index].host.stack.nextTrace() { note(.host(trace), box: box) }
        setDeadline(box, bareHosts[index].host.stack.nextDeadline)
    }

    // MARK: Packets on their way

    /// Changes one of the packets on their way, the soonest being the first: what `fate` makes of it takes its place, each so much later.
    package mutating func changeOnTheWay(_ place: Int, _ fate: ([UInt8]) -> [(packet: [UInt8], later: Duration)]) {
        network.change(place, fate)
        settle()
    }
}
