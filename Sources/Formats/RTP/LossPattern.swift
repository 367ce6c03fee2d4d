/// How losses are spread: bursts and gaps (RFC 3611 4.7.2), and the burst ratio of ITU-T G.107.
///
/// A burst begins and ends with a loss and holds no run of 16 or more received packets; a single loss between such runs
/// belongs to the gap. Told once a packet, in sequence order.
public struct LossPattern: Hashable, Sendable {
    /// RFC 3611's Gmin.
    public static let shortestGap: UInt32 = 16

    private var gapReceived: UInt64 = 0
    private var gapLost: UInt64 = 0
    private var burstReceived: UInt64 = 0
    private var burstLost: UInt64 = 0
    private var endedBursts: UInt64 = 0
    /// Of the loss or burst under way.
    private var openLost: UInt64 = 0
    private var openReceived: UInt64 = 0
    /// Received since the last loss.
    private var received: UInt32 = 0
    private var lastWasLost = false
    public private(set) var expected: UInt64 = 0
    public private(set) var lost: UInt64 = 0
    /// Runs of losses without a received packet between them.
    public private(set) var runs: UInt64 = 0
    /// The longest of them, in packets.
    public private(set) var longestRun: UInt64 = 0
    private var run: UInt64 = 0

    public init() {}

    public mutating func noteReceived() {
        expected &+= 1
        received &+= 1
        lastWasLost = false
    }

    public mutating func noteLost() {
        expected &+= 1
        lost &+= 1
        if !lastWasLost {
            runs &+= 1
            run = 0
        }
        run &+= 1
        longestRun = max(longestRun, run)
        lastWasLost = true
        if openLost > 0, received < Self.shortestGap {
            openReceived &+= UInt64(received)
            openLost &+= 1
        } else {
            close()
            openLost = 1
        }
        received = 0
    }

    private mutating func close() {
        if openLost == 1 {
            gapLost &+= 1
        } else if openLost > 1 {
            endedBursts &+= 1
            burstLost &+= openLost
            burstReceived &+= openReceived
        }
        gapReceived &+= UInt64(received)
        openLost = 0
        openReceived = 0
        received = 0
    }

    private var closed: LossPattern {
        var copy = self
        copy.close()
        return copy
    }

    /// The share of packets lost, 0...1.
    public var lossRate: Double { expected == 0 ? 0 : Double(lost) / Double(expected) }

    /// BurstR of G.107: mean length of a run of losses over what random loss at the same rate would give; 1: random.
    public var burstRatio: Double {
        guard runs > 0 else { return 1 }
        return max(1, Double(lost) / Double(runs) * (1 - lossRate))
    }

    /// How many bursts of at least two losses there were, one under way included.
    public var bursts: UInt64 { closed.endedBursts }

    /// The share of packets lost within bursts, 0...1.
    public var burstDensity: Double {
        let end = closed
        return end.endedBursts == 0 ? 0 : Double(end.burstLost) / Double(end.burstLost &+ end.burstReceived)
    }

    /// Mean length of a burst in packets, those received within it included.
    public var burstLength: Double {
        let end = closed
        return end.endedBursts == 0 ? 0 : Double(end.burstLost &+ end.burstReceived) / Double(end.endedBursts)
    }

    /// The share of packets lost within gaps, 0...1.
    public var gapDensity: Double {
        let end = closed
        let all = end.gapReceived &+ end.gapLost
        return all == 0 ? 0 : Double(end.gapLost) / Double(all)
    }
}
