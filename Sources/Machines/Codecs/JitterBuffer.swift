import Base

/// Puts the packets of one stream in order and holds them just long enough: as long as the network's own unsteadiness, measured.
///
/// The owner inserts what arrives and takes one packet each time a packet's worth of sound is needed. Delay grows by itself when the
/// buffer runs dry (the late packets are played after all), and shrinks by one packet a second while it was never needed.
public struct JitterBuffer: Sendable {
    public struct Settings: Hashable, Sendable {
        /// RTP timestamp units a second.
        public var clockRate: Int
        /// What is held at the start of a talkspurt, at least.
        public var least: Duration
        /// Beyond this nothing is held: the oldest go.
        public var most: Duration

        public init(clockRate: Int, least: Duration = .milliseconds(40), most: Duration = .milliseconds(400)) {
            self.clockRate = max(1, clockRate)
            self.least = least
            self.most = most
        }
    }

    /// What became of a packet.
    public enum Arrival: UInt8, Hashable, Sendable {
        case queued
        /// Its turn is over: it was taken for lost.
        case late
        case duplicate
        /// Far from the others in sequence: believed when its successor comes too (RFC 3550 A.1).
        case strange
        /// Another source, or a new start: everything older was dropped.
        case restarted
    }

    /// What is to be played now.
    public enum Playout: Hashable, Sendable {
        case packet(payloadType: UInt8, payload: [UInt8], timestamp: UInt32)
        /// One is missing: conceal it.
        case lost
        /// Nothing is there to be played: before the first packet, in a pause, or after 60 ms without packets.
        case dry
    }

    public struct Counts: Hashable, Sendable {
        public internal(set) var queued: UInt64 = 0
        public internal(set) var late: UInt64 = 0
        public internal(set) var duplicate: UInt64 = 0
        public internal(set) var lost: UInt64 = 0
        /// Dropped to bring the delay down.
        public internal(set) var shed: UInt64 = 0
    }

    private struct Slot: Sendable {
        var sequence: UInt16 = 0
        var isFilled = false
        var payloadType: UInt8 = 0
        var timestamp: UInt32 = 0
        var payload: [UInt8] = []
    }

    private enum State: Sendable {
        case empty
        /// Held back until there is enough, or `until`.
        case filling(until: Instant)
        case playing
        /// Played out; how many packets were concealed since.
        case starved(Int)
    }

    private static let capacity = 64

    public let settings: Settings
    public private(set) var counts = Counts()
    private var slots = [Slot](repeating: Slot(), count: capacity)
    private var state: State = .empty
    private var ssrc: UInt32?
    private var held = 0
    /// The sequence number whose turn it is, and the highest that came.
    private var next: UInt16 = 0
    private var highest: UInt16 = 0
    private var highestTimestamp: UInt32 = 0
    private var stray: UInt16?
    /// Timestamp units a packet, from the latest two in sequence.
    private var step: UInt32
    /// Transit times less the least one, as far as they go back: the current and the previous window of 128 packets.
    private var transits = TransitWindow()
    /// The fewest packets left after a take, in the current second's worth.
    private var leastLeft = Int.max
    private var taken = 0

    public init(_ settings: Settings) {
        self.settings = settings
        step = UInt32(settings.clockRate / 50)
    }

    /// Packets waiting.
    public var depth: Int { held }
    /// What the network's unsteadiness asks for now.
    public var target: Duration {
        let spread = Duration.nanoseconds(transits.spread * 1_000_000_000 / Int64(settings.clockRate))
        return min(settings.most, max(settings.least, spread + packetTime))
    }

    /// How long a packet lasts by the timestamps.
    public var packetTime: Duration { .nanoseconds(Int64(step) * 1_000_000_000 / Int64(settings.clockRate)) }

    @discardableResult
    public mutating func insert(
        ssrc: UInt32, sequence: UInt16, timestamp: UInt32, payloadType: UInt8, payload: [UInt8], at now: Instant
    ) -> Arrival {
        var arrival = Arrival.queued
        switch state {
        case .empty:
            restart(ssrc, sequence, timestamp, at: now)
            arrival = .restarted
        case .filling, .playing, .starved:
            if ssrc != self.ssrc {
                restart(ssrc, sequence, timestamp, at: now)
                arrival = .restarted
            }
        }
        let ahead = Int(Int16(bitPattern: sequence &- next))
        if ahead >= Self.capacity || ahead < -1_000 {
            guard stray == sequence else {
                stray = sequence &+ 1
                return .strange
            }
            restart(ssrc, sequence, timestamp, at: now)
            arrival = .restarted
        } else if ahead < 0 {
            if case .filling = state, held + 1 - ahead <= Self.capacity / 2, Int(highest &- sequence) < Self.capacity {
                // Not yet played: the first to come was not the first to be sent.
                next = sequence
            } else {
                counts.late += 1
                return .late
            }
        }
        stray = nil
        let index = Int(sequence) % Self.capacity
        guard !slots[index].isFilled else {
            counts.duplicate += 1
            return .duplicate
        }
        slots[index] = Slot(
            sequence: sequence, isFilled: true, payloadType: payloadType, timestamp: timestamp, payload: payload)
        held += 1
        counts.queued += 1
        learn(sequence, timestamp, at: now)
        if case .starved(let count) = state, count >= concealedPackets {
            // A new talkspurt: collect a little first.
            state = .filling(until: now + target)
        }
        trim()
        return arrival
    }

