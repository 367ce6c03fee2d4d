import ALG
import Base
import Capture
import Lab
import NAT
import Packet
import PhoneNode
import RouterNode
import ServerNode
import Testing
import VirtualNetwork

/// A phone that speaks over a stream, behind a router with or without a SIP helper.
struct StreamNetwork {
    var world: LabWorld
    let phone: BoxID
    let router: BoxID
    let server: BoxID
    let home: LinkID
    let internet: LinkID
    let aor = AddressOfRecord(user: "300", domain: "pinhole")

    init(
        _ transport: SIPTransport, alg: ALGProfile = .none, mapping: Dependence = .endpointIndependent,
        profile: ServerSettings = ServerSettings(), seed: UInt64 = 1,
        internet properties: LinkProperties = LinkProperties(latency: .milliseconds(20))
    ) {
        world = LabWorld(seed: seed)
        home = world.addLink("home", isRecorded: true)
        internet = world.addLink("internet", properties, isRecorded: true)
        let address = IPAddress("192.168.1.64")!
        let gateway = IPv4Address(192, 168, 1, 1)
        let server = IPAddress("203.0.113.5")!
        phone = world.addPhone(
            "phone",
            PhoneSettings(
                identity: .init(user: "300", password: "secret", registrar: server.description),
                locals: [Endpoint(address, 5060)],
                transport: transport),
            on: home, [.init(address, prefixLength: 24, gateway: .v4(gateway))])
        router = world.addRouter(
            .generic(
                lan: gateway, wan: IPv4Address(192, 0, 2, 80), mapping: mapping, filtering: .addressAndPortDependent,
                udpIdle: .seconds(30), alg: alg),
            lan: home, wan: internet)
        self.server = world.addServer(
            "server", profile, accounts: [Account(username: "300", realm: profile.realm, password: "secret")], on: internet,
            [.init(server, prefixLength: 0)])
    }

    mutating func start(_ span: Duration = .seconds(10)) {
        world.perform(.start(phone))
        world.run(until: world.now + span)
    }

    var isRegistered: Bool { world.status(of: phone)?.isRegistered == true && world.server(server)?.bindings(of: aor).count == 1 }
    var flow: FlowID? { world.server(server)?.bindings(of: aor).first?.flow }

    func isReached() -> Bool {
        var copy = world
        copy.perform(.probe(server, aor))
        _ = copy.run(until: copy.now + .seconds(33)) { $0.probeOutcome(server, aor) != nil }
        return copy.probeOutcome(server, aor)?.contains { $0.isAnswered } ?? false
    }

    /// What the helper changed.
    var rewrites: Int {
        world.records.count { if case .router(.alg(.rewrote)) = $0.trace { true } else { false } }
    }

    /// All that passed a link, as text.
    func text(on link: LinkID) -> String {
        let name = world.network.name(of: link)
        let pcap = world.captures.first { $0.link == name }?.pcap ?? []
        guard let file = try? PcapFile(pcap) else { return "" }
        return file.packets.map { String(decoding: $0.1, as: UTF8.self) }.joined()
    }
}

@Suite("registration over streams: real segments through the NAT and the SIP helper")
struct StreamRegistrationTests {
    @Test(
        "over TCP a phone registers through a NAT of any kind, and a request still reaches it half an hour later",
        arguments: Dependence.allCases)
    func plainNAT(mapping: Dependence) {
        var network = StreamNetwork(.tcp, mapping: mapping)
        network.start()
        #expect(network.isRegistered)
        #expect(network.flow?.transport == .tcp && network.flow?.remote.address == IPAddress("192.0.2.80"))
        network.world.run(until: network.world.now + .seconds(1_800))
        #expect(network.isRegistered && network.isReached())
        #expect(network.rewrites == 0)
    }

    @Test("with a SIP helper in the way segments grow, sequence numbers move along, and the phone registers all the same")
    func helper() {
        var network = StreamNetwork(.tcp, alg: .linux)
        network.start()
        #expect(network.isRegistered && network.rewrites > 0)
        #expect(network.text(on: network.home).contains("Contact: <sip:300@192.168.1.64"))
        #expect(!network.text(on: network.internet).contains("Contact: <sip:300@192.168.1.64"))
        for _ in 0..<5 {
            network.world.run(until: network.world.now + .seconds(600))
            #expect(network.isRegistered && network.isReached())
        }
        // One connection carries it all.
        #expect(network.flow?.connection == (1 << 32) + 1)
    }

