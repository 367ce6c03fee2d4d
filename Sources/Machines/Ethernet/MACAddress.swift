public import Base

/// A 48-bit address of an Ethernet port (IEEE 802-2014 8.2).
public struct MACAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The six octets as a number, the first highest; the upper 16 bits are 0.
    public let bits: UInt64

    public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// nil unless there are six octets.
    public init?(octets: some Collection<UInt8>) {
        guard octets.count == 6 else { return nil }
        bits = octets.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The octets that begin at `offset`; they must exist.
    init(_ bytes: [UInt8], at offset: Int) {
        bits = UInt64(bytes.uint16(at: offset)) << 32 | UInt64(bytes.uint32(at: offset + 2))
    }

    /// `02:00:5e:10:00:01`, with colons or hyphens, two digits a part; nil if `text` is anything else.
    public init?(_ text: some StringProtocol) {
        let text = Array(text.utf8)
        guard text.count == 17, text[2] == UInt8(ascii: ":") || text[2] == UInt8(ascii: "-") else { return nil }
        var bits: UInt64 = 0
        for part in 0..<6 {
            guard part == 0 || text[3 * part - 1] == text[2], let high = hexDigit(text[3 * part]),
                let low = hexDigit(text[3 * part + 1])
            else { return nil }
            bits = bits << 8 | UInt64(high << 4 | low)
        }
        self.bits = bits
    }

    public static let broadcast = MACAddress(bits: 0xffff_ffff_ffff)

    /// A random address that no maker of hardware hands out: unicast, its "locally administered" bit set.
    public static func locallyAdministered(_ entropy: inout Entropy) -> MACAddress {
        MACAddress(bits: entropy.next() & 0xfcff_ffff_ffff | 0x0200_0000_0000)
    }

    /// A group's address; the broadcast address is one.
    public var isMulticast: Bool { bits & 0x0100_0000_0000 != 0 }

    public var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(40 - 8 * $0)) } }

    public static func < (a: MACAddress, b: MACAddress) -> Bool { a.bits < b.bits }

    public var description: String { octets.map { hexText([$0]) }.joined(separator: ":") }

    /// Where a multicast address is sent to (RFC 1112 6.4, RFC 2464 7).
    static func group(_ address: IPAddress) -> MACAddress {
        switch address {
        case .v4(let v4): MACAddress(bits: 0x0100_5e00_0000 | UInt64(v4.bits & 0x7f_ffff))
        case .v6(let v6): MACAddress(bits: 0x3333_0000_0000 | v6.low & 0xffff_ffff)
        }
    }
}
