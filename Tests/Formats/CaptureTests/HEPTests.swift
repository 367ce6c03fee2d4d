import Base
import Capture
import Testing

@Suite("HEPv3")
struct HEPTests {
    let time = Instant(nanoseconds: 1_700_000_000_123_456_000)

    func packet(_ number: Int = 1, v6: Bool = false, kind: UInt8 = 1, ipProtocol: UInt8 = 17) -> [UInt8] {
        HEPPacket.bytes(
            sipMessage(number), from: v6 ? phone6 : phone, to: v6 ? server6 : server, ipProtocol: ipProtocol, at: time,
            kind: kind,
            agent: 2001, correlation: "call-1") ?? []
    }

    @Test("a packet is as long as its 16-bit length can tell, or is not made", arguments: [false, true])
    func edges(v6: Bool) throws {
        let (from, to) = (v6 ? phone6 : phone, v6 ? server6 : server)
        let around = try #require(HEPPacket.bytes([], from: from, to: to, at: time)).count
        for size in [0, 1, 60_000, 65_534 - around, 65_535 - around] {
            let payload = [UInt8](repeating: 0x61, count: size)
            let bytes = try #require(HEPPacket.bytes(payload, from: from, to: to, at: time))
            let parsed = try HEPPacket(bytes)
            #expect(bytes.count == around + size)
            #expect(Array(bytes[parsed.payload]) == payload)
            #expect(bytes.withUnsafeBytes { HEPPacket.length($0) } == bytes.count)
        }
        for size in [65_536 - around, 65_529, 65_530, 65_535, 65_536, 200_000] {
            #expect(HEPPacket.bytes([UInt8](repeating: 0x61, count: size), from: from, to: to, at: time) == nil)
        }
        #expect(HEPPacket.bytes([], from: from, to: to, at: time, correlation: String(repeating: "a", count: 65_530)) == nil)
    }

