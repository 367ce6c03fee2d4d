import Analysis
import Base
import Testing

@Suite("Calls that are taken without an agreement on media, and holds that are refused")
struct AgreementTests {
    private let there = "<sip:bob@pbx.example>;tag=s1"
    private let uri = "sip:bob@203.0.113.10"

    private let offer = Talk.sdp("198.51.100.7", port: 4_000)
    private let answer = Talk.sdp("203.0.113.10", port: 14_000)

    /// INVITE, perhaps a provisional answer, 200 and ACK with those bodies.
    private func exchange(
        _ talk: inout Talk, _ at: Double, _ number: Int, _ asked: String, _ said: String, _ acknowledged: String = "",
        early: String? = nil, status: Int = 200, _ more: [String] = []
    ) {
        let invite = talk.request(
            "INVITE", uri, number, branch: "i\(number)", ["Contact: <sip:alice@198.51.100.7:5060>"] + more, body: asked,
            peer: number == 1 ? nil : there)
        talk.up(at, invite)
        if let early { talk.down(at + 0.01, talk.response(183, to: invite, ["Contact: <\(uri)>"], body: early)) }
        let challenge = status == 401 ? ["WWW-Authenticate: Digest realm=\"pbx.example\", nonce=\"n\(number)\""] : []
        talk.down(at + 0.03, talk.response(status, to: invite, ["Contact: <\(uri)>"] + challenge, body: said))
        talk.up(
            at + 0.06,
            talk.request(
                "ACK", uri, number, branch: status < 300 ? "a\(number)" : "i\(number)", body: acknowledged, peer: there))
    }

    private func end(_ talk: inout Talk, _ at: Double, _ more: [String] = [], byCaller: Bool = false) {
        if byCaller {
            let bye = talk.request("BYE", uri, 900, more, peer: there)
            talk.up(at, bye)
            talk.down(at + 0.05, talk.response(200, to: bye))
        } else {
            let bye = talk.request("BYE", "sip:alice@198.51.100.7", 900, more, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
            talk.down(at, bye)
            talk.up(at + 0.05, talk.response(200, to: bye))
        }
        talk.later(at + 60)
    }

    @Test("a 200 without an offer to an INVITE without one is the callee's fault")
    func noOffer() throws {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, "", "")
        end(&talk, 0.3, byCaller: true)
        #expect(talk.accusations() == ["fault sdp.mismatch"])
        #expect(try #require(talk.finding(.sdpMismatch)).culprit == .proved("203.0.113.10:5060"))
    }

