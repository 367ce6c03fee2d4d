/// Why bytes are not the packet they claim to be, and where that showed.
public struct PacketError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The bytes end before the named field or part does.
        case truncated(Part)
        /// The first four bits are neither 4 nor 6.
        case version(UInt8)
        /// A header length below its minimum or past the packet's end.
        case headerLength(Part)
        /// A total or payload length below its own header.
        case length(Part)
        /// A stored checksum that does not match.
        case checksum(Part)
        /// A fragment whose end lies past 65,535 octets, or an inner fragment that is not a multiple of 8 octets long.
        case fragment
        /// More extension headers than `IPv6Header.mostExtensions`.
        case tooManyExtensions
        /// An option whose length is wrong.
        case option(Part)
        /// What was to be sent does not fit the format.
        case tooLong
        /// Source and destination are of different families.
        case mixedFamilies
    }

    public enum Part: String, Hashable, Sendable {
        case ipv4 = "IPv4", ipv6 = "IPv6", extensionHeader = "IPv6 extension header"
        case udp = "UDP", tcp = "TCP", icmp = "ICMP", quote = "quoted packet"
    }

    public var reason: Reason
    /// Index of the offending byte.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let text =
            switch reason {
            case .truncated(let part): "\(part.rawValue) is cut short"
            case .version(let version): "IP version \(version)"
            case .headerLength(let part): "\(part.rawValue) header length out of range"
            case .length(let part): "\(part.rawValue) length out of range"
            case .checksum(let part): "\(part.rawValue) checksum is wrong"
            case .fragment: "impossible fragment"
            case .tooManyExtensions: "too many extension headers"
            case .option(let part): "\(part.rawValue) option of impossible length"
            case .tooLong: "too long for the format"
            case .mixedFamilies: "addresses of different families"
            }
        return "\(text) (octet \(offset))"
    }
}
