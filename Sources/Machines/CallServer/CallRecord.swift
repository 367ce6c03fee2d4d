import Base
import MediaControl

/// What is kept of one call: who with whom, when, and what became of its media.
public struct CallRecord: Hashable, Sendable {
    /// One stream of one party.
    public struct Stream: Hashable, Sendable {
        /// `audio`, `video`, `image`.
        public var kind: String
        /// nil: the media plane told none in time.
        public var verdict: MediaVerdict?
        /// The verdict as a sentence.
        public var text: String

        public init(kind: String, verdict: MediaVerdict?, text: String) {
            self.kind = kind
            self.verdict = verdict
            self.text = text
        }
    }

    /// One who was heard or rung.
    public struct Party: Hashable, Sendable {
        /// `alice@example.com`, or the name of a service.
        public var address: String
        /// The last flow it was reached by; nil for a service.
        public var flow: FlowID?
        /// Whether it took part in the conversation, rather than only rang.
        public var answered: Bool
        public var streams: [Stream]

        public init(address: String, flow: FlowID?, answered: Bool, streams: [Stream]) {
            self.address = address
            self.flow = flow
            self.answered = answered
            self.streams = streams
        }
    }

    /// Counted from 1 since the server started.
    public var number: UInt64
    /// Of the caller's dialog.
    public var callID: String
    /// Digest user name of whoever began it, for whom it counts; empty: a stranger.
    public var account: String
    public var from: String
    public var to: String
    public var start: Instant
    /// nil: never answered.
    public var answer: Instant?
    public var end: Instant
    /// The final response the caller got; 0: it went away before.
    public var status: Int
    /// Why it ended, in words: "alice@pinhole hung up", "486 Busy Here"; before that, who forwarded it to whom: "bob@pinhole forwarded to
    /// carol@pinhole; alice@pinhole hung up".
    public var reason: String
    /// Of the conversation's first audio stream; empty for none.
    public var codec: String
    /// Whether media went from phone to phone without us.
    public var isDirect: Bool
    /// The caller first.
    public var parties: [Party]

    public init(
        number: UInt64, callID: String, account: String = "", from: String, to: String, start: Instant, answer: Instant?,
        end: Instant, status: Int, reason: String, codec: String, isDirect: Bool, parties: [Party]
    ) {
        self.number = number
        self.callID = callID
        self.account = account
        self.from = from
        self.to = to
        self.start = start
        self.answer = answer
        self.end = end
        self.status = status
        self.reason = reason
        self.codec = codec
        self.isDirect = isDirect
        self.parties = parties
    }

    /// From answer to end; zero where it was never answered.
    public var talked: Duration { answer.map { end - $0 } ?? .zero }

    /// One line for a log.
    public var text: String {
        var text = "\(from) to \(to): "
        if answer == nil {
            text += "not answered"
        } else {
            text += "talked \(talked.wholeSeconds) s\(codec.isEmpty ? "" : " in \(codec)")"
        }
        return text + "; \(reason)"
    }
}

extension CallRecord {
    /// With all its times so much later: records are kept as the wall clock shows them.
    public func moved(by duration: Duration) -> CallRecord {
        var record = self
        record.start += duration
        record.answer = record.answer.map { $0 + duration }
        record.end += duration
        return record
    }
}
