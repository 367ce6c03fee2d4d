import Base
import Fixtures
import Foundation
import SIP
import Testing

@Suite("RFC 3261 8.2.6: messages put together, edited and framed")
struct BuilderTests {
    let source = Endpoint(.v4(IPv4Address(203, 0, 113, 9)), 40123)

    func request(via: String, to: String = "<sip:alice@example.com>") throws -> SIPMessage {
        try SIPMessage(
            parsing: wire(
                "REGISTER sip:example.com SIP/2.0\nv : \(via)\nVia: SIP/2.0/UDP second;branch=z9hG4bK2\nt: \(to)\nFrom: <sip:a@b>;tag=1\ni: x@y\nCSeq: 7 REGISTER\n\n"
            ))
    }

    @Test("a request is printed in the order of its fields, with its length")
    func build() throws {
        var builder = SIPMessageBuilder(.register, SIPURI(host: .name("example.com")))
        builder.add(Via(.udp, host: .ipv4(IPv4Address(192, 0, 2, 1)), port: 5060, branch: "z9hG4bKa"))
        builder.add(.maxForwards, 70)
        builder.add(.from, NameAddress(displayName: "\"A\"", try SIPURI(parsing: "sip:a@example.com"), tag: "t1"))
        builder.add(CSeq(1, .register))
        builder.add("X-Smuggle", "a\r\nVia: b")
        builder.add(.supported, list: ["path", "outbound"])
        builder.body = Array("hi".utf8)
        #expect(
            builder.bytes
                == wire(
                    """
                    REGISTER sip:example.com SIP/2.0
                    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport
                    Max-Forwards: 70
                    From: "A" <sip:a@example.com>;tag=t1
                    CSeq: 1 REGISTER
                    X-Smuggle: a  Via: b
                    Supported: path, outbound
                    Content-Length: 2

                    hi
                    """))
        #expect(try builder.message().vias.count == 1)
    }

    @Test(
        "RFC 3581 4, RFC 3261 18.2.1: what the topmost Via of a response says",
        arguments: [
            (
                "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1",
                "SIP/2.0/UDP 10.0.0.1:5060;rport=40123;branch=z9hG4bK1;received=203.0.113.9"
            ),
            ("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;received=203.0.113.9"),
            ("SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1", "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1"),
            (
                "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1;rport",
                "SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1;rport=40123;received=203.0.113.9"
            ),
            ("SIP/2.0/UDP phone.local;branch=z9hG4bK1", "SIP/2.0/UDP phone.local;branch=z9hG4bK1;received=203.0.113.9"),
            (
                "SIP/2.0/UDP h;received=1.2.3.4;rport=9;branch=z9hG4bK1",
                "SIP/2.0/UDP h;received=203.0.113.9;rport=40123;branch=z9hG4bK1"
            ),
            (
                "SIP/2.0/UDP h;rport, SIP/2.0/UDP other;rport",
                "SIP/2.0/UDP h;rport=40123;received=203.0.113.9, SIP/2.0/UDP other;rport"
            ),
        ])
    func topVia(_ before: String, _ after: String) throws {
        let response = SIPMessageBuilder.response(to: try request(via: before), status: 401, source: source)
        let text = String(decoding: response.bytes, as: UTF8.self)
        #expect(text.hasPrefix("SIP/2.0 401 Unauthorized\r\nv : \(after)\r\nVia: SIP/2.0/UDP second;branch=z9hG4bK2\r\nFrom: "))
    }

    @Test(
        "8.2.6.2: From, Call-ID and CSeq are copied; To gets a tag where it has none",
        arguments: [
            ("<sip:alice@example.com>", "<sip:alice@example.com>;tag=new"),
            ("<sip:alice@example.com>;tag=old", "<sip:alice@example.com>;tag=old"),
            ("sip:alice@example.com;x=y", "sip:alice@example.com;x=y;tag=new"),
        ])
    func response(_ before: String, _ after: String) throws {
        let request = try request(via: "SIP/2.0/UDP h", to: before)
        let response = try SIPMessageBuilder.response(to: request, status: 200, toTag: "new").message()
        #expect(
            response.bytes
                == wire(
                    "SIP/2.0 200 OK\nv : SIP/2.0/UDP h\nVia: SIP/2.0/UDP second;branch=z9hG4bK2\nFrom: <sip:a@b>;tag=1\nt: \(after)\ni: x@y\nCSeq: 7 REGISTER\nContent-Length: 0\n\n"
                ))
        #expect(try response.topVia == request.topVia || response.topVia.text == request.topVia.text)
    }

    @Test("a request without the due fields can still be answered")
    func answerFlawed() throws {
        let message = try SIPMessage(salvaging: wire("OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/UDP h;;\nnonsense\n\n"))
        #expect(message.flaw?.reason == .headerLine)
        let response = SIPMessageBuilder.response(to: message, status: 400, toTag: "x", source: source)
        #expect(response.bytes == wire("SIP/2.0 400 Bad Request\nVia: SIP/2.0/UDP h;;\nContent-Length: 0\n\n"))
    }

    @Test("edits change what they name and nothing else; overlaps are refused")
    func edits() throws {
        let message = try SIPMessage(parsing: wire(registerText))
        guard case .list(let contacts) = try message.contacts else { return }
        let uri = try #require(contacts.first).uriText
        var edits = SIPEdits(message)
        let isTaken = edits.replace(uri.range, with: "sip:alice@203.0.113.9:40123")
        let overlaps = edits.replace(uri.range.lowerBound..<(uri.range.lowerBound + 1), with: "x")
        let isOutside = edits.replace(0..<(message.bytes.count + 1), with: "x")
        #expect(isTaken && !overlaps && !isOutside)
        edits.insertFirst(.recordRoute, "<sip:proxy;lr>", in: message)
        edits.append(.server, "x", to: message)
        edits.setContentLength(of: message, to: 12)
        let expected = registerText.replacingOccurrences(
            of: "sip:alice@192.168.1.20:5060;transport=udp", with: "sip:alice@203.0.113.9:40123"
        )
        .replacingOccurrences(of: "SIP/2.0\nVia", with: "SIP/2.0\nRecord-Route: <sip:proxy;lr>\nVia")
        .replacingOccurrences(of: "Content-Length: 0\n", with: "Content-Length: 12\nServer: x\n")
        #expect(edits.apply() == wire(expected))
        #expect(edits.place(of: 0) == 0)
        #expect(edits.place(of: uri.range.lowerBound) == nil)
        #expect(edits.place(of: message.bytes.count) == edits.apply().count)
        #expect(SIPEdits(message).apply() == message.bytes)
    }

    @Test("edits at one place: insertions in order, before a replacement")
    func editOrder() {
        var edits = SIPEdits(Array("abc".utf8))
        edits.replace(1..<2, with: "B")
        edits.insert(SIPText("1"), at: 1)
        edits.insert(SIPText("2"), at: 1)
        edits.insert(SIPText("3"), at: 3)
        edits.remove(0..<1)
        #expect(SIPText(edits.apply()) == "12Bc3")
    }

    @Test("18.3: messages are cut from a stream by Content-Length; RFC 5626 3.5.1: pings are seen")
    func framing() throws {
        let message = wire("OPTIONS sip:a SIP/2.0\nX: 1\nl : 3\n\nabc")
        let stream = message + [0x0D, 0x0A, 0x0D, 0x0A] + message + [0x0D, 0x0A]
        for count in 0..<message.count {
            #expect(try SIPFraming.messageLength(in: Array(message[..<count])) == nil)
        }
        #expect(try SIPFraming.next(in: stream) == .message(length: message.count))
        #expect(try SIPFraming.next(in: stream, from: message.count) == .ping)
        #expect(try SIPFraming.next(in: stream, from: message.count + 4) == .message(length: message.count))
        #expect(try SIPFraming.next(in: stream, from: stream.count - 2) == .incomplete)
        #expect(try SIPFraming.next(in: stream, from: stream.count - 2, isQuiet: true) == .pong)
        #expect(try SIPFraming.next(in: [0x0D, 0x0A] + message) == .pong)
        #expect(try SIPFraming.next(in: stream, from: stream.count) == .incomplete)
    }

    @Test(
        "20.14: a stream that cannot be followed is given up",
        arguments: [
            ("OPTIONS sip:a SIP/2.0\n\n", SIPParseError.Reason.lengthMissing, 23),
            ("OPTIONS sip:a SIP/2.0\nContent-Length: -1\n\n", .number, 39),
            ("OPTIONS sip:a SIP/2.0\nl: 1\nl: 1\n\n", .repeated(.contentLength), 29),
            ("OPTIONS sip:a SIP/2.0\nl: 999\n\n", .messageTooLarge, 200), ("OPTIONS sip:a SIP/2.0\nl: 1x\n\n", .number, 26),
        ] as [(String, SIPParseError.Reason, Int)])
    func framingFaults(_ text: String, _ reason: SIPParseError.Reason, _ offset: Int) {
        #expect(throws: SIPParseError(reason, at: offset)) {
            try SIPFraming.messageLength(in: [0, 0] + wire(text), from: 2, limits: SIPLimits(messageBytes: 200))
        }
    }
}
