import Analysis
import Base
import Testing

@Suite("nat.private-contact, nat.private-sdp, nat.rport-missing, alg.suspected and stun.sdp-mismatch")
struct AddressTests {
    @Test("a private Contact in a REGISTER that works is a note")
    func registration() throws {
        var talk = Talk()
        talk.registers()
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.natPrivateContact)).severity == .note)
    }

    /// A call from a phone whose Contact is private, up to the ACK.
    private func call(contact: String = "192.168.1.20:5060", sdp: String = "198.51.100.7", extra: [String] = []) -> Talk {
        var talk = Talk()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@\(contact)>"], body: Talk.sdp(sdp, extra: extra))
        talk.up(0, invite)
        talk.down(
            1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 30_000)))
        talk.up(1.03, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1"))
        return talk
    }

    private func bye(_ talk: Talk) -> String {
        "BYE sip:alice@192.168.1.20 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKbye\r\nFrom: <sip:bob@pbx.example>;tag=s1\r\n"
            + "To: <sip:alice@pbx.example>;tag=t1\r\nCall-ID: \(talk.call)\r\nCSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n"
    }

    @Test(
        "a server that names its own private address is told its public one, by its program's own settings; a phone is not",
        arguments: [
            ("Asterisk PBX 18.9", "external_media_address"), ("FreeSWITCH-mod_sofia/1.10", "ext-rtp-ip"), ("Softphone/2", ""),
        ])
    func server(program: String, setting: String) throws {
        var talk = Talk()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        let answer = talk.response(
            200, to: invite, ["Contact: <sip:bob@10.0.0.5>", "X: y"], body: Talk.sdp("10.0.0.5", port: 30_000)
        ).with("Server: PBX/2", "Server: \(program)")
        talk.up(0, invite)
        talk.down(1, answer)
        let ack = talk.request("ACK", "sip:bob@10.0.0.5", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1")
        for at in [1.0, 1.5, 2.5, 4.5, 8.5] {
            if at > 1 { talk.down(at, answer) }
            talk.up(at + 0.01, ack, to: Endpoint("10.0.0.5:5060")!)
        }
        talk.later(60)
        let finding = try #require(talk.finding(.natPrivateContact))
        #expect(finding.severity == .fault)
        let isServer = !setting.isEmpty
        #expect(finding.remedies.contains { $0.commands.contains { isServer && $0.contains(setting) } } == isServer)
        #expect((finding.culprit == .proved("the server 203.0.113.10:5060 (\(program))")) == isServer)
    }

    @Test(
        "a public address of one's own that is not where one is heard from is a risk; the right one, and a private one, none",
        arguments: [("203.0.113.99", true), ("203.0.113.44", false), ("192.168.1.20", false)])
    func external(said: String, isWrong: Bool) throws {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        talk.said = "\(said):5060"
        talk.server = Endpoint("198.51.100.10:5060")!
        let first = talk.register(1)
        talk.up(0, first)
        talk.down(
            0.02,
            talk.response(200, to: first.with(";rport", ";rport=5060;received=203.0.113.44"), ["Contact: <sip:alice@\(said)>"]))
        talk.later(100)
        #expect((talk.finding(.natWrongExternal)?.severity == .risk) == isWrong)
        if isWrong {
            #expect(
                talk.finding(.natWrongExternal)?.summary
                    == "192.168.1.20:5060 calls itself 203.0.113.99 to the outside, but is heard from 203.0.113.44: what is sent to its Contact goes to somebody else."
            )
        }
    }

    @Test("in a call where nothing went back to it, it is a note")
    func untested() {
        var talk = call()
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.natPrivateContact)?.severity == .note)
    }

    @Test("a BYE sent to the private address is a fault, and no further finding about its repetition")
    func lost() throws {
        var talk = call()
        let bye = bye(talk)
        for gap in [0, 0.5, 1.5, 3.5] { talk.down(10 + gap, bye, to: Endpoint("192.168.1.20:5060")!) }
        talk.later(60)
        #expect(talk.accusations() == ["fault nat.private-contact"])
        #expect(try #require(talk.finding(.natPrivateContact)).remedies[0].commands.count == 3)
    }

    @Test("a BYE sent to where the phone really is, and answered, shows that the server repairs it")
    func repaired() {
        var talk = call()
        let bye = bye(talk)
        talk.down(10, bye)
        talk.up(10.03, talk.response(200, to: bye))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("a server whose OPTIONS reach a phone with a private Contact knows better in calls, too")
    func reached() {
        var talk = Talk()
        talk.registers()
        var ping = talk
        ping.call = "ping"
        ping.user = "server"
        let options = ping.request("OPTIONS", "sip:alice@192.168.1.20:5060", 7)
        talk.down(20, options)
        talk.up(20.05, ping.response(200, to: options))
        talk.call = "call"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@192.168.1.20:5060>"], body: Talk.sdp("198.51.100.7"))
        talk.up(30, invite)
        talk.down(
            31, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10", port: 30_000)))
        talk.up(31.03, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: "<sip:bob@pbx.example>;tag=s1"))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("an ACK sent to the callee's private Contact is lost: that is the fault, not the missing ACK")
    func lostACK() {
        var talk = Talk()
        let invite =
            "INVITE sip:alice@198.51.100.7:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bKin\r\nFrom: <sip:bob@pbx.example>;tag=b1\r\n"
            + "To: <sip:alice@pbx.example>\r\nCall-ID: plain\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@203.0.113.10>\r\nContent-Length: 0\r\n\r\n"
        talk.down(0, invite)
        let ok = talk.response(200, to: invite, ["Contact: <sip:alice@192.168.1.20:5060>"])
        let ack = invite.replacing("INVITE", with: "ACK").replacing("z9hG4bKin", with: "z9hG4bKack")
        for gap in [0, 0.5, 1.5, 3.5, 7.5] {
            talk.up(1 + gap, ok)
            talk.down(1.02 + gap, ack, to: Endpoint("192.168.1.20:5060")!)
        }
        talk.later(60)
        #expect(talk.accusations() == ["fault nat.private-contact"])
    }

    @Test("a call sent to the private address somebody registered is a fault")
    func lostCall() {
        var talk = Talk()
        talk.registers()
        var other = talk
        other.call = "inbound"
        other.user = "bob"
        let invite = other.request("INVITE", "sip:alice@192.168.1.20", 1, body: Talk.sdp("203.0.113.10"))
        talk.down(20, invite, to: Endpoint("192.168.1.20:5060")!)
        talk.down(20.5, invite, to: Endpoint("192.168.1.20:5060")!)
        talk.later(60)
        #expect(talk.accusations() == ["fault nat.private-contact"])
    }

    @Test(
        "a private c= from a public source is a note where no media is to be seen: the server may latch; with ICE candidates it is none",
        arguments: [false, true])
    func description(hasICE: Bool) {
        var talk = call(
            contact: "198.51.100.7:40000", sdp: "192.168.1.20",
            extra: hasICE ? ["a=candidate:1 1 UDP 1 198.51.100.7 20000 typ srflx raddr 192.168.1.20 rport 20000"] : [])
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.natPrivateSDP)?.severity == (hasICE ? nil : .note))
    }

    @Test("0.0.0.0 is hold, not a private address")
    func hold() {
        var talk = call(contact: "198.51.100.7:40000", sdp: "0.0.0.0")
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("replies to the port in Via that are not heard are a fault; heard they are none", arguments: [false, true])
    func replyPort(heard: Bool) {
        var talk = Talk()
        talk.asksForPort = false
        let a = talk.register(1)
        for gap in heard ? [0] : [0, 0.5, 1.5, 3.5] {
            talk.up(gap, a)
            talk.down(gap + 0.02, talk.challenge(to: a, nonce: "n1"), port: 5_060)
        }
        if heard {
            let b = talk.register(2, nonce: "n1")
            talk.up(0.05, b)
            talk.down(0.07, talk.response(200, to: b), port: 5_060)
        }
        talk.later(60)
        #expect(talk.accusations() == (heard ? [] : ["fault nat.rport-missing"]))
    }

    @Test("a public Contact beside a private Via in a first REGISTER is a suspicion")
    func contactOnly() throws {
        var talk = Talk()
        let a = talk.register(1, contact: "198.51.100.7:40000")
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(2, nonce: "n1", contact: "198.51.100.7:40000")
        talk.up(0.03, b)
        talk.down(0.05, talk.response(200, to: b))
        talk.later(60)
        #expect(talk.accusations() == ["risk alg.suspected"])
        #expect(try #require(talk.finding(.algSuspected)).confidence == .possible)
    }

    @Test("where a registration began before the capture, a public Contact beside a private Via may be learnt: a note")
    func contactLearntBefore() throws {
        var talk = Talk()
        let a = talk.register(57, contact: "198.51.100.7:40000")
        talk.up(0, a)
        talk.down(0.02, talk.challenge(to: a, nonce: "n1"))
        let b = talk.register(58, nonce: "n1", contact: "198.51.100.7:40000")
        talk.up(0.03, b)
        talk.down(0.05, talk.response(200, to: b))
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(try #require(talk.finding(.algSuspected)).details.contains { $0.contains("before the capture (CSeq 57)") })
    }

    @Test("a suspicion of a helper hides no refusal")
    func suspectedAndRefused() {
        var talk = Talk()
        let a = talk.register(1, contact: "198.51.100.7:40000")
        talk.up(0, a)
        talk.down(0.02, talk.response(503, to: a))
        talk.later(60)
        #expect(Set(talk.accusations()) == ["fault sip.refused", "risk alg.suspected"])
    }

    @Test("no suspicion: the phone asked STUN, or learnt its address from an answer", arguments: ["stun", "answer"])
    func knows(how: String) {
        var talk = Talk()
        if how == "stun" { talk.see(0, talk.phone, Endpoint("203.0.113.99:3478")!, .stun(Self.binding)) }
        let a = talk.register(1, contact: how == "stun" ? "198.51.100.7:40000" : nil)
        talk.up(1, a)
        talk.down(1.02, talk.challenge(to: a, nonce: "n1").replacing(";rport", with: ";rport=40000;received=198.51.100.7"))
        let b = talk.register(2, nonce: "n1", contact: "198.51.100.7:40000")
        talk.up(1.03, b)
        talk.down(1.05, talk.response(200, to: b))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    private static let binding: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] + (1...12).map { UInt8($0) }

    private static func answer(_ address: [UInt8], _ port: UInt16) -> [UInt8] {
        let masked = port ^ 0x2112
        let cookie: [UInt8] = [0x21, 0x12, 0xa4, 0x42]
        return [1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42] + (1...12).map { UInt8($0) } + [
            0, 0x20, 0, 8, 0, 1, UInt8(masked >> 8), UInt8(masked & 255),
        ]
            + (0..<4).map { address[$0] ^ cookie[$0] }
    }

    @Test("a Content-Length that is not the body's is a suspicion, unless the packet was cut", arguments: [false, true])
    func length(isCut: Bool) {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7"))
        let length = Talk.sdp("198.51.100.7").utf8.count
        let wrong = invite.replacing("Content-Length: \(length)", with: "Content-Length: \(length + 4)")
        talk.see(0, talk.phone, talk.server, .sip(Array(wrong.utf8), isCut: isCut))
        talk.down(0.1, talk.response(486, to: invite))
        talk.later(60)
        #expect(talk.accusations() == (isCut ? [] : ["risk alg.suspected"]))
    }

    @Test(
        "a public c= beside a private o= alone, which phones with STUN write, is a note; beside 0.0.0.0, loopback or another public one nothing",
        arguments: ["192.168.1.20", "0.0.0.0", "127.0.0.1", "203.0.113.77"])
    func origin(address: String) {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7", origin: address))
        talk.up(0, invite)
        talk.down(0.1, talk.response(486, to: invite))
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect((talk.finding(.algSuspected)?.severity == .note) == (address == "192.168.1.20"))
    }

    @Test("SDP that names another port than STUN told is a fault; the told one is none", arguments: [24_680, 24_681])
    func probe(port: Int) {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        let media = Endpoint("192.168.1.20:20000")!
        let stun = Endpoint("203.0.113.99:3478")!
        talk.see(0, media, stun, .stun(Self.binding))
        talk.see(0.02, stun, media, .stun(Self.answer([198, 51, 100, 7], 24_680)))
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("198.51.100.7", port: port))
        talk.up(1, invite)
        talk.down(1.1, talk.response(486, to: invite))
        talk.later(60)
        #expect(talk.accusations() == (port == 24_680 ? [] : ["fault stun.sdp-mismatch"]))
    }

    @Test("a probe nobody answers and a private address in SDP are a fault")
    func unansweredProbe() {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        for gap in [0, 0.5, 1.5] {
            talk.see(gap, Endpoint("192.168.1.20:20000")!, Endpoint("203.0.113.99:3478")!, .stun(Self.binding))
        }
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
        talk.up(3, invite)
        talk.down(3.1, talk.response(486, to: invite))
        talk.later(60)
        #expect(talk.accusations() == ["fault stun.sdp-mismatch"])
    }
}
