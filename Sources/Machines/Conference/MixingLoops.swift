/// The loops that touch every sample of every party: plain pointers and wrapping sums, which the compiler turns into vector code.
///
/// All the unsafe arithmetic of this target is here. A sum of 65,536 parties at full scale fits 32 bits, and rooms are smaller.
enum MixingLoops {
    static func add(_ samples: UnsafePointer<Int16>, _ count: Int, to sum: UnsafeMutablePointer<Int32>) {
        for index in 0..<count { sum[index] = sum[index] &+ Int32(samples[index]) }
    }

    /// Mean of the absolute values, 0 to 32,768.
    static func level(_ samples: UnsafePointer<Int16>, _ count: Int) -> Int {
        guard count > 0 else { return 0 }
        var sum: Int32 = 0
        for index in 0..<count {
            let value = Int32(samples[index])
            sum = sum &+ (value < 0 ? 0 &- value : value)
        }
        return Int(sum) / count
    }

    static func peak(_ sum: UnsafePointer<Int32>, _ count: Int) -> Int32 {
        var least: Int32 = 0
        var most: Int32 = 0
        for index in 0..<count {
            least = min(least, sum[index])
            most = max(most, sum[index])
        }
        return max(most, 0 &- least)
    }

    static func saturate(_ sum: UnsafePointer<Int32>, _ count: Int, into samples: UnsafeMutablePointer<Int16>) {
        for index in 0..<count { samples[index] = saturated(sum[index]) }
    }

    /// The mix as the party hears it whose own sound is in it.
    static func leaveOut(
        _ own: UnsafePointer<Int16>, of mix: UnsafePointer<Int32>, _ count: Int, into samples: UnsafeMutablePointer<Int16>
    ) {
        for index in 0..<count { samples[index] = saturated(mix[index] &- Int32(own[index])) }
    }

    /// The same while the limiter is at work: the own sound went into the mix with this gain.
    static func leaveOut(
        _ own: UnsafePointer<Int16>, of mix: UnsafePointer<Int32>, _ count: Int, gain: GainRamp,
        into samples: UnsafeMutablePointer<Int16>
    ) {
        let slope = gain.slope(count)
        for index in 0..<count {
            let factor = gain.from + slope * Float(index)
            samples[index] = saturated(mix[index] &- Int32(Float(own[index]) * factor))
        }
    }

    static func scale(_ sum: UnsafeMutablePointer<Int32>, _ count: Int, gain: GainRamp) {
        let slope = gain.slope(count)
        // At most 65,536 x 32,768 times at most 1: within 32 bits.
        for index in 0..<count { sum[index] = Int32(Float(sum[index]) * (gain.from + slope * Float(index))) }
    }

    @inline(__always)
    private static func saturated(_ value: Int32) -> Int16 { Int16(truncatingIfNeeded: max(-32_768, min(32_767, value))) }
}

/// The gain at the start and at the end of a tick, each at most 1.
struct GainRamp: Hashable, Sendable {
    var from: Float = 1
    var to: Float = 1

    var isUnity: Bool { from == 1 && to == 1 }

    func slope(_ count: Int) -> Float { (to - from) / Float(max(1, count)) }
}
