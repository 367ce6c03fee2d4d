import Base
import Capture
import Packet
import Testing

@Suite("Capture files of other makers, joined and damaged ones")
struct ContainerTests {
    static func little(_ value: some FixedWidthInteger, _ octets: Int) -> [UInt8] {
        (0..<octets).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    static let messages = (1...4).map { udp(sipMessage($0)) }

    /// Network Monitor's file of frames a second apart from 2026-03-01 12:00:00.250.
    static func netMon(
        _ frames: [[UInt8]], major: UInt8 = 2, minor: UInt8 = 0, network: UInt16 = 9, numbers: [UInt16]? = nil, utc: Int64? = nil
    ) -> [UInt8] {
        var body: [UInt8] = []
        for (index, frame) in frames.enumerated() {
            if major == 1 {
                body += little(index * 1_000, 4) + little(frame.count, 2) + little(frame.count, 2) + frame
            } else {
                body += little(index * 1_000_000, 8) + little(frame.count, 4) + little(frame.count, 4) + frame
            }
            if major == 2, minor >= 1 { body += little(numbers?[index] ?? network, 2) }
            if major == 2, minor >= 2 { body += little(0, 4) }
            if major == 2, minor >= 3 {
                let ticks = utc.map { ($0 + Int64(index)) * 10_000_000 + 116_444_736_000_000_000 } ?? 0
                body += little(ticks, 8) + [0]
            }
        }
        var head = Array((major == 1 ? "RTSS" : "GMBU").utf8) + [minor, major] + little(network, 2)
        for field in [2026, 3, 0, 1, 12, 0, 0, 250] { head += little(field, 2) }
        head += little(128 + body.count, 4) + little(4 * frames.count, 4)
        head += [UInt8](repeating: 0, count: 128 - head.count)
        return head + body + [UInt8](repeating: 0x80, count: 4 * frames.count)
    }

    static let noon = Instant(seconds: 1_772_366_400) + .milliseconds(250)

    @Test("Network Monitor's versions are read, with their times", arguments: [(1, 1), (2, 0), (2, 1), (2, 2), (2, 3)])
    func versions(major: Int, minor: Int) {
        let file = Self.netMon(Self.messages, major: UInt8(major), minor: UInt8(minor), network: major == 1 ? 0xe065 : 9)
        #expect(InputKind.detect(file) == .pcap)
        for chunk in [1 << 20, 7, 129] {
            let decoded = decode(file, chunk: chunk)
            #expect(decoded.texts == (1...4).map { String(decoding: sipMessage($0), as: UTF8.self) })
            #expect(decoded.seen.map(\.time) == (0..<4).map { Self.noon + .seconds($0) })
            #expect(decoded.notes.damages == 0 && decoded.notes.frames == 4)
        }
    }

    @Test("a frame's own network and its own time count, in versions that have them")
    func perFrame() {
        let ethernet = [UInt8](repeating: 2, count: 12) + [8, 0] + Self.messages[0]
        let radio = [2, 6, 0, 1, 1, 1] + WrappedLinkTests.air() + WrappedLinkTests.snap + Self.messages[1]
        let file = Self.netMon(
            [ethernet, radio, Self.messages[2], [1, 2, 3], [9, 9]], minor: 3, numbers: [1, 6, 8, 0xffff, 0xe0bd],
            utc: 1_700_000_000)
        let decoded = decode(file)
        #expect(decoded.payloads == (1...3).map { sipMessage($0) } && decoded.notes.notIP == 1)
        #expect(decoded.notes.unknownLinkTypes == [189: 1] && decoded.seen[2].time == Instant(seconds: 1_700_000_002))
    }

    @Test("cut at every length it says that it is cut; lying lengths end it", arguments: [0, 3])
    func netMonHostile(minor: UInt8) {
        let file = Self.netMon(Array(Self.messages.prefix(2)), minor: minor)
        for length in 0..<(file.count - 8) {
            let notes = decode(Array(file[..<length])).notes
            #expect(notes.damages == 1 && notes.frames <= 2, "\(length)")
        }
        for length in (file.count - 8)...file.count { #expect(decode(Array(file[..<length])).notes.damages == 0) }
        var lying = file
        lying.replaceSubrange((128 + 12)..<(128 + 16), with: [0xff, 0xff, 0xff, 0x7f])
        #expect(decode(lying).notes.damage.map(\.reason) == [.recordLength(0x7fff_ffff)])
        var late = file
        late.replaceSubrange(8..<24, with: [UInt8](repeating: 0xff, count: 16))
        #expect(decode(late).notes.frames == 2)
    }

    @Test("files joined end to end are read one after the other, whatever each is", arguments: [1 << 20, 11])
    func joined(chunk: Int) {
        var ng = PcapNGText(swapped: true)
        ng.interface(link: .raw, resolution: 6, offsetSeconds: 0)
        ng.packet(interface: 0, ticks: 5_000_000, Self.messages[1])
        let ethernet = PcapText([[UInt8](repeating: 2, count: 12) + [8, 0] + Self.messages[2]], link: .ethernet, swapped: true)
        let file =
            PcapText([Self.messages[0]]).bytes + ng.bytes + ethernet.bytes
            + PcapText([Self.messages[3]], swapped: true, isNanosecond: true).bytes + PcapText([]).bytes
        let decoded = decode(file, chunk: chunk)
        #expect(decoded.payloads == (1...4).map { sipMessage($0) } && decoded.notes.damages == 0 && decoded.notes.frames == 4)
    }

    @Test("an empty record is a record, not another file")
    func emptyRecord() {
        #expect(decode(PcapText([Self.messages[0], [], Self.messages[1]]).bytes).notes.frames == 3)
        #expect(decode(PcapText([Self.messages[0], []]).bytes).notes.damages == 0)
    }

    @Test("behind a damaged record header the next that makes sense is read, the last too, and the octets between are counted")
    func damagedHeader() {
        let good = PcapText(Self.messages).bytes
        let record = 16 + Self.messages[0].count
        for index in 0..<4 {
            var bad = good
            let place = 24 + index * record
            bad.replaceSubrange((place + 8)..<(place + 12), with: [0xff, 0xff, 0xff, 0xff])
            for chunk in [1 << 20, 13] {
                let decoded = decode(bad, chunk: chunk)
                #expect(decoded.payloads == (1...4).filter { $0 != index + 1 }.map { sipMessage($0) }, "\(index)")
                #expect(
                    decoded.notes.damage.map(\.reason) == [.recordLength(0xffff_ffff), .skipped(octets: UInt64(record))],
                    "\(index) \(chunk)")
            }
        }
    }

    @Test("AIX has numbers of its own")
    func aix() {
        var file = PcapText([[UInt8](repeating: 2, count: 12) + [8, 0] + Self.messages[0]])
        file.link = 6
        file.records[0].fraction = 500_000_000
        var bytes = file.bytes
        bytes[7] = 2
        let decoded = decode(bytes)
        #expect(decoded.payloads == [sipMessage()] && decoded.seen[0].time == Instant(seconds: 1) + .milliseconds(500))
    }

    @Test("the variant of early Linux kernels has longer record headers")
    func modified() {
        var bytes = PcapText([]).bytes
        bytes.replaceSubrange(0..<4, with: [0xa1, 0xb2, 0xcd, 0x34])
        for message in Self.messages {
            bytes += [0, 0, 0, 1, 0, 0, 0, 0] + [0, 0, UInt8(message.count >> 8), UInt8(message.count & 255)]
            bytes += [0, 0, UInt8(message.count >> 8), UInt8(message.count & 255)] + [UInt8](repeating: 7, count: 8) + message
        }
        #expect(decode(bytes, chunk: 50).payloads == (1...4).map { sipMessage($0) })
    }
}
