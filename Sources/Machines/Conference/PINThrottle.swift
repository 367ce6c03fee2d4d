import Base

/// How many wrong PINs are borne: a bucket that is refilled with time. Hanging up and calling again does not refill it.
struct PINThrottle: Sendable {
    private let most: Int
    private let interval: Duration
    private var spent = 0
    /// When the latest grant fell due.
    private var filled: Instant

    init(most: Int, interval: Duration, at now: Instant) {
        self.most = max(1, most)
        self.interval = max(.milliseconds(1), interval)
        filled = now
    }

    mutating func mayTry(at now: Instant) -> Bool {
        refill(at: now)
        return spent < most
    }

    mutating func wrong(at now: Instant) {
        refill(at: now)
        if spent == 0 { filled = now }
        spent = min(most, spent + 1)
    }

    /// Nothing is held against anyone: the entry may be forgotten.
    mutating func isFull(at now: Instant) -> Bool {
        refill(at: now)
        return spent == 0
    }

    private mutating func refill(at now: Instant) {
        guard spent > 0 else { return }
        let passed = (now - filled).wholeNanoseconds
        let step = interval.wholeNanoseconds
        guard passed >= step else { return }
        let grants = min(Int64(spent), passed / step)
        spent -= Int(grants)
        filled += .nanoseconds(grants * step)
    }
}

/// The throttles of rooms and of parties at rooms. They outlive the calls and the rooms.
struct PINThrottles: Sendable {
    private struct Key: Hashable, Sendable {
        var room: String
        /// nil: the room as a whole.
        var party: String?
    }

    private static let capacity = 4_096
    private let settings: SoundSettings
    private var throttles: [Key: PINThrottle] = [:]

    init(_ settings: SoundSettings) { self.settings = settings }

    mutating func mayTry(room: String, party: String, at now: Instant) -> Bool {
        let byRoom = throttles[Key(room: room)]?.mayTry(at: now) ?? true
        let byParty = throttles[Key(room: room, party: party)]?.mayTry(at: now) ?? true
        return byRoom && byParty
    }

    mutating func wrong(room: String, party: String, at now: Instant) {
        note(Key(room: room), settings.pinsPerRoom, settings.pinRoomInterval, at: now)
        note(Key(room: room, party: party), settings.pinsPerParty, settings.pinPartyInterval, at: now)
    }

    private mutating func note(_ key: Key, _ most: Int, _ interval: Duration, at now: Instant) {
        if throttles[key] == nil, throttles.count >= Self.capacity {
            for (key, throttle) in throttles {
                var throttle = throttle
                if throttle.isFull(at: now) { throttles[key] = nil }
            }
            // Parties may be invented, rooms may not: the room's own throttle is what has to hold.
            if throttles.count >= Self.capacity {
                guard key.party == nil, let other = throttles.keys.first(where: { $0.party != nil }) else { return }
                throttles[other] = nil
            }
        }
        throttles[key, default: PINThrottle(most: most, interval: interval, at: now)].wrong(at: now)
    }
}
