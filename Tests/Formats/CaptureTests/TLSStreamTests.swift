import Base
import Capture
import CaptureCrypto
import Fixtures
import TLS
import Testing

/// A conversation of the fixtures as TCP segments.
private struct Conversation {
    var script: TCPScript
    var keys = ""
    /// Frames, 1-based, that carry the client's and the server's octets.
    var clientFrames: [Int] = []
    var serverFrames: [Int] = []

    init(_ name: String, segment: Int = 600, from client: String = "192.0.2.20:41000", handshake: Bool = true) throws {
        script = TCPScript(handshake: false)
        script.client = Endpoint(client)!
        script.server = Endpoint("203.0.113.5:5061")!
        script.clientNext = 1_000
        if handshake {
            script.segment(fromClient: true, at: 999, flags: .syn)
            script.segment(fromClient: false, at: script.serverNext &- 1, flags: [.syn, .ack])
        }
        let talk = try TLSTalk(name)
        keys = talk.keys.joined(separator: "\r\n")
        for (isClient, bytes) in talk.turns {
            for start in stride(from: 0, to: bytes.count, by: segment) {
                script.send(Array(bytes[start..<min(bytes.count, start + segment)]), fromClient: isClient)
                if isClient { clientFrames.append(script.packets.count) } else { serverFrames.append(script.packets.count) }
            }
        }
    }

    func decode(_ keys: String? = nil, sessions: Int = 4_096, chunk: Int = 1 << 20) -> Decoded {
        CaptureTests.decode(
            PcapText(script.packets).bytes, chunk: chunk, tls: TLSStreamTests.reading(keys ?? self.keys, sessions: sessions))
    }
}

@Suite("TLS streams of a capture")
struct TLSStreamTests {
    static func reading(_ keys: String, sessions: Int = 4_096) -> TLSReading {
        var log = TLSKeyLog()
        log.read(Array(keys.utf8))
        log.endLine()
        return TLSReading(keys: log, primitives: .libcrypto, sessions: sessions)
    }

    private func lines(_ decoded: Decoded) -> [String] {
        decoded.texts.map { text in
            text.split(separator: "\r\n").first.map(String.init)! + " / "
                + text.split(separator: "\r\n").first { $0.hasPrefix("Call-ID") }!.dropFirst(9)
        }
    }

    private static let four = [
        "OPTIONS sip:box@example.org SIP/2.0 / tls-1@example.org", "SIP/2.0 200 OK / tls-1@example.org",
        "OPTIONS sip:box@example.org SIP/2.0 / tls-2@example.org", "SIP/2.0 200 OK / tls-2@example.org",
    ]

    @Test(
        "SIP comes out whole, in order, told as TLS, however the segments are cut",
        arguments: ["tls13-aes128-gcm", "tls13-padding", "tls12-chacha20", "tls10-cbc-sha", "tls12-renegotiation"],
        [1, 5, 97, 1_400])
    func segments(_ name: String, size: Int) throws {
        let decoded = try Conversation(name, segment: size).decode(chunk: 10_000)
        #expect(lines(decoded) == Self.four)
        #expect(decoded.seen.allSatisfy { $0.transport == .tls && $0.content == .sip && $0.flags == .fromStream })
        #expect(decoded.notes.tls.connections == 1 && decoded.notes.tls.read == 1 && decoded.notes.tls.unread.isEmpty)
        #expect(decoded.notes.tls.damagedRecords == 0 && decoded.notes.tls.broken == 0)
    }

    @Test("a message bears the frames of the record that held it")
    func frames() throws {
        let conversation = try Conversation("tls12-aes128-gcm", segment: 100)
        let decoded = conversation.decode()
        let last = try #require(decoded.seen.last { $0.source.port == 41_000 })
        #expect(last.frame == UInt64(last.frames.last!) && last.frames.count >= 2)
        #expect(last.frames.allSatisfy { conversation.clientFrames.contains(Int($0)) })
        #expect(last.source == conversation.script.client && last.destination == conversation.script.server)
    }

    @Test(
        "RFC 7118 over TLS: the upgrade, masked frames, a message in two of them; told as WSS",
        arguments: ["tls12-wss", "tls13-wss"])
    func webSocket(_ name: String) throws {
        let decoded = try Conversation(name).decode()
        #expect(lines(decoded) == Self.four && decoded.seen.allSatisfy { $0.transport == .wss })
        #expect(decoded.events.contains { $0.kind == .webSocket(subprotocolSIP: true) } && decoded.notes.webSockets == 1)
    }

