import Base
import SIPStack

/// When the next keepalive of a flow is due.
extension Registrar {
    /// After a restart: all flows at once would be a burst, so each at its own time within one interval.
    mutating func spreadKeepalive(_ flow: FlowID, at now: Instant) -> KeepaliveState {
        guard flow.transport == .udp, let interval = settings.keepalive.interval else { return .off }
        let nanoseconds = max(interval.wholeNanoseconds, 1)
        return .waiting(until: now + .nanoseconds(Int64(entropy.next() % UInt64(nanoseconds))), misses: 0)
    }

    /// The next one, up to an eighth early, so that phones that registered together drift apart.
    mutating func nextKeepalive(at now: Instant) -> KeepaliveState {
        guard let interval = settings.keepalive.interval else { return .off }
        let early = UInt64(max(interval.wholeNanoseconds / 8, 1))
        return .waiting(until: now + interval - .nanoseconds(Int64(entropy.next() % early)), misses: 0)
    }
}
