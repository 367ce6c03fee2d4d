import Codecs

/// What a call plays, as samples of one rate.
struct PlayedSound: Sendable {
    private enum State: Sendable {
        case silence
        case tone(ToneGenerator)
        case samples([Int16], at: Int, repeats: Bool)
        case microphone(waiting: [Int16], Resampler?)
    }

    let source: PlaySource
    let rate: Int
    private var state: State

    /// - Parameter rate: of the samples wanted, in Hz.
    init(_ source: PlaySource, rate: Int) {
        self.source = source
        self.rate = rate
        switch source {
        case .silence: state = .silence
        case .tone(let frequency): state = .tone(ToneGenerator(max(1, min(frequency, rate / 2)), sampleRate: rate))
        case .samples(let samples, let from, let repeats):
            guard !samples.isEmpty, from > 0 else {
                state = .silence
                return
            }
            var resampler = Resampler(from: from, to: rate)
            state = .samples(from == rate ? samples : resampler.process(samples), at: 0, repeats: repeats)
        case .microphone: state = .microphone(waiting: [], nil)
        }
    }

    /// Exactly `count` samples; silence where there are none.
    mutating func next(_ count: Int) -> [Int16] {
        switch state {
        case .silence: return [Int16](repeating: 0, count: count)
        case .tone(var generator):
            let samples = generator.next(count)
            state = .tone(generator)
            return samples
        case .samples(let samples, var at, let repeats):
            var result: [Int16] = []
            result.reserveCapacity(count)
            while result.count < count, !samples.isEmpty {
                if at >= samples.count {
                    guard repeats else { break }
                    at = 0
                }
                let take = min(count - result.count, samples.count - at)
                result += samples[at..<(at + take)]
                at += take
            }
            state = .samples(samples, at: at, repeats: repeats)
            return result + [Int16](repeating: 0, count: count - result.count)
        case .microphone(var waiting, let resampler):
            // Let go of first, so that what waits is changed in place.
            state = .silence
            let take = min(count, waiting.count)
            let result = Array(waiting[..<take]) + [Int16](repeating: 0, count: count - take)
            waiting.removeFirst(take)
            state = .microphone(waiting: waiting, resampler)
            return result
        }
    }

    /// From the microphone; beyond a second the oldest are dropped.
    mutating func feed(_ samples: [Int16], rate from: Int) {
        guard case .microphone(var waiting, var resampler) = state, from > 0 else { return }
        if from == rate {
            waiting += samples
        } else {
            if resampler?.from != from { resampler = Resampler(from: from, to: rate) }
            waiting += resampler?.process(samples) ?? []
        }
        if waiting.count > rate { waiting.removeFirst(waiting.count - rate) }
        state = .microphone(waiting: waiting, resampler)
    }
}
