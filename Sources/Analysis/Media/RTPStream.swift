import Base
import Capture
import RTP

/// What identifies a stream: who sends to whom, the SSRC (RFC 3550 3), and the capture that shows it.
struct RTPStreamKey: Hashable, Sendable {
    var source: PackedAddress
    var destination: PackedAddress
    var sourcePort: UInt16
    var destinationPort: UInt16
    var file: UInt16
    var ssrc: UInt32

    @inline(__always)
    static func == (a: RTPStreamKey, b: RTPStreamKey) -> Bool {
        a.ssrc == b.ssrc && a.source.low == b.source.low && a.destination.low == b.destination.low && a.sourcePort == b.sourcePort
            && a.destinationPort == b.destinationPort && a.file == b.file && a.source.high == b.source.high
            && a.destination.high == b.destination.high
    }

    @inline(__always)
    var mixed: UInt64 {
        let ports = UInt64(sourcePort) << 48 | UInt64(destinationPort) << 32 | UInt64(ssrc)
        var hash = (ports ^ UInt64(file) << 24) &* 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ hash >> 29 ^ source.low ^ source.high &* 0xc2b2_ae3d_27d4_eb4f) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 32 ^ destination.low ^ destination.high) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ hash >> 31
    }

    func hash(into hasher: inout Hasher) { hasher.combine(mixed) }
}

