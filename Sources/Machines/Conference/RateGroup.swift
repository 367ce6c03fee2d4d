import Codecs

/// What a room sounds like at one sample rate.
///
/// Parties are summed up at their own rate, and only these sums are converted to the other rates in use: the work of conversion does not
/// grow with the room, and a party's own sound can be left out of his mix exactly, before any filter has touched it.
struct RateGroup: Sendable {
    let rate: Int
    /// Samples a tick.
    let count: Int
    /// Parties (and the recording) that hear at this rate.
    var listeners = 0
    /// Whether any sound of this rate is in `sum`.
    private(set) var hasSound = false
    /// Sounds of this rate, then scaled by the limiter.
    private var sum: [Int32]
    /// All rates' sounds, at this one.
    private var mix: [Int32]
    /// `sum` as a converter takes it, and what one gives.
    private var narrow: [Int16]
    private var converted: [Int16]
    private var noise: ComfortNoise
    private var player: NotePlayer?

    init(rate: Int, noiseSeed: UInt64) {
        self.rate = rate
        count = rate / 50
        sum = [Int32](repeating: 0, count: count)
        mix = sum
        narrow = [Int16](repeating: 0, count: count)
        converted = narrow
        noise = ComfortNoise(seed: noiseSeed)
        noise.update([RoomMixer.quietLevel])
    }

    mutating func begin() {
        guard hasSound else { return }
        hasSound = false
        sum.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }

    mutating func add(_ samples: UnsafePointer<Int16>) {
        hasSound = true
        sum.withUnsafeMutableBufferPointer { MixingLoops.add(samples, count, to: $0.baseAddress!) }
    }

    var peak: Int { hasSound ? Int(sum.withUnsafeBufferPointer { MixingLoops.peak($0.baseAddress!, count) }) : 0 }

    mutating func scale(_ gain: GainRamp) {
        guard hasSound, !gain.isUnity else { return }
        sum.withUnsafeMutableBufferPointer { MixingLoops.scale($0.baseAddress!, count, gain: gain) }
    }

    /// The mix begins with this rate's own sounds.
    mutating func beginMix() {
        mix.withUnsafeMutableBufferPointer { mix in
            sum.withUnsafeBufferPointer { _ = mix.update(fromContentsOf: $0) }
        }
    }

    mutating func play(_ notes: [Note]) { player = NotePlayer(notes, sampleRate: rate) }

    /// Adds the room's own tone to the mix.
    mutating func addTone() {
        guard player != nil else { return }
        narrow.withUnsafeMutableBufferPointer { player!.next(into: $0) }
        narrow.withUnsafeBufferPointer { narrow in
            mix.withUnsafeMutableBufferPointer { MixingLoops.add(narrow.baseAddress!, count, to: $0.baseAddress!) }
        }
        if player!.isOver { player = nil }
    }

    /// This rate's sounds in 16 bits, for a converter.
    mutating func narrowSum() -> [Int16] {
        sum.withUnsafeBufferPointer { sum in
            narrow.withUnsafeMutableBufferPointer { MixingLoops.saturate(sum.baseAddress!, count, into: $0.baseAddress!) }
        }
        return narrow
    }

    /// The mix with everyone in it.
    mutating func withWholeMix<Result>(_ body: (UnsafeBufferPointer<Int16>) -> Result) -> Result {
        mix.withUnsafeBufferPointer { mix in
            narrow.withUnsafeMutableBufferPointer { MixingLoops.saturate(mix.baseAddress!, count, into: $0.baseAddress!) }
        }
        return narrow.withUnsafeBufferPointer(body)
    }

    /// The mix without the sound of one of those in it.
    mutating func withMix<Result>(
        leavingOut own: UnsafePointer<Int16>, gain: GainRamp, _ body: (UnsafeBufferPointer<Int16>) -> Result
    ) -> Result {
        mix.withUnsafeBufferPointer { mix in
            narrow.withUnsafeMutableBufferPointer { narrow in
                if gain.isUnity {
                    MixingLoops.leaveOut(own, of: mix.baseAddress!, count, into: narrow.baseAddress!)
                } else {
                    MixingLoops.leaveOut(own, of: mix.baseAddress!, count, gain: gain, into: narrow.baseAddress!)
                }
            }
        }
        return narrow.withUnsafeBufferPointer(body)
    }

    /// What a room without any sound sounds like.
    mutating func withQuiet<Result>(_ body: (UnsafeBufferPointer<Int16>) -> Result) -> Result {
        narrow.withUnsafeMutableBufferPointer { noise.next(into: $0) }
        return narrow.withUnsafeBufferPointer(body)
    }

    /// Converts another group's narrow sum and adds it.
    mutating func addConverted(_ samples: [Int16], _ resampler: inout Resampler) {
        let length = converted.withUnsafeMutableBufferPointer { converted in
            samples.withUnsafeBufferPointer { resampler.process($0, into: converted) }
        }
        converted.withUnsafeBufferPointer { converted in
            mix.withUnsafeMutableBufferPointer {
                MixingLoops.add(converted.baseAddress!, min(length, count), to: $0.baseAddress!)
            }
        }
    }
}
