import Base
import MediaControl

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

    mutating func pay(at now: Instant) {
        refill(at: now)
        if spent == 0 { filled = now }
        spent = min(most, spent + 1)
    }

    mutating func giveBack() { spent = max(0, spent - 1) }

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
///
/// An entry is paid for before its first digit is looked at, and the price is given back if it is right: what is tried at once in many calls
/// counts as what is tried in one. Accounts that were let in lately pay from a share of their own, which no stranger can use up.
struct PINThrottles: Sendable {
    private enum Payer: Hashable, Sendable {
        /// Everybody together.
        case room
        case account(String)
        /// Whom nobody vouches for, by the name he gives.
        case stranger(String)
    }

    private struct Key: Hashable, Sendable {
        var room: String
        var payer: Payer
    }

    private static let capacity = 4_096
    private let settings: SoundSettings
    private var throttles: [Key: PINThrottle] = [:]
    /// When accounts were let into rooms with a PIN.
    private var admissions: [Key: Instant] = [:]

    init(_ settings: SoundSettings) { self.settings = settings }

    /// False: too many were wrong lately.
    mutating func pay(_ entry: RoomEntry, at now: Instant) -> Bool {
        let keys = payers(entry, at: now)
        for key in keys {
            guard throttles[key] != nil || makeRoom(for: key, at: now) else { return false }
            guard throttles[key]?.mayTry(at: now) ?? true else { return false }
        }
        for key in keys {
            let isRoom = key.payer == .room
            throttles[
                key,
                default: PINThrottle(
                    most: isRoom ? settings.pinsPerRoom : settings.pinsPerParty,
                    interval: isRoom ? settings.pinRoomInterval : settings.pinPartyInterval, at: now)
            ].pay(at: now)
        }
        return true
    }

    /// A paid entry was right: the price is given back.
    mutating func admit(_ entry: RoomEntry, at now: Instant) {
        for key in payers(entry, at: now) { throttles[key]?.giveBack() }
        guard let account = entry.account else { return }
        let key = Key(room: entry.room, payer: .account(account))
        if admissions[key] == nil, admissions.count >= Self.capacity {
            guard let oldest = admissions.min(by: { $0.value < $1.value })?.key else { return }
            admissions[oldest] = nil
        }
        admissions[key] = now
    }

    /// Whether it pays from a share of its own.
    func isKnown(_ entry: RoomEntry, at now: Instant) -> Bool {
        guard let account = entry.account, let last = admissions[Key(room: entry.room, payer: .account(account))] else {
            return false
        }
        return now - last <= settings.pinMemory
    }

    private func payers(_ entry: RoomEntry, at now: Instant) -> [Key] {
        let own = Key(room: entry.room, payer: entry.account.map { .account($0) } ?? .stranger(entry.party))
        return isKnown(entry, at: now) ? [own] : [Key(room: entry.room, payer: .room), own]
    }

    private mutating func makeRoom(for key: Key, at now: Instant) -> Bool {
        guard throttles.count >= Self.capacity else { return true }
        for (key, throttle) in throttles {
            var throttle = throttle
            if throttle.isFull(at: now) { throttles[key] = nil }
        }
        guard throttles.count >= Self.capacity else { return true }
        // Strangers may be invented, rooms and accounts may not.
        let invented = throttles.keys.first { if case .stranger = $0.payer { true } else { false } }
        guard let invented else { return false }
        throttles[invented] = nil
        return true
    }
}
