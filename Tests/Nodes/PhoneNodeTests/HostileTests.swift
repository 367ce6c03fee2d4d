import Base
import PhoneNode
import SIP
import Testing

@Suite("Hostile peers")
struct HostileTests {
    @Test("Responses that are none of ours change nothing: another branch, two Vias, another method, garbage")
    func foreign() {
        let registrar = TestRegistrar()
        var world = World()
        world.registrar = { _, _, _ in [] }
        world.input(.start)
        world.run(until: .milliseconds(30))
        let request = world.registers[0].message
        let right = String(
            decoding: registrar.response(request, World.server, 200, "Contact: <sip:100@192.168.1.100:5060>;expires=60\r\n"),
            as: UTF8.self)
        world.inject(right.replacing("branch=z9hG4bK", with: "branch=z9hG4bKx"))
        world.inject(right.replacing("From:", with: "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKy\r\nFrom:"))
        world.inject(right.replacing("1 REGISTER", with: "1 INVITE"))
        world.inject("SIP/2.0 200\r\n")
        world.inject("\u{0}\u{1}\u{2}")
        world.inject("")
        world.inject("\r\n\r\n")
        #expect(world.panel == "Registering")
        world.inject(right)
        #expect(world.panel == "Registered")
    }

    @Test(
        "Values beyond reason are borne: sizes, ports, addresses, times",
        arguments: [
            "Contact: <sip:100@192.168.1.100:5060>;expires=99999999999999999999\r\n", "Contact: *\r\n", "Contact: <\r\n",
            "Expires: -1\r\n",
            "Contact: <sip:100@192.168.1.100:5060>;expires=4294967295\r\n", "Flow-Timer: 0\r\n", "Flow-Timer: 4294967295\r\n",
        ])
    func values(lines: String) {
        let registrar = TestRegistrar()
        var world = World(.test(keepalive: .crlf))
        world.registrar = { message, source, _ in [registrar.response(message, source, 200, lines)] }
        world.input(.start)
        world.run(until: .seconds(1000))
        #expect(world.phone.status.isRegistered)
        #expect(world.registers.count == 1)
    }

    @Test(
        "A lying received or rport is no address to adopt",
        arguments: [
            ";rport=0;received=203.0.113.2", ";rport=70000;received=203.0.113.2", ";rport=5;received=0.0.0.0",
            ";rport=;received=x",
            ";rport=5;received=::",
        ])
    func lyingVia(parameters: String) {
        let registrar = TestRegistrar()
        registrar.fillsRport = false
        var world = World()
        world.registrar = { message, source, now in
            registrar(message, source, now).map {
                Array(String(decoding: $0, as: UTF8.self).replacing(";rport\r\n", with: "\(parameters)\r\n").utf8)
            }
        }
        world.input(.start)
        world.run(until: .seconds(1000))
        #expect(world.registers.allSatisfy { $0.contact == World.phoneEndpoint })
        // A Via beyond reading makes the whole response unreadable, as if it were lost; the others register.
        #expect(Set(world.registers.map(\.cseq)).count <= 8)
        #expect(world.phone.status.isRegistered != parameters.contains("received=x"))
    }

    @Test("A registrar that challenges for ever, each time for another realm, is given up")
    func endlessRealms() {
        var round = 0
        let registrar = TestRegistrar()
        var world = World()
        world.registrar = { message, source, _ in
            round += 1
            return [
                registrar.response(message, source, 401, "WWW-Authenticate: Digest realm=\"r\(round)\", nonce=\"n\(round)\"\r\n")
            ]
        }
        world.input(.start)
        world.run(until: .seconds(60))
        #expect(world.registers.count <= 9)
        #expect(world.panel == "Authorization error")
    }

    @Test("Mutated answers: never a crash, never a storm", arguments: 0..<40 as Range<UInt64>)
    func mutated(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        let registrar = TestRegistrar()
        var world = World(.test(behaviour: seed % 3 == 0 ? .seed : .modern, stun: seed % 2 == 0, keepalive: .options), seed: seed)
        world.registrar = { message, source, now in
            registrar(message, source, now).map { answer in
                var bytes = answer
                for _ in 0..<Int(entropy.next() % 4) {
                    let place = Int(entropy.next() % UInt64(bytes.count))
                    switch entropy.next() % 3 {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: entropy.next())
                    case 1: bytes.remove(at: place)
                    default: bytes.insert(contentsOf: bytes.prefix(Int(entropy.next() % 40)), at: place)
                    }
                }
                return bytes
            }
        }
        world.input(.start)
        world.run(until: .seconds(1800))
        #expect(world.registers.count < 400)
        world.input(.stop)
        world.run(for: .seconds(5))
        #expect(world.stoppedAt != nil)
    }

    @Test(
        "Random datagrams to every socket: never a crash, nothing sent in return but answers to requests",
        arguments: 0..<20 as Range<UInt64>)
    func noise(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        var world = World(.test(stun: true))
        world.input(.start)
        for _ in 0..<200 {
            let payload = entropy.bytes(Int(entropy.next() % 200))
            world.input(.received(Datagram(from: World.server, to: World.phoneEndpoint, payload)))
        }
        #expect(world.responses.isEmpty)
        #expect(world.phone.counters.dropped > 100)
    }
}
