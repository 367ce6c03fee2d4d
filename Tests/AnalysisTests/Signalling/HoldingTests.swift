import Base
import Testing

@testable import Analysis

@Suite("calls that stay on hold, and calls that hold kills")
struct HoldingTests {
    private enum Side { case phone, server }

    private static func sdp(_ side: Side, _ direction: String, version: Int, zero: Bool = false) -> String {
        Talk.sdp(
            zero ? "0.0.0.0" : side == .phone ? "198.51.100.7" : "203.0.113.10", port: side == .phone ? 4_000 : 14_000,
            extra: ["a=\(direction)"], origin: side == .phone ? "198.51.100.7" : "203.0.113.10")
    }

    /// Exchanges at 0, 20, 40... s: who offers, what, what is answered; then BYE at the end.
    private static func talk(
        _ exchanges: [(Side, String, String)], end: Double = 120, by: Side = .phone, reason: [String] = [], zeroHold: Bool = false
    ) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:5060"
        talk.call = "c1@phone.example"
        talk.phone = Endpoint("198.51.100.7:5060")!
        for (number, (side, offer, answer)) in exchanges.enumerated() {
            let at = Double(number) * 20
            let peer = number == 0 ? nil : "<sip:bob@pbx.example>;tag=s1"
            let invite = talk.request(
                "INVITE", "sip:bob@203.0.113.10", number + 1, branch: "i\(number)",
                ["Contact: <sip:alice@198.51.100.7:5060>", "Content-Type: application/sdp"],
                body: sdp(side, offer, version: number, zero: zeroHold && offer != "sendrecv"), peer: peer)
            let other: Side = side == .phone ? .server : .phone
            let ok = talk.response(
                200, to: invite, ["Contact: <sip:bob@203.0.113.10>"], body: sdp(other, answer, version: number))
            let ack = talk.request(
                "ACK", "sip:bob@203.0.113.10", number + 1, branch: "a\(number)", peer: "<sip:bob@pbx.example>;tag=s1")
            if side == .phone {
                talk.up(at, invite)
                talk.down(at + 0.03, ok)
                talk.up(at + 0.06, ack)
            } else {
                talk.down(at, invite)
                talk.up(at + 0.03, ok)
                talk.down(at + 0.06, ack)
            }
        }
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 90, reason, peer: "<sip:bob@pbx.example>;tag=s1")
        if by == .phone {
            talk.up(end, bye)
            talk.down(end + 0.02, talk.response(200, to: bye))
        } else {
            talk.down(end, bye)
            talk.up(end + 0.02, talk.response(200, to: bye))
        }
        talk.later(end + 60)
        return talk
    }

    @Test(
        "a resume answered with less than sendrecv by an end that holds nothing leaves the call dead: a fault, and who is not heard is told",
        arguments: [("inactive", FindingName.mediaNone, "neither end is heard"), ("recvonly", .mediaOneWay, "hears nothing")])
    func stuck(answer: String, name: FindingName, words: String) {
        let talk = Self.talk([
            (.phone, "sendrecv", "sendrecv"), (.phone, "sendonly", "recvonly"), (.phone, "sendrecv", answer),
        ])
        #expect(talk.accusations() == ["fault \(name.rawValue)"])
        let finding = talk.finding(name)
        #expect(
            finding?.summary
                == "The call stays on hold: 198.51.100.7:5060 takes it up again (sendrecv), and 203.0.113.10:5060 answers \(answer), so "
                + (words == "hears nothing" ? "198.51.100.7:5060 hears nothing" : words) + " for 80 s, up to the end.")
        #expect(finding?.culprit == .proved("203.0.113.10:5060"))
        #expect(finding?.remedies.first?.actor == .server)
    }

    @Test("sendonly may be music to a call that the other end holds: without media a note")
    func music() {
        let talk = Self.talk([
            (.phone, "sendrecv", "sendrecv"), (.phone, "sendonly", "recvonly"), (.phone, "sendrecv", "sendonly"),
        ])
        #expect(talk.accusations() == [])
        #expect(talk.finding(.mediaOneWay)?.severity == .note)
    }

    @Test("a phone that keeps a call of its server on hold is named")
    func phone() {
        let talk = Self.talk([
            (.phone, "sendrecv", "sendrecv"), (.server, "inactive", "inactive"), (.server, "sendrecv", "inactive"),
        ])
        #expect(talk.finding(.mediaNone)?.culprit == .proved("198.51.100.7:5060"))
        #expect(talk.finding(.mediaNone)?.remedies.first?.actor == .phone)
    }

    @Test("hold in the old way (0.0.0.0) is left like the other")
    func zero() {
        let exchanges: [(Side, String, String)] = [
            (.phone, "sendrecv", "sendrecv"), (.phone, "inactive", "inactive"), (.phone, "sendrecv", "inactive"),
        ]
        #expect(Self.talk(exchanges, zeroHold: true).accusations() == ["fault media.none"])
        #expect(Self.talk(Array(exchanges.dropLast()), zeroHold: true).accusations() == [])
    }

    @Test("hold and resume, hold to the end, both ends that hold, a second description that mends it: nothing")
    func lookAlikes() {
        let begins: (Side, String, String) = (.phone, "sendrecv", "sendrecv")
        #expect(Self.talk([begins, (.phone, "sendonly", "recvonly"), (.phone, "sendrecv", "sendrecv")]).accusations() == [])
        #expect(Self.talk([begins, (.phone, "sendonly", "recvonly")]).accusations() == [])
        #expect(Self.talk([begins, (.phone, "inactive", "inactive"), (.phone, "sendrecv", "sendrecv")]).accusations() == [])
        #expect(
            Self.talk([
                begins, (.phone, "sendonly", "recvonly"), (.server, "sendonly", "inactive"), (.phone, "sendrecv", "recvonly"),
            ]).accusations() == [])
        // An intercom that only listens, from its first answer on.
        #expect(Self.talk([(.phone, "sendrecv", "recvonly"), (.phone, "sendrecv", "recvonly")]).accusations() == [])
        #expect(
            Self.talk([begins, (.phone, "sendonly", "recvonly"), (.phone, "sendrecv", "inactive")], end: 43).accusations() == [])
    }

    @Test("a held call that its server ends for want of RTP, as its BYE says, was ended by a timer")
    func timeout() {
        let reason = ["Reason: Q.850;cause=44;text=\"RTP Timeout\""]
        let held: [(Side, String, String)] = [(.phone, "sendrecv", "sendrecv"), (.phone, "inactive", "inactive")]
        let talk = Self.talk(held, end: 80, by: .server, reason: reason)
        #expect(talk.accusations() == ["fault sip.timer-drop"])
        let finding = talk.finding(.sipTimerDrop)
        #expect(
            finding?.summary
                == "A timer ended a call on hold, nobody hung up: 203.0.113.10:5060 sent BYE 60 s after it was put on hold, for want of audio, "
                + "as it says itself: Q.850;cause=44;text=\"RTP Timeout\".")
        #expect(finding?.culprit == .proved("203.0.113.10:5060"))
    }

    @Test("the same words in a call that nobody holds, or no words, accuse nobody of killing a held call")
    func otherEnds() {
        let held: [(Side, String, String)] = [(.phone, "sendrecv", "sendrecv"), (.phone, "inactive", "inactive")]
        let resumed = Self.talk(
            held + [(.phone, "sendrecv", "sendrecv")], end: 100, by: .server,
            reason: ["Reason: SIP;cause=200;text=\"Media timeout\""])
        #expect(resumed.finding(.sipTimerDrop)?.summary.contains("on hold") == false)
        #expect(Self.talk(held, end: 80, by: .server).accusations() == [])
        #expect(
            Self.talk(held, end: 80, by: .server, reason: ["Reason: Q.850;cause=16;text=\"Normal call clearing\""]).accusations()
                == [])
    }
}

