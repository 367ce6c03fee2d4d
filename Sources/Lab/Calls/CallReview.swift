import Base
import PhoneNode

/// What became of one call: who heard whom, and if not, why not.
public struct CallReview: Hashable, Sendable {
    public var caller: String
    /// As dialled.
    public var target: String
    public var beganAt: Instant
    public var answeredAt: Instant?
    /// In words.
    public var outcome: String
    /// From caller to callee and back; in a room and at the echo test what the caller hears. Empty where it was not answered.
    public var ways: [AudioWay]
    /// What the server says of each party's media, party first. Empty while the call goes on, and where media went past the server.
    public var verdicts: [String]

    /// nil: not answered, or nobody was there to be heard.
    public var isAudioComplete: Bool? { ways.isEmpty ? nil : ways.allSatisfy(\.isHeard) }

    /// `both ways`, `one way`, `no audio`, `not answered`, ...
    public var summary: String {
        guard answeredAt != nil else { return "not answered" }
        guard !ways.isEmpty else { return "nobody to be heard" }
        let heard = ways.count(where: \.isHeard)
        if heard == ways.count { return ways.count == 1 ? "audio" : ways.count == 2 ? "audio both ways" : "audio all ways" }
        if heard == 0 { return ways.contains { $0.share > 0 } ? "broken audio" : "no audio" }
        return ways.count == 2 ? "one-way audio" : "audio \(heard) of \(ways.count) ways"
    }
}

/// Whether one phone heard another's tone.
public struct AudioWay: Hashable, Sendable {
    public var speaker: String
    public var listener: String
    /// Hz.
    public var tone: Int
    /// Root mean square in the middle of the call; 0: silence.
    public var level: Double
    /// Of the time both were in the call, how much the tone was heard: 0...1.
    public var share: Double
    /// Since the call stood: when it was heard last; nil: never.
    public var lastHeard: Duration?
    /// nil: it was heard all along.
    public var reason: SilenceReason?

    /// At least nine tenths of the time: a lost packet or a room's own tones do not count.
    public var isHeard: Bool { share >= 0.9 }
}
