import Base
import PhoneNode
import SIP
import Testing

@Suite("Keepalive of the path")
struct KeepaliveTests {
    private func world(_ keepalive: PhoneSettings.Keepalive, _ change: (TestRegistrar) -> Void = { _ in }) -> (
        World, TestRegistrar
    ) {
        let registrar = TestRegistrar()
        change(registrar)
        var world = World(.test(keepalive: keepalive))
        world.registrar = { registrar($0, $1, $2) }
        return (world, registrar)
    }

    @Test("None: not a datagram between registration and refresh")
    func none() {
        var (world, _) = world(.none)
        world.input(.start)
        world.run(until: .seconds(1700))
        #expect(world.carried == 4)
    }

    @Test(
        "RFC 5626 4.4.2: one every 80 to 100 per cent of the interval, over the SIP socket to the registrar",
        arguments: [
            PhoneSettings.Keepalive.crlf, .stun, .options,
        ])
    func rhythm(kind: PhoneSettings.Keepalive) {
        var (world, registrar) = world(kind)
        world.registrarAnswersSTUN = true
        world.input(.start)
        world.run(until: .seconds(1000))
        let sent =
            switch kind {
            case .none: 0
            case .crlf: world.crlfs
            case .stun: world.stunAsked.count
            case .options: registrar.optionsSeen
            }
        #expect(sent >= 40 && sent <= 50)
        #expect(world.stunAsked.allSatisfy { $0.source == World.phoneEndpoint && $0.server == World.server })
        #expect(world.registers.count == 2)
    }

    @Test("A registrar that knows no STUN gets OPTIONS, one that answers neither gets CRLF; the registration stands")
    func fallsBack() {
        var (world, registrar) = world(.stun)
        world.input(.start)
        world.run(until: .seconds(100))
        #expect(
            world.decisions.contains(
                .keepaliveFallsBack(to: .options, because: "the registrar does not answer STUN on its SIP port")))
        #expect(registrar.optionsSeen >= 1)
        registrar.answersOptions = false
        world.run(until: .seconds(1000))
        #expect(world.phone.status.isRegistered)
        #expect(world.decisions.contains(.keepaliveFallsBack(to: .crlf, because: "the registrar does not answer OPTIONS")))
        #expect(world.crlfs > 10)
        #expect(world.registers.count <= 5)
    }

    @Test(
        "RFC 5626 4.4: a path that stops answering is registered anew at once",
        arguments: [PhoneSettings.Keepalive.stun, .options])
    func deadPath(kind: PhoneSettings.Keepalive) {
        var (world, registrar) = world(kind)
        world.registrarAnswersSTUN = true
        world.input(.start)
        world.run(until: .seconds(100))
        world.registrarAnswersSTUN = false
        registrar.isSilent = true
        world.run(until: .seconds(175))
        #expect(world.registers.count > 2)
        #expect(world.decisions.contains(.flowFailed(World.server, because: "keepalives are not answered any more")))
        world.registrarAnswersSTUN = true
        registrar.isSilent = false
        world.run(until: .seconds(400))
        #expect(world.phone.status.isRegistered)
    }

    @Test("ICMP at a keepalive: registered anew, then a pause")
    func refused() {
        var (world, registrar) = world(.crlf)
        world.input(.start)
        world.run(until: .seconds(100))
        registrar.isSilent = true
        world.input(.unreachable(World.server))
        #expect(world.registers.count == 2)
        world.run(for: .milliseconds(100))
        #expect(world.registers.count == 3)
        world.input(.unreachable(World.server))
        #expect(world.panel == "Unreachable")
        registrar.isSilent = false
        world.run(for: .seconds(61))
        #expect(world.phone.status.isRegistered)
    }

    @Test("Keepalives stop with the binding")
    func ends() {
        let registrar = TestRegistrar()
        var world = World(.test(keepalive: .crlf, expires: 300))
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(10))
        world.registrar = { message, source, now in [registrar.response(message, source, 403, "")] }
        world.run(until: .seconds(301))
        let crlfs = world.crlfs
        world.run(until: .seconds(900))
        #expect(world.crlfs <= crlfs + 1)
        #expect(world.panel == "Rejected (403)")
    }
}
