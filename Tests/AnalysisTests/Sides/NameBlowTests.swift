import Base
import Testing

@testable import Analysis

@Suite("What a helper writes in one place and leaves in the other breaks calls, and is told only where it did")
struct NameBlowTests {
    private typealias S = SideScene
    private static let host = "192.168.1.100:5060"

    private static func faults(_ taps: Taps) -> [FindingName] { taps.accusations().filter { $0.severity == .fault }.map(\.name) }

    /// The offer with a part of its body replaced, counted anew.
    private static func offer(_ old: String, _ new: String) -> String {
        let text = S.invite()
        let body = String(text[text.firstRange(of: "\r\n\r\n")!.upperBound...]).with(old, new)
        let head = text[..<text.firstRange(of: "Content-Length")!.lowerBound]
        return head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
    }

    private static func refused(_ status: String, _ own: String = host) -> String {
        S.answer(host: own).with("200 OK", status).with("Content-Type: application/sdp\r\n", "")
    }

    @Test("an address in place of the domain in From, and 403: the helper", arguments: [true, false])
    func from(isRefused: Bool) {
        var taps = Taps()
        taps.send(S.invite(), S.invite().with("From: <sip:100@lab.test>", "From: <sip:100@203.0.113.2>"), at: 0, isOutbound: true)
        taps.send(isRefused ? Self.refused("403 Unknown Domain") : S.answer(host: Self.host), at: 1, isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        #expect(Self.faults(taps) == (isRefused ? [.algRewritten] : []))
    }

    @Test("a call refused with 403 although others with the same From are taken, or with 486, is not the helper's")
    func taken() {
        for status in ["403 Not Allowed", "486 Busy Here"] {
            var taps = Taps()
            if status.hasPrefix("403") {
                let other = S.invite().with("call-1@", "call-0@").with("z9hG4bK-inv", "z9hG4bK-zero")
                taps.send(other, other.with("From: <sip:100@lab.test>", "From: <sip:100@203.0.113.2>"), at: -20, isOutbound: true)
                taps.send(
                    S.answer(host: Self.host).with("call-1@", "call-0@").with("z9hG4bK-inv", "z9hG4bK-zero"), at: -19,
                    isOutbound: false)
            }
            taps.send(
                S.invite(), S.invite().with("From: <sip:100@lab.test>", "From: <sip:100@203.0.113.2>"), at: 0, isOutbound: true)
            taps.send(Self.refused(status), at: 1, isOutbound: false)
            taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
            #expect(!Self.faults(taps).contains(.algRewritten))
        }
    }

    @Test("an address in place of the domain in the Request-URI of REGISTER, and 404: the helper, not the server")
    func uri() {
        var taps = Taps()
        taps.send(
            S.register(), S.register().with("REGISTER sip:lab.test", "REGISTER sip:198.51.100.20"), at: 0, isOutbound: true)
        taps.send(S.ok().with("200 OK", "404 Not Found"), at: 0.1, isOutbound: false)
        #expect(Self.faults(taps) == [.algRewritten])
    }

    /// A registration whose Contact the helper rewrites, and a call for it that comes in as it was written.
    private static func incoming(_ status: String, user: String = "100", isRestored: Bool = false) -> Taps {
        var taps = Taps()
        let written = "203.0.113.2:41000"
        taps.send(
            S.register(), S.register().with("Contact: <sip:100@\(host)>", "Contact: <sip:100@\(written)>"), at: 0,
            isOutbound: true)
        let ok = S.ok().with("Contact: <sip:100@\(host)>", "Contact: <sip:100@\(written)>")
        taps.send(S.ok(), ok, at: 0.1, isOutbound: false)
        let call = S.message([
            "INVITE sip:\(user)@\(written) SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-in", "Max-Forwards: 70",
            "From: <sip:300@lab.test>;tag=z1", "To: <sip:100@lab.test>", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE",
            "Contact: <sip:300@198.51.100.20>", "Content-Length: 0",
        ])
        taps.send(isRestored ? call.with(written, host) : call, call, at: 10, isOutbound: false)
        taps.send(
            S.message([
                "SIP/2.0 \(status)", "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-in", "From: <sip:300@lab.test>;tag=z1",
                "To: <sip:100@lab.test>;tag=q", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE", "Contact: <sip:100@\(host)>",
                "Content-Length: 0",
            ]), at: 10.1, isOutbound: true)
        return taps
    }

    @Test("a call for the place that the helper wrote into Contact, which the phone answers 404: the helper")
    func target() {
        #expect(Self.faults(Self.incoming("404 Not Found")) == [.algRewritten])
    }

    @Test("the same with the place changed back, for another user, or refused otherwise is not the helper's")
    func otherTarget() {
        for taps in [
            Self.incoming("404 Not Found", isRestored: true), Self.incoming("404 Not Found", user: "777"),
            Self.incoming("486 Busy Here"), Self.incoming("200 OK"),
        ] {
            #expect(Self.faults(taps).isEmpty)
        }
    }

    @Test("port 0 in place of the offered one, and 488: the helper", arguments: [true, false])
    func port(isRefused: Bool) {
        var taps = Taps()
        taps.send(S.invite(), Self.offer("m=audio 4000", "m=audio 0"), at: 0, isOutbound: true)
        taps.send(isRefused ? Self.refused("488 Not Acceptable Here") : S.answer(host: Self.host), at: 1, isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        #expect(Self.faults(taps).contains(.algRewritten) == isRefused)
        #expect(!Self.faults(taps).contains(.sdpMismatch))
    }

    @Test("0.0.0.0 in c= and no audio from the server: the helper; with audio it stays a risk", arguments: [true, false])
    func silence(isSilent: Bool) {
        var taps = Taps()
        taps.send(S.invite(), Self.offer("c=IN IP4 192.168.1.100", "c=IN IP4 0.0.0.0"), at: 0, isOutbound: true)
        taps.send(S.answer(host: Self.host), at: 1, isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        let (phone, outer) = (Endpoint("192.168.1.100:4000")!, Endpoint("203.0.113.2:4000")!)
        let server = Endpoint("198.51.100.20:12000")!
        taps.audio(0, phone, server, ssrc: 1)
        taps.audio(1, outer, server, ssrc: 1)
        if !isSilent {
            taps.audio(0, server, phone, ssrc: 2)
            taps.audio(1, server, outer, ssrc: 2)
        }
        taps.send(S.bye(host: Self.host), at: 12, isOutbound: true)
        #expect(Self.faults(taps) == (isSilent ? [.algRewritten] : []))
    }

    /// A transfer that names another call by Replaces. `isRewritten`: the helper changes Call-ID; `follows`: Refer-To as well.
    private static func transfer(_ outcome: String, isRewritten: Bool = true, follows: Bool = false) -> Taps {
        var taps = Taps()
        func out(_ text: String) -> String {
            var text = text
            if follows { text = text.with("%40192.168.1.100", "%40203.0.113.2") }
            return text.with("Via: SIP/2.0/UDP \(host)", "Via: SIP/2.0/UDP 203.0.113.2:41000").with(
                isRewritten ? "call-1@192.168.1.100" : "\u{0}", "call-1@203.0.113.2")
        }
        func back(_ text: String) -> String { isRewritten ? text.with("call-1@192.168.1.100", "call-1@203.0.113.2") : text }
        func both(_ text: String, at: Double, isOutbound: Bool) {
            taps.send(text, isOutbound ? out(text) : back(text), at: at, isOutbound: isOutbound)
        }
        both(S.invite(), at: 0, isOutbound: true)
        both(S.answer(host: host), at: 1, isOutbound: false)
        both(S.ack(host: host), at: 1.01, isOutbound: true)
        let refer = S.bye(host: host).with("BYE", "REFER").with(
            "Content-Length: 0",
            "Refer-To: <sip:300@lab.test?Replaces=other%40192.168.1.100%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\n"
                + "Contact: <sip:100@\(host)>\r\nContent-Length: 0")
        both(refer, at: 5, isOutbound: true)
        both(
            S.message([
                "SIP/2.0 202 Accepted", "Via: SIP/2.0/UDP \(host);rport=41000;branch=z9hG4bK-REFER",
                "From: <sip:100@lab.test>;tag=f9",
                "To: <sip:200@lab.test>;tag=t9", "Call-ID: call-1@192.168.1.100", "CSeq: 8 REFER", "Content-Length: 0",
            ]), at: 5.1, isOutbound: false)
        let body = "SIP/2.0 \(outcome)\r\n"
        both(
            S.message(
                [
                    "NOTIFY sip:100@\(host) SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK-not",
                    "Max-Forwards: 70",
                    "From: <sip:200@lab.test>;tag=t9", "To: <sip:100@lab.test>;tag=f9", "Call-ID: call-1@192.168.1.100",
                    "CSeq: 1 NOTIFY", "Event: refer", "Subscription-State: terminated", "Content-Type: message/sipfrag",
                    "Content-Length: \(body.utf8.count)",
                ], body), at: 5.5, isOutbound: false)
        return taps
    }

    @Test("another Call-ID and the old one in Replaces: the transfer that fails with 481 is the helper's")
    func replaces() {
        #expect(Self.faults(Self.transfer("481 Call/Transaction Does Not Exist")).contains(.algRewritten))
        #expect(!Self.faults(Self.transfer("481 Call/Transaction Does Not Exist")).contains(.sipRefused))
    }

    @Test("a transfer that fails otherwise, or whose Call-ID was left or changed in both places, is not")
    func otherTransfers() {
        let gone = "481 Call/Transaction Does Not Exist"
        for taps in [
            Self.transfer("486 Busy Here"), Self.transfer(gone, isRewritten: false), Self.transfer(gone, follows: true),
            Self.transfer("200 OK"),
        ] {
            #expect(!Self.faults(taps).contains(.algRewritten))
        }
    }
}
