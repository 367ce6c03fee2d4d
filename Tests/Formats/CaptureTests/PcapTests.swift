import Base
import Capture
import Fixtures
import Packet
import Testing

@Suite("pcap files")
struct PcapTests {
    func packet(_ text: String) throws -> [UInt8] {
        try IPPacket.bytes(of: Datagram(from: Endpoint("192.0.2.1:5060")!, to: Endpoint("192.0.2.2:5060")!, Array(text.utf8)))
    }

    @Test("what is written is read: packets and times to the nanosecond")
    func roundTrip() throws {
        var writer = PcapWriter()
        let times = [Instant(nanoseconds: 1_184_148_108_000_000_001), Instant(nanoseconds: 1_184_148_109_999_999_999)]
        for time in times { writer.append(try packet("\(time)"), at: time) }
        let file = try PcapFile(writer.bytes)
        #expect(file.linkType == .raw && file.isNanosecond && !file.isTruncated)
        #expect(file.records.map(\.at) == times)
        #expect(file.packets.map(\.bytes) == (try times.map { try packet("\($0)") }))
    }

    @Test("both byte orders and both time units are read", arguments: [false, true], [false, true])
    func orders(swapped: Bool, nano: Bool) throws {
        func word(_ value: UInt32) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: swapped ? value.byteSwapped : value)
            return bytes
        }
        let body = try packet("x")
        var bytes = word(nano ? 0xa1b2_3c4d : 0xa1b2_c3d4) + [0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0] + word(65_535) + word(101)
        bytes += word(10) + word(5) + word(UInt32(body.count)) + word(99) + body
        let file = try PcapFile(bytes)
        #expect(file.records[0].at == Instant(nanoseconds: 10_000_000_000 + (nano ? 5 : 5_000)))
        #expect(file.records[0].originalLength == 99 && file.packets[0].bytes == body)
    }

    @Test("the IP packet is found behind each link header, and nothing where there is none")
    func linkTypes() throws {
        let ip = try packet("x")
        let zeros = { Array(repeating: UInt8(0), count: $0) }
        let rows: [(LinkType, [UInt8], Int?)] = [
            (.raw, ip, 0), (.null, [2, 0, 0, 0] + ip, 4), (.ethernet, zeros(12) + [8, 0] + ip, 14),
            (.ethernet, zeros(12) + [0x81, 0, 0, 5, 8, 0] + ip, 18), (.ethernet, zeros(12) + [8, 6] + zeros(28), nil),
            (.linuxSLL, zeros(14) + [8, 0] + ip, 16), (.linuxSLL2, [8, 0] + zeros(18) + ip, 20), (.ethernet, zeros(13), nil),
            (.loop, [0, 0, 0], nil),
        ]
        for (type, bytes, start) in rows {
            #expect(type.ipRange(bytes, 0..<bytes.count) == start.map { $0..<bytes.count })
        }
    }

    @Test("a bad file is refused with reason and place; a cut last record is not an error")
    func bad() throws {
        var writer = PcapWriter()
        writer.append(try packet("x"), at: .epoch)
        let good = writer.bytes
        #expect(throws: CaptureError(.truncatedHeader, at: 5)) { _ = try PcapFile(Array(good[..<5])) }
        #expect(throws: CaptureError(.magic(0), at: 0)) { _ = try PcapFile([0, 0, 0, 0] + good[4...]) }
        var odd = good
        odd[23] = 77
        #expect(throws: CaptureError(.linkType(77), at: 20)) { _ = try PcapFile(odd) }
        odd = good
        odd[32] = 0xff
        #expect(throws: CaptureError(.recordLength(0xff00_001d), at: 32)) { _ = try PcapFile(odd) }
        let cut = try PcapFile(Array(good.dropLast()))
        #expect(cut.isTruncated && cut.records.isEmpty)
    }

    @Test("a full file leaves packets out and counts them")
    func cap() throws {
        var writer = PcapWriter(cap: 80)
        writer.append(try packet("x"), at: .epoch)
        writer.append(try packet("x"), at: .epoch)
        #expect(writer.count == 1 && writer.left == 1)
    }

    @Test("recordings of a router: every packet parses, and every checksum is right", arguments: Recording.names)
    func recordings(name: String) throws {
        let recording = try Recording(name)
        for side in [Recording.Side.inside, .outside] {
            let file = try PcapFile(recording.pcap(side))
            #expect(file.packets.map(\.bytes) == recording.packets(side).map(\.bytes) && file.records.count > 1)
            for (_, bytes) in file.packets { try IPPacket(bytes).verifyChecksums(bytes) }
        }
    }
}
