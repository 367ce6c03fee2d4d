import Base
import Fixtures
import PhoneNode
import ShowLab
import ShowText
import Testing

@Suite struct SIPDebugViewTests {
    private static let peer = Endpoint(.v4(IPv4Address(192, 0, 2, 80)), 52899)
    private static let request = Array("REGISTER sip:example.org SIP/2.0\r\nCSeq: 1 REGISTER\r\nContent-Length: 2\r\n\r\nhi".utf8)
    private static let response = Array("SIP/2.0 401 Unauthorized\r\nCSeq: 1 REGISTER\r\n\r\n".utf8)

    @Test("a message that came in stands between the marks chan_sip sets, with its counts and its meaning")
    func received() {
        #expect(
            SIPDebugView().received(.udp, Self.peer, Self.request, meaning: "first of three") == """
                <--- SIP read from UDP:192.0.2.80:52899 --->
                REGISTER sip:example.org SIP/2.0
                CSeq: 1 REGISTER
                Content-Length: 2

                hi
                <------------->
                --- (2 headers 1 lines) ---
                => first of three


                """)
    }

    @Test("a response goes out between marks, a request after a headline, a repetition says so")
    func sent() {
        let view = SIPDebugView(natHandling: true)
        #expect(
            view.sent(.udp, Self.peer, Self.response, meaning: "challenge 1") == """
                <--- Transmitting (NAT) to 192.0.2.80:52899 --->
                SIP/2.0 401 Unauthorized
                CSeq: 1 REGISTER

                <------------>
                => challenge 1


                """)
        #expect(
            view.sent(.udp, Self.peer, Self.request, meaning: "x").hasPrefix("Transmitting (NAT) to 192.0.2.80:52899:\nREGISTER"))
        #expect(
            SIPDebugView(natHandling: false).sent(.udp, Self.peer, Self.request, meaning: "x").hasPrefix(
                "Transmitting (no NAT) to"))
        let again = view.sent(.udp, Self.peer, Self.response, meaning: "x", isRepeated: true)
        #expect(again.hasPrefix("Retransmitting (NAT) to 192.0.2.80:52899:\nSIP/2.0") && again.contains("\n---\n"))
    }

    @Test("a phone's messages are shown with the transport they came by")
    func phoneOverStream() {
        let local = Endpoint(.v4(IPv4Address(192, 0, 2, 81)), 5060)
        let message = PhoneTrace.Message(
            bytes: Self.response, local: local, remote: Self.peer, meaning: .answers(code: 401, method: "REGISTER"),
            transport: .tcp)
        let text = SIPDebugView().text(PhoneTrace.received(message))
        #expect(text?.hasPrefix("<--- SIP read from TCP:192.0.2.80:52899 --->\n") == true)
    }

    @Test("keepalives, binary bodies and escape sequences are shown without harm")
    func odd() {
        let view = SIPDebugView(showsTime: true)
        #expect(view.received(.tcp, Self.peer, [13, 10, 13, 10], meaning: "keepalive").contains("Nat keepalive"))
        let evil = view.received(
            .udp, Self.peer, Array("OPTIONS sip:a SIP/2.0\r\n\r\n\u{1b}[2J".utf8) + [0, 255], meaning: "\u{1b}]0;x")
        #expect(!evil.contains("\u{1b}") && !evil.contains("\0"))
        #expect(view.received(.udp, Self.peer, [], meaning: "nothing").contains("(0 headers 0 lines)"))
        #expect(view.notice("hm", at: Instant(seconds: 1_184_148_108)) == "2007-07-11 10:01:48.000 NOTICE: hm\n")
    }
}

@Suite struct PhonePanelTests {
    private static let contact = Endpoint(.v4(IPv4Address(192, 0, 2, 80)), 52899)
    private static let server = Endpoint(.v4(IPv4Address(203, 0, 113, 5)), 5060)

    @Test("the panel shows state, meaning, addresses and the time left, in a box")
    func registered() {
        let status = PhoneStatus(
            .registered(until: Instant(seconds: 100), contact: Self.contact, at: Self.server),
            mapping: .init(local: Endpoint(.v4(IPv4Address(192, 168, 1, 64)), 5060), stun: Self.contact, registrar: Self.contact))
        let text = PhonePanel(name: "desk", status).text(.plain, at: Instant(seconds: 40))
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.allSatisfy { displayWidth($0) == 78 })
        #expect(lines[0].hasPrefix("+- desk ---"))
        for piece in ["Registered", "in 60 s", "192.168.1.64:5060", "STUN sees", "Registrar sees"] {
            #expect(text.contains(piece))
        }
        #expect(!text.contains("Try"))
    }

    @Test("a failure is red and says what to try; disagreeing observers are pointed out")
    func failure() {
        let status = PhoneStatus(
            .authorizationError(.challengedAgain(stale: true), retryAt: nil),
            mapping: .init(stun: Self.contact, registrar: Endpoint(Self.contact.address, 52896)))
        let text = PhonePanel(name: "snom", status).text(ReportStyle(isColoured: true, isUnicode: true, width: 60))
        #expect(text.contains("\u{1b}[31mAuthorization error\u{1b}[0m"))
        #expect(text.contains("Note") && text.contains("Try") && text.contains("SIP ALG"))
        for line in withoutColours(text).split(separator: "\n") { #expect(displayWidth(String(line)) == 60) }
    }
}
