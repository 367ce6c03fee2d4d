import Base

/// A UDP header (RFC 768) as it lies in a buffer.
public struct UDPHeader: Hashable, Sendable {
    public var source: UInt16
    public var destination: UInt16
    /// Length as stored: header and data.
    public var length: Int
    /// 0 means that the sender computed none (IPv4 only).
    public var checksum: UInt16
    public var range: Range<Int>
    /// The data; cut at the buffer's end in a fragment or a quotation.
    public var payload: Range<Int>

    /// Places of fields, counted from the header's first byte.
    public enum Offset {
        public static let source = 0, destination = 2, length = 4, checksum = 6
    }

    /// `partial`: the datagram may go on past `range`, as in a first fragment or a quoted packet.
    public init(_ bytes: [UInt8], in range: Range<Int>, partial: Bool = false) throws(PacketError) {
        let at = range.lowerBound
        guard range.count >= 8 else { throw PacketError(.truncated(.udp), at: range.upperBound) }
        source = bytes.uint16(at: at)
        destination = bytes.uint16(at: at + Offset.destination)
        length = Int(bytes.uint16(at: at + Offset.length))
        guard length >= 8 else { throw PacketError(.length(.udp), at: at + Offset.length) }
        guard partial || length <= range.count else { throw PacketError(.truncated(.udp), at: range.upperBound) }
        checksum = bytes.uint16(at: at + Offset.checksum)
        self.range = at..<(at + 8)
        payload = (at + 8)..<(at + min(length, range.count))
    }
}
