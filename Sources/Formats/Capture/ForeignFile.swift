/// Kinds of file that people hand over and that are not read here: each is named, with what to do instead.
public enum ForeignFile: Hashable, Sendable {
    // Captures of other makers.
    case etl, packetLogger, erf, sniffer, snifferDOS, k12, observer, ipfix, iptrace, omniPeek, btsnoop, nettl, capsa
    case visualNetworks, lanalyzer, fiveViews
    // Logs that need their own tool, and what a tool made of a capture.
    case journal, eventLog, dissection
    // Archives that are not opened.
    case rar, cabinet
    // What else lies beside a capture.
    case pdf, image, sound, video, office, rtf, database, program, coreDump

    /// With its article: "a PDF document".
    public var name: String { words.name }

    /// A sentence: what to do instead.
    public var advice: String { words.advice }

    private var words: (name: String, advice: String) {
        switch self {
        case .etl:
            (
                "a Windows event trace (.etl, of pktmon or netsh trace)",
                "Convert it: \"pktmon etl2pcap trace.etl\", or \"etl2pcapng trace.etl trace.pcapng\"."
            )
        case .packetLogger, .btsnoop: ("a Bluetooth capture", "It holds no IP packets; capture on the network interface.")
        case .erf: ("an Endace capture (ERF)", Self.convert)
        case .sniffer: ("a Windows Sniffer or NetXRay capture", Self.convert)
        case .snifferDOS: ("a Sniffer capture (.enc)", Self.convert)
        case .k12: ("a Tektronix K12 capture", Self.convert)
        case .observer: ("a Viavi (Network Instruments) Observer capture", Self.convert)
        case .ipfix: ("an IPFIX file", "It holds counts of flows, not packets; capture the packets themselves.")
        case .iptrace: ("an AIX iptrace capture", Self.convert)
        case .omniPeek: ("an OmniPeek (EtherPeek) capture", Self.convert)
        case .nettl: ("an HP-UX nettl trace", Self.convert)
        case .capsa: ("a Colasoft capture", Self.convert)
        case .visualNetworks: ("a Visual Networks capture", Self.convert)
        case .lanalyzer: ("a Novell LANalyzer capture", Self.convert)
        case .fiveViews: ("an InfoVista 5View capture", Self.convert)
        case .journal: ("a systemd journal", "Write it as text: \"journalctl --file NAME -o short-precise > server.log\".")
        case .eventLog: ("a Windows event log", "Export it as text.")
        case .dissection:
            ("a dissection by Wireshark (PDML or JSON)", "Give the capture itself, or all of it as text: \"tshark -r NAME -V\".")
        case .rar: ("a RAR archive", Self.unpack)
        case .cabinet: ("a Windows cabinet", Self.unpack)
        case .pdf: ("a PDF document", Self.other)
        case .image: ("an image", Self.other)
        case .sound: ("a sound file", Self.other)
        case .video: ("a video", Self.other)
        case .office: ("an office document", "Save the text in it as a plain text file.")
        case .rtf: ("an RTF document", "Save the text in it as a plain text file.")
        case .database: ("an SQLite database", Self.other)
        case .program: ("a program", Self.other)
        case .coreDump: ("a program or its core dump", Self.other)
        }
    }

    private static let convert = "Convert it with Wireshark: \"editcap -F pcapng NAME case.pcapng\"."
    private static let unpack = "Unpack it, and give what is in it."
    private static let other = "Give the capture or the log itself."

    /// Told by a magic that no text begins with by chance.
    init?(_ bytes: [UInt8]) {
        for row in Self.magics where bytes.begins(row.0) {
            self = row.1
            return
        }
        if bytes.begins("RIFF"), bytes.holds("WEBP", at: 8) {
            self = .image
        } else if bytes.begins("RIFF"), bytes.holds("WAVE", at: 8) {
            self = .sound
        } else if Self.isDissection(bytes) {
            self = .dissection
        } else if bytes.holds("ftyp", at: 4), bytes.count >= 12, bytes[0] == 0 {
            let isImage = bytes.holds("hei", at: 8) || bytes.holds("avif", at: 8) || bytes.holds("mif1", at: 8)
            self = isImage ? .image : .video
        } else {
            return nil
        }
    }

    private static let magics: [(StaticString, ForeignFile)] = [
        ("XCP\0", .sniffer), ("TRSNIFF data    \u{1a}", .snifferDOS), ("ObserverPktBufferVersion=", .observer),
        ("\0\0\u{2}\0\u{12}\u{5}\0\u{10}", .k12), ("+---------+---------------+----------+", .k12),
        ("iptrace 1.0", .iptrace), ("iptrace 2.0", .iptrace), ("\u{7f}ver", .omniPeek),
        ("btsnoop\0", .btsnoop), ("TR\0d\0", .nettl), ("\u{5}VNF", .visualNetworks),
        ("\u{1}\u{10}L\0\u{1}\u{5}Trace", .lanalyzer), ("LPKSHHRH", .journal), ("ElfFile\0", .eventLog),
        ("Rar!\u{1a}\u{7}", .rar), ("MSCF\0\0\0\0", .cabinet), ("%PDF-", .pdf), ("GIF87a", .image), ("GIF89a", .image),
        ("OggS\0", .sound), ("fLaC\0", .sound), ("ID3\u{2}", .sound), ("ID3\u{3}", .sound), ("ID3\u{4}", .sound),
        ("{\\rtf1", .rtf), ("SQLite format 3\0", .database), ("\u{7f}ELF", .coreDump), ("II*\0", .image), ("MM\0*", .image),
    ]

