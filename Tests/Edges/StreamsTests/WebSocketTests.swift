import Base
import SIP
import Streams
import Testing

@Suite("RFC 7118: SIP over WebSocket on real sockets")
struct WebSocketTests {
    let folder = Folder()

    func pair(_ transport: SIPTransport = .ws, address: String = "127.0.0.1") throws -> StreamPair {
        let identity = transport == .wss ? try TLSIdentity.selfSigned(in: folder.path, names: ["lab"]) : nil
        return try StreamPair(transport, address: address, framing: .raw, identity: identity)
    }

    @Test(
        "One message a frame, both ways, plain and over TLS, IPv4 and IPv6",
        arguments: [SIPTransport.ws, .wss], ["127.0.0.1", "::1"])
    func bothWays(transport: SIPTransport, address: String) throws {
        let pair = try pair(transport, address: address)
        // A message without Content-Length: the frame is its length (RFC 7118 5.3 leaves it out of the question).
        let text = "OPTIONS sip:a@lab SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"
        pair.client.service.send(frame(1, Array(text.utf8)), on: pair.clientFlow)
        #expect(try pair.server.message() == text)
        pair.server.service.send(Array(request(2).utf8), on: pair.serverFlow)
        let answer = Array(request(2).utf8)
        let expected = [0x81, 126, UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
        #expect(try pair.client.bytes(expected.count) == expected)
    }

    @Test("A message cut into frames, with a ping in between, arrives whole; the ping is answered")
    func fragments() throws {
        let pair = try pair()
        let text = Array(request(1, body: 40).utf8)
        pair.client.service.send(frame(2, Array(text[..<10]), isLast: false), on: pair.clientFlow)
        pair.client.service.send(frame(0, Array(text[10..<20]), isLast: false), on: pair.clientFlow)
        pair.client.service.send(frame(0, Array(text[20...])), on: pair.clientFlow)
        pair.client.service.send(frame(9, [1, 2, 3]), on: pair.clientFlow)
        pair.client.service.send(frame(1, Array("\r\n\r\n".utf8)), on: pair.clientFlow)
        #expect(try pair.server.message() == request(1, body: 40))
        #expect(try pair.server.message() == "\r\n\r\n")
        #expect(try pair.client.bytes(5) == [0x8a, 3, 1, 2, 3])
    }

    @Test("What RFC 6455 forbids closes the connection with a reason", arguments: ["unmasked", "too long", "reserved opcode"])
    func violations(kind: String) throws {
        let pair = try pair()
        let (bytes, code): ([UInt8], UInt8) =
            switch kind {
            case "unmasked": (frame(1, Array("x".utf8), isMasked: false), 0xea)
            case "too long": ([0x81, 0xff, 0, 0, 0, 0, 0, 2, 0, 0, 1, 2, 3, 4], 0xf1)
            default: (frame(3, []), 0xea)
            }
        pair.client.service.send(bytes, on: pair.clientFlow)
        guard case .webSocket = try pair.server.closed() else { throw CancellationError() }
        // 1002 and 1009 (RFC 6455 7.4.1)
        #expect(try pair.client.bytes(4) == [0x88, 2, 0x03, code])
        #expect(pair.server.service.counters.unintelligible == 1)
    }

    /// (configured, `Origin` lines of the request, the answer's first line)
    @Test(
        "Where origins are configured, pages of others are refused with 403 and counted; without, everybody may",
        arguments: [
            ([], "Origin: https://evil.example\r\n", true), ([], "", true),
            (["https://phone.example"], "Origin: https://phone.example\r\n", true),
            (["https://phone.example"], "origin: HTTPS://Phone.example\r\n", true),
            (["https://phone.example"], "Origin: https://evil.example\r\n", false),
            (["https://phone.example"], "Origin: http://phone.example\r\n", false),
            (["https://phone.example"], "Origin: https://phone.example.evil\r\n", false),
            (["https://phone.example"], "Origin: https://phone.example:8443\r\n", false),
            (["https://phone.example"], "Origin: null\r\n", false), (["https://phone.example"], "", false),
            (["https://phone.example"], "Origin: https://phone.example\r\nOrigin: https://evil.example\r\n", false),
        ] as [(Set<String>, String, Bool)])
    func origins(configured: Set<String>, header: String, isWelcome: Bool) throws {
        var settings = StreamSettings()
        settings.origins = configured
        let server = StreamEnd(settings)
        let bound = try server.service.listen(.ws, at: try #require(Endpoint("127.0.0.1:0")))
        let client = StreamEnd()
        let flow = StreamPair.flow(.tcp, to: bound, number: 1)
        client.service.connect(flow, framing: .raw)
        #expect(try client.opened() == flow)
        client.service.send(Array(StreamPair.upgrade().replacing("Host: lab\r\n", with: "Host: lab\r\n" + header).utf8), on: flow)
        let answer = try client.text(until: isWelcome ? "\r\n\r\n" : "connect here\n")
        #expect(answer.hasPrefix(isWelcome ? "HTTP/1.1 101 Switching Protocols\r\n" : "HTTP/1.1 403 Forbidden\r\n"))
        guard !isWelcome else { return }
        #expect(try client.closed() == .peer)
        #expect(server.service.counters.foreignOrigins == 1)
        server.service.stop()
        #expect(server.inbox.takeAll().isEmpty)
    }

    @Test("The closing handshake is answered and ends the flow")
    func closing() throws {
        let pair = try pair()
        pair.client.service.send(frame(8, [0x03, 0xe8]), on: pair.clientFlow)
        #expect(try pair.client.bytes(4) == [0x88, 2, 0x03, 0xe8])
        #expect(try pair.server.closed() == .peer)
    }

    @Test(
        "Another subprotocol, or plain HTTP, is told what this port is for",
        arguments: [StreamPair.upgrade(protocols: "xmpp"), "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"])
    func refused(text: String) throws {
        let server = StreamEnd()
        let bound = try server.service.listen(.ws, at: try #require(Endpoint("127.0.0.1:0")))
        let client = StreamEnd()
        let flow = StreamPair.flow(.tcp, to: bound, number: 1)
        client.service.connect(flow, framing: .raw)
        #expect(try client.opened() == flow)
        client.service.send(Array(text.utf8), on: flow)
        let answer = try client.text(until: "Sec-WebSocket-Protocol: sip\n")
        #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(try client.closed() == .peer)
        server.service.stop()
        #expect(server.inbox.takeAll().isEmpty)
    }
}
