import Base
import SIP
import SIPStack

/// Contacts elsewhere: with NAT handling off requests go where a Contact says, and whoever knows a password may write there what he likes.
///
/// Before anything else is sent to another address than a REGISTER came from, it answers an OPTIONS whose branch nobody else has seen. Until
/// then the binding cannot be reached. chan_sip's profile trusts Contacts, as chan_sip does.
extension Registrar {
    /// OPTIONS to one Contact before it is given up, until its phone registers again.
    static var questionsPerContact: UInt16 { 3 }
    /// The first ones after a restart spread over this.
    private static let spread = Duration.seconds(5)

    /// The addresses at which bindings of the user are reached, which have answered where they had to.
    package func provedAddresses(of aor: AddressOfRecord) -> [IPAddress] {
        locations.locations(of: aor).filter { $0.binding.reach == .reachable }.compactMap {
            ways.request($0.binding)?.remote.address
        }
    }

    /// How a binding begins after a restart.
    mutating func restoreUDP(_ location: inout LocationTable.Location, at now: Instant) {
        if ways.isElsewhere(location.binding) {
            location.binding.reach = .flowDead(since: now)
            let wait = entropy.next() % UInt64(Self.spread.wholeNanoseconds)
            location.keepalive = .proving(token: 0, until: now + .nanoseconds(Int64(wait)), asked: 0)
        } else {
            location.keepalive = spreadKeepalive(location.binding.flow, at: now)
            // Nobody would ask whether a dead one lives again.
            if location.keepalive == .off { location.binding.reach = .reachable }
        }
    }

    /// The next question, or none any more.
    mutating func question(
        _ slot: UInt32, _ index: Int, _ aor: AddressOfRecord, _ binding: Binding, _ token: UInt32, _ asked: UInt16,
        at now: Instant
    ) {
        guard asked < Self.questionsPerContact, let flow = ways.request(binding) else {
            locations.change(slot, index) { $0.keepalive = .unproved }
            return note(.contactElsewhere(aor, binding, isProved: false))
        }
        let until = now + settings.keepalive.answerWithin
        guard questions.change(flow.remote.address, or: Gauge(), { $0.take(settings.limits.questionsPerAddress, at: now) }) else {
            counters.keepalivesPostponed &+= 1
            locations.change(slot, index) { $0.keepalive = .proving(token: token, until: until, asked: asked) }
            return
        }
        let number = UInt32(truncatingIfNeeded: entropy.next())
        locations.change(slot, index) { $0.keepalive = .proving(token: number, until: until, asked: asked + 1) }
        counters.keepalivesSent &+= 1
        ask(binding, on: flow, ClientToken(.keepalive, place: slot, number: number))
    }

    /// Its answer. What another SIP server says that knows no such user proves nothing, nor what comes from elsewhere.
    mutating func questionAnswered(
        _ slot: UInt32, _ index: Int, _ aor: AddressOfRecord, _ binding: Binding, _ status: Int, on flow: FlowID, at now: Instant
    ) {
        guard [405, 486, 501].contains(status) || 200..<300 ~= status, flow.remote == ways.request(binding)?.remote else {
            return
        }
        let next = nextKeepalive(at: now)
        locations.change(slot, index) { location in
            location.binding.reach = .reachable
            location.keepalive = next
        }
        locations.reschedule(slot)
        counters.keepalivesAnswered &+= 1
        note(.contactElsewhere(aor, binding, isProved: true))
        persistWithoutReply(aor)
    }
}

extension LocationTable.Location {
    /// How a binding begins that was just registered. `former`: what the user had before, which may have proved its Contact. `interval`: from one
    /// keepalive to the next; the REGISTER has just refreshed the mapping itself.
    mutating func begin(former: [Self], ways: BindingWays, keepalive interval: Duration?, at now: Instant) {
        if ways.isElsewhere(binding), !isProved(by: former, ways) {
            binding.reach = .flowDead(since: now)
            keepalive = .proving(token: 0, until: now, asked: 0)
        } else if binding.flow.transport == .udp, let interval {
            keepalive = .waiting(until: now + interval, misses: 0)
        } else {
            keepalive = .off
        }
    }

    private func isProved(by former: [Self], _ ways: BindingWays) -> Bool {
        let way = ways.request(binding)
        return former.contains { $0.binding.reach == .reachable && ways.request($0.binding) == way }
    }
}
