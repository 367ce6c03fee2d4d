import Base
import SIP
import SIPStack

/// Time, and answers to what it asked.
extension Registrar {
    package var nextDeadline: Instant? {
        guard let location = locations.nextDeadline else { return probes.nextDeadline }
        return probes.nextDeadline.map { min($0, location) } ?? location
    }

    package mutating func advance(to now: Instant) {
        while let slot = locations.popDue(at: now) { attend(slot, at: now) }
        while let due = probes.popDue(at: now) { retry(due, at: now) }
    }

    /// Whether a response with this branch answers an OPTIONS that is out.
    package func expects(_ token: ClientToken) -> Bool {
        switch token.purpose {
        case .call, .subscription: false
        case .probe: probes.probes[token.place]?.number == token.number
        case .keepalive:
            locations.record(token.place)?.locations.contains {
                switch $0.keepalive {
                case .proving(token.number, _, 1...), .asked(token.number, _, _, _): true
                default: false
                }
            } ?? false
        }
    }

    /// A response that it `expects`.
    package mutating func answered(_ token: ClientToken, _ status: Int, on flow: FlowID, at now: Instant) {
        switch token.purpose {
        case .call, .subscription: break
        case .probe: probeAnswered(token, status, at: now)
        case .keepalive: keepaliveAnswered(token, status, on: flow, at: now)
        }
    }
}
