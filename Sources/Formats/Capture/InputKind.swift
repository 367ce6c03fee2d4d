/// What an input is, told from its first octets, never from its name.
public enum InputKind: Hashable, Sendable {
    /// pcap; also what `CaptureDecoder` reads as it reads that: snoop (RFC 1761) and Network Monitor.
    case pcap
    case pcapng
    /// One compressed stream around something else.
    case compressed(Compression)
    /// Files packed into one.
    case archive(ArchiveForm)
    /// HEPv3 packets, one after another.
    case hep
    case textLog
    /// Packets as text: offsets and octets in hexadecimal.
    case hexDump
    /// A kind of file with a name of its own that is not read here.
    case foreign(ForeignFile)
    /// A file of zero octets.
    case empty
    /// Neither a capture nor text; `magic`: its first four octets.
    case unknown(magic: UInt32)

    public enum Compression: Hashable, Sendable { case gzip, xz, zstd, bzip2, lz4, lzip, compress }
    public enum ArchiveForm: Hashable, Sendable { case zip, sevenZip, tar }

    /// How many octets `detect` wants to see: fewer only where the input has no more.
    public static let wanted = 16_384

    /// `CaptureDecoder` reads it.
    public var isCapture: Bool { self == .pcap || self == .pcapng }

    /// Something in it can be judged: a capture or a log.
    public var isJudged: Bool { isCapture || self == .hep || self == .textLog || self == .hexDump }

    public static func detect(_ head: some Collection<UInt8>) -> InputKind {
        let bytes = Array(head.prefix(wanted))
        guard !bytes.isEmpty else { return .empty }
        let magic = bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        switch magic {
        case 0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0xa1b2_cd34, 0x34cd_b2a1: return .pcap
        // snoop, with the zero that ends its name.
        case 0x736e_6f6f: if bytes.begins("snoop\0") { return .pcap }
        // Network Monitor 1 and 2, each with its major version.
        case 0x5254_5353: if bytes.count >= 6, bytes[5] == 1 { return .pcap }
        case 0x474d_4255: if bytes.count >= 6, bytes[5] == 2 { return .pcap }
        case 0x0a0d_0d0a: return .pcapng
        case 0x4845_5033: return .hep
        default: break
        }
        if let compression = compression(bytes, magic) { return .compressed(compression) }
        if let form = archive(bytes, magic) {
            return form == .zip && ForeignFile.isOffice(zip: bytes) ? .foreign(.office) : .archive(form)
        }
        if let foreign = ForeignFile(bytes) { return .foreign(foreign) }
        if bytes.count >= 2, bytes[0] == 0xff, bytes[1] == 0xfe { return .textLog }
        if bytes.count >= 2, bytes[0] == 0xfe, bytes[1] == 0xff { return .textLog }
        if isText(bytes) { return HexDumpDecoder.isDump(bytes) ? .hexDump : .textLog }
        return ForeignFile(binary: bytes).map { .foreign($0) } ?? .unknown(magic: magic)
    }

    static func isText(_ bytes: [UInt8]) -> Bool {
        let controls = bytes.count { $0 < 0x20 && $0 != 9 && $0 != 10 && $0 != 13 && $0 != 0x1b && $0 != 0x0c }
        return controls * 50 <= bytes.count
    }

    private static func compression(_ bytes: [UInt8], _ magic: UInt32) -> Compression? {
        if magic >> 16 == 0x1f8b { return .gzip }
        // Block-wise adaptive codes of 9 to 16 bits, as all writers of today make them.
        if magic >> 16 == 0x1f9d, magic >> 8 & 0x60 == 0, magic >> 8 & 0x1f <= 16, magic >> 8 & 0x1f >= 9 { return .compress }
        if bytes.begins([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) { return .xz }
        // A zstd frame, or one that decoders skip before it (RFC 8878 3.1).
        if magic == 0x28b5_2ffd || magic & 0xf0ff_ffff == 0x502a_4d18 { return .zstd }
        if magic == 0x0422_4d18 { return .lz4 }
        if magic == 0x4c5a_4950, bytes.count >= 6, bytes[4] <= 1 { return .lzip }
        // "BZh", the block size, and the first block's magic or that of the end.
        if magic >> 8 == 0x425a_68, bytes.count >= 10, (0x31...0x39).contains(bytes[3]) {
            let block = bytes[4..<10]
            if block.elementsEqual([0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
                || block.elementsEqual([0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
            {
                return .bzip2
            }
        }
        return nil
    }

    private static func archive(_ bytes: [UInt8], _ magic: UInt32) -> ArchiveForm? {
        // A member's header, an empty archive's end, the mark of a split one.
        if magic == 0x504b_0304 || magic == 0x504b_0506 || magic == 0x504b_0708 { return .zip }
        if bytes.begins([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) { return .sevenZip }
        return isTar(bytes) ? .tar : nil
    }

    /// A header block of 512 octets whose checksum holds (POSIX.1 ustar, also as GNU and the seventh edition wrote it).
    private static func isTar(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 512, bytes[0] != 0 else { return false }
        var said = 0
        for byte in bytes[148..<156] where byte != 0x20 && byte != 0 {
            guard (0x30...0x37).contains(byte) else { return false }
            said = said * 8 + Int(byte - 0x30)
        }
        let sum = bytes[..<512].enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        return said == sum
    }
}

extension [UInt8] {
    func begins(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && text.withUTF8Buffer { buffer in withUnsafeBufferPointer { $0.starts(with: buffer) } }
    }

    func begins(_ octets: [UInt8]) -> Bool { starts(with: octets) }

    func holds(_ text: StaticString, at place: Int) -> Bool {
        place >= 0 && place + text.utf8CodeUnitCount <= count
            && text.withUTF8Buffer { buffer in self[place..<(place + buffer.count)].elementsEqual(buffer) }
    }
}
