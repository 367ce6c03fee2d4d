import Base
import SIP

/// The state of one subscription (RFC 6665 4.1.2, 4.2.2): the same value on either side, subscriber or notifier.
public struct Subscription: Hashable, Sendable {
    /// Why a subscription ended (RFC 6665 4.1.3).
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        case deactivated, probation, rejected, timeout, giveup, noresource, invariant
    }

    public enum State: Hashable, Sendable {
        /// Not decided yet; a NOTIFY with the state goes out all the same.
        case pending(until: Instant)
        case active(until: Instant)
        case terminated(Reason)
    }

    /// `Event` with its `id` parameter, as in SUBSCRIBE: what tells subscriptions of one dialog apart.
    public let event: SIPText
    public private(set) var state: State

    public init(event: SIPText, isPending: Bool = false, seconds: UInt32, at now: Instant) {
        self.event = event.detached
        let until = now + .seconds(Int64(seconds))
        state = isPending ? .pending(until: until) : .active(until: until)
    }

    public var nextDeadline: Instant? {
        switch state {
        case .pending(let until), .active(let until): until
        case .terminated: nil
        }
    }

    public var isOver: Bool {
        switch state {
        case .pending, .active: false
        case .terminated: true
        }
    }

    /// A SUBSCRIBE refreshed it, or a NOTIFY told a new expiry; 0 seconds end it.
    public mutating func refresh(seconds: UInt32, at now: Instant) {
        switch state {
        case .pending: state = seconds == 0 ? .terminated(.timeout) : .pending(until: now + .seconds(Int64(seconds)))
        case .active: state = seconds == 0 ? .terminated(.timeout) : .active(until: now + .seconds(Int64(seconds)))
        case .terminated: break
        }
    }

    public mutating func activate() {
        if case .pending(let until) = state { state = .active(until: until) }
    }

    public mutating func terminate(_ reason: Reason) {
        switch state {
        case .pending, .active: state = .terminated(reason)
        case .terminated: break
        }
    }

    /// True once: it expired just now.
    public mutating func advance(to now: Instant) -> Bool {
        switch state {
        case .pending(let until), .active(let until):
            guard until <= now else { return false }
            state = .terminated(.timeout)
            return true
        case .terminated: return false
        }
    }

    /// `Subscription-State` of a NOTIFY (RFC 6665 4.1.3): seconds are rounded up.
    public func header(at now: Instant) -> SIPText {
        switch state {
        case .pending(let until): SIPText("pending;expires=\(Self.seconds(until, now))")
        case .active(let until): SIPText("active;expires=\(Self.seconds(until, now))")
        case .terminated(let reason): SIPText("terminated;reason=\(reason.rawValue)")
        }
    }

    /// What a NOTIFY said, taken over by the subscriber. False where the header cannot be read.
    public mutating func receive(_ header: SIPText, at now: Instant) -> Bool {
        let parts = header.string.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
        func value(_ name: String) -> String? {
            parts.dropFirst().first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
        }
        let until: Instant? = value("expires").flatMap { UInt32($0) }.map { now + .seconds(Int64($0)) } ?? nextDeadline
        switch parts.first {
        case "active": state = .active(until: until ?? now)
        case "pending": state = .pending(until: until ?? now)
        case "terminated": state = .terminated(value("reason").flatMap { Reason(rawValue: $0) } ?? .timeout)
        default: return false
        }
        return true
    }

    private static func seconds(_ until: Instant, _ now: Instant) -> Int64 {
        max(0, ((until - now).wholeNanoseconds &+ 999_999_999) / 1_000_000_000)
    }
}
