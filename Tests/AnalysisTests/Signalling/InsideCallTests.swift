import Analysis
import Base
import Testing

@Suite("What fails inside a call that stands is told")
struct InsideCallTests {
    private let there = "<sip:bob@pbx.example>;tag=s1"
    private let uri = "sip:bob@203.0.113.10"

    private var standing: Talk {
        var talk = Talk()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@192.168.1.20>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(1, talk.response(200, to: invite, ["Contact: <\(uri)>"], body: Talk.sdp("203.0.113.10")))
        talk.up(1.05, talk.request("ACK", uri, 1, peer: there))
        return talk
    }

    private func end(_ talk: inout Talk, _ at: Double, _ more: [String] = []) {
        let bye = talk.request("BYE", "sip:alice@198.51.100.7", 900, more, tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(at, bye)
        talk.up(at + 0.05, talk.response(200, to: bye))
        talk.later(at + 60)
    }

    @Test("491 for ever names both ends; once or twice and then taken, nothing", arguments: [2, 8])
    func glare(rounds: Int) throws {
        var talk = standing
        for round in 0..<rounds {
            let at = 5 + Double(round)
            let mine = talk.request("INVITE", uri, 2 + round, body: Talk.sdp("198.51.100.7"), peer: there)
            let theirs = talk.request(
                "INVITE", "sip:alice@198.51.100.7", 300 + round, branch: "r\(round)", body: Talk.sdp("203.0.113.10"), tag: "s1",
                peer: "<sip:alice@pbx.example>;tag=t1")
            talk.up(at, mine)
            talk.down(at + 0.001, theirs)
            talk.down(at + 0.02, talk.response(491, to: mine))
            talk.up(at + 0.03, talk.response(491, to: theirs))
            talk.up(at + 0.04, talk.request("ACK", uri, 2 + round, branch: "INVITE\(2 + round)", peer: there))
            talk.down(at + 0.05, talk.request("ACK", "sip:alice@198.51.100.7", 300 + round, branch: "r\(round)", tag: "s1"))
        }
        if rounds == 2 {
            let last = talk.request("INVITE", uri, 50, body: Talk.sdp("198.51.100.7"), peer: there)
            talk.up(12, last)
            talk.down(12.1, talk.response(200, to: last, body: Talk.sdp("203.0.113.10")))
            talk.up(12.2, talk.request("ACK", uri, 50, branch: "ack50", peer: there))
        }
        end(&talk, 30)
        #expect(talk.accusations() == (rounds == 2 ? [] : ["fault sip.refused"]))
        if rounds > 2 { #expect(try #require(talk.finding(.sipRefused)).summary.contains("491 Request Pending 16 times")) }
    }

    @Test(
        "digits by INFO that are refused each time are told; taken once, or another kind of INFO, nothing",
        arguments: ["application/dtmf-relay", "application/media_control+xml"], [415, 200])
    func digits(type: String, last: Int) {
        var talk = standing
        for turn in 0..<3 {
            let info = talk.request("INFO", uri, 2 + turn, ["Content-Type: \(type)"], peer: there)
            talk.up(3 + Double(turn), info)
            talk.down(3.05 + Double(turn), talk.response(turn == 2 ? last : 415, to: info))
        }
        end(&talk, 20)
        #expect(talk.accusations() == (type.contains("dtmf") && last == 415 ? ["fault sip.refused"] : []))
    }

    private func refer(_ talk: inout Talk, _ at: Double, _ number: Int, accepts: Bool = true, reports: String? = nil) {
        let refer = talk.request("REFER", uri, number, ["Refer-To: <sip:carol@pbx.example>"], peer: there)
        talk.up(at, refer)
        talk.down(at + 0.02, talk.response(accepts ? 202 : 603, to: refer))
        guard let reports else { return }
        let notify = talk.request(
            "NOTIFY", "sip:alice@198.51.100.7", number + 300, ["Event: refer", "Content-Type: message/sipfrag"],
            body: "SIP/2.0 \(reports)\r\n", tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(at + 1, notify)
        talk.up(at + 1.02, talk.response(200, to: notify))
    }

    @Test(
        "a transfer that the network failed is a fault, and so is one that is refused again and again", arguments: [true, false])
    func failedTransfer(isRefused: Bool) {
        var talk = standing
        for turn in 0..<(isRefused ? 2 : 1) {
            refer(&talk, 5 + Double(turn), 2 + turn, accepts: !isRefused, reports: isRefused ? nil : "503 Service Unavailable")
        }
        end(&talk, 20)
        #expect(talk.accusations() == ["fault sip.refused"])
    }

    @Test("a transfer to somebody busy is told, also in the verdict, and accuses nobody")
    func transfer() throws {
        var talk = standing
        refer(&talk, 5, 2, reports: "486 Busy Here")
        end(&talk, 20)
        #expect(talk.accusations() == [])
        #expect(
            talk.result().verdict
                == "No NAT or ALG fault was found. A transfer to <sip:carol@pbx.example> failed: 203.0.113.10:5060 reports 486 Busy Here."
        )
        var refused = standing
        refer(&refused, 5, 2, accepts: false)
        end(&refused, 20)
        #expect(refused.finding(.sipRefused)?.summary.hasSuffix("203.0.113.10:5060 answered 603 Whatever.") == true)
    }

    @Test("a transfer that worked, or worked when asked again, is not told", arguments: [true, false])
    func transferred(again: Bool) {
        var talk = standing
        if again { refer(&talk, 5, 2, accepts: false) }
        refer(&talk, 7, 3, reports: "200 OK")
        end(&talk, 20)
        #expect(talk.finding(.sipRefused) == nil)
        #expect(talk.result().verdict.hasPrefix("Nothing is wrong"))
    }

    @Test(
        "a BYE's cause: a network's failure is a fault, another failure a note, who hung up nothing; silence is a timer's work",
        arguments: ["38", "127", "16", "44;text=\"RTP Timeout\""])
    func causes(cause: String) {
        var talk = standing
        end(&talk, 44, ["Reason: Q.850;cause=\(cause)"])
        let expected = ["38": ["fault sip.refused"], "44;text=\"RTP Timeout\"": ["fault sip.timer-drop"]]
        #expect(talk.accusations() == expected[cause, default: []])
        #expect((talk.finding(.sipRefused) != nil) == (cause == "38" || cause == "127"))
    }
}
