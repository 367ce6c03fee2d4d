import Analysis
import Base
import Testing

@testable import Analysis

/// A capture that keeps only the beginning of each packet parts fields in their middle: half a branch, a third of an address.
@Suite("messages that are cut")
struct CutMessageTests {
    /// Two phones behind one address refresh their registrations and are watched, and one calls.
    private static func everyday() -> Talk {
        var talk = Talk()
        for (user, port, host) in [("alice", UInt16(40_000), "20"), ("albert", 40_001, "21")] {
            talk.user = user
            talk.said = "192.168.1.\(host):5060"
            talk.call = "r\(user)@192.168.1.\(host)"
            talk.phone.port = port
            for round in 0..<3 {
                let start = Double(round) * 60 + Double(port - 40_000)
                let refresh = talk.register(2 * round + 1, expires: 60)
                talk.up(start, refresh)
                talk.down(start + 0.02, talk.challenge(to: refresh, nonce: "nonce\(user)\(round)"))
                let again = talk.register(2 * round + 2, nonce: "nonce\(user)\(round)", expires: 60)
                talk.up(start + 0.03, again)
                talk.down(start + 0.05, talk.response(200, to: again, ["Contact: <sip:\(user)@\(talk.said)>;expires=60"]))
                talk.call = "o\(round)@203.0.113.10"
                let watch = talk.request(
                    "OPTIONS", "sip:\(user)@198.51.100.7:\(port)", 102 + round, branch: "watch\(user)\(round)")
                talk.down(start + 5, watch)
                talk.up(start + 5.01, talk.response(200, to: watch))
                talk.call = "r\(user)@192.168.1.\(host)"
            }
        }
        for round in 0..<2 {
            talk.call = "c\(round)@192.168.1.21"
            let start = 200 + Double(round) * 30
            let offer = Talk.sdp("192.168.1.21")
            let asked = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:albert@\(talk.said)>"], body: offer)
            talk.up(start, asked)
            let challenge = talk.challenge(407, to: asked, nonce: "call\(round)")
            talk.down(start + 0.02, challenge)
            talk.up(start + 0.03, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
            let invite = talk.request(
                "INVITE", "sip:bob@pbx.example", 2,
                ["Contact: <sip:albert@\(talk.said)>", "Proxy-" + talk.authorization("call\(round)")[0]], body: offer)
            talk.up(start + 0.04, invite)
            talk.down(start + 0.06, talk.response(100, to: invite))
            talk.down(start + 0.5, talk.response(180, to: invite, ["Contact: <sip:203.0.113.10>"]))
            let answer = talk.response(200, to: invite, ["Contact: <sip:203.0.113.10>"], body: Talk.sdp("203.0.113.10"))
            talk.down(start + 3, answer)
            talk.up(start + 3.02, talk.request("ACK", "sip:203.0.113.10", 2, branch: "ack2"))
            let bye = talk.request("BYE", "sip:203.0.113.10", 3)
            talk.up(start + 20, bye)
            talk.down(start + 20.02, talk.response(200, to: bye))
        }
        return talk
    }

    private func accusations(_ talk: Talk) -> [String] { talk.accusations().filter { !$0.hasSuffix(" capture.blind") } }

    @Test("nothing healthy is accused, wherever its messages are cut")
    func everyLength() {
        let whole = Self.everyday()
        #expect(accusations(whole) == [])
        for octets in 20...760 {
            let found = accusations(whole.cut(octets))
            #expect(found == [], "\(octets) octets")
        }
    }

    @Test("what is cut only in its body is judged as ever")
    func bodies() {
        var talk = Talk()
        talk.registers()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, body: Talk.sdp("192.168.1.20"))
        for (index, seconds) in [0, 0.5, 1.5, 3.5, 7.5, 15.5].enumerated() { talk.up(10 + seconds + Double(index) / 1e6, invite) }
        talk.later(60)
        #expect(accusations(talk) == ["fault sip.retransmit"])
        #expect(accusations(talk.cut(invite.utf8.count - 40)) == ["fault sip.retransmit"])
    }

    @Test("a response whose CSeq is lost answers the latest request between the two")
    func responses() {
        let result = Self.everyday().cut(110).result()
        #expect(result.dialogs.filter { $0.kind == .registration }.map(\.outcome).allSatisfy { $0 == .registered(expires: nil) })
        #expect(result.dialogs.filter { $0.kind == .call }.map(\.outcome) == [.ended])
    }

    @Test(
        "what the cut parts is not taken for whole",
        arguments: [
            ("Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4", "", "192.168.1.20:5060"),
            ("Via: SIP/2.0/UDP 192.168.1.2", "", ""),
            ("Via: SIP/2.0/UDP 192.168.1.20;branch=z9hG4bKabc;rpo", "z9hG4bKabc", "192.168.1.20:0"),
        ])
    func parts(line: String, branch: String, via: String) throws {
        let bytes = Array("OPTIONS sip:pbx.example SIP/2.0\r\n\(line)".utf8)
        try bytes.withUnsafeBytes { p in
            let facts = try #require(MessageFacts(p, isCut: true))
            #expect(p.string(facts.branch) == branch)
            #expect((facts.via.kind == .none ? "" : "\(facts.via.address):\(facts.via.port)") == via)
        }
    }

    @Test(
        "a CSeq that the cut parts is not there: no answer is taken for missing that only lost its method",
        arguments: ["CSeq: 1", "CSeq: 15", "CSeq: 15 OPTION", "CSeq: 15 OPTIONS"])
    func sequence(line: String) {
        for start in ["OPTIONS sip:pbx.example SIP/2.0", "SIP/2.0 200 OK"] {
            Array("\(start)\r\n\(line)".utf8).withUnsafeBytes { p in
                #expect(MessageFacts(p, isCut: true)?.hasSequence == false)
                #expect(MessageFacts(p)?.hasSequence == true)
            }
        }
    }

    @Test("a call without ringing, of which 100 is whole and 200 is cut in its CSeq, is not taken for unfinished")
    func unfinished() {
        var talk = Talk.withoutNAT()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 15, body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(0.02, talk.response(100, to: invite))
        talk.down(0.1, talk.response(200, to: invite, body: Talk.sdp("203.0.113.10")))
        talk.up(0.12, talk.request("ACK", "sip:bob@203.0.113.10", 15, branch: "ack"))
        talk.later(150)
        for octets in 100...300 { #expect(accusations(talk.cut(octets)) == [], "\(octets) octets") }
    }

    @Test("an Authorization that is cut within a quoted value keeps what comes before")
    func quoted() throws {
        let text = "REGISTER sip:pbx.example SIP/2.0\r\nAuthorization: Digest username=\"alice\", nonce=\"n1\", realm=\"a, b"
        try Array(text.utf8).withUnsafeBytes { p in
            let facts = try #require(MessageFacts(p, isCut: true))
            #expect(p.string(facts.credentials.user) == "alice" && p.string(facts.credentials.nonce) == "n1")
            #expect(facts.credentials.realm.isEmpty)
        }
    }
}