@Suite("answers that name no place to send to")
struct AnsweredPlaceTests {
    private static func sdp(_ address: String, _ more: [String] = []) -> String {
        let family = address.contains(":") ? "IP6" : "IP4"
        return
            (["v=0", "o=- 1 1 IN \(family) \(address)", "s=-", "c=IN \(family) \(address)", "t=0 0", "m=audio 14000 RTP/AVP 8"]
            + more + [""]).joined(separator: "\r\n")
    }

    /// An answer after a second, and another description of the same end if told; BYE after 20 s.
    private static func talk(_ answer: String, offer: String = sdp("198.51.100.7"), then: (Double, String)? = nil) -> Talk {
        var talk = Talk()
        talk.said = "198.51.100.7:5060"
        talk.call = "c1@phone.example"
        talk.phone = Endpoint("198.51.100.7:5060")!
        let (peer, contact) = ("<sip:bob@pbx.example>;tag=s1", ["Contact: <sip:bob@203.0.113.10>"])
        let invite = talk.request("INVITE", "sip:bob@pbx.example", 1, ["Contact: <sip:alice@198.51.100.7:5060>"], body: offer)
        talk.up(0, invite)
        talk.down(1, talk.response(200, to: invite, contact, body: answer))
        talk.up(1.03, talk.request("ACK", "sip:bob@203.0.113.10", 1, branch: "a1", peer: peer))
        if let (at, description) = then {
            let again = talk.request(
                "INVITE", "sip:alice@198.51.100.7:5060", 7, branch: "r7", contact, body: description, peer: peer)
            talk.down(at, again)
            talk.up(at + 0.03, talk.response(200, to: again, body: offer))
            talk.down(at + 0.06, talk.request("ACK", "sip:alice@198.51.100.7:5060", 7, branch: "a7", peer: peer))
        }
        let bye = talk.request("BYE", "sip:bob@203.0.113.10", 2, peer: peer)
        talk.up(20, bye)
        talk.down(20.02, talk.response(200, to: bye))
        talk.later(90)
        return talk
    }

