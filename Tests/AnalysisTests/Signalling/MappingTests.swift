import Analysis
import Base
import Testing

@Suite("nat.port-jump, nat.mapping-expired and nat.register-longer-than-mapping")
struct MappingTests {
    @Test("a port that changes between challenge and answer is a fault that names both")
    func jump() throws {
        var talk = Talk()
        let a = talk.register(1)
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1")
        talk.up(0.03, b, port: 40_007)
        talk.down(0.05, talk.response(200, to: b), port: 40_007)
        talk.later(60)
        #expect(talk.accusations() == ["fault nat.port-jump"])
        let finding = try #require(talk.finding(.natPortJump))
        #expect(
            finding.summary
                == "The registration of alice@pbx.example jumped from port 40000 to port 40007 within 30 ms, faster than any NAT mapping expires."
        )
        #expect(finding.details[0] == "Ports in order: 40000, 40007.")
    }

    /// A call to a phone behind a NAT that nobody answers, `idle` seconds after the last that passed between server and phone.
    private func unansweredCall(idle: Double, pingedBefore: Bool = false) throws -> Finding {
        var talk = Talk()
        talk.registers()
        var at = 0.05
        let ping = talk.request("OPTIONS", "sip:alice@198.51.100.7:40000", 7, tag: "s9")
        if pingedBefore {
            at += idle + 1
            talk.down(at, ping)
            talk.up(at + 0.02, talk.response(200, to: ping))
            at += 0.02
        }
        talk.call = "incoming"
        let invite = talk.request("INVITE", "sip:alice@198.51.100.7:40000", 9, body: Talk.sdp("203.0.113.10"), tag: "s9")
        for gap in [0, 0.5, 1.5, 3.5, 7.5, 15.5] { talk.down(at + idle + gap, invite) }
        talk.later(at + idle + 60)
        return try #require(talk.finding(.sipRetransmit))
    }

    @Test("a call to a phone behind a NAT, unanswered after long silence: the NAT may have forgotten it, keepalives help")
    func forgottenInSilence() throws {
        let finding = try unansweredCall(idle: 400)
        #expect(
            finding.summary.hasSuffix("After 400 s of silence its NAT may have forgotten the phone."), "\(finding.summary)")
        #expect(finding.remedies.first?.text.contains("keepalive every 30 s") == true)
    }

    @Test(
        "no word of a NAT that forgets: the silence is short, or it remembered as long before",
        arguments: [(20.0, false), (400.0, true)])
    func remembered(idle: Double, pinged: Bool) throws {
        let finding = try unansweredCall(idle: idle, pingedBefore: pinged)
        #expect(!finding.summary.contains("forgotten"), "\(finding.summary)")
        #expect(finding.remedies.first?.actor == .network)
    }

    @Test("there and back again within a minute is a fault, in whatever order keepalives come")
    func backAgain() {
        var talk = Talk()
        talk.registers()
        for (index, port) in [UInt16(40_009), 40_000].enumerated() {
            let refresh = talk.register(3 + index, nonce: "n1")
            let at = 5 + Double(index) * 6
            talk.up(at, refresh, port: port)
            talk.down(at + 0.02, talk.response(200, to: refresh), port: port)
        }
        talk.later(60)
        #expect(talk.accusations() == ["fault nat.port-jump"])
    }

    @Test(
        "no jump: a new Call-ID, a restart, a second device, a new TCP connection, another server, a client that listens elsewhere",
        arguments: ["call", "restart", "device", "tcp", "server", "listens"])
    func harmless(kind: String) {
        var talk = Talk()
        if kind == "tcp" { talk.transport = .tcp }
        if kind == "listens" {
            talk.asksForPort = false
            talk.said = "198.51.100.7:5060"
        }
        talk.registers(port: kind == "listens" ? nil : 40_000)
        var next = talk.register(3, nonce: "n1")
        switch kind {
        case "call", "device":
            talk.call = "c2"
            next = talk.register(1, nonce: "n1", tag: "t9")
        case "restart": next = talk.register(1, nonce: "n1", tag: "t9")
        default: break
        }
        if kind == "server" {
            let other = Endpoint("203.0.113.11:5060")!
            talk.up(5, next, port: 40_100, to: other)
            talk.down(5.02, talk.response(200, to: next), port: 40_100, from: other)
        } else {
            talk.up(5, next, port: 40_100)
            talk.down(5.02, talk.response(200, to: next), port: kind == "listens" ? 5_060 : 40_100)
        }
        talk.later(60)
        #expect(talk.accusations().filter { $0.contains("port-jump") } == [])
    }

    /// A call whose re-INVITEs come from other ports; `answered`: the last one is answered.
    private func moving(_ ports: [UInt16], phone: Endpoint, answered: Bool = true) -> Talk {
        var talk = Talk()
        talk.phone = phone
        for (index, port) in ports.enumerated() {
            let invite = talk.request(
                "INVITE", "sip:bob@pbx.example", 1 + index, body: Talk.sdp("192.168.1.20"),
                peer: "<sip:bob@pbx.example>" + (index == 0 ? "" : ";tag=s1"))
            talk.up(Double(index) * 8, invite, port: port)
            if index == ports.count - 1, !answered { break }
            talk.down(
                Double(index) * 8 + 0.02, talk.response(200, to: invite, body: Talk.sdp("203.0.113.10")), port: port)
            talk.up(
                Double(index) * 8 + 0.04,
                talk.request("ACK", "sip:bob@pbx.example", 1 + index, peer: "<sip:bob@pbx.example>;tag=s1"), port: port)
        }
        return talk
    }

    @Test("a call whose phone sends each request from another socket broke where one goes unanswered; a NAT that moves is a risk")
    func movingCaller() {
        let own = Endpoint("192.168.1.20:5060")!
        #expect(moving([5_100, 5_200, 5_300], phone: own).finding(.natPortJump)?.severity == .note)
        #expect(moving([5_100, 5_200, 5_300], phone: own, answered: false).finding(.natPortJump)?.severity == .fault)
        #expect(moving([40_000, 40_900], phone: Talk().phone).finding(.natPortJump)?.severity == .risk)
        #expect(moving([40_000, 40_900, 40_001], phone: Talk().phone).finding(.natPortJump)?.severity == .fault)
    }

    private func lost(idle: Double, back: UInt16, keepalives: Bool = false) -> Talk {
        var talk = Talk()
        talk.registers(expires: 3_600)
        if keepalives {
            for index in 1...Int(idle / 25) { talk.see(Double(index) * 25, talk.phone, talk.server, .keepalive) }
        }
        var ping = talk
        ping.call = "ping"
        ping.user = "server"
        let options = ping.request("OPTIONS", "sip:alice@198.51.100.7:40000", 7)
        for gap in [0, 0.5, 1.5, 3.5] { talk.down(idle + gap, options) }
        let again = talk.register(3, nonce: "n1")
        talk.up(idle + 30, again, port: back)
        talk.down(idle + 30.02, talk.response(200, to: again), port: back)
        talk.later(idle + 100)
        return talk
    }

    @Test("an unanswered request after 90 s of silence and a REGISTER from another port: the mapping was gone, measured")
    func expired() throws {
        let talk = lost(idle: 90, back: 40_555)
        let finding = try #require(talk.finding(.natMappingExpired))
        #expect(finding.severity == .fault && finding.subject.dialogs.count == 2)
        #expect(finding.details[0] == "A mapping lives at most 90 s here.")
        #expect(finding.remedies[0].text.contains("every 44 s or less"))
        let registration = try #require(talk.result().registrations.first { $0.aor == "alice@pbx.example" })
        #expect(registration.mappingGoneAfter == .milliseconds(89_950))
    }

    @Test(
        "twenty phones behind one router that forgets them are one finding, bounded by the shortest silence, and no retransmission beside it"
    )
    func oneRouter() throws {
        var all = Talk()
        for number in 0..<20 {
            var talk = all
            talk.user = "phone\(number)"
            talk.call = "reg\(number)"
            talk.said = "192.168.1.\(20 + number):5060"
            let (port, start) = (UInt16(40_000 + number), Double(number) * 3)
            talk.registers(at: start, nonce: "n\(number)", port: port)
            var ping = talk
            ping.call = "ping\(number)"
            ping.user = "server"
            let options = ping.request("OPTIONS", "sip:phone\(number)@198.51.100.7", 7)
            let idle = number == 3 ? 25.05 : 60.05
            for gap in [0, 0.5, 1.5, 3.5] { talk.down(start + idle + gap, options, port: port) }
            let again = talk.register(3, nonce: "n\(number)")
            talk.up(start + 256, again, port: port + 1_000)
            talk.down(start + 256.02, talk.response(200, to: again), port: port + 1_000)
            all = talk
        }
        all.later(400)
        let found = all.result().findings.filter { $0.severity.accuses }
        #expect(found.map(\.name) == [.natMappingExpired])
        let finding = try #require(found.first)
        #expect(finding.count == 20)
        #expect(finding.details[0] == "A mapping lives at most 25 s here.")
        #expect(finding.remedies[0].text.contains("every 12 s or less"))
        #expect(finding.details.contains { $0.hasPrefix("What follows from it: 20 requests stayed unanswered") })
    }

    @Test("requests that another host leaves unanswered are told beside a mapping that expired")
    func otherSilence() {
        var talk = lost(idle: 90, back: 40_555)
        var other = talk
        other.call = "elsewhere"
        let options = other.request("OPTIONS", "sip:bob@198.51.100.77", 9)
        for gap in [0, 0.5, 1.5, 3.5] { talk.down(20 + gap, options, to: Endpoint("198.51.100.77:5060")!) }
        #expect(talk.accusations().contains { $0.contains("nat.mapping-expired") })
        #expect(talk.accusations().contains { $0.contains("sip.retransmit") })
    }

    @Test("a phone that comes back from the same port was only busy")
    func busy() { #expect(lost(idle: 90, back: 40_000).finding(.natMappingExpired) == nil) }

    @Test(
        "a refresh from another port after minutes without a keepalive is a risk; with keepalives it is none",
        arguments: [false, true])
    func longer(keepalives: Bool) {
        var talk = Talk()
        talk.registers(expires: 3_600)
        if keepalives {
            for index in 1...11 { talk.see(Double(index) * 25, talk.phone, talk.server, .keepalive) }
        }
        let again = talk.register(3, nonce: "n1")
        talk.up(300, again, port: 41_000)
        talk.down(300.02, talk.response(200, to: again), port: 41_000)
        talk.later(400)
        #expect(talk.accusations() == (keepalives ? [] : ["risk nat.register-longer-than-mapping"]))
    }

    @Test("a mapping that stands after minutes of silence is no finding, and is measured")
    func stands() throws {
        var talk = Talk()
        talk.registers(expires: 3_600)
        var ping = talk
        ping.call = "ping"
        ping.user = "server"
        let options = ping.request("OPTIONS", "sip:alice@198.51.100.7:40000", 7)
        talk.down(120, options)
        talk.up(120.05, ping.response(200, to: options))
        talk.later(200)
        #expect(talk.accusations() == [])
        let registration = try #require(talk.result().registrations.first { $0.aor == "alice@pbx.example" })
        #expect(registration.mappingLivedAtLeast == .milliseconds(119_950))
    }

    @Test("two phones behind one address that call each other through a proxy are two hops")
    func hairpin() {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        let proxied = invite.replacing("Via: ", with: "Via: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKproxy\r\nVia: ")
        let bob = Endpoint("198.51.100.7:40044")!
        talk.down(0.01, proxied, to: bob)
        let ok = talk.response(
            200, to: proxied, ["Contact: <sip:bob@198.51.100.7:40044>"], body: Talk.sdp("198.51.100.7", port: 30_000))
        talk.up(1, ok, from: bob)
        talk.down(
            1.01,
            talk.response(
                200, to: invite, ["Contact: <sip:bob@198.51.100.7:40044>"], body: Talk.sdp("198.51.100.7", port: 30_000)))
        talk.later(60)
        #expect(talk.accusations() == [])
    }
}
