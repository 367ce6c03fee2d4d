import Base
import Lab
import PhoneNode
import RouterNode
import ServerNode
import Testing
import VirtualNetwork

/// A current phone, a plain NAT, Pinhole's server.
struct PlainNetwork {
    var world: LabWorld
    let phone: BoxID
    let router: BoxID
    let server: BoxID
    let home: LinkID
    let internet: LinkID
    let aor = AddressOfRecord(user: "300", domain: "pinhole")

    init(
        seed: UInt64 = 1, behaviour: PhoneSettings.Behaviour = .modern, stun: Bool = false,
        home homeProperties: LinkProperties = LinkProperties(),
        internet internetProperties: LinkProperties = LinkProperties(latency: .milliseconds(20))
    ) {
        world = LabWorld(seed: seed)
        home = world.addLink("home", homeProperties)
        internet = world.addLink("internet", internetProperties)
        let address = IPAddress("192.168.1.64")!
        let gateway = IPv4Address(192, 168, 1, 1)
        let server = IPAddress("203.0.113.5")!
        var settings = PhoneSettings(
            identity: .init(user: "300", password: "secret", registrar: server.description), behaviour: behaviour,
            locals: [Endpoint(address, 5060)])
        if stun { settings.stunServer = .init(host: server.description) }
        phone = world.addPhone("phone", settings, on: home, [.init(address, prefixLength: 24, gateway: .v4(gateway))])
        router = world.addRouter(
            .generic(
                lan: gateway, wan: IPv4Address(192, 0, 2, 80), mapping: .endpointIndependent,
                filtering: .addressAndPortDependent),
            lan: home, wan: internet)
        self.server = world.addServer(
            "server", ServerSettings(), accounts: [Account(username: "300", realm: "pinhole", password: "secret")], on: internet,
            [.init(server, prefixLength: 0)], stun: .init())
    }

    mutating func start() { world.perform(.start(phone)) }

    var isRegistered: Bool { world.status(of: phone)?.isRegistered == true && world.server(server)?.bindings(of: aor).count == 1 }

    func isReached() -> Bool {
        var copy = world
        copy.perform(.probe(server, aor))
        _ = copy.run(until: copy.now + .seconds(33)) { $0.probeOutcome(server, aor) != nil }
        return copy.probeOutcome(server, aor)?.contains { $0.isAnswered } ?? false
    }
}

@Suite("Loss sweep: one datagram lost, whichever it is")
struct LossSweepTests {
    /// How many packets one undisturbed registration puts on a link.
    static func packets(_ stun: Bool, on link: KeyPath<PlainNetwork, LinkID>) -> Int {
        var network = PlainNetwork(stun: stun)
        network.start()
        network.world.run(until: network.world.now + .seconds(5))
        return Int(network.world.network.counters(of: network[keyPath: link]).sent)
    }

    @Test("the undisturbed registration takes four datagrams, six with STUN")
    func undisturbed() {
        #expect(Self.packets(false, on: \.internet) == 4)
        #expect(Self.packets(true, on: \.internet) == 6)
    }

    @Test("whichever datagram is lost on the Internet, the phone registers in the end", arguments: 1...8, [false, true])
    func onTheInternet(lost: Int, stun: Bool) {
        var network = PlainNetwork(stun: stun)
        network.world.lose([UInt64(lost)], on: network.internet)
        network.start()
        network.world.run(until: network.world.now + .seconds(40))
        #expect(network.isRegistered)
        // Ordinals beyond the registration's own fall on keepalives.
        #expect(network.world.network.counters(of: network.internet).lost == 1)
        #expect(network.isReached())
    }

    @Test("whichever datagram is lost at home, the phone registers in the end", arguments: 1...8, [false, true])
    func atHome(lost: Int, stun: Bool) {
        var network = PlainNetwork(stun: stun)
        network.world.lose([UInt64(lost)], on: network.home)
        network.start()
        network.world.run(until: network.world.now + .seconds(40))
        #expect(network.isRegistered)
        #expect(network.isReached())
    }

    @Test("whichever two datagrams are lost, the phone registers in the end", arguments: 1...6, 1...6)
    func two(first: Int, second: Int) {
        var network = PlainNetwork()
        network.world.lose([UInt64(first), UInt64(second)], on: network.internet)
        network.start()
        network.world.run(until: network.world.now + .seconds(60))
        #expect(network.isRegistered)
    }

    @Test(
        "a fifth of all packets lost, duplicated or out of order: the phone registers within ten minutes",
        arguments: UInt64(1)...10)
    func lossy(seed: UInt64) {
        let bad = LinkProperties(
            latency: .milliseconds(20), jitter: .milliseconds(30), loss: 0.2, duplication: 0.1, reordering: 0.1)
        var network = PlainNetwork(seed: seed, stun: true, internet: bad)
        network.start()
        let end = network.world.now + .seconds(600)
        let phone = network.phone
        let isRegistered = network.world.run(until: end) { $0.status(of: phone)?.isRegistered == true }
        #expect(isRegistered)
    }
}