    @Test("a first answer with 0.0.0.0 that holds nothing leaves the caller no place to send to")
    func zero() {
        let talk = Self.talk(Self.sdp("0.0.0.0"))
        #expect(talk.accusations() == ["fault nat.private-sdp"])
        let finding = talk.finding(.natPrivateSDP)
        #expect(
            finding?.summary
                == "203.0.113.10:5060 accepts the call and asks for its audio at the address 0.0.0.0: 198.51.100.7:5060 has no place to send to "
                + "and is not heard.")
        #expect(finding?.culprit == .proved("203.0.113.10:5060"))
    }

    @Test("0.0.0.0 that holds, is mended at once by a re-INVITE, answers 0.0.0.0, or stands beside ICE candidates: nothing")
    func zeroLookAlikes() {
        #expect(Self.talk(Self.sdp("0.0.0.0", ["a=inactive"])).accusations() == [])
        #expect(Self.talk(Self.sdp("0.0.0.0", ["a=sendonly"])).accusations() == [])
        #expect(Self.talk(Self.sdp("0.0.0.0"), then: (2, Self.sdp("203.0.113.10"))).accusations() == [])
        #expect(Self.talk(Self.sdp("0.0.0.0"), offer: Self.sdp("0.0.0.0")).accusations() == [])
        #expect(
            Self.talk(Self.sdp("0.0.0.0", ["a=candidate:1 1 UDP 2130706431 203.0.113.10 14000 typ host"])).accusations() == [])
    }

    @Test("an answer with an IPv6 address alone to an offer of IPv4 alone agrees on no place")
    func family() {
        let talk = Self.talk(Self.sdp("2001:db8::10"))
        #expect(talk.accusations() == ["fault sdp.mismatch"])
        #expect(
            talk.finding(.sdpMismatch)?.summary
                == "198.51.100.7:5060 offers IPv4 alone, and 203.0.113.10:5060 answers that it wants its audio at the IPv6 address "
                + "[2001:db8::10]:14000: 198.51.100.7:5060 cannot send there and is not heard.")
    }

    @Test("an offer or answer of both families, by ICE, ANAT or altc, is none of it, nor IPv6 to IPv6")
    func familyLookAlikes() {
        let six = Self.sdp("2001:db8::10")
        #expect(Self.talk(six, offer: six).accusations() == [])
        #expect(Self.talk(six, offer: Self.sdp("198.51.100.7", ["a=altc:2 IP6 2001:db8::7 4000"])).accusations() == [])
        #expect(
            Self.talk(six, offer: Self.sdp("198.51.100.7", ["m=audio 4002 RTP/AVP 8", "c=IN IP6 2001:db8::7"])).accusations()
                == [])
        #expect(
            Self.talk(six, offer: Self.sdp("198.51.100.7", ["a=candidate:1 1 UDP 2130706431 2001:db8::7 4000 typ host"]))
                .accusations() == [])
    }

    @Test("an answer with fewer media lines than the offer is a note; refused ones with port 0 are as they should be")
    func fewerLines() {
        let offer = Self.sdp("198.51.100.7", ["m=video 4002 RTP/AVP 34"])
        let short = Self.talk(Self.sdp("203.0.113.10"), offer: offer)
        #expect(short.accusations() == [])
        #expect(
            short.finding(.sdpMismatch)?.summary
                == "203.0.113.10:5060 answers 1 media line where 2 were offered; a refused one belongs into the answer with port 0 (RFC 3264 6)."
        )
        let whole = Self.talk(Self.sdp("203.0.113.10", ["m=video 0 RTP/AVP 34"]), offer: offer)
        #expect(whole.result().findings.filter { $0.name != .captureBlind } == [])
        let fax = Self.talk(
            Self.sdp("203.0.113.10", ["m=image 0 udptl t38"]), offer: Self.sdp("198.51.100.7", ["m=image 4004 udptl t38"]))
        #expect(fax.result().findings.filter { $0.name != .captureBlind } == [])
    }
}
