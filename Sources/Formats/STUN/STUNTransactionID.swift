import Base

/// The 16 octets after type and length: magic cookie and 96-bit transaction ID (RFC 8489 5), or, without the cookie, the
/// 128-bit transaction ID of RFC 3489 11.1.
public struct STUNTransactionID: Hashable, Sendable, CustomStringConvertible {
    /// The first 8 octets, cookie included.
    public var high: UInt64
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A fresh one; `classic` leaves the cookie out, as a client from before RFC 5389 does.
    public init(from entropy: inout Entropy, classic: Bool = false) {
        let first = entropy.next()
        low = entropy.next()
        if classic {
            // A random first word could be the cookie itself by chance: one in four thousand million, but free to exclude.
            high = first >> 32 == UInt64(stunMagicCookie) ? first ^ 1 << 32 : first
        } else {
            high = UInt64(stunMagicCookie) << 32 | first & 0xffff_ffff
        }
    }

    /// Whether the message speaks RFC 5389 or later.
    @inlinable
    public var hasCookie: Bool { high >> 32 == UInt64(stunMagicCookie) }

    /// Sixteen octets, network order.
    public var octets: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: high)
        bytes.append(bigEndian: low)
        return bytes
    }

    /// Hexadecimal; the cookie is left out.
    public var description: String { hexText(octets.dropFirst(hasCookie ? 4 : 0)) }
}

/// What stands in octets 4 to 7 of every message since RFC 5389.
public let stunMagicCookie: UInt32 = 0x2112_a442