    @Test("a helper that reads datagrams only leaves streams alone: TCP is a cure for the phone of 2007's router")
    func otherHelper() {
        var network = StreamNetwork(.tcp, alg: .speedtouch780)
        network.start()
        #expect(network.isRegistered && network.rewrites == 0)
        network.world.run(until: network.world.now + .seconds(1_800))
        #expect(network.isRegistered && network.isReached())
    }

    @Test(
        "over the stand-in for TLS the same helper changes nothing and reads nothing",
        arguments: [ALGProfile.linux, .speedtouch780])
    func veiled(alg: ALGProfile) {
        var network = StreamNetwork(.tls, alg: alg)
        network.start()
        #expect(network.isRegistered && network.rewrites == 0)
        #expect(network.flow?.transport == .tls && network.flow?.local.port == 5061)
        for link in [network.home, network.internet] {
            let text = network.text(on: link)
            #expect(!text.isEmpty && !text.contains("SIP/2.0") && !text.contains("REGISTER"))
        }
        network.world.run(until: network.world.now + .seconds(3_600))
        #expect(network.isRegistered && network.isReached() && network.rewrites == 0)
    }

    @Test(
        "a bad line delays but prevents nothing, with a helper that rewrites segments which are sent again",
        arguments: [SIPTransport.tcp, .tls], [1, 2, 3, 4, 5, 6] as [UInt64])
    func badLine(transport: SIPTransport, seed: UInt64) {
        let bad = LinkProperties(
            latency: .milliseconds(20), jitter: .milliseconds(10), loss: 0.08, duplication: 0.05, reordering: 0.05)
        var network = StreamNetwork(transport, alg: .linux, seed: seed, internet: bad)
        network.start(.seconds(300))
        #expect(network.isRegistered)
        network.world.run(until: network.world.now + .seconds(3_600))
        #expect(network.world.status(of: network.phone)?.isRegistered == true)
    }

    @Test("a router that reboots forgets the connection: the phone notices by an unanswered ping, and comes back over another")
    func reboot() {
        var network = StreamNetwork(.tcp)
        network.start()
        let before = network.flow
        network.world.perform(.reboot(network.router))
        network.world.run(until: network.world.now + .seconds(300))
        #expect(network.isRegistered && network.isReached() && network.flow != before)
    }

    @Test("the phone signs off: the binding is gone, and so is the connection on both sides")
    func signOff() {
        var network = StreamNetwork(.tcp)
        network.start()
        network.world.perform(.stop(network.phone))
        network.world.run(until: network.world.now + .seconds(200))
        #expect(network.world.server(network.server)?.bindingCount == 0)
        #expect(network.world.openStreams(of: network.phone) == 0 && network.world.openStreams(of: network.server) == 0)
    }

    @Test("a server without TLS refuses, and the phone says so")
    func refused() {
        var network = StreamNetwork(.tls)
        var world = LabWorld(seed: 1)
        let link = world.addLink("link")
        let phone = world.addPhone(
            "phone",
            PhoneSettings(
                identity: .init(user: "300", password: "secret", registrar: "192.0.2.5"), locals: [Endpoint("192.0.2.64:5060")!],
                transport: .tls),
            on: link, [.init(IPAddress("192.0.2.64")!, prefixLength: 24)])
        _ = world.addServer(
            "server", ServerSettings(), accounts: [], on: link, [.init(IPAddress("192.0.2.5")!, prefixLength: 24)], tlsPorts: [])
        world.perform(.start(phone))
        world.run(until: world.now + .seconds(5))
        #expect(world.status(of: phone)?.isRegistered == false)
        let said = world.records.contains {
            if case .phone(.connectionLost(_, let reason)) = $0.trace { reason == "connection refused" } else { false }
        }
        #expect(said)
        network.start()
        #expect(network.isRegistered)
    }

    @Test("the same seed gives the same octets on every link")
    func determinism() {
        func run(_ transport: SIPTransport) -> [[UInt8]] {
            let bad = LinkProperties(latency: .milliseconds(20), jitter: .milliseconds(10), loss: 0.1)
            var network = StreamNetwork(transport, alg: .linux, internet: bad)
            network.start(.seconds(120))
            return network.world.captures.map(\.pcap)
        }
        #expect(run(.tcp) == run(.tcp) && run(.tls) == run(.tls))
    }
}
