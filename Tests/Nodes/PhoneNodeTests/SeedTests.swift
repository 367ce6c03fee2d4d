import Base
import PhoneNode
import RegistrationClient
import SIP
import STUN
import Testing

/// A router after 'the seed's mechanism': ports handed out downwards, a SIP helper with one outstanding transaction a mapping that holds
/// responses back for 200 ms, and STUN mapped by a helper of its own.
private final class ScriptedRouter {
    var isHelperOn = true
    private var nextPort: UInt16 = 52_899
    /// In order of making; `branch`: of the transaction outstanding, nil while idle.
    private var sip: [(port: UInt16, branch: String?)] = []
    private var cone: [Endpoint: (port: UInt16, used: Instant)] = [:]

    private func takePort() -> UInt16 {
        defer { nextPort -= 1 }
        return nextPort
    }

    private static func branch(_ payload: [UInt8]) -> String? { (try? SIPMessage(parsing: payload).topVia)?.branch?.string }

    func out(_ datagram: Datagram, _ now: Instant) -> Endpoint? {
        if isHelperOn, !isSTUN(datagram.payload), let branch = Self.branch(datagram.payload) {
            if let known = sip.first(where: { $0.branch == branch }) { return Endpoint(World.publicAddress, known.port) }
            if let idle = sip.firstIndex(where: { $0.branch == nil }) {
                sip[idle].branch = branch
                return Endpoint(World.publicAddress, sip[idle].port)
            }
            sip.append((takePort(), branch))
            return Endpoint(World.publicAddress, sip[sip.count - 1].port)
        }
        if let known = cone[datagram.source], now - known.used < .seconds(60) {
            cone[datagram.source] = (known.port, now)
            return Endpoint(World.publicAddress, known.port)
        }
        let port = takePort()
        cone[datagram.source] = (port, now)
        return Endpoint(World.publicAddress, port)
    }

    func hold(_ datagram: Datagram) -> Duration {
        isHelperOn && !isSTUN(datagram.payload) ? .milliseconds(200) : .zero
    }

    func delivered(_ datagram: Datagram) {
        guard let branch = Self.branch(datagram.payload), let place = sip.firstIndex(where: { $0.branch == branch }) else {
            return
        }
        sip[place].branch = nil
    }
}

@Suite("The phone of 2007")
struct SeedTests {
    private func world(server: (TestRegistrar) -> Void = { _ in }) -> (World, ScriptedRouter, TestRegistrar) {
        let registrar = TestRegistrar()
        registrar.nonces = .newest
        registrar.planned = ["3d58a314", "1aa0547a", "6f0c2b11", "77e1d00a", "0b9fa1c2", "5a5a0001"]
        registrar.qop = false
        registrar.isOutbound = false
        server(registrar)
        let identity = PhoneSettings.Identity(user: "100", password: "secret100", registrar: "203.0.113.10")
        var settings = PhoneSettings.seed(
            identity: identity, local: World.phoneEndpoint, stunServer: PhoneSettings.STUNServer(host: "203.0.113.11"))
        settings.keepalive = .crlf
        var world = World(settings)
        let router = ScriptedRouter()
        world.nat = { router.out($0, $1) }
        world.hold = { datagram, _ in router.hold(datagram) }
        world.onDelivery = { router.delivered($0) }
        world.registrar = { registrar($0, $1, $2) }
        return (world, router, registrar)
    }

