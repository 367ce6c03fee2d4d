/// How much of a sound is one frequency (Goertzel's algorithm).
public enum ToneMeter {
    /// The part of the whole power at `frequency`: 1.0 for the pure tone, about 2 / count for noise, 0 for silence.
    public static func share(of frequency: Double, in samples: some Collection<Int16>, sampleRate: Int) -> Double {
        let count = samples.count
        guard count > 0, sampleRate > 0 else { return 0 }
        let turn = frequency / Double(sampleRate)
        let factor = 2 * cosine(turns: turn)
        var one = 0.0
        var two = 0.0
        var energy = 0.0
        for sample in samples {
            let value = Double(sample)
            energy += value * value
            let next = value + factor * one - two
            two = one
            one = next
        }
        guard energy > 0 else { return 0 }
        let power = one * one + two * two - factor * one * two
        return min(1, max(0, 2 * power / (Double(count) * energy)))
    }

    public static func share(of frequency: Int, in samples: some Collection<Int16>, sampleRate: Int) -> Double {
        share(of: Double(frequency), in: samples, sampleRate: sampleRate)
    }

    /// Root mean square, 0 to 32,768.
    public static func level(_ samples: some Collection<Int16>) -> Double {
        guard !samples.isEmpty else { return 0 }
        return (samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(samples.count)).squareRoot()
    }
}
