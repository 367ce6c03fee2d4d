import Base
@_exported import Pcap

/// A classic pcap file read into memory: records as ranges over its bytes. Any byte order, micro- or nanoseconds.
///
/// A last record that is cut short (the writer was killed) ends the file without an error; `isTruncated` says so.
public struct PcapFile: Sendable {
    public struct Record: Hashable, Sendable {
        public var at: Instant
        /// The captured octets, link header first.
        public var range: Range<Int>
        /// How long the packet was on the wire.
        public var originalLength: Int
        /// Where the IP packet lies; nil for what is not IP.
        public var ipRange: Range<Int>?
    }

    public let bytes: [UInt8]
    public let linkType: LinkType
    public let isNanosecond: Bool
    public let records: [Record]
    public let isTruncated: Bool

    /// Longest record believed.
    public static let mostRecordOctets = PcapWriter.mostRecordOctets

    public init(_ bytes: [UInt8]) throws(CaptureError) {
        guard bytes.count >= 24 else { throw CaptureError(.truncatedHeader, at: bytes.count) }
        let magic = bytes.uint32(at: 0)
        let swapped: Bool
        switch magic {
        case 0xa1b2_c3d4: (swapped, isNanosecond) = (false, false)
        case 0xd4c3_b2a1: (swapped, isNanosecond) = (true, false)
        case 0xa1b2_3c4d: (swapped, isNanosecond) = (false, true)
        case 0x4d3c_b2a1: (swapped, isNanosecond) = (true, true)
        default: throw CaptureError(.magic(magic), at: 0)
        }
        func word(_ at: Int) -> UInt32 {
            let value = bytes.uint32(at: at)
            return swapped ? value.byteSwapped : value
        }
        // The upper bits may hold a frame check sequence length.
        let type = word(20) & 0x0fff_ffff
        guard let linkType = LinkType(rawValue: type) else { throw CaptureError(.linkType(type), at: 20) }
        var records: [Record] = []
        var at = 24
        var truncated = false
        while at < bytes.count {
            guard at + 16 <= bytes.count else {
                truncated = true
                break
            }
            let length = word(at + 8)
            guard length <= Self.mostRecordOctets else { throw CaptureError(.recordLength(length), at: at + 8) }
            let range = (at + 16)..<(at + 16 + Int(length))
            guard range.upperBound <= bytes.count else {
                truncated = true
                break
            }
            let fraction = Int64(word(at + 4)) * (isNanosecond ? 1 : 1_000)
            records.append(
                Record(
                    at: Instant(nanoseconds: Int64(word(at)) * 1_000_000_000 + fraction), range: range,
                    originalLength: Int(word(at + 12)), ipRange: linkType.ipRange(bytes, range)))
            at = range.upperBound
        }
        self.bytes = bytes
        self.linkType = linkType
        self.records = records
        isTruncated = truncated
    }

    /// The IP packets, each with its time; what is not IP is left out.
    public var packets: [(at: Instant, bytes: [UInt8])] {
        records.compactMap { record in record.ipRange.map { (record.at, Array(bytes[$0])) } }
    }
}