    @Test(
        "the server's segments may come late, up to the very end",
        arguments: ["tls13-retry", "tls12-cbc-sha", "tls12-renegotiation"])
    func lateServer(_ name: String) throws {
        var conversation = try Conversation(name)
        let packets = conversation.script.packets
        let late = Set(conversation.serverFrames)
        conversation.script.packets =
            packets.indices.filter { !late.contains($0 + 1) }.map { packets[$0] }
            + conversation.serverFrames.map { packets[$0 - 1] }
        #expect(lines(conversation.decode()).sorted() == Self.four.sorted())
    }

    @Test("pcapng: secrets in the file do, before the packets; of other kinds they are left alone; late ones are told")
    func secretsInFile() throws {
        let conversation = try Conversation("tls13-aes256-gcm")
        func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: -body.count & 3)
            let length = UInt32(padded.count + 12)
            return [type, length].flatMap(little) + padded + little(length)
        }
        func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        func secrets(_ kind: UInt32) -> [UInt8] {
            block(10, little(kind) + little(UInt32(conversation.keys.utf8.count)) + Array(conversation.keys.utf8))
        }
        let head =
            block(0x0a0d_0d0a, little(0x1a2b_3c4d) + [1, 0, 0, 0] + [UInt8](repeating: 0xff, count: 8))
            + block(1, [101, 0, 0, 0] + little(0))
        let packets = conversation.script.packets.flatMap {
            block(6, little(0) + little(0) + little(0) + little(UInt32($0.count)) + little(UInt32($0.count)) + $0)
        }
        func decode(_ file: [UInt8]) -> Decoded { CaptureTests.decode(file, chunk: 3_000, tls: Self.reading("")) }
        let good = decode(head + secrets(0x544c_534b) + packets)
        #expect(lines(good) == Self.four && good.notes.secrets == 1 && !good.notes.tls.hasLateSecrets)
        let foreign = decode(head + secrets(0x5747_4b4c) + packets)
        #expect(foreign.seen.isEmpty && foreign.notes.tls.unread.map(\.key) == [.noLog])
        let late = decode(head + packets + secrets(0x544c_534b))
        #expect(late.seen.isEmpty && late.notes.tls.hasLateSecrets)
        // A length that lies beyond its block.
        var liar = secrets(0x544c_534b)
        liar[15] = 0x7f
        let reasons = decode(head + liar + packets).notes.damage.map(\.reason)
        #expect(reasons.first == .block(type: 10))
    }

    // MARK: What cannot be read

    private func unread(_ decoded: Decoded) -> [TLSNotes.Unread: UInt64] { decoded.notes.tls.unread.mapValues(\.count) }

    @Test("without keys each connection is counted once, with whom")
    func withoutKeys() throws {
        let decoded = try Conversation("tls13-aes128-gcm").decode("")
        #expect(decoded.seen.isEmpty && decoded.notes.tls.connections == 1 && unread(decoded) == [.noLog: 1])
        #expect(decoded.notes.tls.unread[.noLog]?.servers == [Endpoint("203.0.113.5:5061")!: 1])
        let asBefore = CaptureTests.decode(PcapText(try Conversation("tls13-aes128-gcm").script.packets).bytes)
        #expect(asBefore.notes == decoded.notes)
    }

    @Test("with keys of other sessions, too", arguments: ["tls13-aes128-gcm", "tls12-cbc-sha", "tls12-wss"])
    func otherKeys(_ name: String) throws {
        let decoded = try Conversation(name).decode(try Conversation("tls13-wss").keys)
        #expect(decoded.seen.isEmpty && unread(decoded) == [.reason(.noKey): 1])
        #expect(decoded.notes.tls.unread[.reason(.noKey)]?.servers == [Endpoint("203.0.113.5:5061")!: 1])
    }

    @Test("a suite that is not read here is named")
    func suite() throws {
        #expect(unread(try Conversation("tls12-camellia").decode()) == [.reason(.suite(0xc072)): 1])
    }

    @Test("a capture that began after the handshake", arguments: ["tls13-aes128-gcm", "tls12-aes128-gcm"], [true, false])
    func midStream(_ name: String, clientFirst: Bool) throws {
        var conversation = try Conversation(name, segment: 4_000)
        conversation.script.packets.removeFirst(clientFirst ? 5 : 4)
        let decoded = conversation.decode()
        #expect(decoded.seen.isEmpty && unread(decoded) == [.reason(.noHandshake): 1])
        #expect(decoded.notes.tls.unread[.reason(.noHandshake)]?.servers == [Endpoint("203.0.113.5:5061")!: 1])
    }

    @Test("one direction alone cannot be read", arguments: ["tls13-aes128-gcm", "tls12-aes128-gcm"])
    func oneDirection(_ name: String) throws {
        var conversation = try Conversation(name)
        let packets = conversation.script.packets
        conversation.script.packets = conversation.clientFrames.map { packets[$0 - 1] }
        let decoded = conversation.decode()
        #expect(decoded.seen.isEmpty && unread(decoded) == [.reason(.noHandshake): 1])
    }

    @Test(
        "a lost segment is told, with its time; what comes after is read again",
        arguments: ["tls13-aes128-gcm", "tls12-aes128-gcm", "tls12-cbc-sha"])
    func lostSegment(_ name: String) throws {
        var conversation = try Conversation(name, segment: 4_000)
        let texts = conversation.clientFrames.suffix(3)
        conversation.script.packets.remove(at: texts[texts.startIndex] - 1)
        let decoded = conversation.decode()
        #expect(lines(decoded) == [Self.four[1], Self.four[2], Self.four[3]])
        #expect(decoded.notes.tls.broken == 1 && decoded.notes.tls.breaks.map(\.isResumed) == [true])
        #expect(decoded.notes.tls.breaks[0].flow.sourcePort == 41_000 && unread(decoded) == [:])
        #expect(decoded.seen[1].flags.contains(.afterGap))
    }

    @Test("more is lost than can be gone over: read until then", arguments: ["tls13-aes128-gcm", "tls12-aes128-gcm"])
    func broken(_ name: String) throws {
        var conversation = try Conversation(name, segment: 4_000)
        for frame in conversation.clientFrames.suffix(2).reversed() { conversation.script.packets.remove(at: frame - 1) }
        // What follows is no record of this session.
        for _ in 0..<12 { conversation.script.send([23, 3, 3, 0, 60] + [UInt8](repeating: 7, count: 60)) }
        let decoded = conversation.decode()
        #expect(lines(decoded).contains(Self.four[0]))
        #expect(decoded.notes.tls.broken == 1 && decoded.notes.tls.breaks.map(\.isResumed) == [false])
    }

    @Test(
        "one flipped bit: its record is counted as damaged, the rest is read",
        arguments: ["tls13-chacha20", "tls12-aes128-gcm", "tls12-cbc-sha256"])
    func flippedBit(_ name: String) throws {
        var conversation = try Conversation(name, segment: 4_000)
        let frame = conversation.clientFrames[conversation.clientFrames.count - 3]
        conversation.script.packets[frame - 1][conversation.script.packets[frame - 1].count - 40] ^= 1
        let decoded = conversation.decode()
        #expect(lines(decoded) == Array(Self.four[1...]) && decoded.notes.tls.damagedRecords == 1)
    }

    @Test("a file cut off within a record, and snapped packets, give what came before")
    func cut() throws {
        var conversation = try Conversation("tls13-aes128-gcm", segment: 4_000)
        let file = PcapText(Array(conversation.script.packets.prefix(conversation.clientFrames.last! - 1))).bytes
        let decoded = CaptureTests.decode(Array(file.dropLast(30)), tls: Self.reading(conversation.keys))
        #expect(lines(decoded) == Array(Self.four[..<3]))
        conversation.script.packets = conversation.script.packets.map { Array($0.prefix(96)) }
        #expect(
            CaptureTests.decode(PcapText(conversation.script.packets).bytes, tls: Self.reading(conversation.keys)).seen.isEmpty)
    }

    @Test("sessions past the limit are counted")
    func limits() throws {
        var first = try Conversation("tls13-aes128-gcm", from: "192.0.2.20:41001")
        let second = try Conversation("tls12-aes128-gcm", from: "192.0.2.20:41002")
        let (a, b) = (first.script.packets, second.script.packets)
        first.script.packets = Array(a[..<6]) + b + Array(a[6...])
        let decoded = first.decode(first.keys + "\r\n" + second.keys, sessions: 1)
        #expect(lines(decoded) == Self.four && unread(decoded) == [.tooMany: 1] && decoded.notes.tls.connections == 2)
    }
}
