import Base
import Capture
import Packet
import Testing

@Suite("Packets written as hexadecimal text")
struct HexDumpTests {
    static let packets = (1...2).map { udp(sipMessage($0)) }
    static let frames = packets.map { [UInt8](repeating: 2, count: 12) + [8, 0] + $0 }

    static func hex(_ value: Int, _ digits: Int, radix: Int = 16) -> String {
        let text = String(value, radix: radix)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// Octets in groups of `width`, 16 a line, the text beside them behind `gap` blanks; nil: none.
    static func dump(
        _ bytes: [UInt8], digits: Int = 4, colon: Bool = false, width: Int = 1, gap: Int? = 3, radix: Int = 16,
        swaps: Bool = false,
        middle: Bool = false, ends: Bool = false
    ) -> String {
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 16) {
            let row = Array(bytes[start..<min(bytes.count, start + 16)])
            text += hex(start, digits, radix: radix) + (colon ? ": " : "  ")
            let groups = stride(from: 0, to: row.count, by: width).map { at -> String in
                let group = row[at..<min(row.count, at + width)]
                return (swaps ? Array(group.reversed()) : Array(group)).map { hex(Int($0), 2) }.joined()
            }
            text +=
                middle && groups.count > 8
                ? groups[..<8].joined(separator: " ") + "  " + groups[8...].joined(separator: " ") : groups.joined(separator: " ")
            if let gap {
                let beside = row.map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
                text += String(repeating: " ", count: gap + (16 - row.count) * 3) + beside
            }
            text += "\n"
        }
        return text + (ends ? hex(bytes.count, digits, radix: radix) + "\n" : "")
    }

    static let texts: [(String, String)] = [
        ("text2pcap", frames.map { dump($0, digits: 6, gap: nil) }.joined()),
        (
            "Wireshark",
            frames.enumerated().map { index, frame in
                "No.     Time           Source                Destination           Protocol Length Info\n"
                    + "      \(index + 1) \(index).250000       192.168.1.20          203.0.113.5           SIP      300    Request: OPTIONS\n\n"
                    + dump(frame) + "\n"
            }.joined()
        ),
        ("Wireshark, two halves", frames.map { dump($0, middle: true) }.joined(separator: "\n")),
        ("hexdump -C", packets.map { dump($0, digits: 8, gap: 2, middle: true, ends: true) }.joined()),
        ("xxd", packets.map { dump($0, digits: 8, colon: true, width: 2, gap: 2) }.joined()),
        ("od -Ax -tx1", packets.map { dump($0, digits: 6, gap: nil, ends: true) }.joined()),
        ("od -tx1", packets.map { dump($0, digits: 7, gap: nil, radix: 8, ends: true) }.joined()),
        (
            "od -x",
            packets.map {
                dump($0 + ($0.count & 1 == 1 ? [0] : []), digits: 7, width: 2, gap: nil, radix: 8, swaps: true, ends: true)
            }.joined()
        ),
    ]

    struct Read {
        var decoded = Decoded()
        var timeless: UInt64 = 0
    }

