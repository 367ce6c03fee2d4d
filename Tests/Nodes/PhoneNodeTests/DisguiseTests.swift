import Base
import PhoneNode
import SIP
import Testing

private func mapped(_ port: UInt16) -> Endpoint { Endpoint(World.publicAddress, port) }

@Suite("An ALG that writes our own address into received and rport")
struct DisguiseTests {
    /// A world whose registrar's responses name the phone's own address while `isDisguised` says so.
    private func world(
        stun: Bool = false, keepalive: PhoneSettings.Keepalive,
        disguised isDisguised: @escaping (Duration) -> Bool = { _ in true }
    ) -> World {
        let registrar = TestRegistrar()
        var world = World(.test(stun: stun, keepalive: keepalive))
        world.registrarAnswersSTUN = true
        world.nat = { _, _ in mapped(41_000) }
        world.registrar = { message, source, now in
            registrar(message, isDisguised(now - World.start) ? World.phoneEndpoint : source, now)
        }
        return world
    }

    private func follows(_ world: World) -> Int {
        world.decisions.count { if case .registers(_, _, _, .mappingChanged) = $0 { true } else { false } }
    }

    @Test(
        "STUN says public, the responses say private, all the time: no REGISTER for it in two hours", arguments: [false, true])
    func steady(stun: Bool) {
        var world = world(stun: stun, keepalive: .stun)
        world.input(.start)
        world.run(until: .seconds(7_200))
        #expect(follows(world) == 0)
        #expect(world.phone.status.isRegistered)
        #expect(world.registers.last?.contact == World.phoneEndpoint)
        #expect(world.phone.status.mapping.disagreement?.hasSuffix("something between rewrites SIP (a SIP ALG)") == true)
        #expect(!world.phone.status.mapping.settledOnRegistrar)
    }

    @Test("the path moves behind the disguise: one REGISTER tells the server, with the Contact as it was")
    func moves() throws {
        for stun in [false, true] {
            var world = world(stun: stun, keepalive: .stun)
            world.nat = { _, now in mapped(now < World.start + .seconds(100) ? 41_000 : 42_000) }
            world.input(.start)
            world.run(until: .seconds(1_700))
            try #require(world.registers.count == 3)
            #expect(world.registers[2].at >= .seconds(100) && world.registers[2].at <= .seconds(126))
            #expect(world.registers[2].source == mapped(42_000))
            #expect(world.registers[2].contact == World.phoneEndpoint)
        }
    }

    @Test("it moves again within the pause: told once more when the pause is over", arguments: [1, 2])
    func movesTwice(keepalivesBetween: UInt16) throws {
        var world = world(keepalive: .stun)
        let keepalives = Flip()
        let port = Holder(41_000)
        world.nat = { datagram, _ in
            if !isSIP(datagram.payload) {
                let count = keepalives.count()
                port.value = count < 6 ? 41_000 : count < 6 + keepalivesBetween ? 42_000 : 43_000
            }
            return mapped(port.value)
        }
        world.input(.start)
        world.run(until: .seconds(1_700))
        let registers = world.registers
        try #require(registers.map(\.source) == [mapped(41_000), mapped(41_000), mapped(42_000), mapped(43_000)])
        #expect(registers[3].at - registers[2].at == .seconds(60))
    }

    @Test("a STUN view that differs at every look is followed once, then not believed any more", arguments: [false, true])
    func unsteady(stun: Bool) {
        var world = world(stun: stun, keepalive: stun ? .options : .stun)
        let ports = Flip()
        world.nat = { _, _ in mapped(20_000 + ports.count()) }
        world.input(.start)
        world.run(until: .seconds(7_200))
        #expect(follows(world) == 1)
        #expect(world.phone.status.isRegistered)
    }

    @Test("an ALG that is switched on behind a public Contact: the Contact stays")
    func switchedOn() {
        var world = world(stun: true, keepalive: .options) { $0 > .seconds(100) }
        world.input(.start)
        world.run(until: .seconds(7_200))
        #expect(follows(world) == 0)
        #expect(world.registers.count > 3)
        #expect(world.registers.allSatisfy { $0.contact == mapped(41_000) })
        #expect(world.phone.status.mapping.registrar == World.phoneEndpoint)
    }

    @Test("an ALG that is switched off: nobody translates the private Contact any more, the public one is registered once")
    func switchedOff() {
        var world = world(stun: true, keepalive: .options) { $0 < .seconds(100) }
        world.input(.start)
        world.run(until: .seconds(1_700))
        #expect(
            world.registers.map(\.contact) == [mapped(41_000), World.phoneEndpoint, mapped(41_000)])
        #expect(world.phone.status.mapping.disagreement == nil)
    }

    @Test("two public views that differ all the time: the registrar's STUN answer is tried once, its responses are kept to")
    func twoPublicViews() {
        let registrar = TestRegistrar()
        var world = World(.test(keepalive: .stun))
        world.registrarAnswersSTUN = true
        world.nat = { datagram, _ in mapped(isSIP(datagram.payload) ? 41_000 : 42_000) }
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(7_200))
        #expect(follows(world) == 1)
        #expect(world.registers.dropFirst().allSatisfy { $0.contact == mapped(41_000) })
        #expect(
            world.phone.status.mapping.disagreement?.hasPrefix(
                "STUN on the registrar's SIP port says 203.0.113.2:42000, the registrar sees 203.0.113.2:41000") == true)
    }

    @Test("a registrar given as an address is not looked up, and no panel says so", arguments: [true, false])
    func noLookUp(isModern: Bool) {
        var world = World(.test(behaviour: isModern ? .modern : .seed))
        let registrar = TestRegistrar()
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(5))
        #expect(world.statuses.map(\.status.panel) == ["Registering", "Registered"])
    }
}

private final class Holder {
    var value: UInt16

    init(_ value: UInt16) { self.value = value }
}

private func isSIP(_ payload: [UInt8]) -> Bool { payload.starts(with: "REGISTER".utf8) || payload.starts(with: "OPTIONS".utf8) }
