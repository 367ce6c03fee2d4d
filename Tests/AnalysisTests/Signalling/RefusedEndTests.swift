import Analysis
import Base
import Capture
import Testing

@Suite("Calls and registrations that end otherwise than their answers say")
struct RefusedEndTests {
    private let peer = "<sip:bob@pbx.example>;tag=s1"

    private func talk() -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "plain"
        return talk
    }

    // MARK: A router that has forgotten the phone

    private func rung(
        private contact: Bool, from port: UInt16 = 40_000, by box: String = "198.51.100.7", unregisters: Bool = false
    )
        -> Talk
    {
        var talk = Talk()
        if !contact { talk.said = "198.51.100.7:40000" }
        talk.registers()
        if unregisters { talk.registers(at: 5, nonce: "n2", from: 3, expires: 0) }
        talk.call = "in"
        let invite = talk.request("INVITE", "sip:alice@198.51.100.7:\(port)", 1, ["Contact: <sip:bob@203.0.113.10>"])
        for gap in [0, 0.5, 1.5, 3.5, 7.5, 11.5] {
            talk.down(100 + gap, invite, port: port)
            talk.see(
                100.01 + gap, Endpoint("\(box):0")!, talk.server,
                .icmp(type: 3, code: 3, source: talk.server, destination: Endpoint("198.51.100.7:\(port)")!))
        }
        talk.later(200)
        return talk
    }

    @Test("port unreachable from a NAT whose mapping a phone registered from: the mapping is gone, and keepalives help")
    func forgotten() throws {
        let finding = try #require(rung(private: true).finding(.natMappingExpired))
        #expect(
            finding.summary
                == "The router 198.51.100.7 refuses by ICMP what 203.0.113.10:5060 sends to 198.51.100.7:40000, where the phone behind it registered from: it has forgotten the mapping, and the INVITE for bob@pbx.example was sent 6 times within 12 s in vain."
        )
        #expect(finding.remedies.map(\.actor) == [.phone, .server, .router])
        #expect(finding.details.first == "Nothing had passed there for 100 s.")
    }

    @Test("a public phone, another port, a phone that had unregistered: no mapping is known there", arguments: [0, 1, 2])
    func notForgotten(which: Int) {
        let talk =
            [rung(private: false), rung(private: true, from: 41_000), rung(private: true, unregisters: true)][which]
        #expect(talk.finding(.natMappingExpired) == nil)
        #expect(talk.finding(.sipRetransmit) != nil)
    }

    // MARK: Registrations

    private func briefly(_ asked: [Int], status: Int = 423, least: Int = 3_600) -> Talk {
        var talk = Talk()
        for (number, expires) in asked.enumerated() {
            let request = talk.register(number + 1, branch: "b\(number)", expires: expires)
            talk.up(Double(number) * 10, request)
            let isEnough = expires >= least
            talk.down(
                Double(number) * 10 + 0.02,
                talk.response(
                    isEnough ? 200 : status, to: request,
                    [isEnough ? "Contact: <sip:alice@192.168.1.20:5060>;expires=\(expires)" : "Min-Expires: \(least)"]))
        }
        talk.later(400)
        return talk
    }

    @Test("423 again and again to a phone that never asks for longer; one that does, or two tries, accuse nobody")
    func tooBrief() throws {
        let finding = try #require(briefly([60, 60, 60]).finding(.sipRefused))
        #expect(finding.severity == .fault && finding.culprit == .proved("198.51.100.7:40000"))
        #expect(
            finding.summary
                == "alice@pbx.example cannot register: 198.51.100.7:40000 asks for 60 s again and again, although 203.0.113.10:5060 answered 423 with at least 3600 s each time, 3 times."
        )
        #expect(briefly([60, 60, 3_600]).accusations() == [])
        #expect(briefly([60, 60]).accusations() == [])
    }

    private func taken(_ answer: [String], expires: Int = 3_600) -> Talk {
        var talk = Talk()
        for number in 1...3 {
            let request = talk.register(number, branch: "b\(number)", expires: expires)
            talk.up(Double(number) * 5, request)
            talk.down(Double(number) * 5 + 0.02, talk.response(200, to: request, answer))
        }
        talk.later(400)
        return talk
    }

    @Test(
        "200 without a Contact and with Expires 0 keeps no binding; a registrar that only leaves Contact out, or an unregistration: nothing"
    )
    func emptyHanded() throws {
        let finding = try #require(taken(["Expires: 0"]).finding(.sipRefused))
        #expect(finding.severity == .fault && finding.culprit == .proved("203.0.113.10:5060"))
        #expect(taken(["Expires: 3600"]).accusations() == [])
        #expect(taken([]).accusations() == [])
        #expect(taken(["Expires: 0"], expires: 0).accusations() == [])
        // A binding without a life is none (RFC 3261 10.3).
        #expect(taken(["Contact: <sip:alice@192.168.1.20:5060>;expires=0", "Expires: 0"]).accusations() == ["fault sip.refused"])
    }

    @Test("a wrong password answered with the same nonce once more is no reuse of it; a fresh nonce after the reuse shows one")
    func askedAgain() {
        func accusations(second nonce: String) -> [String] {
            var talk = Talk()
            for number in 1...4 {
                let request = talk.register(number, nonce: number == 1 ? nil : "n1", count: number == 1 ? nil : "00000001")
                talk.up(Double(number), request)
                talk.down(Double(number) + 0.02, talk.challenge(to: request, nonce: number == 1 ? "n1" : nonce))
            }
            talk.later(100)
            return talk.accusations().filter { $0.hasSuffix("nonce-reuse") }
        }
        #expect(accusations(second: "n1") == [])
        #expect(accusations(second: "n2") == ["fault auth.nonce-reuse"])
    }

    // MARK: Calls

    private func early(_ times: [Double], requires: Bool = true, acknowledged: Bool = false, final: Int? = 504) -> Talk {
        var talk = talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Supported: 100rel"])
        let said = talk.response(
            183, to: invite, requires ? ["Require: 100rel", "RSeq: 1", "Contact: <sip:bob@203.0.113.10>"] : [])
        talk.up(0, invite)
        for time in times { talk.down(time, said) }
        if acknowledged { talk.up(4, talk.request("PRACK", "sip:bob@203.0.113.10", 2, ["RAck: 1 1 INVITE"], peer: peer)) }
        if let final {
            talk.down(33, talk.response(final, to: invite))
            talk.up(33.1, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1", peer: peer))
        }
        talk.later(100)
        return talk
    }

    @Test("a 183 that asks for PRACK, is sent again and gets none: told before the 504 that follows")
    func noPRACK() throws {
        let times = [1, 1.5, 2.5, 4.5, 8.5, 16.5]
        let finding = try #require(early(times).finding(.sipNoACK))
        #expect(early(times).accusations() == ["fault sip.no-ack"])
        #expect(
            finding.summary
                == "203.0.113.10:5060 sent its 183 6 times within 16 s, as it wants it acknowledged (100rel), and no PRACK came from 198.51.100.7:40000: it gave the call up with 504 Whatever."
        )
        #expect(early(times, requires: false).finding(.sipNoACK) == nil)
        #expect(early(times, acknowledged: true).finding(.sipNoACK) == nil)
        #expect(early([1, 1.5], final: 486).finding(.sipNoACK) == nil)
    }

    @Test("ACKs with a number of their own do not match")
    func misnumbered() throws {
        var talk = talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        let answer = talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"])
        talk.up(0, invite)
        for time in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] {
            talk.down(1 + time, answer)
            talk.up(1.02 + time, talk.request("ACK", "sip:bob@203.0.113.10", 2, branch: "a\(time)", peer: peer))
        }
        talk.later(100)
        let finding = try #require(talk.finding(.sipNoACK))
        #expect(finding.culprit == .proved("198.51.100.7:40000"))
        #expect(
            finding.summary.hasPrefix(
                "198.51.100.7:40000 acknowledges the 200 of 203.0.113.10:5060 with CSeq 2, though its INVITE has 1:"))
    }

    @Test("an ACK that goes to a Record-Route of another address, and the private Contact behind it that is not to blame")
    func routedAstray() throws {
        func finding(route: String) -> Finding? {
            var talk = talk()
            let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
            let answer = talk.response(200, to: invite, ["Contact: <sip:bob@10.0.0.11>", "Record-Route: <sip:\(route);lr>"])
            talk.up(0, invite)
            for time in [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5] { talk.down(1 + time, answer) }
            talk.later(100)
            return talk.finding(.sipNoACK)
        }
        let astray = try #require(finding(route: "172.31.5.9"))
        #expect(
            astray.summary
                == "203.0.113.10:5060 accepted the call and repeated its 200 10 times, but no ACK came, as it goes to the private address 172.31.5.9 in its Record-Route: it will end the call after 32 s."
        )
        #expect(astray.remedies.map(\.actor) == [.server])
        let own = try #require(finding(route: "203.0.113.10"))
        #expect(own.summary.hasSuffix("but no ACK came: it will end the call after 32 s."))
        #expect(own.remedies.map(\.text) == ["Let the ACK through: it goes to 203.0.113.10, the address in Record-Route."])
    }

    @Test("a CANCEL with the branch of an INVITE that rings, answered 481: its receiver lost the call")
    func unknownCancel() throws {
        func call(rings: Bool) -> Talk {
            var talk = talk()
            let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, branch: "i")
            talk.up(0, invite)
            if rings { talk.down(0.2, talk.response(180, to: invite)) }
            let cancel = talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: "i")
            talk.up(5, cancel)
            talk.down(5.02, talk.response(481, to: cancel))
            talk.down(25, talk.response(480, to: invite))
            talk.up(25.02, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "i", peer: peer))
            talk.later(100)
            return talk
        }
        let finding = try #require(call(rings: true).finding(.sipUnfinished))
        #expect(finding.summary.hasSuffix("to a CANCEL that has the branch of the INVITE, and the call went on ringing."))
        #expect(call(rings: false).finding(.sipUnfinished) == nil)
    }

    private func changed(bye: Double, fromServer: Bool, status: Int = 488) -> Talk {
        var talk = talk()
        let invite = talk.request(
            "INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:40000>"], body: Talk.sdp("198.51.100.7"))
        talk.up(0, invite)
        talk.down(1, talk.response(200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: Talk.sdp("203.0.113.10")))
        talk.up(1.1, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "ack", peer: peer))
        let change = talk.request(
            "INVITE", "sip:alice@198.51.100.7:40000", 10, body: Talk.sdp("203.0.113.10", formats: "18"), tag: "s1",
            peer: "<sip:alice@pbx.example>;tag=t1")
        talk.down(10, change)
        talk.up(10.1, talk.response(status, to: change, tag: "t1"))
        talk.down(
            10.12,
            talk.request(
                "ACK", "sip:alice@198.51.100.7:40000", 10, branch: "INVITE10", tag: "s1", peer: "<sip:alice@pbx.example>;tag=t1"))
        let end = talk.request(
            "BYE", "sip:x@x", 20, tag: fromServer ? "s1" : "t1", peer: fromServer ? "<sip:alice@pbx.example>;tag=t1" : peer)
        if fromServer { talk.down(bye, end) } else { talk.up(bye, end) }
        talk.later(100)
        return talk
    }

    @Test("a change refused, and its sender ends the call at once: a fault; ended later or by the other: a note")
    func changeEnds() throws {
        let finding = try #require(changed(bye: 10.2, fromServer: true).finding(.sdpMismatch))
        #expect(finding.severity == .fault)
        #expect(
            finding.summary
                == "198.51.100.7:40000 refused the call's media with 488: offered were G729, asked for inside the call that was up, and 203.0.113.10:5060 ended that call at once."
        )
        #expect(changed(bye: 30, fromServer: true).accusations() == [])
        #expect(changed(bye: 10.2, fromServer: false).accusations() == [])
    }

    @Test("302 is no failure in the verdict")
    func redirected() {
        var talk = talk()
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1)
        talk.up(0, invite)
        talk.down(0.1, talk.response(302, to: invite, ["Contact: <sip:eve@pbx.example>"]))
        talk.up(0.2, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1", peer: peer))
        talk.later(100)
        #expect(talk.result().verdict == "Nothing is wrong with the 2 dialogs seen.")
        #expect(talk.result().findings == [])
    }
}
