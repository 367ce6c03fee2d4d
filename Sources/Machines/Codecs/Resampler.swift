/// Changes the sample rate of a stream: a windowed-sinc filter in phases, 16 zero crossings wide.
///
/// Any pair of rates; exact for those with up to 512 phases (8, 11.025, 16, 22.05, 24, 32, 44.1 and 48 kHz among each other).
/// Its delay is half the filter: 1 ms at 8 kHz.
public struct Resampler: Sendable {
    public let from: Int
    public let to: Int
    private let phases: Int
    private let taps: Int
    /// `phases` rows of `taps`, newest sample last.
    private let filter: [Float]
    /// The last `taps` input samples, then the block being worked on.
    private var history: [Float]
    /// Where the next output lies after the first sample of the coming block, in units of 1 / `to` of an input sample.
    private var position = 0

    public init(from: Int, to: Int) {
        precondition(from > 0 && to > 0, "a rate is positive")
        self.from = from
        self.to = to
        var (a, b) = (from, to)
        while b != 0 { (a, b) = (b, a % b) }
        phases = min(to / a, 512)
        // When the rate falls the filter must cut at the new half: it grows as much wider.
        let cut = min(1.0, Double(to) / Double(from)) * 0.94
        let half = min(512, Int((8 / cut).rounded(.up)))
        taps = 2 * half
        var filter: [Float] = []
        filter.reserveCapacity(phases * taps)
        for phase in 0..<phases {
            let fraction = Double(phase) / Double(phases)
            var row: [Double] = []
            for tap in 0..<taps {
                let x = Double(tap - half + 1) - fraction
                let sinc = x == 0 ? 1 : sine(turns: cut * x / 2) / (Double.pi * cut * x)
                let place = (x + Double(half)) / Double(2 * half)
                let window = 0.42 - 0.5 * cosine(turns: place) + 0.08 * cosine(turns: 2 * place)
                row.append(sinc * window)
            }
            let sum = row.reduce(0, +)
            filter += row.map { Float($0 / sum) }
        }
        self.filter = filter
        history = [Float](repeating: 0, count: taps)
    }

    public mutating func process(_ samples: [Int16]) -> [Int16] {
        samples.withUnsafeBufferPointer { process($0) }
    }

    /// A block in, what of the output has become known out. Whole 20 ms in give whole 20 ms out wherever both are whole samples.
    public mutating func process(_ samples: UnsafeBufferPointer<Int16>) -> [Int16] {
        guard from != to else { return Array(samples) }
        let capacity = samples.count * to / from + 2
        return [Int16](unsafeUninitializedCapacity: capacity) { buffer, count in count = process(samples, into: buffer) }
    }

    /// The same without an allocation of its own once warm. Returns how many were written; what does not fit is lost.
    public mutating func process(_ samples: UnsafeBufferPointer<Int16>, into output: UnsafeMutableBufferPointer<Int16>) -> Int {
        guard let source = samples.baseAddress else { return 0 }
        let count = samples.count
        if history.count < taps + count { history += [Float](repeating: 0, count: taps + count - history.count) }
        var written = 0
        history.withUnsafeMutableBufferPointer { history in
            let start = history.baseAddress!
            for index in 0..<count { start[taps + index] = Float(source[index]) }
            filter.withUnsafeBufferPointer { filter in
                let rows = filter.baseAddress!
                while position < count * to {
                    let whole = position / to
                    let phase = (position % to) * phases / to
                    let row = rows + phase * taps
                    let window = start + whole + 1
                    var sums = SIMD4<Float>.zero
                    var tap = 0
                    while tap + 4 <= taps {
                        sums +=
                            UnsafeRawPointer(window + tap).loadUnaligned(as: SIMD4<Float>.self)
                            * UnsafeRawPointer(row + tap).loadUnaligned(as: SIMD4<Float>.self)
                        tap += 4
                    }
                    var sum = sums.sum()
                    while tap < taps {
                        sum += window[tap] * row[tap]
                        tap += 1
                    }
                    if written < output.count {
                        output[written] = Int16(max(-32_768, min(32_767, sum.rounded())))
                        written += 1
                    }
                    position += from
                }
            }
            position -= count * to
            start.update(from: start + count, count: taps)
        }
        return written
    }
}
