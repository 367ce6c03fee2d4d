import Base

/// An IPv6 header and its chain of extension headers (RFC 8200 3, 4), as they lie in a buffer.
public struct IPv6Header: Hashable, Sendable {
    /// One extension header of the chain.
    public struct Extension: Hashable, Sendable {
        public var kind: IPProtocol
        public var range: Range<Int>
    }

    /// A Fragment header (RFC 8200 4.5).
    public struct Fragment: Hashable, Sendable {
        /// Octets, a multiple of 8.
        public var offset: Int
        public var more: Bool
        public var identification: UInt32
        public var range: Range<Int>
    }

    /// Longer chains are refused: nothing honest needs more.
    public static let mostExtensions = 16

    public var trafficClass: UInt8
    public var flowLabel: UInt32
    public var payloadLength: Int
    public var hopLimit: UInt8
    public var source: IPv6Address
    public var destination: IPv6Address
    public var fragment: Fragment?
    /// What follows the chain; in a later fragment, what the fragment header names.
    public var upperProtocol: IPProtocol
    /// The fixed header and the whole chain.
    public var range: Range<Int>
    /// Where the byte lies that names what follows the chain: a Next Header field.
    public var upperProtocolOffset: Int

    /// Places of fields, counted from the header's first byte.
    public enum Offset {
        public static let payloadLength = 4, nextHeader = 6, hopLimit = 7, source = 8, destination = 24
    }

    /// Parses header and chain at the start of `range`. `quoted`: Payload Length may pass the end.
    public init(_ bytes: [UInt8], in range: Range<Int>, quoted: Bool = false) throws(PacketError) {
        let at = range.lowerBound
        guard range.count >= 40 else { throw PacketError(.truncated(.ipv6), at: range.upperBound) }
        guard bytes[at] >> 4 == 6 else { throw PacketError(.version(bytes[at] >> 4), at: at) }
        let first = bytes.uint32(at: at)
        trafficClass = UInt8(truncatingIfNeeded: first >> 20)
        flowLabel = first & 0xf_ffff
        payloadLength = Int(bytes.uint16(at: at + Offset.payloadLength))
        guard quoted || 40 + payloadLength <= range.count else { throw PacketError(.truncated(.ipv6), at: range.upperBound) }
        hopLimit = bytes[at + Offset.hopLimit]
        source = Self.address(bytes, at + Offset.source)
        destination = Self.address(bytes, at + Offset.destination)
        var count = 0
        fragment = nil
        var next = IPProtocol(rawValue: bytes[at + Offset.nextHeader])
        var nextAt = at + Offset.nextHeader
        var end = at + 40
        let limit = min(range.upperBound, at + 40 + payloadLength)
        chain: while true {
            let length: Int
            switch next {
            case .hopByHop, .routing, .destinationOptions:
                guard end + 8 <= limit else { throw PacketError(.truncated(.extensionHeader), at: limit) }
                length = Int(bytes[end + 1]) * 8 + 8
                guard end + length <= limit else { throw PacketError(.truncated(.extensionHeader), at: limit) }
            case .fragment:
                length = 8
                guard end + 8 <= limit else { throw PacketError(.truncated(.extensionHeader), at: limit) }
                guard fragment == nil else { throw PacketError(.fragment, at: end) }
                let field = bytes.uint16(at: end + 2)
                fragment = Fragment(
                    offset: Int(field & 0xfff8), more: field & 1 != 0, identification: bytes.uint32(at: end + 4),
                    range: end..<(end + 8)
                )
            default: break chain
            }
            guard count < Self.mostExtensions else { throw PacketError(.tooManyExtensions, at: end) }
            count += 1
            nextAt = end
            let kind = next
            next = IPProtocol(rawValue: bytes[end])
            end += length
            if kind == .fragment, let fragment, fragment.offset > 0 { break }
        }
        upperProtocol = next
        upperProtocolOffset = nextAt
        self.range = at..<end
        if let fragment {
            let payload = at + 40 + payloadLength - end
            guard fragment.offset + payload <= 65_535, !fragment.more || payload % 8 == 0 || quoted else {
                throw PacketError(.fragment, at: fragment.range.lowerBound)
            }
        }
    }

    /// The extension headers, first to last, of the bytes this was parsed from. They are not kept: the value holds no memory of its own.
    public func extensions(_ bytes: [UInt8]) -> [Extension] {
        var found: [Extension] = []
        var at = range.lowerBound + 40
        var kind = IPProtocol(rawValue: bytes[range.lowerBound + Offset.nextHeader])
        while at < range.upperBound {
            let length = kind == .fragment ? 8 : Int(bytes[at + 1]) * 8 + 8
            found.append(Extension(kind: kind, range: at..<(at + length)))
            kind = IPProtocol(rawValue: bytes[at])
            at += length
        }
        return found
    }

    private static func address(_ bytes: [UInt8], _ at: Int) -> IPv6Address {
        IPv6Address(
            high: UInt64(bytes.uint32(at: at)) << 32 | UInt64(bytes.uint32(at: at + 4)),
            low: UInt64(bytes.uint32(at: at + 8)) << 32 | UInt64(bytes.uint32(at: at + 12)))
    }
}
