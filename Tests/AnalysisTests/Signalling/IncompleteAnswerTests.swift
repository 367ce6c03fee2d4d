import Analysis
import Base
import Testing

@Suite("Answers that lack what their receiver needs, and requests that leave out their way")
struct IncompleteAnswerTests {
    private static let all = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]

    /// A call whose 200 is repeated to the end, with those headers and that tag.
    private func repeated(_ more: [String], tag: String? = "s1", ack: (at: Double, to: String, [String])? = nil) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        var ok = talk.response(200, to: invite, more, body: Talk.sdp("203.0.113.10"))
        if tag == nil { ok = ok.replacing(";tag=s1", with: "") }
        for time in Self.all { talk.down(1 + time, ok) }
        if let ack {
            talk.up(
                ack.at,
                talk.request("ACK", "sip:bob@\(ack.to)", 1, branch: "ack", ack.2, peer: "<sip:bob@pbx.example>;tag=s1"),
                to: Endpoint("\(ack.to):5060")!)
        }
        talk.later(80)
        return talk
    }

    @Test("a 200 without a tag in To, or without a Contact, is why no ACK comes", arguments: [true, false])
    func lacks(tag: Bool) throws {
        let talk = tag ? repeated(["Contact: <sip:bob@203.0.113.10>"], tag: nil) : repeated([])
        #expect(talk.accusations() == ["fault sip.no-ack"])
        let finding = try #require(talk.finding(.sipNoACK))
        #expect(finding.culprit == .proved("203.0.113.10:5060"))
        #expect(finding.summary.contains(tag ? "its 200 has no tag in To" : "its 200 has no Contact"))
    }

    @Test("a whole 200 that nobody acknowledges is told as before, and so is one that the capture cuts")
    func whole() throws {
        let words =
            "203.0.113.10:5060 accepted the call and repeated its 200 10 times, but no ACK came: it will end the call after 32 s."
        #expect(try #require(repeated(["Contact: <sip:bob@203.0.113.10>"]).finding(.sipNoACK)).summary == words)
        #expect(repeated([]).cut(250).finding(.sipNoACK)?.summary.contains("has no Contact") != true)
    }

    private let routed = ["Record-Route: <sip:203.0.113.10;lr>", "Contact: <sip:bob@10.1.1.9>"]

    @Test("an ACK that leaves the route out and goes to the private Contact behind it is its sender's fault")
    func routes() throws {
        let talk = repeated(routed, ack: (1.1, "10.1.1.9", []))
        #expect(talk.accusations() == ["fault sip.no-ack"])
        let finding = try #require(talk.finding(.sipNoACK))
        #expect(finding.culprit == .proved("198.51.100.7:40000"))
        #expect(
            finding.summary
                == "198.51.100.7:40000 sends its ACK straight to 10.1.1.9:5060, the Contact of the other end, instead of by the way that the 200 names "
                + "(Record-Route): it is lost.")
    }

    @Test("with Route, or without Record-Route, it is the private Contact that is told")
    func routeLookAlikes() {
        #expect(
            repeated(routed, ack: (1.1, "10.1.1.9", ["Route: <sip:203.0.113.10;lr>"])).accusations()
                == ["fault nat.private-contact"])
        #expect(
            repeated(["Contact: <sip:bob@10.1.1.9>"], ack: (1.1, "10.1.1.9", [])).accusations() == ["fault nat.private-contact"])
    }

    @Test("PRACKs that are refused each time are why a call fails; one that is taken is not", arguments: [481, 200])
    func pracks(status: Int) {
        var talk = Talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Supported: 100rel"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(0.1, talk.response(183, to: invite, ["Require: 100rel", "RSeq: 1", "Contact: <sip:bob@203.0.113.10>"]))
        for turn in 0..<2 {
            let prack = talk.request(
                "PRACK", "sip:bob@203.0.113.10", 2 + turn, ["RAck: 1 1 INVITE"], peer: "<sip:bob@pbx.example>;tag=s1")
            talk.up(0.2 + Double(turn), prack)
            talk.down(0.25 + Double(turn), talk.response(status, to: prack))
        }
        talk.down(8, talk.response(500, to: invite))
        talk.up(8.1, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        talk.later(60)
        #expect(talk.accusations() == ["fault sip.refused"])
        #expect(talk.finding(.sipRefused)?.summary.contains("to each PRACK of") == (status == 481))
    }

    @Test("a registrar that is silent while another takes the account at once costs a wait alone", arguments: [5.0, 60])
    func standIn(at: Double) {
        var talk = Talk()
        let first = talk.register(1)
        for time in [0, 0.5, 1.5, 3.5] { talk.up(time, first) }
        let other = Endpoint("203.0.113.20:5060")!
        talk.call = "second"
        let second = talk.register(1, branch: "second")
        talk.up(at, second, to: other)
        talk.down(at + 0.02, talk.response(200, to: second, ["Contact: <sip:alice@192.168.1.20:5060>;expires=3600"]), from: other)
        talk.later(100)
        #expect(talk.accusations() == (at < 10 ? [] : ["fault sip.retransmit"]))
        #expect(
            talk.finding(.sipRetransmit)?.summary.hasSuffix("203.0.113.20:5060 took the registration in its place.") == (at < 10))
    }

    /// Two digits by INFO, with that answer, in a call whose digits also go as events or do not.
    private func digits(events: Bool, status: Int = 200, infos: Int = 2) -> [Finding] {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        func sdp(_ address: String, _ port: Int) -> String {
            Talk.sdp(address, port: port, formats: "0 101", extra: ["a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000"])
        }
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: sdp("198.51.100.7", 20_000))
        let ok = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: sdp("203.0.113.10", 30_000))
        let peer = "<sip:bob@pbx.example>;tag=s1"
        let ack = talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer)
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 9, peer: peer)
        var packets = [
            Talk.Packet(at: 0, up: true, bytes: Array(invite.utf8)), Talk.Packet(at: 1, up: false, bytes: Array(ok.utf8)),
            Talk.Packet(at: 1.02, up: true, bytes: Array(ack.utf8)), Talk.Packet(at: 12, up: true, bytes: Array(bye.utf8)),
            Talk.Packet(at: 12.03, up: false, bytes: Array(talk.response(200, to: bye).utf8)),
        ]
        for turn in 0..<infos {
            let info = talk.request(
                "INFO", "sip:bob@203.0.113.10", 2 + turn, ["Content-Type: application/dtmf-relay"], peer: peer)
            packets.append(Talk.Packet(at: 3 + Double(turn), up: true, bytes: Array(info.utf8)))
            packets.append(Talk.Packet(at: 3.05 + Double(turn), up: false, bytes: Array(talk.response(status, to: info).utf8)))
        }
        for number in 0..<500 {
            let at = 1.05 + Double(number) * 0.02
            let (isKey, part) = (events && number >= 100 && number % 50 < 8 && number < 200, number % 50)
            packets.append(
                Talk.Packet(
                    at: at, up: true,
                    bytes: MediaScene.rtp(
                        isKey ? 101 : 0, number, UInt32((isKey ? number - part : number) * 160), 1, payload: isKey ? 4 : 160),
                    isAudio: true))
            packets.append(
                Talk.Packet(at: at, up: false, bytes: MediaScene.rtp(0, number, UInt32(number * 160), 2), isAudio: true))
        }
        return talk.accusations(of: packets)
    }

    @Test("digits as events and by INFO at once are a risk; of one kind alone, or one INFO, nothing")
    func twice() throws {
        let found = digits(events: true)
        #expect(found.map { "\($0.severity) \($0.name.rawValue)" } == ["risk media.quality"])
        #expect(digits(events: false).isEmpty)
        #expect(digits(events: true, infos: 0).isEmpty)
        #expect(digits(events: true, infos: 1).isEmpty)
    }
}
