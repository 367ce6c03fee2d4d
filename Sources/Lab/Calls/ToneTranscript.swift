import Base
import Codecs

/// What a phone heard of a call, in windows of 200 ms: how loud it was, and how loud each tone that is played anywhere in the world.
public struct ToneTranscript: Hashable, Sendable {
    public struct Window: Hashable, Sendable {
        /// When it began.
        public var at: Instant
        /// Root mean square, 0 to 32,768.
        public var level: Double
        /// The same of each tone alone, in the order of `tones`; tones added later are not told of.
        public var tones: [Double]
    }

    /// Long enough to tell tones 50 Hz apart.
    public static let length = Duration.milliseconds(200)
    /// An hour; what comes after is not written down.
    static let mostWindows = 18_000
    /// A tone fainter than this was not heard: about 40 dB under what phones play here.
    public static let threshold = 50.0

    /// Hz.
    public private(set) var tones: [Int] = []
    public private(set) var windows: [Window] = []
    private var samples: [Int16] = []
    private var startedAt: Instant?

    init() {}

    /// 20 ms or so as they are played; `tones`: what may be in them.
    mutating func take(_ heard: [Int16], rate: Int, among tones: [Int], at now: Instant) {
        guard rate > 0, windows.count < Self.mostWindows else { return }
        self.tones = tones
        if samples.isEmpty { startedAt = now }
        samples += heard
        guard samples.count >= rate / 5, let startedAt else { return }
        let level = ToneMeter.level(samples)
        let parts = tones.map { level * ToneMeter.share(of: $0, in: samples, sampleRate: rate).squareRoot() }
        windows.append(Window(at: startedAt, level: level, tones: parts))
        samples.removeAll(keepingCapacity: true)
    }

    /// The loudness of `tone` in the middle one of the windows from `start` to `end`, sorted: a click or a gap does not count.
    /// nil: no window lies there.
    public func level(of tone: Int, from start: Instant, to end: Instant) -> Double? {
        guard let place = tones.firstIndex(of: tone) else { return nil }
        let levels = windows.filter { $0.at >= start && $0.at + Self.length <= end }
            .map { $0.tones.indices.contains(place) ? $0.tones[place] : 0 }.sorted()
        return levels.isEmpty ? nil : levels[levels.count / 2]
    }

    /// In how many windows from `start` to `end` `tone` was heard.
    public func count(of tone: Int, from start: Instant, to end: Instant) -> Int {
        guard let place = tones.firstIndex(of: tone) else { return 0 }
        return windows.count {
            $0.at >= start && $0.at + Self.length <= end && $0.tones.indices.contains(place) && $0.tones[place] >= Self.threshold
        }
    }

    /// From the first window in which `tone` was heard to the last; nil: never.
    public func span(of tone: Int) -> ClosedRange<Instant>? {
        guard let place = tones.firstIndex(of: tone) else { return nil }
        let heard = windows.filter { $0.tones.indices.contains(place) && $0.tones[place] >= Self.threshold }
        guard let first = heard.first, let last = heard.last else { return nil }
        return first.at...(last.at + Self.length)
    }
}
