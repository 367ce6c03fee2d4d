import Base
import DNS
import PhoneNode
import SIP
import Testing

@Suite("Names of servers")
struct NameTests {
    private static let dnsServer = Endpoint(.v4(IPv4Address(192, 168, 1, 1)), 53)
    private static let dead = IPv4Address(203, 0, 113, 66)

    private func zone() throws -> DNSZone {
        func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }
        var zone = DNSZone(apex: try name("example.net"))
        zone.add(
            DNSRecord(
                try name("_sip._udp.example.net"),
                .srv(DNSServiceRecord(priority: 1, weight: 0, port: 5060, target: try name("a.example.net")))))
        zone.add(
            DNSRecord(
                try name("_sip._udp.example.net"),
                .srv(DNSServiceRecord(priority: 2, weight: 0, port: 5060, target: try name("b.example.net")))))
        zone.add(DNSRecord(try name("a.example.net"), .a(Self.dead)))
        zone.add(DNSRecord(try name("b.example.net"), .a(IPv4Address(203, 0, 113, 10))))
        zone.add(DNSRecord(try name("stun.example.net"), .a(IPv4Address(203, 0, 113, 11))))
        return zone
    }

    private func world(_ registrarName: String) throws -> (World, TestRegistrar) {
        var settings = PhoneSettings.test(registrar: registrarName)
        settings.dnsServers = [Self.dnsServer]
        settings.stunServer = PhoneSettings.STUNServer("stun.example.net")
        let registrar = TestRegistrar()
        let zone = try zone()
        var world = World(settings)
        world.registrar = { registrar($0, $1, $2) }
        world.other = { datagram, _ in
            guard datagram.destination == Self.dnsServer, let answer = zone.answer(datagram.payload) else { return [] }
            return [Datagram(from: datagram.destination, to: datagram.source, answer)]
        }
        return (world, registrar)
    }

    @Test("RFC 3263 4.3: the next SRV target is tried when the first does not answer; the panel shows the look-up meanwhile")
    func failsOver() throws {
        var (world, registrar) = try world("example.net")
        let alive = world.registrar
        world.registrar = { message, source, now in alive(message, source, now) }
        world.nat = { datagram, _ in datagram.destination.address == .v4(Self.dead) ? nil : datagram.source }
        world.input(.start)
        #expect(world.panel == "Looking up the server")
        world.run(until: .seconds(40))
        #expect(world.panel == "Registered")
        #expect(registrar.bindings.count == 1)
        let dead = Endpoint(.v4(Self.dead), 5060)
        #expect(world.decisions.contains(.failsOver(from: dead, to: World.server)))
        #expect(world.registers.allSatisfy { $0.message.requestURIText == "sip:example.net" })
        #expect(world.stunAsked.first?.server == World.stunServer)
    }

    @Test("DNS queries leave from the ports that the phone announced")
    func ports() throws {
        var (world, _) = try world("b.example.net:5060")
        let announced = world.phone.localEndpoints
        var sources: [Endpoint] = []
        world.nat = { datagram, _ in
            sources.append(datagram.source)
            return datagram.source
        }
        world.input(.start)
        world.run(until: .seconds(2))
        #expect(world.panel == "Registered")
        #expect(sources.allSatisfy { announced.contains($0) })
        #expect(announced.count == 17)
    }

    @Test("A name that does not exist is told as such, and asked for again after a pause")
    func unknown() throws {
        var (world, _) = try world("nowhere.example.net")
        world.input(.start)
        world.run(until: .seconds(20))
        #expect(world.panel == "Server name not found")
        #expect(world.phone.status.explanation.contains("nowhere.example.net"))
        #expect(world.registers.isEmpty)
    }

    @Test(
        "STUN servers as people write them",
        arguments: [
            ("stun.example.net", "stun.example.net", 3478), ("192.0.2.1:3479", "192.0.2.1", 3479),
            ("2001:db8::1", "2001:db8::1", 3478),
            ("[2001:db8::1]:5000", "2001:db8::1", 5000), ("a_b.c:1", "a_b.c", 1),
        ] as [(String, String, UInt16)])
    func stunServers(text: String, host: String, port: UInt16) {
        #expect(PhoneSettings.STUNServer(text) == PhoneSettings.STUNServer(host: host, port: port))
    }

    @Test("What is no STUN server", arguments: ["", ":3478", "a b", "a:0", "a:70000", "a:1:2", "x\r\ny"])
    func noSTUNServers(text: String) {
        #expect(PhoneSettings.STUNServer(text) == nil)
    }
}
