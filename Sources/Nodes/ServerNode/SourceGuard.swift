import Base

/// What strangers may cause, by source and in all: message rate, unproved replies, proved bad passwords.
///
/// A source is an IPv4 address or an IPv6 /64. The table is two generations: when the younger is full it becomes the elder, and the
/// elder is forgotten, so that it never grows and nothing is scanned.
struct SourceGuard: Sendable {
    /// A rate as one instant: when the bucket would be empty again (the generic cell rate algorithm, ITU-T I.371).
    struct Gauge: Hashable, Sendable {
        private var drained = Instant(nanoseconds: .min)

        mutating func take(_ rate: ServerLimits.Rate, at now: Instant) -> Bool {
            let step = Self.step(rate)
            let from = max(drained, now)
            guard (from - now).wholeNanoseconds <= step &* Int64(max(rate.burst, 1) - 1) else { return false }
            drained = from + .nanoseconds(step)
            return true
        }

        /// Whether `take` would succeed.
        func allows(_ rate: ServerLimits.Rate, at now: Instant) -> Bool {
            var copy = self
            return copy.take(rate, at: now)
        }

        mutating func giveBack(_ rate: ServerLimits.Rate) {
            guard drained.nanoseconds != .min else { return }
            drained = drained - .nanoseconds(Self.step(rate))
        }

        /// When one more will be allowed.
        func nextFree(_ rate: ServerLimits.Rate, at now: Instant) -> Instant {
            max(now, drained - .nanoseconds(Self.step(rate) &* Int64(max(rate.burst, 1) - 1)))
        }

        /// The next place in a line whose places are one step apart, so that those who wait do not all wake at once.
        mutating func reserve(_ rate: ServerLimits.Rate, notBefore earliest: Instant) -> Instant {
            let place = max(drained, earliest)
            drained = place + .nanoseconds(Self.step(rate))
            return place
        }

        private static func step(_ rate: ServerLimits.Rate) -> Int64 { 1_000_000_000 / Int64(max(rate.perSecond, 1)) }
    }

    struct Source: Hashable, Sendable {
        private var bits: UInt64
        private var isIPv6: Bool

        init(_ address: IPAddress) {
            switch address {
            case .v4(let v4):
                bits = UInt64(v4.bits)
                isIPv6 = false
            case .v6(let v6):
                if let v4 = v6.mappedIPv4 {
                    bits = UInt64(v4.bits)
                    isIPv6 = false
                } else {
                    bits = v6.high
                    isIPv6 = true
                }
            }
        }
    }

    private struct Gauges: Sendable {
        var messages = Gauge()
        var unprovedReplies = Gauge()
        var badPasswords = Gauge()
    }

    private var young: [Source: Gauges] = [:]
    private var elder: [Source: Gauges] = [:]
    /// How often the younger generation was full.
    private(set) var turns: UInt64 = 0
    private var unprovedRepliesInAll = Gauge()
    private let limits: ServerLimits

    init(limits: ServerLimits) { self.limits = limits }

    /// How many sources are known.
    var count: Int { young.count + elder.count }

    /// Counts a message; nil if it may be read.
    mutating func admit(_ address: IPAddress, at now: Instant) -> DropReason? {
        guard let rate = limits.messagesPerSource else { return nil }
        return change(Source(address)) { $0.messages.take(rate, at: now) } ? nil : .sourceFlooding
    }

    /// Counts a reply to a request nobody has vouched for; nil if it may leave.
    mutating func admitUnprovedReply(to address: IPAddress, at now: Instant) -> DropReason? {
        if let rate = limits.unprovedRepliesPerSource,
            !change(Source(address), { $0.unprovedReplies.take(rate, at: now) })
        {
            return .unprovedRepliesOfSource
        }
        if let rate = limits.unprovedReplies, !unprovedRepliesInAll.take(rate, at: now) { return .unprovedRepliesInAll }
        return nil
    }

    /// The source answered a challenge rightly: the challenge's reply is given back.
    mutating func vouch(for address: IPAddress) {
        guard let rate = limits.unprovedRepliesPerSource else { return }
        change(Source(address)) { $0.unprovedReplies.giveBack(rate) }
    }

    mutating func countBadPassword(of address: IPAddress, at now: Instant) {
        guard let rate = limits.badPasswordsPerSource else { return }
        _ = change(Source(address)) { $0.badPasswords.take(rate, at: now) }
    }

    /// Whether credentials of this source are still looked at.
    func admitsCredentials(of address: IPAddress, at now: Instant) -> Bool {
        guard let rate = limits.badPasswordsPerSource else { return true }
        let source = Source(address)
        guard let gauges = young[source] ?? elder[source] else { return true }
        return gauges.badPasswords.allows(rate, at: now)
    }

    private mutating func change<Result>(_ source: Source, _ body: (inout Gauges) -> Result) -> Result {
        if let place = young.index(forKey: source) { return body(&young.values[place]) }
        if young.count >= max(limits.sources / 2, 1) {
            elder = young
            young = [:]
            turns &+= 1
        }
        return body(&young[source, default: elder.removeValue(forKey: source) ?? Gauges()])
    }
}
