import Base
import Capture
import Lab
import Packet
import PhoneNode
import ServerNode
import Testing
import VirtualNetwork

@Suite("A world: time, order, copies, captures")
struct LabWorldTests {
    @Test("a quiet hour costs nothing: no event at all where nobody does anything")
    func quietHour() {
        var network = PlainNetwork()
        #expect(network.world.nextDeadline == nil)
        let start = network.world.now
        network.world.run(until: start + .seconds(3_600))
        #expect(network.world.now == start + .seconds(3_600))
        #expect(network.world.records.isEmpty)
    }

    @Test("the same seed gives the same run to the byte, on every link")
    func determinism() throws {
        func run(_ seed: UInt64) -> [[UInt8]] {
            let bad = LinkProperties(
                latency: .milliseconds(5), jitter: .milliseconds(9), loss: 0.1, duplication: 0.1, reordering: 0.1)
            var network = PlainNetwork(seed: seed, stun: true, internet: bad)
            network.world.record(network.home)
            network.world.record(network.internet)
            network.start()
            network.world.run(until: network.world.now + .seconds(300))
            return network.world.captures.map(\.pcap)
        }
        let first = run(1)
        #expect(first == run(1))
        #expect(first != run(2))
        for bytes in first {
            let file = try PcapFile(bytes)
            #expect(file.records.count > 10)
            for (_, packet) in file.packets { try IPPacket(packet).verifyChecksums(packet) }
            #expect(file.records.map(\.at) == file.records.map(\.at).sorted())
        }
    }

    @Test("a copy is another world: what happens to it leaves the original alone")
    func copies() {
        var network = PlainNetwork()
        network.start()
        network.world.run(until: network.world.now + .seconds(5))
        #expect(network.isRegistered)
        var copy = network
        copy.world.perform(.stop(copy.phone))
        copy.world.run(until: copy.world.now + .seconds(5))
        #expect(!copy.isRegistered)
        #expect(network.isRegistered)
        #expect(network.world.records.count < copy.world.records.count)
    }

    @Test("records are in order of time, and each tells its box")
    func recordOrder() {
        var network = PlainNetwork(stun: true)
        network.start()
        network.world.run(until: network.world.now + .seconds(60))
        let times = network.world.records.map(\.at)
        #expect(times == times.sorted())
        let boxes = Set(network.world.records.compactMap { $0.box.map { network.world.name(of: $0) } })
        #expect(boxes == ["phone", "router", "server"])
    }

    @Test("a link that is down at the start: the phone registers once it is up")
    func linkDown() {
        var network = PlainNetwork()
        let start = network.world.now
        network.world.perform(.link(network.internet, isUp: false))
        network.start()
        network.world.schedule(.link(network.internet, isUp: true), at: start + .seconds(100))
        network.world.run(until: start + .seconds(90))
        #expect(!network.isRegistered)
        network.world.run(until: start + .seconds(400))
        #expect(network.isRegistered)
    }

    @Test("a router that reboots forgets its mappings; keepalives find out and the phone is reachable again within minutes")
    func reboot() {
        var network = PlainNetwork()
        network.start()
        network.world.run(until: network.world.now + .seconds(60))
        network.world.perform(.reboot(network.router))
        network.world.run(until: network.world.now + .seconds(300))
        #expect(network.isRegistered)
        #expect(network.isReached())
    }

    @Test("a phone behind two NATs registers and is reachable")
    func twoNATs() {
        var world = LabWorld(seed: 3)
        let home = world.addLink("home")
        let provider = world.addLink("provider")
        let internet = world.addLink("internet", LinkProperties(latency: .milliseconds(20)))
        let server = IPAddress("203.0.113.5")!
        let phone = world.addPhone(
            "phone",
            PhoneSettings(
                identity: .init(user: "300", password: "secret", registrar: server.description),
                locals: [Endpoint("192.168.1.64:5060")!]),
            on: home, [.init(IPAddress("192.168.1.64")!, prefixLength: 24, gateway: IPAddress("192.168.1.1")!)])
        _ = world.addRouter(
            .generic(
                name: "home router", wan: IPv4Address(100, 64, 0, 9), mapping: .endpointIndependent,
                filtering: .addressAndPortDependent), lan: home, wan: provider)
        _ = world.addRouter(
            .generic(
                name: "provider", lan: IPv4Address(100, 64, 0, 1), wan: IPv4Address(192, 0, 2, 80),
                mapping: .addressAndPortDependent, filtering: .addressAndPortDependent), lan: provider, wan: internet)
        let box = world.addServer(
            "server", ServerSettings(), accounts: [Account(username: "300", realm: "pinhole", password: "secret")], on: internet,
            [.init(server, prefixLength: 0)])
        world.perform(.start(phone))
        world.run(until: world.now + .seconds(600))
        #expect(world.status(of: phone)?.isRegistered == true)
        let aor = AddressOfRecord(user: "300", domain: "pinhole")
        #expect(world.server(box)?.bindings(of: aor).first?.flow.remote.address == IPAddress("192.0.2.80"))
        world.perform(.probe(box, aor))
        let isAnswered = world.run(until: world.now + .seconds(33)) { $0.probeOutcome(box, aor)?.first?.isAnswered == true }
        #expect(isAnswered)
    }

    @Test("a full record book keeps what it has and counts the rest")
    func fullRecords() {
        var network = PlainNetwork()
        network.world.mostRecords = 10
        network.start()
        network.world.run(until: network.world.now + .seconds(5))
        #expect(network.world.records.count == 10 && network.world.lostRecords > 0)
    }
}
