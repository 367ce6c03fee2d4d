/// Which ports of one external address are taken, for one protocol: a bit each.
struct PortSpace: Sendable {
    enum Parity: Sendable {
        case any, even, odd

        init(of port: UInt16) { self = port & 1 == 0 ? .even : .odd }

        fileprivate var mask: UInt64 {
            switch self {
            case .any: .max
            case .even: 0x5555_5555_5555_5555
            case .odd: 0xaaaa_aaaa_aaaa_aaaa
            }
        }
    }

    /// Empty until the first port is taken.
    private var taken: [UInt64] = []
    /// Where a sequential search goes on.
    var cursor: UInt16?

    func isTaken(_ port: UInt16) -> Bool { !taken.isEmpty && taken[Int(port >> 6)] & 1 << UInt64(port & 63) != 0 }

    var takenCount: Int { taken.reduce(0) { $0 + $1.nonzeroBitCount } }

    mutating func take(_ port: UInt16) {
        if taken.isEmpty { taken = Array(repeating: 0, count: 1024) }
        taken[Int(port >> 6)] |= 1 << UInt64(port & 63)
    }

    mutating func release(_ port: UInt16) {
        guard !taken.isEmpty else { return }
        taken[Int(port >> 6)] &= ~(1 << UInt64(port & 63))
    }

    /// The first free port of `range` at or after `start` (before, if descending), going round once; nil if there is none.
    /// At most 1,026 words are looked at.
    func free(in range: ClosedRange<UInt16>, from start: UInt16, descending: Bool = false, parity: Parity = .any) -> UInt16? {
        let low = range.lowerBound
        let high = range.upperBound
        let start = min(max(start, low), high)
        if descending {
            return last(low, start, parity) ?? (start < high ? last(start + 1, high, parity) : nil)
        }
        return first(start, high, parity) ?? (start > low ? first(low, start - 1, parity) : nil)
    }

    private func word(_ index: Int, _ low: UInt16, _ high: UInt16, _ parity: Parity) -> UInt64 {
        var free = taken.isEmpty ? parity.mask : ~taken[index] & parity.mask
        if index == Int(low >> 6) { free &= .max << UInt64(low & 63) }
        if index == Int(high >> 6) { free &= .max >> UInt64(63 - high & 63) }
        return free
    }

    private func first(_ low: UInt16, _ high: UInt16, _ parity: Parity) -> UInt16? {
        var index = Int(low >> 6)
        while index <= Int(high >> 6) {
            let free = word(index, low, high, parity)
            if free != 0 { return UInt16(index << 6 + free.trailingZeroBitCount) }
            index += 1
        }
        return nil
    }

    private func last(_ low: UInt16, _ high: UInt16, _ parity: Parity) -> UInt16? {
        var index = Int(high >> 6)
        while index >= Int(low >> 6) {
            let free = word(index, low, high, parity)
            if free != 0 { return UInt16(index << 6 + 63 - free.leadingZeroBitCount) }
            index -= 1
        }
        return nil
    }
}
