/// What an input is, told from its first octets.
public enum InputKind: Hashable, Sendable {
    case pcap, pcapng
    /// gzip around something else (RFC 1952).
    case gzip
    /// HEPv3 packets, one after another.
    case hep
    case textLog
    /// A file of zero octets.
    case empty
    /// Neither a capture nor text; `magic`: its first four octets.
    case unknown(magic: UInt32)

    /// How many octets `detect` wants to see: fewer only where the input has no more.
    public static let wanted = 4_096

    public static func detect(_ head: some Collection<UInt8>) -> InputKind {
        let bytes = Array(head.prefix(wanted))
        guard !bytes.isEmpty else { return .empty }
        if bytes.count >= 2, bytes[0] == 0x1f, bytes[1] == 0x8b { return .gzip }
        let magic = bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        switch magic {
        case 0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0xa1b2_cd34, 0x34cd_b2a1: return .pcap
        // Solaris' snoop (RFC 1761) is read as pcap is.
        case 0x736e_6f6f: return .pcap
        case 0x0a0d_0d0a: return .pcapng
        case 0x4845_5033: return .hep
        default: break
        }
        if bytes.count >= 2, bytes[0] == 0xff, bytes[1] == 0xfe { return .textLog }
        if bytes.count >= 2, bytes[0] == 0xfe, bytes[1] == 0xff { return .textLog }
        let controls = bytes.count { $0 < 0x20 && $0 != 9 && $0 != 10 && $0 != 13 && $0 != 0x1b && $0 != 0x0c }
        return controls * 50 <= bytes.count ? .textLog : .unknown(magic: magic)
    }
}
