/// The head of a TLS record (RFC 8446 5.1) and the bounds of what follows.
public struct TLSRecord: Hashable, Sendable {
    public static let headSize = 5
    /// Longest fragment of any version: 2^14 and what compression and protection add (RFC 5246 6.2.3).
    public static let mostFragment = 16_384 + 2_048

    public enum Kind: UInt8, Hashable, Sendable {
        case changeCipherSpec = 20
        case alert = 21
        case handshake = 22
        case applicationData = 23
        case heartbeat = 24
    }

    public var kind: Kind
    public var version: UInt16
    /// Octets after the head.
    public var length: Int

    /// nil: no such head, or fewer octets than one has.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headSize, let kind = Kind(rawValue: bytes[0]), bytes[1] == 3, bytes[2] <= 4 else { return nil }
        self.kind = kind
        version = 0x0300 | UInt16(bytes[2])
        length = Int(bytes[3]) << 8 | Int(bytes[4])
        guard length <= Self.mostFragment else { return nil }
    }

    /// Which side speaks, where a stream's first record is a hello; nil where it is anything else, or too short to tell.
    public static func hello(_ bytes: UnsafeRawBufferPointer) -> TLSSide? {
        guard let head = TLSRecord(bytes), head.kind == .handshake, bytes.count > headSize else { return nil }
        switch bytes[headSize] {
        case 1: return .client
        case 2: return .server
        default: return nil
        }
    }
}

/// An end of a TLS session.
public enum TLSSide: UInt8, Hashable, Sendable {
    case client, server

    public var other: TLSSide { self == .client ? .server : .client }
}
