import Base

/// What a change of covered octets does to an Internet checksum (RFC 1624), gathered over several changes.
struct ChecksumShift {
    private var sum: UInt64 = 0

    /// Both begin at an even place and are equally long.
    mutating func add(from old: ArraySlice<UInt8>, to new: ArraySlice<UInt8>) {
        for (offset, (before, after)) in zip(old, new).enumerated() where before != after {
            let place = UInt64(offset & 1 == 0 ? 8 : 0)
            sum &+= UInt64(~(UInt16(before) << UInt16(place))) &+ UInt64(UInt16(after) << UInt16(place))
        }
    }

    mutating func add(from old: IPAddress, to new: IPAddress) {
        let (before, after) = (Self.octets(old), Self.octets(new))
        add(from: before[...], to: after[...])
    }

    func applied(to checksum: UInt16) -> UInt16 {
        var total = UInt64(~checksum) &+ sum
        while total >> 16 != 0 { total = total & 0xffff &+ total >> 16 }
        return ~UInt16(truncatingIfNeeded: total)
    }

    private static func octets(_ address: IPAddress) -> [UInt8] {
        switch address {
        case .v4(let v4):
            let (a, b, c, d) = v4.octets
            return [a, b, c, d]
        case .v6(let v6): return v6.octets
        }
    }
}
