import Base
import Capture
import Packet
import Testing

@Suite("Capture files, chunk by chunk")
struct CaptureDecoderTests {
    @Test("pcap in both byte orders and both time units", arguments: [false, true], [false, true])
    func orders(swapped: Bool, nano: Bool) {
        var file = PcapText([udp(sipMessage())], swapped: swapped, isNanosecond: nano)
        file.records[0].fraction = 5
        let decoded = decode(file.bytes)
        #expect(decoded.payloads == [sipMessage()])
        #expect(decoded.seen[0].time == Instant(nanoseconds: 1_000_000_000 + (nano ? 5 : 5_000)))
        #expect(decoded.seen[0].source == phone && decoded.seen[0].destination == server)
        #expect(decoded.seen[0].frame == 1 && decoded.seen[0].frames == [1] && decoded.seen[0].content == .sip)
        #expect(decoded.notes.damages == 0 && decoded.notes.frames == 1 && decoded.notes.payloads == [.sip: 1])
    }

    @Test("the pieces a file comes in do not matter", arguments: [1, 3, 16, 24, 37, 100, 1_000])
    func chunks(size: Int) {
        let frames = (1...20).map { udp(sipMessage($0, size: $0 * 40)) }
        let file = PcapText(frames).bytes
        let whole = decode(file)
        let pieces = decode(file, chunk: size)
        #expect(whole.seen.count == 20)
        #expect(pieces.seen == whole.seen && pieces.notes == whole.notes)
    }

    @Test("the pieces of a pcapng file do not matter either", arguments: [1, 7, 64, 1_000])
    func chunksNG(size: Int) {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw)
        for number in 1...20 { file.packet(interface: 0, ticks: UInt64(number) * 1_000_000, udp(sipMessage(number))) }
        let whole = decode(file.bytes)
        let pieces = decode(file.bytes, chunk: size)
        #expect(whole.seen.count == 20 && pieces.seen == whole.seen && pieces.notes == whole.notes)
    }

    @Test("pcapng in both byte orders: interfaces of their own link type and clock", arguments: [false, true])
    func pcapng(swapped: Bool) {
        var file = PcapNGText(swapped: swapped)
        file.interface(link: .raw)
        file.interface(link: .ethernet, resolution: 9)
        file.interface(link: .raw, resolution: 0x80 | 10)
        file.interface(link: .raw, resolution: 3, offsetSeconds: 100)
        let ip = udp(sipMessage())
        file.packet(interface: 0, ticks: 1_000_001, ip)
        file.packet(interface: 1, ticks: 2_000_000_001, [UInt8](repeating: 1, count: 12) + [8, 0] + ip)
        file.packet(interface: 2, ticks: 3 * 1024 + 512, ip)
        file.packet(interface: 3, ticks: 4_001, ip)
        let decoded = decode(file.bytes)
        #expect(
            decoded.seen.map(\.time.nanoseconds) == [1_000_001_000, 2_000_000_001, 3_500_000_000, 104_001_000_000])
        #expect(decoded.payloads.allSatisfy { $0 == sipMessage() })
        #expect(decoded.notes.interfaces == 4 && decoded.notes.sections == 1 && decoded.notes.damages == 0)
    }

    @Test("a new section begins with other interfaces and may turn the byte order")
    func sections() {
        var first = PcapNGText(swapped: false)
        first.interface(link: .raw)
        first.packet(interface: 0, ticks: 1, udp(sipMessage(1)))
        var second = PcapNGText(swapped: true)
        second.interface(link: .ethernet)
        second.packet(interface: 0, ticks: 2, [UInt8](repeating: 1, count: 12) + [8, 0] + udp(sipMessage(2)))
        let decoded = decode(first.bytes + second.bytes)
        #expect(decoded.payloads == [sipMessage(1), sipMessage(2)] && decoded.notes.sections == 2)
    }

    @Test("drops are what the capturing program last said, over all interfaces")
    func drops() {
        var file = PcapNGText(swapped: true)
        file.interface(link: .raw)
        file.interface(link: .raw)
        #expect(decode(file.bytes).notes.drops == nil)
        file.statistics(interface: 0, drops: 4)
        file.statistics(interface: 0, drops: 7)
        file.statistics(interface: 1, drops: 10)
        #expect(decode(file.bytes).notes.drops == 17)
    }

    @Test("simple packets bear the last known time; unknown blocks are counted and skipped; secrets too")
    func otherBlocks() {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw)
        file.packet(interface: 0, ticks: 5, udp(sipMessage(1)))
        file.block(3, file.word(UInt32(udp(sipMessage(2)).count)) + udp(sipMessage(2)))
        file.block(0x0bad, [1, 2, 3, 4])
        file.block(10, [1, 2, 3, 4, 0, 0, 0, 0])
        let decoded = decode(file.bytes)
        #expect(decoded.payloads == [sipMessage(1), sipMessage(2)])
        #expect(decoded.seen[1].time == decoded.seen[0].time)
        #expect(decoded.notes.otherBlocks == 1 && decoded.notes.secrets == 1)
    }

    @Test("a packet of an interface nobody described is counted, not read")
    func unknownInterface() {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw)
        file.packet(interface: 5, ticks: 5, udp(sipMessage(1)))
        file.packet(interface: 0, ticks: 6, udp(sipMessage(2)))
        let decoded = decode(file.bytes)
        #expect(decoded.payloads == [sipMessage(2)] && decoded.seen[0].frame == 2)
        #expect(decoded.notes.damage.map(\.reason) == [.interface(5)])
    }

    // MARK: Damage

    @Test("a file cut within a record gives what is whole and says how much is missing")
    func cut() {
        let file = PcapText([udp(sipMessage(1)), udp(sipMessage(2))]).bytes
        let decoded = decode(Array(file.dropLast(10)))
        #expect(decoded.payloads == [sipMessage(1)])
        #expect(decoded.notes.damage.map(\.reason) == [.cutOff(missing: 10)])
        #expect(decoded.notes.damage[0].afterFrame == 1)
    }

    @Test("after a damaged record reading goes on at the next one that makes sense", arguments: [1 << 20, 50])
    func resynchronises(chunk: Int) {
        var file = PcapText((1...6).map { udp(sipMessage($0)) })
        let recordLength = 16 + udp(sipMessage(1)).count
        file.records[2].frame = udp(sipMessage(3))
        var bytes = file.bytes
        // The third record claims to be 4 GB long.
        bytes.replaceSubrange((24 + 2 * recordLength + 8)..<(24 + 2 * recordLength + 12), with: [0xff, 0xff, 0xff, 0xf0])
        let decoded = decode(bytes, chunk: chunk)
        #expect(decoded.payloads == [1, 2, 4, 5, 6].map { sipMessage($0) })
        #expect(decoded.notes.damage.first?.reason == .recordLength(0xffff_fff0))
        let skipped = decoded.notes.damage.compactMap { damage -> UInt64? in
            if case .skipped(let octets) = damage.reason { octets } else { nil }
        }
        #expect(skipped == [UInt64(recordLength)])
    }

    @Test("a pcapng block whose lengths differ is skipped, the next one read", arguments: [1 << 20, 33])
    func resynchronisesNG(chunk: Int) {
        var file = PcapNGText(swapped: false)
        file.interface(link: .raw)
        file.packet(interface: 0, ticks: 1, udp(sipMessage(1)))
        let start = file.bytes.count
        file.packet(interface: 0, ticks: 2, udp(sipMessage(2)))
        file.packet(interface: 0, ticks: 3, udp(sipMessage(3)))
        file.bytes[start + 7] ^= 4
        let decoded = decode(file.bytes, chunk: chunk)
        #expect(decoded.payloads == [sipMessage(1), sipMessage(3)])
        #expect(decoded.notes.damages >= 1)
    }

    @Test(
        "what is no capture is refused with its first octets, without a trap", arguments: [[UInt8]("hello, world".utf8), [1], []])
    func foreign(bytes: [UInt8]) {
        let decoded = decode(bytes)
        #expect(decoded.seen.isEmpty && decoded.notes.frames == 0)
        #expect(decoded.notes.damages == 1)
    }

    @Test("link types that are not known are counted by number")
    func unknownLink() {
        var file = PcapText([udp(sipMessage())])
        file.link = 147
        let decoded = decode(file.bytes)
        #expect(decoded.seen.isEmpty && decoded.notes.unknownLinkTypes == [147: 1] && decoded.notes.frames == 1)
    }

    @Test("times that go back are counted; first and last are the earliest and the latest")
    func backwards() {
        var file = PcapText((1...4).map { udp(sipMessage($0)) })
        file.records[2].seconds = 1
        file.records[3].seconds = 0
        let notes = decode(file.bytes).notes
        #expect(notes.backwards == 2)
        #expect(notes.firstTime == 0 && notes.lastTime == 2_000_000_000)
    }

    @Test("memory stays bounded however long one record claims to be")
    func bounded() {
        var decoder = CaptureDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        var file = PcapText([]).bytes
        let text = PcapText([])
        file += text.word(1) + text.word(0) + text.word(262_144) + text.word(262_144)
        decoder.feed(file, into: &batch)
        for _ in 0..<100 { decoder.feed([UInt8](repeating: 0xff, count: 65_536), into: &batch) }
        #expect(batch.capacity <= 1 << 20)
        #expect(decoder.notes.damages > 0)
    }
}