    @Test("The published sequence: ports 52899, 52896, 52899; the first challenge answered when it is stale; Authorization error")
    func story() {
        var (world, _, _) = world()
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers.map(\.at) == [.zero, .milliseconds(41), .milliseconds(240)])
        #expect(world.registers.map(\.source.port) == [52_899, 52_896, 52_899])
        #expect(world.registers.map(\.cseq) == [1, 2, 3])
        #expect(world.registers.map(\.nonce) == [nil, nil, "3d58a314"])
        #expect(world.registers.map(\.contact?.port) == [5060, 52_898, 52_898])
        #expect(world.stunAsked.map(\.source.port) == [5060, 61_000])
        #expect(world.stunAsked.map(\.at) == [.zero, .zero])
        let meanings = world.traces.compactMap { entry -> (Duration, SIPMeaning)? in
            if case .received(let message) = entry.trace { (entry.at, message.meaning) } else { nil }
        }
        #expect(meanings.map(\.0) == [.milliseconds(240), .milliseconds(281), .milliseconds(480)])
        #expect(
            meanings.map(\.1) == [
                .challenge(cseq: 1, number: 1, nonce: "3d58a314"), .challengeIgnored(cseq: 2, number: 2, nonce: "1aa0547a"),
                .staleChallenge(cseq: 3, number: 3, nonce: "6f0c2b11"),
            ])
        #expect(world.panel == "Authorization error")
        #expect(world.statuses.last?.at == .milliseconds(480))
        #expect(
            world.phone.status.registration
                == .authorizationError(.challengedAgain(stale: true), retryAt: World.start + .seconds(300)))
    }

    @Test("The next STUN tick repeats it: the same three ports, the same end")
    func repeats() {
        var (world, _, _) = world()
        world.input(.start)
        world.run(until: .seconds(301))
        let again = world.registers.dropFirst(3)
        #expect(again.map(\.at) == [.seconds(300), .milliseconds(300_041), .milliseconds(300_240)])
        #expect(again.map(\.source.port) == [52_899, 52_896, 52_899])
        #expect(again.map(\.nonce) == [nil, nil, "77e1d00a"])
        #expect(world.panel == "Authorization error")
    }

    @Test("With the ALG off the next tick registers and the phone stays registered")
    func cured() {
        var (world, router, _) = world()
        world.input(.start)
        world.run(until: .seconds(100))
        #expect(world.panel == "Authorization error")
        router.isHelperOn = false
        world.run(until: .seconds(302))
        #expect(world.panel == "Registered")
        let since = world.statuses.count
        world.run(until: .seconds(3600))
        #expect(world.statuses.dropFirst(since).allSatisfy { $0.status.panel == "Registered" })
        #expect(world.registers.count < 20)
        #expect(world.phone.status.mapping.stun == world.phone.status.mapping.registrar)
    }

    @Test("ALG off from the start: registered within a second, Contact on the mapping STUN saw")
    func withoutALG() {
        var (world, router, _) = world()
        router.isHelperOn = false
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.panel == "Registered")
        #expect(world.registers.last?.contact == Endpoint(World.publicAddress, 52_899))
        #expect(world.registers.map(\.cseq) == [1, 2, 3, 4])
    }

    @Test("Pinhole's rule that any unexpired nonce is good registers the same phone behind the same ALG")
    func saneServer() {
        var (world, _, _) = world { $0.nonces = .all }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.panel == "Registered")
        #expect(world.registers.map(\.source.port) == [52_899, 52_896, 52_899])
    }

    @Test("A current phone behind the same ALG and the same server registers, too")
    func modernPhone() {
        let registrar = TestRegistrar()
        registrar.nonces = .newest
        let router = ScriptedRouter()
        var world = World(.test(stun: true))
        world.nat = { router.out($0, $1) }
        world.hold = { datagram, _ in router.hold(datagram) }
        world.onDelivery = { router.delivered($0) }
        world.registrar = { registrar($0, $1, $2) }
        world.input(.start)
        world.run(until: .seconds(3000))
        #expect(world.phone.status.isRegistered)
        #expect(world.statuses.allSatisfy { !$0.status.isFailure })
        #expect(world.phone.status.mapping.disagreement != nil)
    }

    @Test("Contact in the SNOM's shape; STUN requests without the magic cookie")
    func shapes() throws {
        var (world, _, _) = world()
        world.input(.start)
        world.run(until: .seconds(1))
        let contact = try #require(world.registers[0].message.first(.contact)?.value.string)
        #expect(
            contact.hasSuffix(
                ">;q=1.0;flow-id=1;+sip.instance=\"\";audio;mobility=\"fixed\";duplex=\"full\";description=\"snom300\";actor=\"principal\""
                    + ";events=\"dialog\";methods=\"INVITE,ACK,CANCEL,BYE,REFER,OPTIONS,NOTIFY,SUBSCRIBE,PRACK,MESSAGE,INFO\""))
        guard case .list(let contacts) = try world.registers[0].message.contacts else { return }
        #expect(contacts.count == 1 && contacts[0].q == 1000)
    }

    @Test("Stops: one de-registration, then silence")
    func stops() {
        var (world, router, registrar) = world()
        router.isHelperOn = false
        world.input(.start)
        world.run(until: .seconds(10))
        let before = world.registers.count
        world.input(.stop)
        world.run(until: .seconds(1000))
        #expect(world.registers.dropFirst(before).allSatisfy { $0.expires == 0 })
        #expect(!registrar.bindings.keys.contains { $0.contains("52899") })
        #expect(world.stoppedAt == .milliseconds(10_080))
        #expect(world.panel == "Not registered")
    }

    @Test("Loss: whichever datagram is lost, the phone registers in the end (ALG off)", arguments: 0..<16)
    func lossSweep(lost: Int) {
        var (world, router, _) = world()
        router.isHelperOn = false
        world.drops = [lost]
        world.input(.start)
        world.run(until: .seconds(700))
        #expect(world.panel == "Registered")
    }
}
