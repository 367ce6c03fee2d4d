/// RFC 3389: noise for pauses, from a level and the reflection coefficients of its colour.
public struct ComfortNoise: Sendable {
    /// Root mean square of what is made, 0 to 32,768.
    public private(set) var level: Double = 0
    private var reflections: [Double] = []
    private var state: [Double] = []
    /// Level of the filter's output for white noise of level 1.
    private var gain = 1.0
    private var seed: UInt64

    /// `seed` picks the noise; any number.
    public init(seed: UInt64 = 1) { self.seed = seed | 1 }

    /// A payload came: its first octet is the level in -dBov, others are reflection coefficients. False: not a payload.
    @discardableResult
    public mutating func update(_ payload: some Collection<UInt8>) -> Bool {
        guard let first = payload.first, first < 128 else { return false }
        level = 32_768 * Self.amplitude(decibelsBelow: Int(first))
        // More than 12 describe nothing at 8 kHz; the bound keeps a hostile payload cheap. The lattice is stable below 1.
        reflections = payload.dropFirst().prefix(12).map { max(-0.98, min(0.98, (Double($0) - 127) / 128)) }
        state = [Double](repeating: 0, count: reflections.count)
        gain = 1 / reflections.reduce(1.0) { $0 * (1 - $1 * $1) }.squareRoot()
        return true
    }

    /// The payload for a pause whose background is `samples`: the level alone.
    public static func payload(for samples: some Collection<Int16>) -> [UInt8] {
        let level = ToneMeter.level(samples) / 32_768
        var decibels = 0
        while decibels < 127, amplitude(decibelsBelow: decibels) > level { decibels += 1 }
        return [UInt8(decibels)]
    }

    public mutating func next(_ count: Int) -> [Int16] {
        var samples = [Int16](repeating: 0, count: count)
        samples.withUnsafeMutableBufferPointer { next(into: $0) }
        return samples
    }

    public mutating func next(into samples: UnsafeMutableBufferPointer<Int16>) {
        guard level > 0 else { return samples.update(repeating: 0) }
        let scale = level / gain
        for index in samples.indices {
            // Xorshift; the sum of two uniform numbers of variance 1/2 each.
            seed ^= seed << 13
            seed ^= seed >> 7
            seed ^= seed << 17
            let one = Double(seed >> 40) / 16_777_216 - 0.5
            let two = Double(seed & 0xff_ffff) / 16_777_216 - 0.5
            var value = (one + two) * 6.0.squareRoot()
            // The all-pole lattice, highest order first.
            for order in stride(from: reflections.count - 1, through: 0, by: -1) {
                value -= reflections[order] * state[order]
                let upper = state[order] + reflections[order] * value
                if order + 1 < state.count { state[order + 1] = upper }
            }
            if !state.isEmpty { state[0] = value }
            samples[index] = Int16(max(-32_768, min(32_767, value * scale)))
        }
    }

    /// 10 to the power of -decibels / 20.
    static func amplitude(decibelsBelow decibels: Int) -> Double {
        var amplitude = 1.0
        for _ in 0..<max(0, decibels) { amplitude *= 0.891_250_938_133_745_5 }
        return amplitude
    }
}
