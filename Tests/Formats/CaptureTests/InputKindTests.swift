import Capture
import Testing

@Suite("What an input is, told by its first octets")
struct InputKindTests {
    static let rows: [(String, [UInt8], InputKind)] = [
        ("pcap", PcapText([]).bytes, .pcap), ("pcap, other order", PcapText([], swapped: true).bytes, .pcap),
        ("pcap, nanoseconds", PcapText([], isNanosecond: true).bytes, .pcap),
        ("pcapng", PcapNGText(swapped: true).bytes, .pcapng),
        ("gzip", [0x1f, 0x8b, 8, 0], .gzip), ("HEP", Array("HEP3".utf8) + [0, 9], .hep),
        ("log", Array("<--- SIP read from UDP:1.2.3.4:5060 --->\n".utf8), .textLog),
        ("coloured log", Array("\u{1b}[1;32mhello\u{1b}[0m\n".utf8), .textLog),
        ("UTF-8", Array("<— Transmitting —>\n".utf8), .textLog),
        ("UTF-16", [0xff, 0xfe, 0x3c, 0], .textLog), ("nothing", [], .empty),
        ("a program", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0], .unknown(magic: 0x7f45_4c46)),
    ]

    @Test("kinds", arguments: rows.map(\.0))
    func kinds(name: String) throws {
        let (_, bytes, wanted) = try #require(Self.rows.first { $0.0 == name })
        #expect(InputKind.detect(bytes) == wanted)
    }
}
