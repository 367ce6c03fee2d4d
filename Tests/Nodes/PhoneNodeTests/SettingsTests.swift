import Base
import PhoneNode
import SIP
import Testing

@Suite("Settings of the phone")
struct SettingsTests {
    @Test("RFC 3261 8.1.2: an outbound proxy is where requests go, with a loose route; the Request-URI stays the registrar's")
    func outboundProxy() throws {
        var settings = PhoneSettings.test(registrar: "example.net")
        settings.identity.outboundProxy = "sip:203.0.113.10:5060"
        let registrar = TestRegistrar()
        var world = World(settings)
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.panel == "Registered")
        #expect(world.registers[0].message.requestURIText == "sip:example.net")
        #expect(try world.registers[0].message.routes.map(\.uriText) == ["sip:203.0.113.10:5060;lr"])
        #expect(try world.registers[0].message.to.uriText == "sip:100@example.net")
    }

    @Test("IPv6: the socket of the target's family is used, addresses stand in brackets")
    func ipv6() throws {
        let server = try #require(Endpoint("[2001:db8::10]:5060"))
        let local = try #require(Endpoint("[2001:db8::100]:5060"))
        var settings = PhoneSettings.test(registrar: "2001:db8::10")
        settings.locals.append(local)
        let registrar = TestRegistrar()
        var world = World(settings)
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers[0].source == local)
        #expect(world.registers[0].contact == local)
        #expect(world.registers[0].message.requestURIText == "sip:[2001:db8::10]")
        #expect(try world.registers[0].message.topVia.sentBy == local)
        guard case .registered(_, let contact, let at) = world.phone.status.registration else {
            return #expect(Bool(false), "\(world.phone.status)")
        }
        #expect(contact == local)
        #expect(at == server)
    }

    @Test("The authentication name goes into the digest, the user into the AOR; odd users are escaped")
    func authUser() throws {
        var settings = PhoneSettings.test()
        settings.identity.user = "a b@c"
        settings.identity.authUser = "100"
        let registrar = TestRegistrar()
        var world = World(settings)
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.panel == "Registered")
        #expect(try world.registers[0].message.to.uriText == "sip:a%20b%40c@203.0.113.10")
        #expect(world.registers[1].authorization.flatMap { parameter("username", of: $0) } == "100")
    }

    @Test("Stopping while a failure is waited out still removes the binding that stands")
    func stopsWhileWaiting() {
        let registrar = TestRegistrar()
        var world = World(.test(expires: 600))
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(1))
        registrar.script = [(503, "Retry-After: 3000\r\n")]
        world.run(until: .seconds(580))
        #expect(world.panel == "Rejected (503)")
        #expect(registrar.bindings.count == 1)
        world.input(.stop)
        world.run(until: .seconds(590))
        #expect(registrar.bindings.isEmpty)
        #expect(world.panel == "Not registered")
    }

    @Test("Every trace and every status is one plain line, whatever the registrar writes")
    func lines() {
        let registrar = TestRegistrar()
        registrar.planned = ["\u{1b}[2J\u{7}" + String(repeating: "n", count: 300)]
        var world = World(.test(stun: true, keepalive: .stun))
        world.registrar = { message, source, now in
            registrar(message, source, now).map {
                Array(String(decoding: $0, as: UTF8.self).replacing("Reason", with: "\u{1b}[31mred").utf8)
            }
        }
        world.input(.start)
        world.run(until: .seconds(100))
        registrar.script = [(403, "")]
        world.run(until: .seconds(4000))
        world.inject("OPTIONS sip:x SIP/2.0\r\n\r\n")
        world.input(.stop)
        world.run(for: .seconds(5))
        #expect(world.traces.count > 30)
        for (_, trace) in world.traces {
            #expect(!trace.text.isEmpty && trace.text.count < 250, "\(trace.text)")
            #expect(trace.text.utf8.allSatisfy { $0 >= 0x20 }, "\(trace.text)")
        }
        for (_, status) in world.statuses {
            #expect(!status.panel.isEmpty && status.explanation.hasSuffix("."))
            #expect((status.explanation + (status.advice ?? "")).utf8.allSatisfy { $0 >= 0x20 }, "\(status.explanation)")
        }
    }

    @Test("The same seed gives the same bytes")
    func reproducible() {
        func run() -> [[UInt8]] {
            let registrar = TestRegistrar()
            var world = World(.test(stun: true, keepalive: .options), seed: 7)
            world.registrar = { registrar($0, $1, $2) }
            world.input(.start)
            world.run(until: .seconds(2000))
            return world.registers.map(\.message.bytes)
        }
        #expect(run() == run())
    }
}
