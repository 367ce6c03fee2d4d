/// How much may be on its way (RFC 5681), with NewReno's fast recovery (RFC 6582).
struct CongestionWindow: Sendable {
    private enum State: Sendable {
        /// Slow start or congestion avoidance; `duplicates` in a row.
        case normal(duplicates: Int)
        /// Until everything sent before `until` is acknowledged.
        case recovery(until: SequenceNumber)
    }

    /// What an acknowledgment calls for.
    enum Advice: Sendable {
        case goOn
        /// The segment at SND.UNA is missing: send it again now.
        case resend
    }

    private(set) var octets: Int
    private var threshold = Int.max
    private var state = State.normal(duplicates: 0)
    private var segment: Int

    /// `segment`: the sender's maximum segment size.
    init(segment: Int) {
        self.segment = segment
        octets = Self.initial(segment)
    }

    private static func initial(_ segment: Int) -> Int {
        segment > 2_190 ? 2 * segment : segment > 1_095 ? 3 * segment : 4 * segment
    }

    /// `acknowledged` new octets, up to `una`.
    mutating func advanced(by acknowledged: Int, to una: SequenceNumber) -> Advice {
        switch state {
        case .normal:
            state = .normal(duplicates: 0)
            if octets < threshold {
                octets += min(acknowledged, segment)
            } else {
                octets += max(1, segment * segment / octets)
            }
            return .goOn
        case .recovery(let until):
            guard una.isBefore(until) else {
                octets = min(threshold, octets)
                state = .normal(duplicates: 0)
                return .goOn
            }
            octets = max(segment, octets - acknowledged + segment)
            return .resend
        }
    }

    /// An acknowledgment that says nothing new while octets are on their way; `highest`: SND.NXT at its furthest.
    mutating func duplicated(flight: Int, highest: SequenceNumber) -> Advice {
        switch state {
        case .normal(let duplicates):
            guard duplicates + 1 >= 3 else {
                state = .normal(duplicates: duplicates + 1)
                return .goOn
            }
            threshold = max(flight / 2, 2 * segment)
            octets = threshold + 3 * segment
            state = .recovery(until: highest)
            return .resend
        case .recovery:
            octets += segment
            return .goOn
        }
    }

    /// The retransmission timer ran out; `isFirst`: of this segment.
    mutating func timedOut(flight: Int, isFirst: Bool) {
        if isFirst { threshold = max(flight / 2, 2 * segment) }
        octets = segment
        state = .normal(duplicates: 0)
    }

    /// Segments are smaller from now on.
    mutating func resize(to segment: Int) {
        self.segment = segment
        octets = max(octets, segment)
    }
}
