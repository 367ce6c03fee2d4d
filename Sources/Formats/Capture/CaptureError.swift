/// Why bytes are not the capture file they claim to be, and where that showed.
public struct CaptureError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The first four octets are no pcap magic number.
        case magic(UInt32)
        case truncatedHeader
        /// A record claims more octets than a packet can have.
        case recordLength(UInt32)
        /// A link type that is not read here.
        case linkType(UInt32)
        /// No HEPv3 packet, or one whose lengths do not fit or that names no addresses.
        case hep
    }

    public var reason: Reason
    /// Index of the offending byte.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        switch reason {
        case .magic(let magic): "not a pcap file: it begins with \(magic) (octet \(offset))"
        case .truncatedHeader: "the pcap file header is cut short (octet \(offset))"
        case .recordLength(let length): "a record of \(length) octets (octet \(offset))"
        case .hep: "not a HEPv3 packet (octet \(offset))"
        case .linkType(let type): "link type \(type) is not known here (octet \(offset))"
        }
    }
}
