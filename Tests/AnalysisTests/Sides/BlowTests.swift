import Base
import Capture
import Testing

@testable import Analysis

@Suite("What a helper's change leads to is told as the helper's, and only where it led to something")
struct BlowTests {
    private typealias S = SideScene
    private static let host = "192.168.1.100:5060"
    private static let timer = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]

    private static func faults(_ taps: Taps) -> [FindingName] { taps.accusations().filter { $0.severity == .fault }.map(\.name) }

    @Test("keys taken out of the offer, which is then refused with 488", arguments: [true, false])
    func keys(isRefused: Bool) {
        var taps = Taps()
        let body =
            "v=0\r\no=- 53655765 2353687637 IN IP4 192.168.1.100\r\ns=-\r\nc=IN IP4 192.168.1.100\r\nt=0 0\r\nm=audio 4000 RTP/\(isRefused ? "SAVP" : "AVP") 0\r\n"
        let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
        func offer(_ body: String) -> String {
            let whole = S.invite()
            let head = whole[..<whole.firstRange(of: "Content-Type")!.lowerBound]
            return head + "Content-Type: application/sdp\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
        }
        taps.send(offer(body + key), offer(body), at: 0, isOutbound: true)
        let answer = S.answer(host: Self.host)
        taps.send(
            isRefused ? answer.with("200 OK", "488 Not Acceptable Here").with("Content-Type: application/sdp\r\n", "") : answer,
            at: 1,
            isOutbound: false)
        taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true)
        let found = taps.accusations().filter { $0.name == .algRewritten }
        #expect(found.map(\.severity) == [isRefused ? .fault : .risk])
        if isRefused { #expect(Self.faults(taps) == [.algRewritten]) }
    }

    @Test("another Contact in the server's 200, to which the ACK goes: the helper, not the server", arguments: [true, false])
    func contact(isLost: Bool) {
        var taps = Taps()
        taps.send(S.invite(), at: 0, isOutbound: true)
        let answer = S.answer(host: Self.host)
        let changed = answer.with("Contact: <sip:200@198.51.100.20>", "Contact: <sip:200@192.168.1.1:5060>")
        for at in isLost ? Self.timer : [0] {
            taps.send(changed, answer, at: 1 + at, isOutbound: false)
            guard isLost else { continue }
            taps.see(
                .sip(Array(S.ack(host: Self.host).utf8), isCut: false), 0, S.phone, Endpoint("192.168.1.1:5060")!, at: 1.01 + at)
        }
        // The box takes what it wrote back.
        if !isLost { taps.send(S.ack(host: Self.host), at: 1.01, isOutbound: true) }
        taps.send(S.bye(host: Self.host), at: 40, isOutbound: true)
        #expect(Self.faults(taps) == (isLost ? [.algRewritten] : []))
    }

    @Test("another port in Via and no rport: answers that go there are the helper's")
    func via() {
        var taps = Taps()
        for at in Self.timer {
            taps.send(
                S.register(), S.register().with("\(Self.host);rport;", "203.0.113.2:5060;"), at: at, isOutbound: true)
            taps.see(
                .sip(Array(S.ok().with("\(Self.host);rport=41000", "203.0.113.2:5060").utf8), isCut: false), 1, S.server,
                Endpoint("203.0.113.2:5060")!, at: at + 0.01)
        }
        #expect(Self.faults(taps) == [.algRewritten])
    }

    @Test(
        "a Via that comes back as the helper wrote it, and the phone asks again and again; once more may cross",
        arguments: [1, 2, 7])
    func unrestored(sendings: Int) {
        var taps = Taps()
        let written = S.register().with("Via: SIP/2.0/UDP \(Self.host)", "Via: SIP/2.0/UDP 203.0.113.2:41000")
        for at in Self.timer.prefix(sendings) {
            taps.send(S.register(), written, at: at, isOutbound: true)
            taps.send(
                S.ok().with("Via: SIP/2.0/UDP \(Self.host)", "Via: SIP/2.0/UDP 203.0.113.2:41000"), at: at + 0.01,
                isOutbound: false)
        }
        #expect(Self.faults(taps) == (sendings > 2 ? [.algRewritten] : []))
    }

    @Test("a second Via taken out of an INVITE on its way in, and missing in the answers: the proxy asks on")
    func vias() {
        var taps = Taps()
        let whole = S.message([
            "INVITE sip:100@\(Self.host) SIP/2.0", "Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bK-in",
            "Via: SIP/2.0/UDP 198.51.100.30:5060;branch=z9hG4bK-far", "Max-Forwards: 70",
            "From: <sip:300@lab.test>;tag=z1", "To: <sip:100@lab.test>", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE",
            "Contact: <sip:300@198.51.100.20>", "Subject: a", "Content-Length: 0",
        ])
        let cut = whole.with("Via: SIP/2.0/UDP 198.51.100.30:5060;branch=z9hG4bK-far\r\n", "").with("Subject: a", "Subject: b")
        let ringing = S.message([
            "SIP/2.0 180 Ringing", "Via: SIP/2.0/UDP 198.51.100.20:5060;rport;branch=z9hG4bK-in",
            "From: <sip:300@lab.test>;tag=z1",
            "To: <sip:100@lab.test>;tag=p1", "Call-ID: call-in@198.51.100.20", "CSeq: 5 INVITE", "Content-Length: 0",
        ])
        for at in Self.timer.prefix(7) {
            taps.send(cut, whole, at: at, isOutbound: false)
            taps.send(ringing, at: at + 0.05, isOutbound: true)
        }
        #expect(Self.faults(taps) == [.algRewritten])
    }
}