    @Test("the octets of a packet, written down by hand from the specification (revision 12), in both families")
    func octets() throws {
        let hi = Array("hi".utf8)
        let four = HEPPacket.bytes(
            hi, from: Endpoint("192.168.10.1:5060")!, to: Endpoint("10.0.0.2:5062")!, at: time, agent: 2001, password: "sesame",
            correlation: "call-1")
        #expect(
            four == [
                0x48, 0x45, 0x50, 0x33, 0x00, 0x7d,  // HEP3, 125 octets
                0, 0, 0, 1, 0, 7, 2,  // IPv4
                0, 0, 0, 2, 0, 7, 17,  // UDP
                0, 0, 0, 3, 0, 10, 192, 168, 10, 1, 0, 0, 0, 4, 0, 10, 10, 0, 0, 2,  // from, to
                0, 0, 0, 7, 0, 8, 0x13, 0xc4, 0, 0, 0, 8, 0, 8, 0x13, 0xc6,  // their ports
                0, 0, 0, 9, 0, 10, 0x65, 0x53, 0xf1, 0x00, 0, 0, 0, 10, 0, 10, 0x00, 0x01, 0xe2, 0x40,  // seconds, microseconds
                0, 0, 0, 11, 0, 7, 1,  // SIP
                0, 0, 0, 12, 0, 10, 0, 0, 0x07, 0xd1,  // capture agent 2001
                0, 0, 0, 14, 0, 12, 0x73, 0x65, 0x73, 0x61, 0x6d, 0x65,  // its password
                0, 0, 0, 17, 0, 12, 0x63, 0x61, 0x6c, 0x6c, 0x2d, 0x31,  // correlation
                0, 0, 0, 15, 0, 8, 0x68, 0x69,
            ])
        let six = try #require(
            HEPPacket.bytes(
                hi, from: Endpoint("[2001:db8::1]:5060")!, to: Endpoint("[2001:db8::2]:5061")!, ipProtocol: 6, at: time, kind: 34)
        )
        #expect(six[6...19] == [0, 0, 0, 1, 0, 7, 10, 0, 0, 0, 2, 0, 7, 6])
        #expect(six[20..<42] == [0, 0, 0, 5, 0, 22, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        #expect(six[42..<64] == [0, 0, 0, 6, 0, 22, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
        #expect(try HEPPacket(six).kind == .other(34))
    }

    func read(_ pieces: [[UInt8]]) -> Decoded {
        var decoder = HEPDecoder(file: 3)
        var batch = PayloadBatch()
        var result = Decoded()
        for piece in pieces {
            decoder.begin(&batch)
            piece.withUnsafeBytes { decoder.stream($0, into: &batch) }
            result.add(batch)
            #expect(batch.file == 3)
        }
        decoder.finish()
        result.notes = decoder.notes
        return result
    }

    @Test("what an agent tells is read, both families", arguments: [false, true])
    func fields(v6: Bool) throws {
        let bytes = packet(v6: v6)
        let parsed = try HEPPacket(bytes)
        #expect(parsed.source == (v6 ? phone6 : phone) && parsed.destination == (v6 ? server6 : server))
        #expect(parsed.time == time && parsed.kind == .sip && parsed.agent == 2001 && parsed.correlation == "call-1")
        #expect(Array(bytes[parsed.payload]) == sipMessage() && parsed.ipProtocol == 17 && !parsed.isCompressed)
    }

    @Test("chunks of other vendors and unknown types are skipped")
    func otherChunks() throws {
        var bytes = packet()
        bytes += [0, 7, 0, 15, 0, 8, 9, 9] + [0, 0, 0x77, 0x77, 0, 7, 1] + [0, 0, 0, 0x20, 0, 8, 0, 43]
        bytes.replace(at: 4, bigEndian: UInt16(bytes.count))
        let parsed = try HEPPacket(bytes)
        #expect(Array(bytes[parsed.payload]) == sipMessage())
    }

    @Test("lengths that do not fit are refused with their place")
    func lies() {
        let good = packet()
        #expect(throws: CaptureError(.hep, at: 0)) { _ = try HEPPacket(Array("HEP2".utf8) + good[4...]) }
        #expect(throws: CaptureError(.hep, at: 4)) { _ = try HEPPacket(Array(good.dropLast())) }
        var chunk = good
        chunk.replace(at: 10, bigEndian: UInt16(5))
        #expect(throws: CaptureError(.hep, at: 10)) { _ = try HEPPacket(chunk) }
        chunk.replace(at: 10, bigEndian: UInt16(60_000))
        #expect(throws: CaptureError(.hep, at: 10)) { _ = try HEPPacket(chunk) }
        #expect(throws: CaptureError(.hep, at: 6)) { _ = try HEPPacket(Array("HEP3".utf8) + [0, 6]) }
    }

    @Test("a stream of packets in any pieces", arguments: [1, 5, 100, 10_000])
    func stream(size: Int) {
        let bytes = packet(1) + packet(2, v6: true) + packet(3, ipProtocol: 6)
        let decoded = read(stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min(bytes.count, $0 + size)]) })
        #expect(decoded.payloads == [sipMessage(1), sipMessage(2), sipMessage(3)])
        #expect(decoded.seen.map(\.transport) == [.udp, .udp, .tcp] && decoded.seen.map(\.frame) == [1, 2, 3])
        #expect(decoded.notes.frames == 3 && decoded.notes.damages == 0 && decoded.notes.firstTime == time.nanoseconds)
    }

    @Test("after rubbish the next packet is found")
    func resynchronises() {
        let decoded = read([packet(1) + Array("HELLO HEP".utf8) + packet(2)])
        #expect(decoded.payloads == [sipMessage(1), sipMessage(2)] && decoded.notes.damages == 1)
    }

    @Test("a stream that ends amid a packet says so")
    func cut() {
        let decoded = read([Array(packet(1).dropLast(3))])
        #expect(decoded.seen.isEmpty && decoded.notes.damages == 1)
    }

    @Test("statistics and compressed payloads are counted, not read")
    func others() {
        var compressed = packet()
        let payloadType = compressed.count - sipMessage().count - 3
        compressed[payloadType] = 16
        let decoded = read([packet(kind: 5) + compressed])
        #expect(decoded.seen.isEmpty && decoded.notes.hepOther == 2)
    }
}
