import Base
import Foundation
import SIP
import Streams
import Testing

/// One end with real sockets: a service, its inbox, and what came out of it so far.
final class StreamEnd {
    let inbox: StreamInbox
    let service: StreamService
    private let signal: DispatchSemaphore
    private var events: [StreamEvent] = []

    init(_ settings: StreamSettings = StreamSettings(), capacity: Int = 4_096) {
        let signal = DispatchSemaphore(value: 0)
        self.signal = signal
        inbox = StreamInbox(capacity: capacity) { signal.signal() }
        service = StreamService(settings: settings, inbox: inbox)
    }

    deinit { service.stop() }

    /// The next event; waits for it, and fails the test where none comes.
    func next(_ place: SourceLocation = #_sourceLocation) throws -> StreamEvent {
        while events.isEmpty {
            try #require(signal.wait(timeout: .now() + 120) == .success, "nothing happened", sourceLocation: place)
            events = inbox.takeAll()
        }
        return events.removeFirst()
    }

    func opened(_ place: SourceLocation = #_sourceLocation) throws -> FlowID {
        let event = try next(place)
        guard case .opened(let flow, _) = event else { throw Unexpected(event) }
        return flow
    }

    func message(_ place: SourceLocation = #_sourceLocation) throws -> String {
        String(decoding: try received(place), as: UTF8.self)
    }

    func received(_ place: SourceLocation = #_sourceLocation) throws -> [UInt8] {
        let event = try next(place)
        guard case .received(_, let bytes) = event else { throw Unexpected(event) }
        return bytes
    }

    func closed(_ place: SourceLocation = #_sourceLocation) throws -> StreamCloseReason {
        let event = try next(place)
        guard case .closed(_, let reason) = event else { throw Unexpected(event) }
        return reason
    }

    /// Bytes of a raw connection, until there are `count`.
    func bytes(_ count: Int, _ place: SourceLocation = #_sourceLocation) throws -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count { all += try received(place) }
        return all
    }

    /// Raw text up to and including `end`.
    func text(until end: String, _ place: SourceLocation = #_sourceLocation) throws -> String {
        var all = ""
        while !all.hasSuffix(end) {
            let event = try next(place)
            guard case .received(_, let bytes) = event else {
                Issue.record("ended with \(event) after \(all.debugDescription)", sourceLocation: place)
                throw Unexpected(event)
            }
            all += String(decoding: bytes, as: UTF8.self)
        }
        return all
    }

    struct Unexpected: Error, CustomStringConvertible {
        var description: String
        init(_ event: StreamEvent) { description = "not expected: \(event)" }
    }
}

/// A listening end and a connected one.
struct StreamPair {
    let server: StreamEnd
    let client: StreamEnd
    let clientFlow: FlowID
    /// As the server sees it; nil where the server was not told yet (WebSocket before its handshake).
    let serverFlow: FlowID

    init(
        _ transport: SIPTransport = .tcp, address: String = "127.0.0.1", framing: StreamService.Framing = .messages,
        server settings: StreamSettings = StreamSettings(), serverCapacity: Int = 4_096, clientCapacity: Int = 4_096,
        identity: TLSIdentity? = nil
    ) throws {
        server = StreamEnd(settings, capacity: serverCapacity)
        client = StreamEnd(capacity: clientCapacity)
        let address = try #require(IPAddress(address))
        let bound = try server.service.listen(transport, at: Endpoint(address, 0), identity: identity)
        clientFlow = StreamPair.flow(transport.isSecure ? .tls : .tcp, to: bound, number: 7)
        client.service.connect(clientFlow, framing: framing, trust: .anyone)
        #expect(try client.opened() == clientFlow)
        if transport == .ws || transport == .wss {
            client.service.send(Array(StreamPair.upgrade().utf8), on: clientFlow)
            let answer = try client.text(until: "\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(answer.contains("\r\nSec-WebSocket-Protocol: sip\r\n"))
            // RFC 6455 1.3: the example key's answer.
            #expect(answer.lowercased().contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))
        }
        serverFlow = try server.opened()
        #expect(serverFlow.transport == transport)
        #expect(serverFlow.local == bound)
        #expect(serverFlow.connection == 1)
    }

    static func flow(_ transport: SIPTransport, to remote: Endpoint, number: UInt64) -> FlowID {
        let any = remote.address.isIPv6 ? IPAddress.v6(.any) : .v4(.any)
        return FlowID(transport, local: Endpoint(any, 0), remote: remote, connection: number)
    }

    static func upgrade(protocols: String = "sip") -> String {
        "GET / HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: \(protocols)\r\n\r\n"
    }
}

/// A whole request with a body of `body` octets.
func request(_ number: Int, body: Int = 0) -> String {
    "MESSAGE sip:a@lab SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK\(number)\r\nFrom: <sip:b@lab>;tag=1\r\n"
        + "To: <sip:a@lab>\r\nCall-ID: \(number)\r\nCSeq: \(number) MESSAGE\r\nContent-Length: \(body)\r\n\r\n"
        + String(repeating: "x", count: body)
}

/// A client's WebSocket frame (RFC 6455 5.2).
func frame(_ opcode: UInt8, _ payload: [UInt8], isLast: Bool = true, isMasked: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = [(isLast ? 0x80 : 0) | opcode]
    let mask: UInt8 = isMasked ? 0x80 : 0
    if payload.count < 126 {
        bytes.append(mask | UInt8(payload.count))
    } else {
        bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    }
    guard isMasked else { return bytes + payload }
    let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
}

/// A folder that goes away with the value.
final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-streams-\(UUID().uuidString)").path
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
