/// A steady sum of sines, its phase kept from call to call.
public struct ToneGenerator: Sendable {
    public let frequencies: [Double]
    public let sampleRate: Int
    /// Peak of each sine, 0 to 32,767.
    public var amplitude: Double
    private var position = 0

    public init(_ frequencies: [Double], sampleRate: Int, amplitude: Double = 8_000) {
        self.frequencies = frequencies
        self.sampleRate = max(1, sampleRate)
        self.amplitude = amplitude
    }

    public init(_ frequency: Int, sampleRate: Int, amplitude: Double = 8_000) {
        self.init([Double(frequency)], sampleRate: sampleRate, amplitude: amplitude)
    }

    public mutating func next(_ count: Int) -> [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(count)
        for _ in 0..<count {
            var sum = 0.0
            for frequency in frequencies { sum += sine(turns: frequency * Double(position) / Double(sampleRate)) }
            samples.append(Int16(max(-32_768, min(32_767, (sum * amplitude).rounded()))))
            position += 1
        }
        return samples
    }
}
