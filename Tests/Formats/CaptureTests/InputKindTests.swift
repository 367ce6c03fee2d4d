import Capture
import Testing

@Suite("What an input is, told by its first octets")
struct InputKindTests {
    static let rows: [(String, [UInt8], InputKind)] = [
        ("pcap", PcapText([]).bytes, .pcap), ("pcap, other order", PcapText([], swapped: true).bytes, .pcap),
        ("pcap, nanoseconds", PcapText([], isNanosecond: true).bytes, .pcap),
        ("pcapng", PcapNGText(swapped: true).bytes, .pcapng),
        ("gzip", [0x1f, 0x8b, 8, 0], .compressed(.gzip)), ("HEP", Array("HEP3".utf8) + [0, 9], .hep),
        ("log", Array("<--- SIP read from UDP:1.2.3.4:5060 --->\n".utf8), .textLog),
        ("coloured log", Array("\u{1b}[1;32mhello\u{1b}[0m\n".utf8), .textLog),
        ("UTF-8", Array("<— Transmitting —>\n".utf8), .textLog),
        ("UTF-16", [0xff, 0xfe, 0x3c, 0], .textLog), ("nothing", [], .empty),
        ("a program", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0], .foreign(.coreDump)),
    ]

    @Test("kinds", arguments: rows.map(\.0))
    func kinds(name: String) throws {
        let (_, bytes, wanted) = try #require(Self.rows.first { $0.0 == name })
        #expect(InputKind.detect(bytes) == wanted)
    }

    static func little(_ words: UInt32...) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
    }

    static func big(_ words: UInt32...) -> [UInt8] {
        little(words[0]).reversed() + words.dropFirst().flatMap { little($0).reversed() }
    }

    static let foreign: [(String, [UInt8], InputKind)] = [
        ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4], .compressed(.xz)),
        ("zstd", [0x28, 0xb5, 0x2f, 0xfd, 4], .compressed(.zstd)),
        ("zstd, skipped", [0x5e, 0x2a, 0x4d, 0x18], .compressed(.zstd)),
        ("bzip2", Array("BZh91AY&SY".utf8) + [0], .compressed(.bzip2)),
        ("lzip", Array("LZIP".utf8) + [1, 12], .compressed(.lzip)),
        ("compress", [0x1f, 0x9d, 0x90, 1], .compressed(.compress)), ("zip", [0x50, 0x4b, 3, 4, 20, 0], .archive(.zip)),
        ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4], .archive(.sevenZip)),
        ("rar", Array("Rar!\u{1a}\u{7}".utf8) + [1, 0], .foreign(.rar)), ("PDF", Array("%PDF-1.7\n%".utf8), .foreign(.pdf)),
        ("Word", [0x50, 0x4b, 3, 4] + [UInt8](repeating: 0, count: 26) + Array("[Content_Types].xml".utf8), .foreign(.office)),
        ("PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d], .foreign(.image)),
        ("JPEG", [0xff, 0xd8, 0xff, 0xe0, 0, 0x10], .foreign(.image)),
        ("WAV", Array("RIFF\0\0\0\0WAVEfmt ".utf8), .foreign(.sound)),
        ("Sniffer", Array("XCP\0".utf8), .foreign(.sniffer)), ("journal", Array("LPKSHHRH".utf8) + [0, 0], .foreign(.journal)),
        ("PDML", Array("<?xml version=\"1.0\"?>\n<pdml version=\"0\" creator=\"wireshark\">\n".utf8), .foreign(.dissection)),
        ("JSON of tshark", Array("[\n  {\n    \"_index\": \"packets-2026-03-04\",\n".utf8), .foreign(.dissection)),
        ("Observer", Array("ObserverPktBufferVersion=15.00".utf8), .foreign(.observer)),
        ("iptrace", Array("iptrace 2.0".utf8), .foreign(.iptrace)),
        ("K12 text", Array("+---------+---------------+----------+\n12:01:02,123 ETHER\n".utf8), .foreign(.k12)),
        (
            "ETL", little(65_536, 4_096, 4_096, 0) + [UInt8](repeating: 0, count: 56) + [2, 0, 2, 0xc0, 0x18, 1, 0, 0],
            .foreign(.etl)
        ),
        (
            "IPFIX", [0, 10, 0, 24] + big(1_700_000_000, 0, 1) + [0, 2, 0, 8, 1, 0, 0, 0] + [0, 10, 0, 16], .foreign(.ipfix)
        ),
        (
            "ERF",
            (0..<3).flatMap { _ in little(0, 1_700_000_000) + [2, 4, 0, 24, 0, 0, 0, 6] + [UInt8](repeating: 0, count: 8) },
            .foreign(.erf)
        ),
        (
            "Bluetooth", (0..<3).flatMap { _ in big(13, 1_700_000_000, 5) + [1, 0, 0, 0, 0] }, .foreign(.packetLogger)
        ),
        ("Network Monitor", Array("GMBU".utf8) + [3, 2, 1, 0], .pcap), ("snoop", Array("snoop\0\0\0".utf8) + big(2, 4), .pcap),
        ("a name", Array("snoopy called at 12:00\n".utf8), .textLog),
        ("GMBU in words", Array("GMBU is a magic\n".utf8), .textLog),
        ("BM in words", Array("BM 12: INVITE sip:100@192.0.2.1 SIP/2.0\n".utf8), .textLog),
        ("MZ in words", Array("MZ: no answer\n".utf8), .textLog),
        ("nothing known", [0, 10, 0, 3, 0xff, 0, 0, 0, 9], .unknown(magic: 0x000a_0003)),
    ]

    @Test("what is not read here has a name all the same; no text is taken for it", arguments: foreign.map(\.0))
    func named(name: String) throws {
        let (_, bytes, wanted) = try #require(Self.foreign.first { $0.0 == name })
        #expect(InputKind.detect(bytes) == wanted)
    }

    @Test("a tar's header is known by its checksum alone")
    func tar() {
        var header = [UInt8](repeating: 0, count: 512)
        header.replaceSubrange(0..<5, with: Array("a.txt".utf8))
        header.replaceSubrange(257..<262, with: Array("ustar".utf8))
        header.replaceSubrange(148..<156, with: Array("        ".utf8))
        let sum = header.reduce(0) { $0 + Int($1) }
        let octal = String(sum, radix: 8)
        header.replaceSubrange(
            148..<156, with: Array(String(repeating: "0", count: 6 - octal.count).utf8) + Array(octal.utf8) + [0, 0x20])
        #expect(InputKind.detect(header) == .archive(.tar))
        header[3] ^= 1
        #expect(InputKind.detect(header) == .unknown(magic: 0x612e_7478 ^ 1))
    }

    @Test("heads cut at every length have a kind")
    func cut() {
        for (_, bytes, _) in Self.rows + Self.foreign {
            for length in 0..<bytes.count { _ = InputKind.detect(bytes[..<length]) }
        }
    }
}
