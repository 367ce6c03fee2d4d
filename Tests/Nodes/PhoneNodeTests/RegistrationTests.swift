import Base
import PhoneNode
import SIP
import SIPStack
import Testing

private func world(_ settings: PhoneSettings = .test(), seed: UInt64 = 1, _ change: (TestRegistrar) -> Void = { _ in }) -> (
    World, TestRegistrar
) {
    let registrar = TestRegistrar()
    change(registrar)
    var world = World(settings, seed: seed)
    world.registrar = { registrar($0, $1, $2) }
    world.nat = { datagram, _ in Endpoint(World.publicAddress, 40_000 &+ datagram.source.port) }
    return (world, registrar)
}

@Suite("Registration of a current phone")
struct RegistrationTests {
    @Test("RFC 3261 22.2: the challenge is answered at once; registered after two round trips")
    func registers() throws {
        var (world, _) = world()
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers.map(\.at) == [.zero, .milliseconds(40)])
        #expect(world.registers.map(\.cseq) == [1, 2])
        #expect(world.registers[0].authorization == nil)
        #expect(world.registers[1].nonce == "nonce1")
        #expect(world.statuses.map(\.status.panel) == ["Registering", "Registered"])
        #expect(world.statuses.last?.at == .milliseconds(80))
        let mapped = Endpoint(World.publicAddress, 45_060)
        #expect(
            world.phone.status.registration
                == .registered(until: World.start + .milliseconds(80) + .seconds(3600), contact: mapped, at: World.server))
        #expect(world.phone.status.mapping.registrar == mapped)
    }

    @Test("RFC 5626 4.2.1: Contact carries +sip.instance and reg-id, Supported says path and outbound; From has a tag, Via rport")
    func headers() throws {
        var (world, _) = world()
        world.input(.start)
        world.run(until: .seconds(1))
        let message = world.registers[0].message
        guard case .list(let contacts) = try message.contacts else { return #expect(Bool(false), "no Contact") }
        #expect(contacts.count == 1)
        #expect(contacts[0].instanceID == "<urn:uuid:00000000-0000-1000-8000-000a95a0e128>")
        #expect(contacts[0].regID == 1)
        #expect(try message.supported.map(\.string) == ["path", "outbound"])
        #expect(try message.topVia.rport == .requested)
        #expect(try message.topVia.sentBy == World.phoneEndpoint)
        #expect(try message.from.tag != nil)
        #expect(try message.to.tag == nil)
        #expect(try message.from.displayName?.unquoted == "A \"B\"")
        #expect(try message.maxForwards == 70)
        #expect(try message.expires == 3600)
        #expect(message.requestURIText == "sip:203.0.113.10")
        #expect(try world.registers[0].message.callID == world.registers[1].message.callID)
    }

    @Test("RFC 3581: the mapping seen in the 401 is the Contact of the answer, so that no third REGISTER is needed")
    func adoptsMappingWithinAttempt() {
        var (world, _) = world()
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.registers.map(\.contact) == [World.phoneEndpoint, Endpoint(World.publicAddress, 45_060)])
        #expect(world.decisions.contains(.adoptsContact(Endpoint(World.publicAddress, 45_060), seenBy: .registrar)))
    }

    @Test(
        "RFC 3261 10.2.4: refreshed between half and nine tenths of the expiry, with the known nonce and the next nc",
        arguments: 1...20 as ClosedRange<UInt64>)
    func refreshes(seed: UInt64) {
        var (world, _) = world(.test(expires: 600), seed: seed)
        world.input(.start)
        world.run(until: .seconds(599))
        let refresh = world.registers[2]
        #expect(refresh.at >= .milliseconds(300_080) && refresh.at <= .milliseconds(540_080))
        #expect(refresh.nonce == "nonce1")
        #expect(refresh.authorization.flatMap { parameter("nc", of: $0) } == "00000002")
        #expect(world.phone.status.isRegistered)
        #expect(world.statuses.filter { $0.status.panel == "Registered" }.count >= 1)
    }

    @Test("RFC 7616 3.3: stale=true is answered at once with the new nonce and counts as no failure")
    func stale() {
        var (world, registrar) = world(.test(expires: 600)) { $0.nonces = .newest }
        world.input(.start)
        world.run(until: .seconds(1))
        // Somebody else's request makes the server move on to another nonce.
        _ = registrar(world.registers[0].message, World.server, world.now)
        world.run(until: .seconds(580))
        #expect(world.registers.map(\.nonce) == [nil, "nonce1", "nonce1", "nonce3"])
        #expect(world.registers[3].at - world.registers[2].at == .milliseconds(40))
        #expect(!world.statuses.contains { $0.status.panel == "Authorization error" })
        #expect(
            world.traces.contains {
                if case .received(let message) = $0.trace {
                    message.meaning == .staleChallenge(cseq: 3, number: 1, nonce: "nonce3")
                } else {
                    false
                }
            })
    }

    @Test("A registrar that calls every answer stale is given up after five rounds, with a pause")
    func staleForEver() {
        var (world, _) = world { $0.nonces = .none }
        world.input(.start)
        world.run(until: .seconds(80))
        #expect(world.registers.count == 7)
        #expect(world.panel == "Authorization error")
        guard case .authorizationError(.staleForEver, .some) = world.phone.status.registration else {
            return #expect(Bool(false), "\(world.phone.status)")
        }
    }

    @Test(
        "A wrong password: one answer, Authorization error, next try after 90 to 180 s", arguments: 1...10 as ClosedRange<UInt64>)
    func wrongPassword(seed: UInt64) throws {
        var (world, _) = world(.test(password: "wrong"), seed: seed)
        world.input(.start)
        world.run(until: .seconds(89))
        #expect(world.registers.count == 2)
        #expect(world.panel == "Authorization error")
        guard case .authorizationError(.refused, let retryAt) = world.phone.status.registration else {
            return #expect(Bool(false), "\(world.phone.status)")
        }
        let pause = try #require(retryAt) - World.start - .milliseconds(80)
        #expect(pause >= .seconds(90) && pause <= .seconds(180))
        world.run(until: .seconds(200))
        #expect(world.registers.count == 4)
        #expect(world.registers[2].at == pause + .milliseconds(80))
    }

    @Test("RFC 5626 4.5: pauses double with each failure up to 1800 s and lie between half and the whole")
    func backoff() throws {
        var (world, _) = world(.test(password: "wrong"))
        world.input(.start)
        world.run(until: .seconds(20_000))
        let tries = world.registers.filter { $0.authorization == nil }.map(\.at)
        try #require(tries.count >= 8)
        for (number, (earlier, later)) in zip(tries, tries.dropFirst()).enumerated() {
            let whole = min(Duration.seconds(90) * (2 << number), .seconds(1800))
            let pause = later - earlier - .milliseconds(80)
            #expect(pause >= whole / 2 && pause <= whole, "pause \(number): \(pause)")
        }
    }

    @Test("RFC 3261 10.2.8: 423 is followed with Min-Expires, at once")
    func tooBrief() {
        var (world, _) = world(.test(expires: 60)) { $0.minimum = 300 }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers.map(\.expires) == [60, 60, 300])
        #expect(world.registers.map(\.at) == [.zero, .milliseconds(40), .milliseconds(80)])
        #expect(world.panel == "Registered")
    }

    @Test(
        "423 without a usable Min-Expires is a refusal, not a loop",
        arguments: ["", "Min-Expires: 5\r\n", "Min-Expires: 99999999999\r\n"])
    func hostileTooBrief(lines: String) {
        var (world, _) = world { $0.script = Array(repeating: (423, lines), count: 100) }
        world.input(.start)
        world.run(until: .seconds(80))
        #expect(world.registers.count == 1)
        #expect(world.panel == "Rejected (423)")
    }

    @Test("RFC 3261 20.33: Retry-After is the least pause", arguments: [503, 500, 403, 486])
    func retryAfter(code: Int) throws {
        var (world, _) = world { $0.script = [(code, "Retry-After: 900 (maintenance);duration=60\r\n")] }
        world.input(.start)
        world.run(until: .milliseconds(940_039))
        #expect(world.registers.count == 1 || world.registers[1].at >= .milliseconds(900_040))
        #expect(world.statuses.contains { $0.status.panel == "Rejected (\(code))" })
        world.run(until: .seconds(2000))
        #expect(world.panel == "Registered")
    }

    @Test("RFC 3261 17.1.2.2: copies at 0.5, 1.5, 3.5, 7.5, 11.5 ... s, given up at 32 s; then a pause of 30 to 60 s")
    func noAnswer() throws {
        var (world, registrar) = world { $0.isSilent = true }
        world.input(.start)
        world.run(until: .seconds(61))
        let expected: [Int64] = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
        #expect(world.registers.map(\.at) == expected.map { .milliseconds($0) })
        #expect(Set(world.registers.map(\.cseq)) == [1])
        #expect(world.statuses.last?.at == .seconds(32))
        #expect(world.panel == "No answer")
        registrar.isSilent = false
        world.run(until: .seconds(93))
        #expect(world.panel == "Registered")
        #expect(world.registers[11].at >= .seconds(62) && world.registers[11].at <= .seconds(92))
    }

    @Test("ICMP ends the attempt at once", arguments: [World.server])
    func icmp(server: Endpoint) {
        var (world, _) = world { $0.isSilent = true }
        world.input(.start)
        world.run(until: .milliseconds(30))
        world.input(.unreachable(Endpoint(server.address, 9)))
        #expect(world.panel == "Registering")
        world.input(.unreachable(server))
        #expect(world.panel == "Unreachable")
        world.run(until: .seconds(29))
        #expect(world.registers.count == 1)
    }

    @Test("Loss: whichever datagram is lost, the phone registers in the end", arguments: 0..<16)
    func lossSweep(lost: Int) {
        var (world, _) = world(.test(stun: true, keepalive: .stun))
        world.drops = [lost]
        world.input(.start)
        world.run(until: .seconds(100))
        #expect(world.panel == "Registered")
        #expect(Set(world.registers.map(\.cseq)).count <= 4)
    }

    @Test("Loss: whichever two of the first datagrams are lost, the phone registers in the end")
    func lossOfPairs() {
        for first in 0..<8 {
            for second in (first + 1)..<10 {
                var (world, _) = world(seed: UInt64(first * 16 + second))
                world.drops = [first, second]
                world.input(.start)
                world.run(until: .seconds(100))
                #expect(world.panel == "Registered", "lost \(first) and \(second)")
            }
        }
    }

    @Test(
        "Of SHA-256 and MD5 the stronger is answered; alone, each is",
        arguments: [
            ([DigestHash.sha256, .md5], "SHA-256"), ([.md5, .sha256], "SHA-256"), ([.md5], "MD5"),
            ([.sha512256, .md5], "SHA-512-256"),
            ([.sha256], "SHA-256"),
        ])
    func severalChallenges(offered: [DigestHash], answered: String) {
        for qop in [true, false] {
            var (world, _) = world {
                $0.algorithms = offered
                $0.qop = qop
                $0.unknownAlgorithm = "SHA3-999"
            }
            world.input(.start)
            world.run(until: .seconds(1))
            #expect(world.registers.last?.authorization.flatMap { parameter("algorithm", of: $0) } == answered)
            #expect(world.panel == "Registered")
        }
    }

    @Test("Only unknown algorithms: Authorization error that says so")
    func unknownAlgorithms() {
        var (world, _) = world {
            $0.algorithms = []
            $0.unknownAlgorithm = "SHA3-999"
        }
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.registers.count == 1)
        guard case .authorizationError(.unsupported, _) = world.phone.status.registration else {
            return #expect(Bool(false), "\(world.phone.status)")
        }
        #expect(world.phone.status.advice == "Let the server offer Digest with MD5, SHA-256 or SHA-512-256.")
    }

    @Test("RFC 3261 22.3: 407 is answered with Proxy-Authorization")
    func proxyChallenge() {
        var (world, _) = world { $0.isProxy = true }
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers.count == 2)
        #expect(world.registers[1].message.contains(.proxyAuthorization))
        #expect(!world.registers[1].message.contains(.authorization))
        #expect(world.panel == "Registered")
    }

    @Test("De-registration: Expires 0 for the very Contact that was registered, then stopped")
    func deregisters() {
        var (world, registrar) = world()
        world.input(.start)
        world.run(until: .seconds(10))
        #expect(registrar.bindings.count == 1)
        world.input(.stop)
        #expect(world.panel == "Signing off")
        world.run(until: .seconds(11))
        #expect(world.registers.count == 3)
        #expect(world.registers[2].expires == 0)
        #expect(world.registers[2].contact == Endpoint(World.publicAddress, 45_060))
        #expect(registrar.bindings.isEmpty)
        #expect(world.stoppedAt == .milliseconds(10_040))
        #expect(world.panel == "Not registered")
        world.run(until: .seconds(10_000))
        #expect(world.registers.count == 3)
    }

    @Test("De-registration with an outdated nonce goes round by the challenge")
    func deregistersStale() {
        var (world, registrar) = world { $0.nonces = .newest }
        world.input(.start)
        world.run(until: .seconds(10))
        _ = registrar(world.registers[0].message, World.server, world.now)
        world.input(.stop)
        world.run(until: .seconds(11))
        #expect(world.registers.map(\.nonce) == [nil, "nonce1", "nonce1", "nonce3"])
        #expect(registrar.bindings.isEmpty)
        #expect(world.stoppedAt == .milliseconds(10_080))
    }

    @Test("De-registration from a dead server gives up after 4 s; where nothing is registered it is done at once")
    func deregistersInVain() {
        var (world, registrar) = world()
        world.input(.start)
        world.run(until: .seconds(10))
        registrar.isSilent = true
        world.input(.stop)
        world.run(until: .seconds(20))
        #expect(world.stoppedAt == .seconds(14))

        var fresh = World()
        fresh.input(.stop)
        #expect(fresh.stoppedAt == .zero)
    }

    @Test("After stopping the phone can be started again")
    func restarts() {
        var (world, _) = world()
        world.input(.start)
        world.run(until: .seconds(1))
        world.input(.stop)
        world.run(until: .seconds(2))
        world.input(.start)
        world.run(until: .seconds(3))
        #expect(world.panel == "Registered")
    }

    @Test("A grant of zero or of one second makes no storm", arguments: [0, 1] as [UInt32])
    func briefGrants(seconds: UInt32) {
        var (world, _) = world { $0.granted = seconds }
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.registers.count <= 15)
    }

    @Test(
        "Settings that cannot work are named, and nothing is sent",
        arguments: [
            PhoneSettings.test(registrar: "no such host"), .test(registrar: "sip:203.0.113.10;transport=tcp"),
            .test(registrar: ""),
            .test(expires: 0),
        ])
    func misconfigured(settings: PhoneSettings) {
        var world = World(settings)
        world.input(.start)
        world.run(until: .seconds(100))
        #expect(world.panel == "Settings incomplete")
        #expect(!world.phone.status.explanation.isEmpty)
        #expect(world.carried == 0)
    }

    @Test("A name without a DNS server is not found, and says so")
    func nameWithoutDNS() {
        var world = World(.test(registrar: "example.net"))
        world.input(.start)
        #expect(world.panel == "Server name not found")
        #expect(world.carried == 0)
    }

    @Test("No setting can smuggle a header line into a request")
    func injection() throws {
        var settings = PhoneSettings.test()
        settings.identity.user = "1\r\nX: y"
        settings.identity.displayName = "a\"\r\nX: y"
        settings.userAgent = "u\r\nX: y"
        settings.instanceID = "urn:uuid:1>\"\r\nX: y"
        var (world, _) = world(settings)
        world.input(.start)
        world.run(until: .seconds(1))
        #expect(world.registers.count >= 1)
        #expect(!world.registers[0].message.contains("X"))
    }
}
