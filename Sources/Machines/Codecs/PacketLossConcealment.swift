/// Fills gaps with the last pitch period, repeated and fading (after the idea of ITU-T G.711 appendix I): for codecs that bring no
/// concealment of their own.
///
/// Silent after 60 ms of loss; the first sound after a gap is faded in over what was being repeated.
public struct PacketLossConcealment: Sendable {
    private let sampleRate: Int
    /// The latest 48 ms, oldest first.
    private var history: [Int16]
    /// Samples concealed since the last good one.
    private var concealed = 0
    /// The period being repeated, while there is a gap.
    private var period: [Int16] = []
    private var phase = 0

    public init(sampleRate: Int) {
        self.sampleRate = sampleRate
        history = [Int16](repeating: 0, count: sampleRate * 48 / 1_000)
    }

    /// Good samples passed; right after a gap their start is blended in place.
    public mutating func heard(_ samples: UnsafeMutableBufferPointer<Int16>) {
        if concealed > 0 { rejoin(samples) }
        let length = history.count
        history.withUnsafeMutableBufferPointer { history in
            let start = history.baseAddress!
            guard let from = samples.baseAddress else { return }
            if samples.count >= length {
                start.update(from: from + (samples.count - length), count: length)
            } else {
                start.update(from: start + samples.count, count: length - samples.count)
                (start + (length - samples.count)).update(from: from, count: samples.count)
            }
        }
    }

    /// Fills `samples` in place of a lost packet.
    public mutating func conceal(into samples: UnsafeMutableBufferPointer<Int16>) {
        if concealed == 0 { beginGap() }
        for index in samples.indices { samples[index] = nextConcealed() }
    }

    private mutating func nextConcealed() -> Int16 {
        let silent = sampleRate * 60 / 1_000
        let full = sampleRate * 10 / 1_000
        guard concealed < silent else {
            concealed = min(concealed &+ 1, sampleRate)
            return 0
        }
        let sample = Int(period[phase])
        phase = phase + 1 == period.count ? 0 : phase + 1
        let faded = concealed <= full ? sample : sample * (silent - concealed) / (silent - full)
        concealed += 1
        return Int16(truncatingIfNeeded: faded)
    }

    /// Finds the pitch and cuts one period off the end of the history, its seam smoothed by a quarter's overlap.
    private mutating func beginGap() {
        let lag = pitch()
        let overlap = lag / 4
        let end = history.count
        period = Array(history[(end - lag)...])
        // The period's last quarter leans towards what preceded the period's start, so that its repetition joins without a step.
        for index in 0..<overlap {
            let before = Int(history[end - 2 * lag + (lag - overlap) + index])
            let own = Int(period[lag - overlap + index])
            period[lag - overlap + index] = Int16((own * (overlap - index) + before * index) / overlap)
        }
        phase = 0
    }

    /// The lag between 5 and 15 ms (66 to 200 Hz) at which the latest 20 ms resemble what came before most.
    private func pitch() -> Int {
        let least = sampleRate * 5 / 1_000
        let most = sampleRate * 15 / 1_000
        let window = sampleRate * 20 / 1_000
        // At high rates every other lag and sample will do.
        let step = max(1, sampleRate / 8_000)
        return history.withUnsafeBufferPointer { history in
            let end = history.count
            var best = (lag: most, score: -1.0)
            var lag = least
            while lag <= most {
                var product = 0
                var energy = 1
                var index = end - window
                while index < end {
                    let before = Int(history[index - lag])
                    product &+= Int(history[index]) &* before
                    energy &+= before &* before
                    index += step
                }
                let score = product > 0 ? Double(product) * Double(product) / Double(energy) : 0
                if score > best.score { best = (lag, score) }
                lag += step
            }
            return best.lag
        }
    }

    private mutating func rejoin(_ samples: UnsafeMutableBufferPointer<Int16>) {
        let overlap = min(samples.count, sampleRate * 4 / 1_000)
        for index in 0..<overlap {
            let old = Int(nextConcealed())
            samples[index] = Int16((old * (overlap - index) + Int(samples[index]) * index) / overlap)
        }
        concealed = 0
    }
}