    /// What is no text: magics with octets above ASCII, and captures that have none but a shape.
    init?(binary bytes: [UInt8]) {
        if bytes.begins([0x89, 0x50, 0x4e, 0x47]) || bytes.begins([0xff, 0xd8, 0xff]) || bytes.begins("BM") {
            self = .image
        } else if bytes.begins([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
            self = .office
        } else if bytes.begins("cpse") {
            self = .capsa
        } else if bytes.begins("MZ") {
            self = .program
        } else if bytes.begins([0xaa, 0xaa, 0xaa, 0xaa]) {
            self = .fiveViews
        } else if Self.isEventTrace(bytes) {
            self = .etl
        } else if Self.isIPFIX(bytes) {
            self = .ipfix
        } else if Self.isERF(bytes) {
            self = .erf
        } else if Self.isPacketLogger(bytes) {
            self = .packetLogger
        } else {
            return nil
        }
    }

    /// A zip whose first member is one that office programs put there.
    static func isOffice(zip bytes: [UInt8]) -> Bool {
        let names: [StaticString] = [
            "[Content_Types].xml", "_rels/.rels", "docProps/", "word/", "xl/", "ppt/", "mimetypeapplication/vnd.oasis",
        ]
        return names.contains { bytes.holds($0, at: 30) }
    }

    // MARK: Shapes

    /// `tshark -T pdml`, `psml`, `json` and `ek` within the first lines, after a declaration or a bracket.
    private static func isDissection(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first(where: { $0 > 0x20 }), first == 0x3c || first == 0x5b || first == 0x7b else { return false }
        let head = bytes.prefix(400)
        let marks: [StaticString] = ["<pdml ", "<psml ", "\"_index\": \"packets-", "\"_index\":\"packets-"]
        return head.indices.contains { at in marks.contains { bytes.holds($0, at: at) } }
    }

    private static func little32(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }

    private static func big32(_ bytes: [UInt8], _ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[at + $1]) } }

    private static func big16(_ bytes: [UInt8], _ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }

    /// A buffer header of 72 octets that names its size, then the system header that opens every log of the kind.
    private static func isEventTrace(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 80 else { return false }
        let size = little32(bytes, 0)
        guard size >= 1_024, size & 1_023 == 0, size <= 16 << 20, little32(bytes, 4) <= size else { return false }
        return bytes[74] >= 1 && bytes[74] <= 2 && bytes[75] == 0xc0
    }

    /// RFC 5655: messages of RFC 7011 3.1, each with a first set that fits in.
    private static func isIPFIX(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 20, big16(bytes, 0) == 10 else { return false }
        let (length, set, room) = (big16(bytes, 2), big16(bytes, 16), big16(bytes, 18))
        guard length >= 20, set == 2 || set == 3 || set >= 256, room >= 4, room <= length - 16 else { return false }
        return length + 2 > bytes.count || big16(bytes, length) == 10
    }

    /// Three records in a row, or all there are: a time of this century, a type, lengths that agree.
    private static func isERF(_ bytes: [UInt8]) -> Bool {
        var at = 0
        var records = 0
        while records < 3, at + 16 <= bytes.count {
            let (seconds, type, length) = (little32(bytes, at + 4), bytes[at + 8] & 0x7f, big16(bytes, at + 10))
            guard seconds > 946_684_800, (1...48).contains(type), length >= 16, big16(bytes, at + 14) > 0 else { return false }
            at += length
            records += 1
        }
        return records == 3 || (records > 0 && at == bytes.count)
    }

    /// Three records in a row, or all there are: length, seconds, microseconds and a type that is known, in either byte order.
    private static func isPacketLogger(_ bytes: [UInt8]) -> Bool {
        for isBig in [true, false] {
            var at = 0
            var records = 0
            func word(_ place: Int) -> UInt32 { isBig ? big32(bytes, place) : little32(bytes, place) }
            while records < 3, at + 13 <= bytes.count {
                let (length, type) = (word(at), bytes[at + 12])
                guard length >= 9, length <= 65_536, word(at + 4) > 946_684_800, word(at + 8) < 1_000_000,
                    type <= 9 || type >= 0xfb
                else { break }
                at += 4 + Int(length)
                records += 1
            }
            if records == 3 || (records > 0 && at == bytes.count) { return true }
        }
        return false
    }
}
