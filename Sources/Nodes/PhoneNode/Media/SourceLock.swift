import Base
import RTP

/// Whose audio a call listens to: the signalled address at once, another after three packets in sequence; then nobody else's, unless
/// the source falls silent for 2 s and the same stream goes on from elsewhere.
struct SourceLock: Sendable {
    private struct Stream: Sendable {
        var source: Endpoint
        var ssrc: UInt32
        var sequence: UInt16
        var at: Instant
    }

    private enum State: Sendable {
        case open(Stream?, count: Int)
        case locked(Stream)
    }

    static let packetsToLock = 3
    static let silence = Duration.seconds(2)

    private var state = State.open(nil, count: 0)

    /// The source that was settled on; nil before.
    var source: Endpoint? { if case .locked(let stream) = state { stream.source } else { nil } }

    /// A new offer and answer permit learning anew.
    mutating func reopen() { state = .open(nil, count: 0) }

    /// Whether a packet is to be taken. `isProved`: ICE has shown that the other side is at `source`.
    mutating func takes(_ header: RTPHeader, from source: Endpoint, signalled: Endpoint?, isProved: Bool = false, at now: Instant)
        -> Bool
    {
        let stream = Stream(source: source, ssrc: header.ssrc, sequence: header.sequenceNumber, at: now)
        if isProved {
            state = .locked(stream)
            return true
        }
        switch state {
        case .open(let candidate, let count):
            if source == signalled {
                state = .locked(stream)
                return true
            }
            let follows =
                candidate.map {
                    $0.source == source && $0.ssrc == header.ssrc && header.sequenceNumber &- $0.sequence &- 1 < 16
                } ?? false
            let seen = follows ? count + 1 : 1
            // A candidate under way is not put off by the packets of another.
            if !follows, let candidate, now - candidate.at < .milliseconds(200) { return false }
            state = seen >= Self.packetsToLock ? .locked(stream) : .open(stream, count: seen)
            return true
        case .locked(let known):
            if source == known.source {
                state = .locked(stream)
                return true
            }
            let ahead = header.sequenceNumber &- known.sequence
            guard header.ssrc == known.ssrc, now - known.at >= Self.silence, ahead > 0, ahead < 1_000 else { return false }
            state = .locked(stream)
            return true
        }
    }
}
