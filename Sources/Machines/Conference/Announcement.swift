import Base
import Codecs

/// A text on its way to a party's ear.
struct Announcement: Sendable {
    private enum State: Sendable {
        /// Not before the party is heard, or a second has passed: until then its packets may have nowhere to go.
        case waiting(since: Instant)
        /// The voice is at work.
        case asking(since: Instant)
        case speaking([Int16], at: Int, Resampler)
        case tapping(NotePlayer)
        /// Ticks of silence left.
        case ending(Int)
    }

    /// Samples of a voice beyond which it is cut off: half a minute at 48 kHz.
    private static let longest = 30 * 48_000

    let text: String
    private let rate: Int
    private var state: State

    init(_ text: String, rate: Int, at now: Instant) {
        self.text = text
        self.rate = rate
        state = .waiting(since: now)
    }

    var isOver: Bool {
        if case .ending(0) = state { return true }
        return false
    }

    /// Fills a tick's samples.
    mutating func next(
        into samples: UnsafeMutableBufferPointer<Int16>, isHeard: Bool, _ voice: SpeechProvider?, patience: Duration,
        at now: Instant
    ) {
        samples.update(repeating: 0)
        switch state {
        case .waiting(let since):
            guard isHeard || now - since >= .seconds(1) else { return }
            state = .asking(since: now)
            ask(voice, since: now, patience, at: now)
        case .asking(let since): ask(voice, since: since, patience, at: now)
        case .speaking(let speech, let at, var resampler):
            let block = min(resampler.from / 50, speech.count - at)
            let length = speech.withUnsafeBufferPointer {
                resampler.process(UnsafeBufferPointer(rebasing: $0[at..<(at + block)]), into: samples)
            }
            // Where the rates are odd the last sample of a tick may be missing.
            if length > 0, length < samples.count { samples[length...].update(repeating: samples[length - 1]) }
            state = at + block < speech.count ? .speaking(speech, at: at + block, resampler) : .ending(10)
        case .tapping(var player):
            player.next(into: samples)
            state = player.isOver ? .ending(10) : .tapping(player)
        case .ending(let left): state = .ending(max(0, left - 1))
        }
    }

    private mutating func ask(_ voice: SpeechProvider?, since: Instant, _ patience: Duration, at now: Instant) {
        switch voice?.ask(text) ?? .unavailable {
        case .ready(let speech, let from):
            if speech.isEmpty || !(1_000...192_000).contains(from) {
                tap()
            } else {
                state = .speaking(Array(speech.prefix(Self.longest)), at: 0, Resampler(from: from, to: rate))
            }
        case .pending: if now - since >= patience { tap() }
        case .unavailable: tap()
        }
    }

    private mutating func tap() { state = .tapping(NotePlayer(Morse.notes(text), sampleRate: rate)) }
}
