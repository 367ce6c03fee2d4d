import Base

/// What a receiver learns from the headers of one RTP stream (RFC 3550 6.4, A.1, A.3, A.8; RFC 3611): counts, loss, order, jitter.
///
/// A fixed-size value: nothing is allocated a packet. One synchronisation source at a time: another one takes over after two
/// packets in sequence, and what the first had is kept in the totals.
public struct ReceptionStatistics: Hashable, Sendable {
    /// What became of a packet.
    public enum Verdict: UInt8, Hashable, Sendable {
        case inOrder
        /// Late, but wanted.
        case outOfOrder
        case duplicate
        /// First of a source or of a new numbering that must prove itself by a second packet (RFC 3550 A.1).
        case probation
        /// A jump in numbers, or another source: the stream starts anew with this packet and the one before.
        case restarted
    }

    /// Jumps forward beyond this are a new numbering (RFC 3550 A.1).
    static let largestDropout: UInt16 = 3_000
    /// Packets later than this are a new numbering.
    static let largestMisorder: UInt16 = 100

    /// Hz of the RTP timestamp; changing it starts the jitter anew.
    public var clockRate: UInt32 {
        didSet { if clockRate != oldValue { hasTransit = false } }
    }
    /// nil before the first packet was believed.
    public private(set) var ssrc: UInt32?
    /// Sequence number of the first packet.
    public private(set) var firstSequence: UInt16 = 0
    /// The highest, wraps in the upper bits.
    public private(set) var highestSequence: UInt64 = 0
    private var base: UInt64 = 0
    /// Bit n: the packet n before the highest came.
    private var window: UInt64 = 0
    private var filled = 0
    private var decided = LossPattern()

    private var candidate: (UInt32, UInt16)? {
        get { hasCandidate ? (candidateSource, candidateNext) : nil }
        set {
            hasCandidate = newValue != nil
            candidateSource = newValue?.0 ?? 0
            candidateNext = newValue?.1 ?? 0
        }
    }
    private var hasCandidate = false
    private var candidateSource: UInt32 = 0
    private var candidateNext: UInt16 = 0

    /// Different packets of the present source.
    public private(set) var received: UInt64 = 0
    public private(set) var duplicates: UInt64 = 0
    public private(set) var outOfOrder: UInt64 = 0
    /// Later than the window of 64: counted as received, though they came too late to be of use.
    public private(set) var late: UInt64 = 0
    /// Packets that never proved to belong to a stream.
    public private(set) var unproved: UInt64 = 0
    /// How often another source, or another numbering, took over.
    public private(set) var restarts: UInt32 = 0
    private var earlierExpected: UInt64 = 0
    private var earlierReceived: UInt64 = 0

    /// Whether `transit` stands for anything yet.
    public private(set) var hasTransit = false
    /// Arrival minus timestamp of the last packet, clock units from an arbitrary origin: a rise is a delay.
    public private(set) var transit: Int64 = 0
    /// In sixteenths of a clock unit.
    private var scaledJitter: UInt64 = 0
    private var scaledMaximum: UInt64 = 0
    public private(set) var firstArrival: Instant?
    public private(set) var lastArrival = Instant.epoch
    private var silence: Int64 = 0
    /// Between two packets of the stream.
    public var longestSilence: Duration { .nanoseconds(silence) }

    private var expectedAtReport: UInt64 = 0
    private var receivedAtReport: UInt64 = 0

    public init(clockRate: UInt32 = 8_000) { self.clockRate = clockRate }

    /// The sender's timestamps start anew with the next packet: no jitter is counted across the seam.
    public mutating func restartTiming() { hasTransit = false }

    /// Counts a packet. `timesJitter`: false for packets whose timestamp stands still, such as telephone events.
    @discardableResult
    public mutating func receive(_ header: RTPHeader, at now: Instant, timesJitter: Bool = true) -> Verdict {
        receive(
            ssrc: header.ssrc, sequence: header.sequenceNumber, timestamp: header.timestamp, at: now, timesJitter: timesJitter)
    }

    /// The same from values.
    @discardableResult
    public mutating func receive(
        ssrc source: UInt32, sequence: UInt16, timestamp: UInt32, at now: Instant, timesJitter: Bool = true
    ) -> Verdict {
        guard ssrc == source else { return prove(source, sequence, timestamp, now) }
        let ahead = sequence &- UInt16(truncatingIfNeeded: highestSequence)
        let verdict: Verdict
        if ahead == 1 {
            slide()
            verdict = .inOrder
        } else if ahead == 0 {
            verdict = .duplicate
        } else if ahead < Self.largestDropout {
            for _ in 0..<ahead { slide() }
            verdict = .inOrder
        } else if ahead > 0 &- Self.largestMisorder {
            verdict = fill(UInt64(0 &- ahead))
        } else {
            return prove(source, sequence, timestamp, now)
        }
        hasCandidate = false
        if verdict == .duplicate {
            duplicates &+= 1
            return .duplicate
        }
        if ahead < Self.largestDropout { window |= 1 }
        received &+= 1
        // In order of arrival, not of numbers (RFC 3550 6.4.1).
        note(timestamp, now, timesJitter: timesJitter)
        return verdict
    }

    /// One number on.
    private mutating func slide() {
        highestSequence &+= 1
        if filled == 64 {
            if window >> 63 == 1 { decided.noteReceived() } else { decided.noteLost() }
        } else {
            filled &+= 1
        }
        window <<= 1
    }

