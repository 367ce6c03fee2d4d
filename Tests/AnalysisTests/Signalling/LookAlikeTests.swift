import Analysis
import Base
import Testing

@Suite("What looks like a fault of signalling and is none")
struct LookAlikeTests {
    /// It knows its public address, and its Call-ID tells none.
    private var publicPhone: Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:40000"
        talk.call = "9f8e7d6c"
        return talk
    }

    private func invite(_ talk: Talk, _ number: Int = 1, _ more: [String] = [], sdp: String? = nil, tagged: Bool = false)
        -> String
    {
        talk.request(
            "INVITE", "sip:bob@pbx.example", number, ["Contact: <sip:alice@\(talk.said)>"] + more,
            body: sdp ?? Talk.sdp("198.51.100.7"),
            peer: tagged ? "<sip:bob@pbx.example>;tag=s1" : nil)
    }

    private func accept(_ talk: Talk, _ invite: String, sdp: String? = nil) -> String {
        talk.response(200, to: invite, ["Contact: <sip:bob@\(talk.server)>"], body: sdp ?? Talk.sdp("203.0.113.10", port: 30_000))
    }

    private func inside(_ talk: Talk, _ method: String, _ number: Int, _ more: [String] = []) -> String {
        talk.request(method, "sip:bob@\(talk.server)", number, more, peer: "<sip:bob@pbx.example>;tag=s1")
    }

    // MARK: auth

    @Test("auth.stale-late: a server that challenges each registration anew, minutes apart, is answered in time each time")
    func challengedEachTime() {
        var talk = Talk()
        for turn in 0..<4 { talk.registers(at: Double(turn) * 55, nonce: "n\(turn)", from: 1 + turn * 2, expires: 60) }
        talk.later(300)
        #expect(talk.accusations() == [])
    }

    @Test("auth.stale-out-of-order: two phones of one account, whose challenges interleave, each answer their own")
    func interleaved() {
        var talk = Talk()
        var other = talk
        other.call = "c2@192.168.1.21"
        other.said = "192.168.1.21:5060"
        let (one, two) = (talk.register(1), other.register(1, branch: "second", tag: "t2"))
        let elsewhere = Endpoint("198.51.100.7:40002")!
        talk.up(0, one)
        talk.up(0.001, two, from: elsewhere)
        talk.down(0.02, talk.challenge(to: one, nonce: "n1"))
        talk.down(0.021, other.challenge(to: two, nonce: "n2"), to: elsewhere)
        let (third, fourth) = (talk.register(2, nonce: "n1"), other.register(2, nonce: "n2", branch: "fourth", tag: "t2"))
        talk.up(0.03, fourth, from: elsewhere)
        talk.up(0.031, third)
        talk.down(0.05, talk.response(200, to: third))
        talk.down(0.051, other.response(200, to: fourth), to: elsewhere)
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "auth.no-answer: asked once more half a minute later, it is one, also where the capture ends there; answered at last, none",
        arguments: [false, true])
    func askedAgain(answers: Bool) {
        var talk = Talk()
        for (turn, at) in [0.0, 30].enumerated() {
            let request = talk.register(1 + turn)
            talk.up(at, request)
            talk.down(at + 0.02, talk.challenge(to: request, nonce: "n\(turn)"))
        }
        if answers {
            let right = talk.register(3, nonce: "n1")
            talk.up(30.05, right)
            talk.down(30.07, talk.response(200, to: right))
        }
        #expect(talk.accusations() == (answers ? [] : ["fault auth.no-answer"]))
    }

    @Test(
        "auth.nonce-reuse, auth.bad-digest: a re-INVITE and a BYE that are challenged and then taken are everyday",
        arguments: ["INVITE", "BYE"])
    func challengedInside(method: String) {
        var talk = publicPhone
        let first = invite(talk)
        talk.up(0, first)
        talk.down(1, accept(talk, first))
        talk.up(1.03, inside(talk, "ACK", 1))
        let (body, kind) = (Talk.sdp("198.51.100.7"), method)
        let bare = talk.request(
            kind, "sip:bob@pbx.example", 2, body: kind == "INVITE" ? body : "", peer: "<sip:bob@pbx.example>;tag=s1")
        talk.up(20, bare)
        talk.down(20.02, talk.challenge(to: bare, nonce: "n1"))
        if kind == "INVITE" {
            talk.up(20.03, talk.request("ACK", "sip:bob@pbx.example", 2, branch: "INVITE2", peer: "<sip:bob@pbx.example>;tag=s1"))
        }
        let again = talk.request(
            kind, "sip:bob@pbx.example", 3, talk.authorization("n1"), body: kind == "INVITE" ? body : "",
            peer: "<sip:bob@pbx.example>;tag=s1")
        talk.up(20.05, again)
        talk.down(20.07, kind == "INVITE" ? accept(talk, again) : talk.response(200, to: again))
        if kind == "INVITE" { talk.up(20.1, inside(talk, "ACK", 3)) }
        talk.later(90)
        #expect(talk.accusations() == [])
    }

    // MARK: nat

    @Test(
        "nat.private-contact, nat.private-sdp: a call within one LAN, and between two private nets, has nothing but private addresses",
        arguments: ["192.168.1.5:5060", "10.8.0.1:5060"])
    func privateEverywhere(server: String) {
        var talk = Talk()
        talk.phone = Endpoint("192.168.1.20:5060")!
        talk.server = Endpoint(server)!
        let first = invite(talk, sdp: Talk.sdp("192.168.1.20"))
        talk.up(0, first)
        talk.down(1, accept(talk, first, sdp: Talk.sdp(String(server.dropLast(5)))))
        talk.up(1.03, inside(talk, "ACK", 1))
        let bye = talk.request("BYE", "sip:alice@192.168.1.20:5060", 7, peer: "<sip:bob@pbx.example>;tag=s1")
        talk.down(30, bye)
        talk.up(30.02, talk.response(200, to: bye))
        talk.later(60)
        #expect(talk.accusations() == [])
        #expect(talk.finding(.natPrivateSDP) == nil)
    }

    @Test("nat.mapping-expired: the server's OPTIONS keep the mapping; the phone answers each")
    func keptByServer() {
        var talk = Talk()
        talk.registers()
        for turn in 1...12 {
            let ping = talk.request("OPTIONS", "sip:alice@198.51.100.7:40000", turn, branch: "ping\(turn)")
            talk.down(Double(turn) * 25, ping)
            talk.up(Double(turn) * 25 + 0.02, talk.response(200, to: ping))
        }
        let again = talk.register(3, nonce: "n1")
        talk.up(310, again)
        talk.down(310.02, talk.response(200, to: again))
        talk.later(400)
        #expect(talk.accusations() == [])
    }

    @Test(
        "alg.suspected: an SBC that writes its own public o= beside the phone's public c=, and a phone whose Call-ID is a random word"
    )
    func borderController() {
        var talk = publicPhone
        let first = invite(talk, sdp: Talk.sdp("198.51.100.7", origin: "198.51.100.250"))
        talk.up(0, first)
        talk.down(1, accept(talk, first))
        talk.up(1.03, inside(talk, "ACK", 1))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "alg.suspected: within a dialog that began before the capture the Call-ID is the other end's; at its beginning it is the sender's",
        arguments: [false, true])
    func joinedLater(isWithin: Bool) {
        var talk = publicPhone
        talk.call = "77@10.9.8.7"
        let peer = "<sip:bob@pbx.example>" + (isWithin ? ";tag=s1" : "")
        let notify = talk.request(
            "NOTIFY", "sip:bob@pbx.example", 7, ["Contact: <sip:alice@198.51.100.7:40000>", "Event: dialog"], peer: peer)
        talk.up(0, notify)
        talk.down(0.1, talk.response(200, to: notify))
        talk.later(60)
        #expect(talk.accusations() == (isWithin ? [] : ["risk alg.suspected"]))
    }

    @Test(
        "alg.suspected: an exchange that is told its public address keeps its own in Call-ID",
        arguments: [("STARFACE PBX", true), ("3CXPhoneSystem 18.0.7", true), ("Yealink SIP-T46S 66.86.0.15", false)])
    func exchange(program: String, isExchange: Bool) {
        var talk = publicPhone
        talk.call = "77@10.9.8.7"
        talk.agent = program
        let options = talk.request("OPTIONS", "sip:bob@pbx.example", 7, ["Contact: <sip:alice@198.51.100.7:40000>"])
        talk.up(0, options)
        talk.down(0.1, talk.response(200, to: options))
        talk.later(60)
        #expect(talk.accusations() == (isExchange ? [] : ["risk alg.suspected"]))
    }

    @Test(
        "nat.port-jump: a phone whose own address changes, between calls' requests or registrations, went to another network",
        arguments: [false, true])
    func anotherNetwork(moves: Bool) {
        var talk = Talk()
        let first = invite(talk)
        talk.up(0, first)
        talk.down(1, accept(talk, first))
        talk.up(1.03, inside(talk, "ACK", 1))
        if moves { talk.said = "172.16.5.9:5060" }
        let change = invite(talk, 2, tagged: true)
        talk.up(9, change, port: 31_077)
        talk.down(9.05, accept(talk, change), port: 31_077)
        talk.later(60)
        #expect(talk.accusations().contains { $0.hasSuffix("nat.port-jump") } == !moves)
    }

    // MARK: sip

    @Test(
        "sip.refused: 487 after CANCEL, 491 to crossing offers, 423 before a longer expiry, 302 to elsewhere accuse nobody",
        arguments: [487, 491, 423, 302])
    func everydayRefusals(status: Int) {
        var talk = publicPhone
        switch status {
        case 423:
            let short = talk.register(1, expires: 10)
            talk.up(0, short)
            talk.down(0.1, talk.response(423, to: short, ["Min-Expires: 60"]))
            talk.registers(at: 0.2, from: 2, expires: 60)
        case 491:
            let first = invite(talk)
            talk.up(0, first)
            talk.down(1, accept(talk, first))
            talk.up(1.03, inside(talk, "ACK", 1))
            let change = invite(talk, 2, tagged: true)
            talk.up(9, change)
            talk.down(9.05, talk.response(491, to: change))
            talk.up(9.06, talk.request("ACK", "sip:bob@pbx.example", 2, branch: "INVITE2", peer: "<sip:bob@pbx.example>;tag=s1"))
        default:
            let first = invite(talk)
            talk.up(0, first)
            if status == 487 {
                let cancel = talk.request("CANCEL", "sip:bob@pbx.example", 1, branch: "INVITE1")
                talk.up(3, cancel)
                talk.down(3.02, talk.response(200, to: cancel))
            }
            talk.down(3.03, talk.response(status, to: first))
            talk.up(3.05, talk.request("ACK", "sip:bob@pbx.example", 1, branch: "INVITE1"))
        }
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test(
        "sip.refused: what an office's phones ask for in vain (SUBSCRIBE 489, PUBLISH 501, OPTIONS 405, MESSAGE 404) is nobody's fault",
        arguments: [("SUBSCRIBE", 489), ("PUBLISH", 501), ("OPTIONS", 405), ("MESSAGE", 404)])
    func askedInVain(method: String, status: Int) {
        var talk = Talk()
        let request = talk.request(method, "sip:alice@pbx.example", 1, ["Event: presence", "Contact: <sip:alice@\(talk.said)>"])
        talk.up(0, request)
        talk.down(0.02, talk.response(status, to: request))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("sip.no-ack, sip.retransmit: the 2xx of a slow line comes twice and is acknowledged twice", arguments: [0.5, 1.5])
    func slowLine(late: Double) {
        var talk = publicPhone
        let first = invite(talk)
        talk.up(0, first)
        talk.up(0.5, first)
        talk.down(0.9, talk.response(100, to: first))
        let ok = accept(talk, first)
        talk.down(4, ok)
        talk.down(4 + late, ok)
        talk.up(4.8 + late, inside(talk, "ACK", 1))
        talk.up(4.9 + late, inside(talk, "ACK", 1))
        let bye = inside(talk, "BYE", 2)
        talk.up(40, bye)
        talk.down(40.9, talk.response(200, to: bye))
        talk.later(120)
        #expect(talk.accusations() == [])
    }

    @Test("sip.timer-drop: both hang up at once, one BYE is answered 481", arguments: [32.0, 60, 900])
    func crossingByes(seconds: Double) {
        var talk = publicPhone
        let first = invite(talk)
        talk.up(0, first)
        talk.down(1, accept(talk, first))
        talk.up(1.03, inside(talk, "ACK", 1))
        let bye = inside(talk, "BYE", 2)
        talk.up(1 + seconds + 4.4, bye)
        let theirs = talk.request("BYE", "sip:alice@198.51.100.7:40000", 9, peer: "<sip:bob@pbx.example>;tag=s1")
        talk.down(1 + seconds + 4.401, theirs)
        talk.down(1 + seconds + 4.42, talk.response(200, to: bye))
        talk.up(1 + seconds + 4.43, talk.response(481, to: theirs))
        talk.later(1_200)
        #expect(talk.accusations() == [])
    }

    @Test("sdp.mismatch: an offer that comes in the 200 and is answered in the ACK fits")
    func lateOffer() {
        var talk = publicPhone
        let first = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@\(talk.said)>"])
        talk.up(0, first)
        talk.down(1, accept(talk, first, sdp: Talk.sdp("203.0.113.10", port: 30_000, formats: "9 8 0")))
        talk.up(
            1.03,
            talk.request(
                "ACK", "sip:bob@\(talk.server)", 1, body: Talk.sdp("198.51.100.7", formats: "8"),
                peer: "<sip:bob@pbx.example>;tag=s1"))
        talk.later(60)
        #expect(talk.accusations() == [])
    }

    @Test("capture.blind: a talk that was seen whole has nothing to hide")
    func whole() {
        var talk = Talk()
        talk.registers()
        talk.later(60)
        #expect(talk.finding(.captureBlind) == nil)
    }
}
