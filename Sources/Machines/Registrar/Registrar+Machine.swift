import Base
import SIP
import SIPStack

/// Time, and answers to what it asked.
extension Registrar {
    package var nextDeadline: Instant? { locations.nextDeadline }

    package mutating func advance(to now: Instant) {
        while let slot = locations.popDue(at: now) { attend(slot, at: now) }
    }

    /// Whether a response with this branch answers a keepalive that is out.
    package func expects(_ token: ClientToken) -> Bool {
        guard token.purpose == .keepalive else { return false }
        return locations.record(token.place)?.locations.contains {
            switch $0.keepalive {
            case .proving(token.number, _, 1...), .asked(token.number, _, _, _): true
            default: false
            }
        } ?? false
    }

    /// A response that it `expects`.
    package mutating func answered(_ token: ClientToken, _ status: Int, on flow: FlowID, at now: Instant) {
        keepaliveAnswered(token, status, on: flow, at: now)
    }
}
