import Analysis
import Base
import Testing

@Suite("Changes that are refused again and again, and registrations that are taken in words alone")
struct ChangeRefusedTests {
    private let there = "<sip:bob@pbx.example>;tag=s1"
    private let uri = "sip:bob@203.0.113.10"

    private func exchange(
        _ talk: inout Talk, _ at: Double, _ number: Int, _ offer: String, _ answer: String?, status: Int = 200,
        _ more: [String] = []
    ) {
        let invite = talk.request(
            "INVITE", uri, number, branch: "i\(number)", ["Contact: <sip:alice@198.51.100.7:5060>"] + more,
            body: Talk.sdp("198.51.100.7", port: 4_000, extra: ["a=\(offer)"]), peer: number == 1 ? nil : there)
        talk.up(at, invite)
        talk.down(
            at + 0.03,
            talk.response(
                status, to: invite, ["Contact: <\(uri)>"] + more,
                body: answer.map { Talk.sdp("203.0.113.10", port: 14_000, extra: ["a=\($0)"]) } ?? ""))
        talk.up(at + 0.06, talk.request("ACK", uri, number, branch: status < 300 ? "a\(number)" : "i\(number)", peer: there))
    }

    private func end(_ talk: inout Talk, _ at: Double, _ more: [String] = []) {
        let bye = talk.request("BYE", "sip:alice@198.51.100.7", 900, more, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(at, bye)
        talk.up(at + 0.05, talk.response(200, to: bye))
        talk.later(at + 60)
    }

    @Test("a resume refused each time leaves the call on hold")
    func resume() throws {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, "sendrecv", "sendrecv")
        exchange(&talk, 10, 2, "inactive", "inactive")
        for number in 3...5 { exchange(&talk, Double(number) * 5 + 5, number, "sendrecv", nil, status: 488) }
        end(&talk, 40)
        #expect(talk.accusations() == ["fault media.none"])
        let finding = try #require(talk.finding(.mediaNone))
        #expect(
            finding.summary
                == "The call stays on hold: 198.51.100.7:5060 takes it up again (sendrecv) 3 times, and 203.0.113.10:5060 refuses each time "
                + "with 488 Whatever.")
        #expect(finding.culprit == .proved("203.0.113.10:5060"))
    }

    @Test("refusals and then success, one refusal, 491, refused changes of a call that nobody holds, hanging up at once: nothing")
    func resumeLookAlikes() {
        func accusations(_ rounds: [(String, String?, Int)], end at: Double = 60) -> [String] {
            var talk = Talk.withoutNAT()
            for (number, round) in rounds.enumerated() {
                exchange(&talk, Double(number) * 5, number + 1, round.0, round.1, status: round.2)
            }
            end(&talk, at)
            return talk.accusations()
        }
        let (begins, holds) = (("sendrecv", "sendrecv", 200), ("sendonly", "recvonly", 200))
        let refused: (String, String?, Int) = ("sendrecv", nil, 488)
        #expect(accusations([begins, holds, refused, refused, begins]) == [])
        #expect(accusations([begins, holds, refused]) == [])
        #expect(accusations([begins, holds, ("sendrecv", nil, 491), ("sendrecv", nil, 491)]) == [])
        #expect(accusations([begins, refused, refused]) == [])
        #expect(accusations([begins, holds, ("sendonly", nil, 488), ("sendonly", nil, 488)]) == [])
        #expect(accusations([begins, holds, refused, refused], end: 13) == [])
    }

    private static let timer = ["Session-Expires: 600;refresher=uac"]

    /// UPDATE refused at 300 s, a re-INVITE that mends it if told, BYE with those words.
    private func refresh(end at: Double, reason: [String] = [], mended: Bool = false, timer: [String] = timer) -> Talk {
        var talk = Talk.withoutNAT()
        exchange(&talk, 0, 1, "sendrecv", "sendrecv", timer)
        let update = talk.request("UPDATE", uri, 2, timer, peer: there)
        talk.up(300, update)
        talk.down(300.03, talk.response(405, to: update))
        if mended { exchange(&talk, 301, 3, "sendrecv", "sendrecv", timer) }
        end(&talk, at, reason)
        return talk
    }

    @Test(
        "a refresh refused and the session timer's BYE, by its words or its time, is a drop",
        arguments: [(500.0, true), (566, false)])
    func refused(at: Double, says: Bool) {
        let talk = refresh(end: at, reason: says ? ["Reason: SIP;cause=408;text=\"Session timer expired\""] : [])
        #expect(talk.accusations() == ["fault sip.timer-drop"])
        #expect(
            talk.finding(.sipTimerDrop)?.summary
                == "A timer ended the call, nobody hung up: 203.0.113.10:5060 sent BYE \(Int(at) - 300) s after it refused to refresh the "
                + "session by UPDATE with 405, and nothing refreshed it since (RFC 4028).")
        #expect(talk.finding(.sipTimerDrop)?.remedies.first?.actor == .server)
    }

    @Test("a refused UPDATE whose refresh goes by re-INVITE, hanging up at another time, a call without session timer: nothing")
    func refreshLookAlikes() {
        #expect(refresh(end: 566, mended: true).accusations() == [])
        #expect(refresh(end: 400).accusations() == [])
        #expect(refresh(end: 566, timer: []).accusations() == [])
    }

    /// Rounds of REGISTER and 200 with those Contacts.
    private func registered(_ contacts: [String], rounds: Int = 3, expires: Int = 60) -> Talk {
        var talk = Talk()
        talk.phone = Endpoint("203.0.113.77:5060")!
        for round in 0..<rounds {
            let register = talk.register(round + 1, expires: expires)
            talk.up(Double(round) * 50, register)
            let ok = talk.response(200, to: register, contacts.map { "Contact: \($0)" })
                .replacing(";rport", with: ";rport=5060;received=203.0.113.77")
            talk.down(Double(round) * 50 + 0.02, ok)
        }
        talk.later(Double(rounds) * 50)
        return talk
    }

    @Test("a 200 that lists others' Contacts alone each time did not register this phone; with one Contact listed a note")
    func unlisted() {
        let others = ["<sip:alice@10.9.9.9:5060>;expires=3000", "<sip:alice@10.9.9.8:5060>;expires=2000"]
        let talk = registered(others)
        #expect(talk.accusations() == ["fault sip.refused"])
        #expect(
            talk.finding(.sipRefused)?.summary
                == "alice@pbx.example is not registered although 203.0.113.10:5060 answers 200: each of 3 answers lists 2 other Contacts, and "
                + "not 192.168.1.20:5060.")
        #expect(registered([others.joined(separator: ", ")]).accusations() == ["fault sip.refused"])
        #expect(registered([others[0]]).accusations() == [])
        #expect(registered([others[0]]).finding(.sipRefused)?.severity == .note)
    }

    @Test(
        "a list with this Contact among others, with the address it came from, a rewritten one with the life asked for, or a single answer: nothing"
    )
    func listed() {
        let other = "<sip:alice@10.9.9.9:5060>;expires=3000"
        for mine in [
            "<sip:alice@192.168.1.20:5060>;expires=60", "<sip:alice@203.0.113.77:5060>;expires=60",
            "<sip:alice@203.0.113.77:5060>;expires=300", "<sip:x7@10.1.1.1:5080>;expires=60", "<sip:alice@10.1.1.1>;expires=30",
            "<sip:alice@10.1.1.1;received=203.0.113.77>;expires=300", "<sip:alice@10.1.1.1>",
        ] {
            #expect(registered([other, mine]).finding(.sipRefused) == nil)
        }
        #expect(registered([other, other], rounds: 1).finding(.sipRefused) == nil)
        #expect(registered([other, other], expires: 0).finding(.sipRefused) == nil)
        #expect(registered([]).finding(.sipRefused) == nil)
    }

    @Test(
        "489 to a subscription to another phone's calls is a note; to any other event, nothing",
        arguments: ["dialog", "as-feature-event"])
    func lamps(event: String) {
        var talk = Talk.withoutNAT()
        let subscribe = talk.request("SUBSCRIBE", "sip:203@pbx.example", 1, ["Event: \(event)", "Expires: 600"])
        talk.up(0, subscribe)
        talk.down(0.03, talk.response(489, to: subscribe))
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(
            talk.finding(.sipRefused)?.summary
                == (event == "dialog"
                    ? "203.0.113.10:5060 has no busy lamps for alice@pbx.example: it answered 489 Whatever to the subscription to the state of a phone."
                    : nil))
    }
}