/// A pcapng file in the making.
struct PcapNGText {
    let swapped: Bool
    var bytes: [UInt8] = []

    init(swapped: Bool) {
        self.swapped = swapped
        block(0x0a0d_0d0a, word(0x1a2b_3c4d) + half(1) + half(0) + word(0xffff_ffff) + word(0xffff_ffff))
    }

    func word(_ value: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: swapped ? value.byteSwapped : value)
        return bytes
    }

    func half(_ value: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: swapped ? value.byteSwapped : value)
        return bytes
    }

    func long(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: swapped ? value.byteSwapped : value)
        return bytes
    }

    mutating func block(_ type: UInt32, _ body: [UInt8]) {
        let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = word(UInt32(padded.count + 12))
        bytes += word(type) + length + padded + length
    }

    mutating func interface(link: LinkType, resolution: UInt8? = nil, offsetSeconds: UInt64? = nil) {
        var body = half(UInt16(link.rawValue)) + half(0) + word(0)
        if let resolution { body += half(9) + half(1) + [resolution, 0, 0, 0] }
        if let offsetSeconds { body += half(14) + half(8) + long(offsetSeconds) }
        block(1, body + half(0) + half(0))
    }

    mutating func packet(interface: UInt32, ticks: UInt64, _ frame: [UInt8]) {
        let length = word(UInt32(frame.count))
        block(6, word(interface) + word(UInt32(ticks >> 32)) + word(UInt32(truncatingIfNeeded: ticks)) + length + length + frame)
    }

    mutating func statistics(interface: UInt32, drops: UInt64) {
        block(5, word(interface) + word(0) + word(0) + half(5) + half(8) + long(drops) + half(0) + half(0))
    }
}