    /// What to play for the coming packet's worth of sound.
    public mutating func take(at now: Instant) -> Playout {
        switch state {
        case .empty: return .dry
        case .filling(let until):
            guard now >= until || packetTime * held >= target else { return .dry }
            state = .playing
        case .playing, .starved: break
        }
        guard held > 0 else {
            var count = 0
            if case .starved(let before) = state { count = before }
            state = .starved(min(count + 1, concealedPackets))
            guard count < concealedPackets else { return .dry }
            counts.lost += 1
            return .lost
        }
        state = .playing
        shed()
        let index = Int(next) % Self.capacity
        next &+= 1
        guard slots[index].isFilled else {
            counts.lost += 1
            return .lost
        }
        let slot = slots[index]
        slots[index] = Slot()
        held -= 1
        leastLeft = min(leastLeft, held)
        return .packet(payloadType: slot.payloadType, payload: slot.payload, timestamp: slot.timestamp)
    }

    /// Everything held is dropped; the next packet starts anew.
    public mutating func reset() {
        for index in slots.indices where slots[index].isFilled { slots[index] = Slot() }
        held = 0
        state = .empty
        ssrc = nil
        stray = nil
    }

    /// 60 ms are concealed, then it is a pause.
    private var concealedPackets: Int { max(1, Int(settings.clockRate * 60 / 1_000) / max(1, Int(step))) }

    private mutating func restart(_ ssrc: UInt32, _ sequence: UInt16, _ timestamp: UInt32, at now: Instant) {
        reset()
        self.ssrc = ssrc
        next = sequence
        highest = sequence &- 1
        highestTimestamp = timestamp
        transits = TransitWindow()
        leastLeft = .max
        taken = 0
        state = .filling(until: now + settings.least)
    }

    private mutating func learn(_ sequence: UInt16, _ timestamp: UInt32, at now: Instant) {
        let advance = Int16(bitPattern: sequence &- highest)
        if advance == 1 {
            let difference = timestamp &- highestTimestamp
            // 2.5 to 120 ms; a pause makes a larger one and says nothing.
            if difference >= UInt32(settings.clockRate / 400), difference <= UInt32(settings.clockRate * 12 / 100) {
                step = difference
            }
        }
        if advance > 0 {
            highest = sequence
            highestTimestamp = timestamp
        }
        let arrival = Int64(truncatingIfNeeded: now.nanoseconds / 1_000) &* Int64(settings.clockRate) / 1_000_000
        transits.add(Int32(truncatingIfNeeded: arrival) &- Int32(bitPattern: timestamp))
    }

    /// Too much is held: the oldest go.
    private mutating func trim() {
        while packetTime * held > settings.most {
            let index = Int(next) % Self.capacity
            next &+= 1
            if slots[index].isFilled {
                slots[index] = Slot()
                held -= 1
                counts.shed += 1
            }
        }
    }

    /// Once a second's worth: if packets were always left over and more are held than the network asks for, one goes.
    private mutating func shed() {
        taken += 1
        guard taken >= 50 else { return }
        taken = 0
        let surplus = leastLeft
        leastLeft = .max
        guard surplus != .max, surplus >= 1, held > 1, packetTime * held > target else { return }
        let index = Int(next) % Self.capacity
        guard slots[index].isFilled else { return }
        slots[index] = Slot()
        held -= 1
        next &+= 1
        counts.shed += 1
    }
}

/// The spread of transit times over the last 128 to 256 packets, in timestamp units.
private struct TransitWindow: Sendable {
    private var current: (least: Int32, most: Int32)?
    private var previous: (least: Int32, most: Int32)?
    private var count = 0

    mutating func add(_ transit: Int32) {
        // Far from what is known: the sender's clock started anew.
        if let least = current?.least, abs(Int64(transit &- least)) > 480_000 { self = TransitWindow() }
        guard let known = current else {
            current = (transit, transit)
            count = 1
            return
        }
        // Differences wrap with the timestamps, plain comparison would not.
        current = (transit &- known.least < 0 ? transit : known.least, transit &- known.most > 0 ? transit : known.most)
        count += 1
        if count == 128 {
            previous = current
            current = nil
        }
    }

    var spread: Int64 {
        let values = [current, previous].compactMap { $0 }
        guard var (least, most) = values.first else { return 0 }
        for value in values.dropFirst() {
            if value.least &- least < 0 { least = value.least }
            if value.most &- most > 0 { most = value.most }
        }
        return max(0, Int64(most &- least))
    }
}
