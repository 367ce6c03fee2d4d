import Codecs
import RTP

/// The sum of a room's speakers at every rate in use, kept within 16 bits, and what was already encoded of it in this tick.
struct RoomMixer: Sendable {
    /// -dBov of the noise in a room where nobody speaks: there, but hardly heard.
    static let quietLevel: UInt8 = 70
    /// Beyond this peak the limiter turns everyone down.
    private static let ceiling = 30_000
    /// What the gain gains back a tick: all of it within a second.
    private static let release: Float = 0.02
    /// Distinct encodings shared by listeners; those beyond encode on their own.
    private static let mostShared = 32

    private(set) var groups: [RateGroup] = []
    private(set) var gain = GainRamp()
    /// Parties in the current sum.
    private(set) var sounding = 0
    private(set) var hasTone = false
    private var converters: [Conversion: Converter] = [:]
    private var shared: [SharedEncoder] = []
    private var tones: [Prompt] = []
    private var toneTicks = 0
    private var noiseSeed: UInt64

    private struct Conversion: Hashable, Sendable {
        var from: Int
        var to: Int
    }

    private struct Converter: Sendable {
        var resampler: Resampler
        /// Silent ticks since there was sound: the first one still brings the filter's tail.
        var silentTicks = 2
    }

    init(noiseSeed: UInt64) { self.noiseSeed = noiseSeed }

    // MARK: - Who listens

    /// The group of a rate; made when there is none.
    mutating func join(rate: Int) -> Int {
        if let index = groups.firstIndex(where: { $0.rate == rate }) {
            groups[index].listeners += 1
            return index
        }
        noiseSeed = noiseSeed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var group = RateGroup(rate: rate, noiseSeed: noiseSeed)
        group.listeners = 1
        groups.append(group)
        return groups.count - 1
    }

    mutating func leave(_ group: Int) { groups[group].listeners -= 1 }

    /// Where listeners of this format find what others of it had encoded; nil: nowhere.
    mutating func sharedEncoder(for format: MediaFormat, _ codec: AudioCodec) -> Int? {
        if let index = shared.firstIndex(where: { $0.serves(format, codec) }) { return index }
        guard shared.count < Self.mostShared else { return nil }
        shared.append(SharedEncoder(format, codec))
        return shared.count - 1
    }

    // MARK: - A tick

    mutating func begin() {
        sounding = 0
        for index in groups.indices { groups[index].begin() }
        for index in shared.indices { shared[index].begin() }
    }

    mutating func add(_ samples: UnsafePointer<Int16>, to group: Int) {
        sounding += 1
        groups[group].add(samples)
    }

    /// Queues a tone for all; beyond three nobody could tell them apart.
    mutating func play(_ prompt: Prompt) { if tones.count < 3 { tones.append(prompt) } }

    /// Everyone who speaks was added.
    mutating func mix() {
        startTone()
        limit()
        for index in groups.indices { groups[index].beginMix() }
        for from in groups.indices { convert(from) }
        guard hasTone else { return }
        for index in groups.indices { groups[index].addTone() }
    }

    /// Whether somebody in the mix is heard besides `one` of those in it.
    func isQuiet(without one: Bool) -> Bool { sounding <= (one ? 1 : 0) && !hasTone }

    mutating func withWholeMix<Result>(_ group: Int, _ body: (UnsafeBufferPointer<Int16>) -> Result) -> Result {
        groups[group].withWholeMix(body)
    }

    mutating func withQuiet<Result>(_ group: Int, _ body: (UnsafeBufferPointer<Int16>) -> Result) -> Result {
        groups[group].withQuiet(body)
    }

    mutating func withMix<Result>(
        _ group: Int, leavingOut own: UnsafePointer<Int16>, _ body: (UnsafeBufferPointer<Int16>) -> Result
    ) -> Result {
        groups[group].withMix(leavingOut: own, gain: gain, body)
    }

    /// What those hear who are not in the mix (or, `isQuiet`, those with nobody to hear), encoded once a tick. Empty: cannot.
    mutating func withShared<Result>(
        _ index: Int, _ group: Int, isQuiet: Bool, encoded: inout UInt64, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        if !shared[index].isDone(isQuiet: isQuiet) {
            encoded &+= 1
            if isQuiet {
                groups[group].withQuiet { shared[index].encode($0, isQuiet: true) }
            } else {
                groups[group].withWholeMix { shared[index].encode($0, isQuiet: false) }
            }
        }
        return shared[index].withPayload(isQuiet: isQuiet, body)
    }

    // MARK: - Within

    private mutating func startTone() {
        if toneTicks > 0 {
            toneTicks -= 1
            hasTone = toneTicks > 0
        }
        guard toneTicks == 0, !tones.isEmpty else { return }
        let notes = tones.removeFirst().notes
        toneTicks = (notes.reduce(0) { $0 + $1.milliseconds } + 19) / 20 + 1
        hasTone = true
        for index in groups.indices { groups[index].play(notes) }
    }

    private mutating func limit() {
        let peak = groups.reduce(0) { $0 + $1.peak }
        let wanted = peak > Self.ceiling ? Float(Self.ceiling) / Float(peak) : 1
        gain = GainRamp(from: gain.to, to: min(wanted, gain.to + Self.release, 1))
        for index in groups.indices { groups[index].scale(gain) }
    }

    private mutating func convert(_ from: Int) {
        let hasSound = groups[from].hasSound
        var narrow: [Int16] = []
        for to in groups.indices where to != from && groups[to].listeners > 0 {
            let key = Conversion(from: groups[from].rate, to: groups[to].rate)
            if converters[key] == nil {
                guard hasSound else { continue }
                converters[key] = Converter(resampler: Resampler(from: key.from, to: key.to))
            }
            if hasSound { converters[key]!.silentTicks = 0 } else { converters[key]!.silentTicks += 1 }
            guard converters[key]!.silentTicks < 2 else { continue }
            if narrow.isEmpty { narrow = groups[from].narrowSum() }
            groups[to].addConverted(narrow, &converters[key]!.resampler)
        }
    }
}
