import Base
import PhoneNode
import RegistrationClient
import SIP
import Testing

private func world(_ settings: PhoneSettings, seed: UInt64 = 1, _ change: (TestRegistrar) -> Void = { _ in }) -> (
    World, TestRegistrar
) {
    let registrar = TestRegistrar()
    change(registrar)
    var world = World(settings, seed: seed)
    world.registrar = { registrar($0, $1, $2) }
    return (world, registrar)
}

private func mapped(_ port: UInt16) -> Endpoint { Endpoint(World.publicAddress, port) }

private func causes(_ world: World) -> [RegisterCause] {
    world.decisions.compactMap { if case .registers(_, _, _, let cause) = $0 { cause } else { nil } }
}

@Suite("Mappings as STUN and the registrar see them")
struct MappingTests {
    @Test("With a STUN server the first Contact is what STUN saw, asked before the first REGISTER")
    func stunFirst() {
        var (world, _) = world(.test(stun: true))
        world.nat = { datagram, _ in mapped(41_000) }
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.stunAsked.first?.at == .zero)
        #expect(world.registers.map(\.at) == [.milliseconds(40), .milliseconds(80)])
        #expect(world.registers.map(\.contact) == [mapped(41_000), mapped(41_000)])
        #expect(world.phone.status.mapping.disagreement == nil)
    }

    @Test("A STUN server that does not answer delays the first REGISTER by the patience and no more")
    func stunSilent() {
        var (world, _) = world(.test(stun: true))
        world.answersSTUN = false
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.registers.first?.at == .milliseconds(500))
        #expect(world.panel == "Registered")
        #expect(world.traces.contains { if case .stunSilent(.sip, _) = $0.trace { true } else { false } })
    }

    @Test("The panel tells when STUN and the registrar see different addresses")
    func disagreement() {
        var (world, _) = world(.test(stun: true))
        world.nat = { datagram, _ in mapped(datagram.destination == World.server ? 52_899 : 52_898) }
        world.input(.start)
        world.run(until: .seconds(3000))
        #expect(
            world.phone.status.mapping.disagreement
                == "STUN says 203.0.113.2:52898, the registrar sees 203.0.113.2:52899: something between treats SIP apart "
                + "(a SIP ALG, or a NAT that maps each destination for itself)")
        #expect(world.phone.status.advice == "If calls do not arrive, look for a SIP ALG in the router and switch it off.")
        // STUN's view differs from the start and stays; nothing is chased.
        #expect(world.registers.filter { $0.at < .seconds(1000) }.count == 2)
    }

    @Test("A port that STUN sees to have changed since the registrar looked is laid to the NAT's timer, and no ALG is suggested")
    func timer() {
        var (world, _) = world(.test(keepalive: .stun))
        world.registrarAnswersSTUN = true
        // The second change comes while the pause between two such REGISTERs lasts, so that the two views stand side by side.
        world.nat = { _, now in
            mapped(now < World.start + .seconds(100) ? 41_000 : now < World.start + .seconds(127) ? 42_000 : 43_000)
        }
        world.input(.start)
        world.run(until: .seconds(155))
        #expect(
            world.phone.status.mapping.disagreement
                == "STUN on the registrar's SIP port says 203.0.113.2:43000, the registrar sees 203.0.113.2:42000: it was seen at another time, and the NAT has given "
                + "another port since (its timer ran out)")
        #expect(
            world.phone.status.advice == "If calls do not arrive, let the phone send keepalives more often than every 25 s.")
    }

    @Test("Another address, or our own one in the registrar's answers, is no timer's doing, whenever it was seen")
    func noTimer() {
        var mapping = PhoneStatus.Mapping(
            local: World.phoneEndpoint, stun: mapped(41_000), registrar: Endpoint("198.51.100.9:41000"),
            seenApart: true)
        #expect(mapping.disagreement?.contains("a SIP ALG") == true)
        mapping.registrar = World.phoneEndpoint
        #expect(mapping.disagreement?.contains("a SIP ALG") == true)
    }

    @Test("An ALG that rewrites the answers so that the registrar seems to see the private address is told as one")
    func rewritten() {
        var (world, registrar) = world(.test(stun: true))
        world.nat = { datagram, _ in mapped(52_898) }
        world.registrar = { message, _, now in registrar(message, World.phoneEndpoint, now) }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.phone.status.mapping.disagreement?.hasSuffix("something between rewrites SIP (a SIP ALG)") == true)
        #expect(world.registers.last?.contact == World.phoneEndpoint)
    }

    @Test("A changed mapping that the STUN keepalive shows is registered once, with the known nonce")
    func changeSeenByKeepalive() {
        var (world, _) = world(.test(keepalive: .stun))
        world.registrarAnswersSTUN = true
        world.nat = { _, now in mapped(now < World.start + .seconds(100) ? 41_000 : 42_000) }
        world.input(.start)
        world.run(until: .seconds(1500))
        #expect(world.registers.count == 3)
        #expect(world.registers[2].at >= .seconds(100) && world.registers[2].at <= .seconds(126))
        #expect(world.registers[2].contact == mapped(42_000))
        #expect(world.registers[2].nonce == "nonce1")
        #expect(causes(world).last == .mappingChanged(from: mapped(41_000), to: mapped(42_000), seenBy: .registrar))
    }

    @Test("A changed mapping that the STUN server shows is registered once")
    func changeSeenBySTUN() {
        var (world, _) = world(.test(stun: true))
        world.nat = { _, now in mapped(now < World.start + .seconds(100) ? 41_000 : 42_000) }
        world.input(.start)
        world.run(until: .seconds(1500))
        #expect(world.registers.count == 3)
        #expect(world.registers[2].at == .milliseconds(120_040))
        #expect(world.registers[2].contact == mapped(42_000))
        #expect(causes(world).last == .mappingChanged(from: mapped(41_000), to: mapped(42_000), seenBy: .stun))
    }

    @Test("STUN's mapping moves while SIP's stays: tried once, then settled on the registrar, for good")
    func stunAstray() {
        var (world, _) = world(.test(stun: true))
        world.nat = { datagram, now in
            if datagram.destination == World.server { return mapped(41_000) }
            return mapped(now < World.start + .seconds(100) ? 41_000 : 42_000 + UInt16((now - World.start).wholeSeconds % 7))
        }
        world.input(.start)
        world.run(until: .seconds(1500))
        #expect(world.registers.map(\.contact) == [mapped(41_000), mapped(41_000), mapped(42_001), mapped(41_000)])
        #expect(world.phone.status.mapping.settledOnRegistrar)
        world.run(until: .seconds(36_000))
        #expect(causes(world).filter { if case .mappingChanged = $0 { true } else { false } }.count == 2)
    }

    @Test("No loop: whatever way the mapping alternates, REGISTERs stay few", arguments: 0..<8)
    func alternating(kind: Int) {
        let isRecordedBySTUN = kind & 1 == 1
        var (world, registrar) = world(
            .test(stun: isRecordedBySTUN, keepalive: kind & 2 == 2 ? .stun : .options), seed: UInt64(kind + 1))
        world.registrarAnswersSTUN = true
        registrar.isOutbound = kind & 4 == 4
        // Each datagram leaves from the other of two ports.
        let flip = Flip()
        world.nat = { _, _ in mapped(flip.next() ? 41_000 : 42_000) }
        world.input(.start)
        world.run(until: .seconds(3600))
        #expect(world.phone.status.isRegistered)
        #expect(world.registers.count <= 16, "\(world.registers.count) REGISTERs in an hour")
        #expect(world.phone.status.mapping.settledOnRegistrar)
        world.run(until: .seconds(14_400))
        #expect(world.registers.count <= 45, "\(world.registers.count) REGISTERs in four hours")
    }

    @Test("No loop: a fresh port for every single datagram")
    func everyDatagramElsewhere() {
        var (world, _) = world(.test(stun: true, keepalive: .stun))
        world.registrarAnswersSTUN = true
        let ports = Flip()
        world.nat = { _, _ in mapped(20_000 + ports.count()) }
        world.input(.start)
        world.run(until: .seconds(3600))
        #expect(world.phone.status.isRegistered)
        #expect(world.registers.count <= 16, "\(world.registers.count) REGISTERs in an hour")
    }

    @Test("A registrar without RFC 5626 is told to drop the former Contact in the same REGISTER; an outbound one is not")
    func formerContact() throws {
        for isOutbound in [false, true] {
            var (world, registrar) = world(.test(keepalive: .stun)) { $0.isOutbound = isOutbound }
            world.registrarAnswersSTUN = true
            world.nat = { _, now in mapped(now < World.start + .seconds(100) ? 41_000 : 42_000) }
            world.input(.start)
            world.run(until: .seconds(200))
            guard case .list(let contacts) = try world.registers[2].message.contacts else { continue }
            #expect(contacts.count == (isOutbound ? 1 : 2))
            if !isOutbound {
                #expect(contacts[1].uri.sip?.endpoint == mapped(41_000))
                #expect(contacts[1].expires == 0)
                #expect(registrar.bindings.count == 1)
            }
        }
    }

    @Test(
        "A helper that writes the former Contact like the new one has both removed: the phone registers once more, removing nothing"
    )
    func formerContactWrittenAlike() throws {
        var (world, registrar) = world(.test(keepalive: .stun)) { $0.isOutbound = false }
        world.registrarAnswersSTUN = true
        world.nat = { _, now in mapped(now < World.start + .seconds(100) ? 41_000 : 42_000) }
        world.registrar = { message, source, now in
            let removes = String(decoding: message.bytes, as: UTF8.self).contains("41000>;expires=0")
            return removes ? [registrar.response(message, source, 200, "")] : registrar(message, source, now)
        }
        world.input(.start)
        world.run(until: .seconds(200))
        #expect(world.panel == "Registered")
        #expect(causes(world).last == .removedWithFormer)
        #expect(world.registers.count == 4)
        #expect(world.registers.last?.contact == mapped(42_000))
        #expect(registrar.bindings.keys.contains { $0.contains("42000") })
    }

    @Test("The phone's own address changes: a new registration from there at once")
    func addressChanged() {
        var (world, _) = world(.test())
        world.input(.start)
        world.run(until: .seconds(10))
        let new = Endpoint(.v4(IPv4Address(192, 168, 7, 9)), 5060)
        world.input(.addressChanged([new]))
        world.run(until: .seconds(11))
        #expect(world.registers.last?.source == new)
        #expect(world.registers[2].at == .seconds(10))
        #expect(world.registers.last?.contact == new)
        #expect(world.panel == "Registered")
        #expect(causes(world).contains(.addressChanged))
    }

    @Test("A registrar that ignores rport and answers to Via is reached on the second try, Via then naming the public address")
    func publicSender() throws {
        var (world, registrar) = world(.test(stun: true))
        world.nat = { _, _ in mapped(41_000) }
        registrar.fillsRport = false
        world.registrar = { message, source, now in
            (try? message.topVia.sentBy) == mapped(41_000) ? registrar(message, source, now) : []
        }
        world.input(.start)
        world.run(until: .seconds(100))
        #expect(world.panel == "Registered")
        #expect(world.decisions.contains(.sentByChanges(to: mapped(41_000))))
    }

    @Test("rport switched off: Via asks for none and names the Contact's address")
    func withoutRport() throws {
        var settings = PhoneSettings.test(stun: true)
        settings.rport = false
        var (world, _) = world(settings)
        world.nat = { _, _ in mapped(41_000) }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(try world.registers[0].message.topVia.rport == .absent)
        #expect(try world.registers[0].message.topVia.sentBy == mapped(41_000))
    }
}

/// Alternates, or counts.
final class Flip {
    private var value: UInt16 = 0

    func next() -> Bool {
        value &+= 1
        return value % 2 == 0
    }

    func count() -> UInt16 {
        value &+= 1
        return value
    }
}