    static func read(_ text: String, piece: Int = 1 << 20) -> Read {
        var decoder = HexDumpDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        var result = Read()
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            decoder.begin(&batch)
            bytes[start..<min(bytes.count, start + piece)].withUnsafeBytes { decoder.read($0, into: &batch) }
            result.decoded.add(batch)
        }
        decoder.begin(&batch)
        decoder.finish(&batch)
        result.decoded.add(batch)
        result.decoded.notes = decoder.notes
        result.timeless = decoder.timeless
        return result
    }

    @Test("the forms that tools write are known and read, in any pieces", arguments: texts.map(\.0))
    func forms(name: String) throws {
        let (_, text) = try #require(Self.texts.first { $0.0 == name })
        #expect(InputKind.detect(Array(text.utf8)) == .hexDump)
        for piece in [1 << 20, 100, 7] {
            let read = Self.read(text, piece: piece)
            #expect(read.decoded.payloads == [sipMessage(1), sipMessage(2)] && read.decoded.notes.frames == 2)
            #expect(read.decoded.seen.first?.source == phone)
        }
        let windows = text.replacing("\n", with: "\r\n")
        #expect(Self.read(windows).decoded.payloads == [sipMessage(1), sipMessage(2)])
    }

    @Test("times before a packet are its time: a date, or Wireshark's seconds; without any, order alone is known")
    func times() throws {
        let wireshark = try #require(Self.texts.first { $0.0 == "Wireshark" }).1
        #expect(Self.read(wireshark).decoded.seen.map(\.time) == [.epoch + .milliseconds(250), .epoch + .milliseconds(1_250)])
        let dated =
            "2026-03-01 12:00:00.500000\n" + Self.dump(Self.packets[0]) + "2026-03-01 12:00:02\n" + Self.dump(Self.packets[1])
        let read = Self.read(dated)
        let noon = Instant(seconds: 1_772_366_400)
        #expect(read.decoded.seen.map(\.time) == [noon + .milliseconds(500), noon + .seconds(2)] && read.timeless == 0)
        #expect(Self.read(Self.dump(Self.packets[0])).timeless == 1)
    }

    @Test("repeated lines that a star stands for are put back")
    func squeezed() {
        let packet = udp(Array("OPTIONS sip:x SIP/2.0\r\n\r\n".utf8) + [UInt8](repeating: 0x41, count: 96))
        var lines = Self.dump(packet, digits: 7, gap: nil).split(separator: "\n").map(String.init)
        lines.replaceSubrange(5..<7, with: ["*"])
        #expect(lines[4].dropFirst(8) == lines[6].dropFirst(8).prefix(lines[4].count - 8) || lines.count > 5)
        let read = Self.read(lines.joined(separator: "\n"))
        #expect(read.decoded.seen.count == 1 && read.decoded.seen[0].bytes.count == packet.count - 28)
    }

    @Test("what is no IP packet, such as data put together beside the frame, is counted and no more")
    func others() {
        let text =
            "Frame (60 bytes):\n\n" + Self.dump(Self.frames[0]) + "\nReassembled TCP (30 bytes):\n\n"
            + Self.dump(Array(sipMessage(2).prefix(90)))
        let read = Self.read(text)
        #expect(read.decoded.payloads == [sipMessage(1)] && read.decoded.notes.notIP == 1)
    }

    @Test(
        "logs stay logs",
        arguments: [
            "0000 calls\n0010 more calls\nINVITE sip:100@192.0.2.1 SIP/2.0\n",
            "Jul 11 12:01:48 pbx: dump\n0000  00 01 02 03 04 05 06 07 08 09\n000a  0b 0c\n",
            "dead beef cafe\n0000  48 65 6c 6c 6f 20 77 6f 72 6c 64 21 21 21 21 21\n0010  48 65 6c 6c 6f 20 77 6f 72 6c 64 21\n",
        ])
    func lookAlikes(text: String) { #expect(InputKind.detect(Array(text.utf8)) == .textLog) }

    @Test("a log with one packet's octets in it stays a log")
    func logWithDump() {
        let talk = (0..<80).map { "Jul 11 12:01:48 pbx asterisk[1]: line \($0) of what happened\n" }.joined()
        #expect(InputKind.detect(Array((talk + Self.dump(Array(Self.packets[0].prefix(64)))).utf8)) == .textLog)
    }

    @Test("cut and bent in any place it ends, within bounds")
    func hostile() {
        let text = Array(Self.texts[1].1.utf8)
        for length in stride(from: 0, to: text.count, by: 5) {
            #expect(Self.read(String(decoding: text[..<length], as: UTF8.self)).decoded.notes.frames <= 2)
        }
        var entropy = Entropy(seed: [UInt8](repeating: 9, count: 32))
        for _ in 0..<300 {
            var bad = text
            for _ in 0..<6 { bad[Int(entropy.next() % UInt64(bad.count))] = UInt8(truncatingIfNeeded: entropy.next() % 96 + 32) }
            #expect(Self.read(String(decoding: bad, as: UTF8.self)).decoded.notes.frames < 20)
        }
        _ = Self.read("0000  45 00\n*\nffffffff\n*\n0002 45\n00000003 99999999 99999999\n")
    }
}
