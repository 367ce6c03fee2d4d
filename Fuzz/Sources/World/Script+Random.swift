import Base

extension Script {
    /// A run drawn from a seed. Everybody registers first; of what may go wrong, each kind is in half of the runs, so that some go wrong in one way
    /// alone.
    package init(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        let variant = Variant(UInt8(truncatingIfNeeded: entropy.next()), UInt8(truncatingIfNeeded: entropy.next()))
        var bytes = variant.bytes + Self.everybodyRegisters
        let kinds = entropy.next()
        for _ in 0..<(20 + entropy.next() % 60) {
            var step = entropy.bytes(4)
            // Time, phones and the endpoint always; the rest as the seed will have it.
            while let kind = Self.faultKind(step[0]), kinds & (1 << kind) == 0 { step = entropy.bytes(4) }
            var reader = TransitionReader(step)
            _ = reader.transition()
            bytes += step.prefix(reader.place)
        }
        self.init(bytes)
    }

    private static let everybodyRegisters: [UInt8] = [7, 0, 39, 0, 71, 0, 23, 0, 0, 2, 1]

    /// Which kind of fault a first byte means; nil: none.
    private static func faultKind(_ code: UInt8) -> UInt64? {
        switch code % 32 {
        case 14: 0
        case 15: 1
        case 16, 17, 18: 2
        case 19, 20: 3
        case 21, 22: 4
        case 29...31: 5
        default: nil
        }
    }

    // MARK: Shrinking

    /// Fewer steps that still fail: halves are left out, then quarters, at last single steps, as long as that changes nothing (delta debugging).
    package func shrunk(while fails: (Script) -> Bool) -> Script {
        var script = self
        var size = max(script.steps.count / 2, 1)
        while true {
            var start = 0
            var isSmaller = false
            while start < script.steps.count {
                var candidate = script
                candidate.steps.removeSubrange(start..<min(start + size, script.steps.count))
                if fails(candidate) {
                    script = candidate
                    isSmaller = true
                } else {
                    start += size
                }
            }
            if size == 1, !isSmaller { return script }
            if !isSmaller || size > 1 { size = max(size / 2, 1) }
        }
    }
}
