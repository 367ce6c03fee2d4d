import Base
import SIP
import ServerNode
import Testing

@Suite("RFC 5118: IPv6 addresses in requests")
struct IPv6Tests {
    static let flow = FlowID(.udp, local: Endpoint("[2001:db8::10]:5060")!, remote: Endpoint("[2001:db8::9:1]:5060")!)

    func status(uri: String = "sip:[2001:db8::10]", via: String = "[2001:db8::9:1]", extra: String = "") throws -> SIPMessage {
        let text =
            "REGISTER \(uri) SIP/2.0\r\nVia: SIP/2.0/UDP \(via);branch=z9hG4bKas3-111\r\nMax-Forwards: 70\r\n"
            + "From: sip:user@example.com;tag=81x2\r\nTo: sip:user@example.com\r\nCall-ID: SSG9559905523997077@hlau_4100\r\n"
            + "CSeq: 98176 REGISTER\r\nContact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n\(extra)Content-Length: 0\r\n\r\n"
        return try Harness().ask(text, on: Self.flow)
    }

    @Test(
        "4.1 to 4.4, 4.9: references in brackets are read, with and without port; without brackets the request is malformed",
        arguments: [
            ("sip:[2001:db8::10]", 401), ("sip:2001:db8::10", 400), ("sip:[2001:db8::10:5070]", 401),
            ("sip:[2001:db8::10]:5070", 401),
            ("sip:[::ffff:192.0.2.10]", 401), ("sip:[2001:db8::10", 400), ("sip:[2001:db8::10]:", 400),
            ("sip:[2001:db8::1::2]", 400),
        ])
    func references(_ uri: String, _ expected: Int) throws { #expect(try status(uri: uri).statusCode == expected) }

    @Test("4.5: `received` with brackets or without is no fault; ours comes without them")
    func received() throws {
        for value in ["[2001:db8::9:255]", "2001:db8::9:255"] {
            let answer = try status(via: "[2001:db8::9:2];received=\(value)")
            #expect(answer.statusCode == 401)
            #expect(answer.first(.via)?.value.string.contains(";received=2001:db8::9:1") == true)
        }
    }

    @Test("4.7: addresses of both families in one request's headers")
    func mixed() throws {
        let answer = try status(extra: "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKinner\r\n")
        #expect(answer.statusCode == 401)
        #expect(try answer.vias.map(\.host.description) == ["[2001:db8::9:1]", "192.0.2.1"])
    }
}
