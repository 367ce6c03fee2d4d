/// A set of RTP payload types.
struct PayloadTypes: Hashable, Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    var isEmpty: Bool { low == 0 && high == 0 }

    mutating func insert(_ type: UInt8) {
        if type < 64 { low |= 1 << UInt64(type) } else if type < 128 { high |= 1 << UInt64(type - 64) }
    }

    @inline(__always)
    func contains(_ type: UInt8) -> Bool {
        type < 64 ? low >> UInt64(type) & 1 == 1 : high >> UInt64(type & 63) & 1 == 1
    }
}
