import Base
import SIP

/// The session timer of one dialog (RFC 4028): who refreshes, when, and when the session counts as dead.
public struct SessionTimer: Hashable, Sendable {
    public enum Refresher: Hashable, Sendable {
        case us, them
    }

    /// What an offer of ours says, and what we bear.
    public struct Settings: Hashable, Sendable {
        /// Seconds asked for in requests of ours.
        public var interval: UInt32
        /// The least we take, in seconds: RFC 4028 4 forbids less than 90.
        public var shortest: UInt32

        public init(interval: UInt32 = 1800, shortest: UInt32 = 90) {
            self.interval = max(interval, 90)
            self.shortest = max(shortest, 90)
        }
    }

    /// The longest interval that is kept, in seconds, whatever the other side's Min-SE says: with a longer one nobody would notice that a phone
    /// is gone.
    public static let longest: UInt32 = 7_200

    /// What has to be done.
    public enum Action: Hashable, Sendable {
        /// Send an UPDATE, or a re-INVITE where the other side does not know UPDATE.
        case refresh
        /// Send a BYE: no refresh came in time.
        case expired
    }

    private enum State: Hashable, Sendable {
        case waiting(until: Instant)
        /// A refresh of ours is out; the session ends at its expiry unless it is answered.
        case refreshing(until: Instant)
        /// A refresh of ours met another change and is tried again.
        case retrying(at: Instant, until: Instant)
        case expired
    }

    /// Session-Expires in seconds.
    public let interval: UInt32
    public let refresher: Refresher
    private var state: State

    public init(interval: UInt32, refresher: Refresher, at now: Instant) {
        self.interval = max(interval, 1)
        self.refresher = refresher
        state = .waiting(until: now)
        restart(at: now)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .waiting(let until), .refreshing(let until): until
        case .retrying(let again, let until): min(again, until)
        case .expired: nil
        }
    }

    /// A refresh request of either side got its 2xx: both count anew (RFC 4028 7.2, 9).
    public mutating func restart(at now: Instant) {
        switch refresher {
        // RFC 4028 10: half of the interval.
        case .us: state = .waiting(until: now + .milliseconds(Int64(interval) * 500))
        case .them: state = .waiting(until: now + giveUp)
        }
    }

    /// Our refresh was refused for the moment (491, 500 and the like): once more after `pause`, unless the session ends before.
    public mutating func retry(after pause: Duration, at now: Instant) {
        guard case .refreshing(let until) = state else { return }
        state = .retrying(at: now + pause, until: until)
    }

    public mutating func advance(to now: Instant) -> Action? {
        switch state {
        case .waiting(let until):
            guard until <= now else { return nil }
            switch refresher {
            case .us:
                state = .refreshing(until: until + .milliseconds(Int64(interval) * 500))
                return .refresh
            case .them:
                state = .expired
                return .expired
            }
        case .refreshing(let until):
            guard until <= now else { return nil }
            state = .expired
            return .expired
        case .retrying(let again, let until):
            guard until > now else {
                state = .expired
                return .expired
            }
            guard again <= now else { return nil }
            state = .refreshing(until: until)
            return .refresh
        case .expired: return nil
        }
    }

    /// RFC 4028 10: a BYE leaves a third of the interval, at most 32 s, before the session expires.
    private var giveUp: Duration { .seconds(Int64(interval) - min(32, Int64(interval) / 3)) }
}

/// What a request or response says about session timers.
public struct SessionTimerTerms: Hashable, Sendable {
    /// Session-Expires in seconds; nil where absent.
    public var interval: UInt32?
    /// `refresher=uac` is true, `refresher=uas` false, nil where not said.
    public var refresherIsUAC: Bool?
    /// Min-SE; 90 where absent.
    public var shortest: UInt32
    /// Whether the sender supports `timer`.
    public var isSupported: Bool

    public init(_ message: SIPMessage) {
        var interval: UInt32?
        var isUAC: Bool?
        if let value = message.first(.sessionExpires)?.value {
            let head = value.bytes.prefix { $0 &- 0x30 <= 9 }
            interval = SIPText(head).decimal
            let rest = SIPText(value.bytes.dropFirst(head.count)).lowercased.string
            if rest.contains("refresher=uac") { isUAC = true } else if rest.contains("refresher=uas") { isUAC = false }
        }
        self.interval = interval
        refresherIsUAC = isUAC
        shortest = message.first(.minSE).flatMap { SIPText($0.value.bytes.prefix { $0 &- 0x30 <= 9 }).decimal } ?? 90
        let tags = ((try? message.supported) ?? []) + ((try? message.require) ?? [])
        isSupported = tags.contains { $0.equalsCaseless(literal: "timer") }
    }

    /// What a user agent server makes of a request's terms (RFC 4028 9).
    public enum Answer: Hashable, Sendable {
        /// 422 with this Min-SE.
        case tooSmall(shortest: UInt32)
        /// No session timer on this dialog.
        case none
        /// Session-Expires of the 2xx; `requires`: whether the 2xx carries `Require: timer`.
        case agreed(interval: UInt32, refresherIsUAC: Bool, requires: Bool)
    }

    /// `wants`: whether a timer is asked for by us where the other side asks for none.
    public func answer(_ settings: SessionTimer.Settings, wants: Bool = true) -> Answer {
        if let interval, interval < settings.shortest, isSupported { return .tooSmall(shortest: settings.shortest) }
        guard interval != nil || wants else { return .none }
        let shortest = min(shortest, SessionTimer.longest)
        let agreed = max(
            interval.map { min($0, max(settings.interval, shortest)) } ?? settings.interval, shortest, settings.shortest)
        // Whoever does not know the extension cannot refresh (RFC 4028 9, table 2).
        guard isSupported else { return .agreed(interval: agreed, refresherIsUAC: false, requires: false) }
        let isUAC = refresherIsUAC ?? true
        return .agreed(interval: agreed, refresherIsUAC: isUAC, requires: isUAC)
    }

    /// The timer a user agent client starts on a 2xx (RFC 4028 7.2); nil: the dialog has none. `asked`: the Session-Expires of the request,
    /// which we then keep alone where the other side ignores the extension (RFC 4028 7.2).
    public func timer(asked: UInt32?, at now: Instant) -> SessionTimer? {
        if let interval, interval > SessionTimer.longest {
            return SessionTimer(interval: SessionTimer.longest, refresher: .us, at: now)
        }
        if let interval { return SessionTimer(interval: interval, refresher: refresherIsUAC == false ? .them : .us, at: now) }
        return asked.map { SessionTimer(interval: $0, refresher: .us, at: now) }
    }
}