    /// A packet `back` numbers before the highest.
    private mutating func fill(_ back: UInt64) -> Verdict {
        if back < UInt64(filled) {
            guard window >> back & 1 == 0 else { return .duplicate }
            window |= 1 << back
        } else if back <= highestSequence &- base {
            late &+= 1
        } else {
            // From before the first that was seen.
            guard back < 64, base >= back &- (highestSequence &- base) else { return .duplicate }
            base = highestSequence &- back
            filled = Int(back) &+ 1
            window |= 1 << back
        }
        outOfOrder &+= 1
        return .outOfOrder
    }

    private mutating func prove(_ source: UInt32, _ sequence: UInt16, _ timestamp: UInt32, _ now: Instant) -> Verdict {
        guard hasCandidate, candidateSource == source, candidateNext == sequence else {
            if hasCandidate { unproved &+= 1 }
            candidate = (source, sequence &+ 1)
            if firstArrival == nil { firstArrival = now }
            return .probation
        }
        hasCandidate = false
        let isFirst = ssrc == nil
        if !isFirst {
            restarts &+= 1
            finishWindow()
            earlierExpected &+= expected
            earlierReceived &+= received
        }
        // Cycles start at one, so that packets from before the first find room below it.
        ssrc = source
        firstSequence = sequence &- 1
        base = 65_536 + UInt64(firstSequence)
        highestSequence = base &+ 1
        window = 3
        filled = 2
        received = 2
        hasTransit = false
        expectedAtReport = 0
        receivedAtReport = 0
        note(timestamp, now, timesJitter: true)
        return isFirst ? .inOrder : .restarted
    }

    private mutating func note(_ timestamp: UInt32, _ now: Instant, timesJitter: Bool) {
        let start: Instant
        if let firstArrival {
            start = firstArrival
            if received > 2 || restarts > 0 {
                silence = max(silence, now.nanoseconds &- lastArrival.nanoseconds)
            }
        } else {
            firstArrival = now
            start = now
        }
        lastArrival = now
        guard timesJitter else { return }
        let elapsed = now.nanoseconds &- start.nanoseconds
        let rate = Int64(clockRate)
        let seconds = elapsed / 1_000_000_000
        let arrival = seconds &* rate &+ (elapsed &- seconds &* 1_000_000_000) &* rate / 1_000_000_000
        // The clock wraps at 32 bits, and so may the difference.
        let next = Int64(Int32(truncatingIfNeeded: arrival &- Int64(timestamp)))
        if hasTransit {
            let change = Int64(Int32(truncatingIfNeeded: next &- transit))
            scaledJitter = scaledJitter &+ change.magnitude &- (scaledJitter &+ 8) >> 4
            scaledMaximum = max(scaledMaximum, scaledJitter)
        }
        transit = next
        hasTransit = true
    }

    private mutating func finishWindow() {
        for place in (0..<filled).reversed() {
            if window >> UInt64(place) & 1 == 1 { decided.noteReceived() } else { decided.noteLost() }
        }
        filled = 0
        window = 0
    }

    /// Of the present source: from the first number to the highest.
    public var expected: UInt64 { ssrc == nil ? 0 : highestSequence &- base &+ 1 }

    /// RFC 3550 A.3 over all sources; 0 where more came than was expected.
    public var lost: UInt64 {
        let all = totalExpected
        let came = totalReceived
        return all > came ? all - came : 0
    }

    public var totalExpected: UInt64 { expected &+ earlierExpected }
    /// Different packets of all sources.
    public var totalReceived: UInt64 { received &+ earlierReceived }

    /// 0...1.
    public var lossRate: Double { totalExpected == 0 ? 0 : Double(lost) / Double(totalExpected) }

    /// RFC 3550 A.8, in clock units.
    public var jitter: UInt32 { UInt32(truncatingIfNeeded: scaledJitter >> 4) }
    /// Milliseconds.
    public var jitterMilliseconds: Double { clockRate == 0 ? 0 : Double(scaledJitter) / 16_000 / Double(clockRate) * 1_000_000 }
    /// The highest that the running value reached, milliseconds.
    public var maximumJitterMilliseconds: Double {
        clockRate == 0 ? 0 : Double(scaledMaximum) / 16_000 / Double(clockRate) * 1_000_000
    }

    /// How losses are spread, up to now.
    public var lossPattern: LossPattern {
        var copy = self
        copy.finishWindow()
        return copy.decided
    }

    /// A report on the present source, loss since the last such report included (RFC 3550 A.3); nil before a source is believed.
    public mutating func report(lastSenderReport: UInt32 = 0, delay: UInt32 = 0) -> RTCPReportBlock? {
        guard let ssrc else { return nil }
        let came = received &+ duplicates
        let expectedNow = expected
        let expectedInterval = Int64(expectedNow) &- Int64(expectedAtReport)
        let lostInterval = expectedInterval &- (Int64(came) &- Int64(receivedAtReport))
        expectedAtReport = expectedNow
        receivedAtReport = came
        let fraction = expectedInterval <= 0 || lostInterval <= 0 ? 0 : min(255, lostInterval &* 256 / expectedInterval)
        return RTCPReportBlock(
            ssrc: ssrc, fractionLost: UInt8(fraction),
            packetsLost: Int32(max(-0x80_0000, min(0x7f_ffff, Int64(expectedNow) &- Int64(came)))),
            // The cycle that was added at the start is taken off.
            highestSequence: UInt32(truncatingIfNeeded: highestSequence &- 65_536), jitter: jitter,
            lastSenderReport: lastSenderReport, delaySinceLastSenderReport: delay)
    }
}