    @Test("an ACK without an answer to the offer of a 200 is the caller's fault")
    func noAnswer() throws {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, "", answer)
        end(&talk, 20)
        #expect(talk.accusations() == ["fault sdp.mismatch"])
        #expect(try #require(talk.finding(.sdpMismatch)).culprit == .proved("198.51.100.7:5060"))
    }

    @Test("a re-INVITE whose offer its 200 does not answer is told of who answers")
    func changeUnanswered() throws {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, offer, answer)
        exchange(&talk, 10, 2, offer, "")
        end(&talk, 30)
        #expect(talk.accusations() == ["fault sdp.mismatch"])
        #expect(
            try #require(talk.finding(.sdpMismatch)).summary
                == "203.0.113.10:5060 accepts a change of the call without saying to what: its 200 has no session description, though the "
                + "re-INVITE offered one.")
    }

    @Test("late offers that are answered, early answers, changes without media or mended by another: nothing")
    func agreed() {
        func accusations(_ build: (inout Talk) -> Void) -> [String] {
            var talk = Talk.withoutNAT()
            build(&talk)
            end(&talk, 40)
            return talk.accusations()
        }
        #expect(accusations { exchange(&$0, 0, 1, "", answer, offer) } == [])
        #expect(accusations { exchange(&$0, 0, 1, offer, "", early: answer) } == [])
        #expect(accusations { exchange(&$0, 0, 1, "", "", early: answer) } == [])
        #expect(
            accusations {
                exchange(&$0, 0, 1, offer, answer); exchange(&$0, 10, 2, "", "")
            } == [])
        #expect(
            accusations {
                exchange(&$0, 0, 1, offer, answer)
                exchange(&$0, 10, 2, offer, "", early: answer)
            } == [])
        #expect(
            accusations {
                exchange(&$0, 0, 1, offer, answer)
                exchange(&$0, 10, 2, offer, "")
                exchange(&$0, 11, 3, offer, answer)
            } == [])
        #expect(
            accusations {
                exchange(&$0, 0, 1, "", ""); exchange(&$0, 1, 2, offer, answer)
            } == [])
    }

    @Test("bodies that the capture cuts off are not taken for missing")
    func cut() {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, "", answer, offer)
        end(&talk, 20)
        #expect(talk.cut(300).accusations() == [])
    }

    private func held(_ way: String) -> String { Talk.sdp("198.51.100.7", port: 4_000, extra: ["a=\(way)"]) }

    @Test(
        "a hold that is refused each time is told, with who refuses; challenges name who never answers them",
        arguments: [500, 401])
    func holds(status: Int) throws {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, offer, answer)
        for number in 2...4 { exchange(&talk, Double(number) * 5, number, held("sendonly"), "", status: status) }
        end(&talk, 60)
        #expect(talk.accusations() == [status == 500 ? "fault sip.refused" : "fault auth.no-answer"])
        let finding = try #require(talk.finding(status == 500 ? .sipRefused : .authNoAnswer))
        #expect(finding.culprit == .proved(status == 500 ? "203.0.113.10:5060" : "198.51.100.7:5060"))
        #expect(
            finding.summary.contains(
                "cannot put the call on hold: 203.0.113.10:5060 answered \(status) Whatever to each of its 3 tries"))
    }

    @Test("one refusal, a hold that succeeds, glare, challenges that are answered, other changes: nobody is accused")
    func holdLookAlikes() {
        func accusations(_ rounds: [(String, Int, [String])]) -> [String] {
            var talk = Talk.withoutNAT()
            exchange(&talk, 0, 1, offer, answer)
            for (place, round) in rounds.enumerated() {
                exchange(
                    &talk, Double(place + 2) * 5, place + 2, round.0,
                    round.1 == 200 ? Talk.sdp("203.0.113.10", port: 14_000, extra: ["a=recvonly"]) : "", status: round.1, round.2)
            }
            end(&talk, 60)
            return talk.accusations()
        }
        let refused = (held("sendonly"), 500, [String]())
        #expect(accusations([refused]) == [])
        #expect(accusations([refused, refused, (held("sendonly"), 200, [])]) == [])
        #expect(accusations([(held("sendonly"), 491, []), (held("sendonly"), 491, [])]) == [])
        #expect(
            accusations([
                (held("sendonly"), 401, []), (held("sendonly"), 200, ["Authorization: Digest username=\"alice\", nonce=\"n2\""]),
            ]) == [])
        #expect(accusations([(held("sendrecv"), 500, []), (held("sendrecv"), 500, [])]) == [])
    }

    @Test("fewer media lines in the answer are a fault only where the caller hangs up at once for its media")
    func lines() {
        let two = offer + "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        func accusations(_ at: Double, _ reason: [String]) -> [String] {
            var talk = Talk.withoutNAT()
            exchange(&talk, 0, 1, two, answer)
            end(&talk, at, reason, byCaller: true)
            return talk.accusations()
        }
        let reason = ["Reason: SIP ;cause=488 ;text=\"Not Acceptable Here\""]
        #expect(accusations(0.1, reason) == ["fault sdp.mismatch"])
        #expect(accusations(0.1, []) == [])
        #expect(accusations(20, reason) == [])
    }

    @Test("IPv6 alone is not answered with IPv4 alone, unless a description names both")
    func families() {
        func accusations(_ more: String) -> [String] {
            var talk = Talk.withoutNAT()
            let six = offer.replacing("IN IP4 198.51.100.7", with: "IN IP6 2001:db8::7") + more
            exchange(&talk, 0, 1, six, answer)
            end(&talk, 20)
            return talk.accusations()
        }
        #expect(accusations("") == ["fault sdp.mismatch"])
        #expect(accusations("a=altc:1 IP4 198.51.100.7 4000\r\n") == [])
    }
}