/// The running state of one RTP stream as the capture shows it.
struct RTPStream: Sendable {
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        /// The clock rate is known by payload type or signalling, or estimated.
        static let hasClock = Flags(rawValue: 1)
        /// The clock rate was estimated.
        static let isEstimated = Flags(rawValue: 2)
        static let isVideo = Flags(rawValue: 4)
        static let sawComfortNoise = Flags(rawValue: 8)
        /// The payload type changed.
        static let hasTurned = Flags(rawValue: 32)
        /// Only packets that keep a mapping alive came so far (RFC 6263 4).
        static let isKeepalive = Flags(rawValue: 64)
    }

    /// A stretch of time in which packets came, nanoseconds.
    struct Activity: Sendable {
        var from: Int64
        var to: Int64
    }

    /// A pause that the numbers and timestamps of the packets missing in it fill to the packet: they were sent, and did not come.
    struct Gap: Sendable {
        var from: Int64
        var to: Int64
        var missing: Int
    }

    /// Losses that lie across a hole in the capture.
    struct HoleLoss: Sendable {
        var hole: Int
        var lost: Int
    }

    /// A pause beyond this ends an activity.
    static let longestPause: Int64 = 1_000_000_000
    static let mostActivities = 12
    /// A delay above the promptest packet's beyond this misses most jitter buffers, milliseconds.
    static let playable: Int64 = 100

    let key: RTPStreamKey
    var statistics: ReceptionStatistics
    var flags: Flags = []
    /// Of the sound; digits and comfort noise do not change it.
    var payloadType: UInt8
    /// Index into the table of codec names; 0: unknown.
    var codec: UInt16 = 0
    /// Of RFC 4733 where signalling names it, else 255.
    var eventType: UInt8 = 255
    /// Payload type of the digits that were sent, how many packets, and how many digits.
    private(set) var eventsSent: UInt8 = 255
    private(set) var eventPackets: UInt32 = 0
    private(set) var eventsCounted: UInt32 = 0
    private var eventTimestamp: UInt32 = 0
    /// Of the sound's payloads.
    private(set) var sizes = PayloadSizes()
    var firstFrame: UInt32
    var lastFrame: UInt32
    let first: Int64
    private(set) var last: Int64
    private var lastTimestamp: UInt32
    private let firstTimestamp: UInt32
    private(set) var packetStep: UInt32 = 0
    private var stepCandidate: UInt32 = 0
    /// Talk spurts that began after a pause with nothing lost.
    private(set) var spurts: UInt32 = 0
    private(set) var timestampRestarts: UInt32 = 0
    private(set) var late: UInt32 = 0
    /// The highest delay above the promptest packet's, clock units.
    private(set) var mostLate: Int64 = 0
    /// Packets in a row that came late, or nearly so after one that did.
    private var lateRun: UInt8 = 0
    private var lowest: Int64 = .max
    private var lowestBefore: Int64 = .max
    private var windowEnd: Int64
    private var activityFrom: Int64
    private var activities: [Activity] = []
    private(set) var gaps: [Gap] = []
    private(set) var holeLosses: [HoleLoss] = []
    private var jitterSum: UInt64 = 0
    private var jitterCount: UInt32 = 0
    // The bin under way.
    var binEnd: Int64
    /// When digits or comfort noise last came.
    private var lastAuxiliary = Int64.min
    var binWidth: Int64
    private var binExpected: UInt64 = 0
    private var binReceived: UInt64 = 0
    private var binJitter: UInt32 = 0

    init(key: RTPStreamKey, payloadType: UInt8, timestamp: UInt32, at now: Int64, frame: UInt32) {
        self.key = key
        self.payloadType = payloadType
        statistics = ReceptionStatistics()
        firstFrame = frame
        lastFrame = frame
        first = now
        last = now
        lastTimestamp = timestamp
        firstTimestamp = timestamp
        windowEnd = now &+ 5_000_000_000
        activityFrom = now
        binWidth = StreamTimelines.firstWidth
        binEnd = now &+ binWidth
    }

    /// Two packets in sequence came: it is RTP.
    var isConfirmed: Bool { statistics.ssrc != nil }

    /// Counts a packet. `isSound`: neither digits nor comfort noise.
    @inline(__always)
    mutating func receive(
        sequence: UInt16, timestamp: UInt32, marker: Bool, isSound: Bool, octets: Int = 0, at now: Int64, frame: UInt32
    ) {
        lastFrame = frame
        if isSound, octets > 0 { sizes.note(octets) }
        let pause = now &- last
        let step = timestamp &- lastTimestamp
        let ahead = sequence &- UInt16(truncatingIfNeeded: statistics.highestSequence)
        if isSound, marker || pause > 200_000_000 || step > statistics.clockRate {
            seam(step: step, pause: pause, marker: marker, isNext: ahead == 1)
        }
        // Numbers that go on without a gap: the sender itself was silent, and nothing is missing.
        if pause > Self.longestPause, ahead != 1 {
            if isSound { noteGap(step, ahead, pause, now) }
            resume(at: now)
        }
        let verdict = statistics.receive(
            ssrc: key.ssrc, sequence: sequence, timestamp: timestamp, at: Instant(nanoseconds: now),
            timesJitter: isSound && flags.contains(.hasClock))
        if now > last { last = now }
        guard isSound else {
            // Digits after a pause in which nothing was lost: the sender itself was silent.
            if pause > Self.longestPause, ahead == 1, isConfirmed { spurts &+= 1 }
            lastAuxiliary = now
            return
        }
        switch verdict {
        case .inOrder:
            if ahead == 1, step != packetStep { learn(step) } else if ahead > 1, !marker { slip(step, ahead) }
            lastTimestamp = timestamp
            if statistics.hasTransit { time(now) }
        case .restarted, .probation:
            lastTimestamp = timestamp
            lowest = .max
            lowestBefore = .max
        case .outOfOrder: if statistics.hasTransit { time(now) }
        case .duplicate: break
        }
    }

    @inline(__always)
    private mutating func time(_ now: Int64) {
        let transit = statistics.transit
        if transit < lowest { lowest = transit }
        let delay = transit &- min(lowest, lowestBefore)
        let playable = Self.playable &* Int64(statistics.clockRate)
        // Jitter about the limit does not end a run.
        if delay &* 1_000 > playable || lateRun > 0 && delay &* 2_000 > playable {
            if delay &* 1_000 > playable {
                late &+= 1
                if delay > mostLate { mostLate = delay }
            }
            lateRun &+= 1
            // It stays so: the sender paused, or its clock was set. Every jitter buffer follows.
            if lateRun >= 10 {
                lateRun = 0
                lowest = transit
                lowestBefore = .max
            }
        } else {
            lateRun = 0
        }
        let jitter = statistics.jitter
        jitterSum &+= UInt64(jitter)
        jitterCount &+= 1
        if jitter > binJitter { binJitter = jitter }
        if now > windowEnd {
            windowEnd = now &+ 5_000_000_000
            lowestBefore = lowest
            lowest = transit
        }
    }

    /// Its last packet says that silence follows, on purpose (RFC 3389 3).
    var endsInNoise: Bool { flags.contains(.sawComfortNoise) && lastAuxiliary == last }

    /// Whether another payload type than the stream's carries digits (RFC 4733) or comfort noise (RFC 3389); it is noted.
    mutating func isAuxiliary(_ type: UInt8, payloadCount: Int, timestamp: UInt32) -> Bool {
        if type == 13 {
            flags.insert(.sawComfortNoise)
            return true
        }
        guard type == eventType || (type >= 96 && payloadCount == 4) else { return false }
        // All packets of one digit have the same timestamp (RFC 4733 2.5.1.1).
        if eventPackets == 0 || timestamp != eventTimestamp { eventsCounted &+= 1 }
        eventTimestamp = timestamp
        eventsSent = type
        eventPackets &+= 1
        return true
    }

    /// The sound goes on in another payload type. `clockRate` 0: unknown.
    mutating func turn(to type: UInt8, clockRate: UInt32, codec: UInt16) {
        if type != payloadType, !flags.contains(.isKeepalive) { flags.insert(.hasTurned) }
        flags.remove(.isKeepalive)
        payloadType = type
        self.codec = codec
        flags.remove(.isEstimated)
        guard clockRate > 0 else {
            flags.remove(.hasClock)
            return
        }
        flags.insert(.hasClock)
        if clockRate == 90_000 { flags.insert(.isVideo) }
        guard clockRate != statistics.clockRate else { return }
        statistics.clockRate = clockRate
        lowest = .max
        lowestBefore = .max
    }

    /// Nobody named the payload type: its clock is the usual rate nearest to how fast the timestamps ran so far.
    mutating func estimateClock(at now: Int64) {
        guard !flags.contains(.hasClock), isConfirmed, now &- first >= 900_000_000 else { return }
        let ticks = Double(lastTimestamp &- firstTimestamp)
        let rate = ticks * 1e9 / Double(now &- first)
        let usual: [UInt32] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 90_000]
        guard let near = usual.min(by: { abs(Double($0) - rate) < abs(Double($1) - rate) }), abs(Double(near) - rate) < 0.1 * rate
        else { return }
        turn(to: payloadType, clockRate: near, codec: 0)
        flags.insert(.isEstimated)
    }

    /// A place where the sender's clock need not have run on: a talk spurt begins, or the timestamps start anew.
    private mutating func seam(step: UInt32, pause: Int64, marker: Bool, isNext: Bool) {
        guard flags.contains(.hasClock), isConfirmed else { return }
        let rate = Int64(statistics.clockRate)
        let passed = Int64(Int32(bitPattern: step)) &* 1_000 / max(1, rate)
        let change = pause / 1_000_000 &- passed
        if isNext, pause > 200_000_000, marker || passed > 100 {
            spurts &+= 1
        }
        if change.magnitude > 1_000, isNext || marker {
            // New numbers are counted by themselves.
            if isNext { timestampRestarts &+= 1 }
            statistics.restartTiming()
            lowest = .max
            lowestBefore = .max
        } else if marker, isNext, change.magnitude > 100, pause > 200_000_000 {
            // Its timestamps stand still while it is silent.
            statistics.restartTiming()
            lowest = .max
            lowestBefore = .max
        }
    }

    /// Numbers are missing, and the timestamps did not count the missing packets: the sender's clock fell behind by them.
    private mutating func slip(_ step: UInt32, _ ahead: UInt16) {
        guard packetStep > 0, ahead < 3_000 else { return }
        let behind = Int64(UInt32(ahead) &* packetStep) &- Int64(step)
        guard behind > 0, behind < Int64(statistics.clockRate) else { return }
        if lowest != .max { lowest &+= behind }
        if lowestBefore != .max { lowestBefore &+= behind }
    }

    private mutating func learn(_ step: UInt32) {
        if step == stepCandidate, step > 0, step < 0x8000_0000 { packetStep = step }
        stepCandidate = step
    }

    private mutating func noteGap(_ step: UInt32, _ ahead: UInt16, _ pause: Int64, _ now: Int64) {
        guard gaps.count < Self.mostActivities, ahead > 1, isConfirmed, packetStep > 0, flags.contains(.hasClock),
            statistics.clockRate > 0
        else { return }
        let units = Int64(ahead) &* Int64(packetStep)
        let lasts = units &* 1_000_000 / Int64(statistics.clockRate) &* 1_000
        guard (units &- Int64(step)).magnitude <= UInt64(packetStep), (lasts &- pause).magnitude < 300_000_000 else { return }
        gaps.append(Gap(from: last, to: now, missing: Int(ahead) - 1))
    }

    private mutating func resume(at now: Int64) {
        activities.append(Activity(from: activityFrom, to: last))
        activityFrom = now
        guard activities.count > Self.mostActivities else { return }
        var best = 1
        for place in 1..<activities.count
        where activities[place].from - activities[place - 1].to < activities[best].from - activities[best - 1].to {
            best = place
        }
        activities[best - 1].to = activities[best].to
        activities.remove(at: best)
    }

    /// How fast the timestamps ran beside true time, 1 where they should; nil where the sender paused or its clock is not known for sure.
    var clockRatio: Double? {
        guard flags.contains(.hasClock), flags.isDisjoint(with: [.isEstimated, .isVideo, .sawComfortNoise, .hasTurned]),
            activities.isEmpty, spurts == 0, timestampRestarts == 0, statistics.restarts == 0, packetStep > 0,
            statistics.clockRate > 0,
            last - first >= 5_000_000_000
        else { return nil }
        let ticks = Int64(lastTimestamp &- firstTimestamp)
        // All in steps of the same length: neither jumps nor bursts.
        let expected = Int64(clamping: statistics.totalExpected) - 1
        guard expected > 0, abs(ticks - expected * Int64(packetStep)) <= 2 * Int64(packetStep) else { return nil }
        return Double(ticks) * 1e9 / Double(statistics.clockRate) / Double(last - first)
    }

    /// When packets came, in order of time.
    var spans: [Activity] { activities + [Activity(from: activityFrom, to: last)] }

    /// Notes losses across a hole in the capture.
    mutating func lost(_ count: Int, inHole hole: Int) {
        guard holeLosses.count < 64 else { return }
        holeLosses.append(HoleLoss(hole: hole, lost: count))
    }

    /// The bin that ends; the running values start anew.
    mutating func takeBin() -> StreamSummary.Bin {
        let expected = statistics.totalExpected
        let received = statistics.totalReceived
        let due = UInt32(clamping: expected &- min(expected, binExpected))
        let came = UInt32(clamping: received &- min(received, binReceived))
        let rate = max(1, statistics.clockRate)
        let bin = StreamSummary.Bin(
            expected: max(due, came), lost: due > came ? due - came : 0, jitter: Float(binJitter) * 1_000 / Float(rate))
        binExpected = expected
        binReceived = received
        binJitter = 0
        return bin
    }

    /// Milliseconds.
    var meanJitter: Double {
        jitterCount == 0 ? 0 : Double(jitterSum) / Double(jitterCount) * 1_000 / Double(max(1, statistics.clockRate))
    }
}
