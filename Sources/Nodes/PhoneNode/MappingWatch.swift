import Base

/// What STUN and the registrar report about the SIP socket's address, and the judgement when that is worth a REGISTER.
///
/// The registrar's word counts, as it is the one that sends to us. STUN's counts until the registrar has spoken, and as
/// a hint that something moved. A change is followed once; what alternates is not chased.
struct MappingWatch: Hashable, Sendable {
    enum Verdict: Hashable, Sendable {
        case unchanged
        /// Known from now on; the next REGISTER carries it, none is sent for it.
        case noted
        /// Worth a REGISTER now.
        case follow(from: Endpoint, to: Endpoint)
        /// Worth a REGISTER, but not before that instant: the last one for such a reason was too recent.
        case followLater(Instant, from: Endpoint, to: Endpoint)
        case keep(Endpoint, because: String)
    }

    /// Where in a conversation the registrar said how it sees us.
    enum Occasion: Hashable, Sendable {
        /// Another REGISTER follows anyhow.
        case challenge
        /// The binding now stands with the Contact `gave`; `followsMapping`: that REGISTER was itself sent to follow a mapping.
        case success(gave: Endpoint, followsMapping: Bool)
        /// `bound`: the Contact of the binding that stands.
        case keepalive(bound: Endpoint)
    }

    /// The shortest pause between two REGISTERs sent for the sake of a mapping; doubles while it goes on.
    static let firstPause = Duration.seconds(60)
    static let longestPause = Duration.seconds(3600)

    private(set) var local: Endpoint
    /// What the next Contact says.
    private(set) var contact: Endpoint
    private(set) var stun: Endpoint?
    private(set) var registrar: Endpoint?
    private(set) var isSettledOnRegistrar = false
    private var pause = MappingWatch.firstPause
    private var freeFrom: Instant?
    /// The registrar's view when a STUN surprise last made us register; if it is the same afterwards, STUN sees another mapping.
    private var beforeSTUNSurprise: Endpoint?

    init(local: Endpoint) {
        self.local = local
        contact = local
    }

    var status: PhoneStatus.Mapping {
        PhoneStatus.Mapping(local: local, stun: stun, registrar: registrar, settledOnRegistrar: isSettledOnRegistrar)
    }

    mutating func registrarSaw(_ seen: Endpoint, on occasion: Occasion, at now: Instant) -> Verdict {
        let former = contact
        let formerView = registrar
        registrar = seen
        contact = seen
        let stoodStill = beforeSTUNSurprise == seen && stun != seen
        beforeSTUNSurprise = nil
        if stoodStill { isSettledOnRegistrar = true }
        switch occasion {
        case .challenge: return seen == former ? .unchanged : .noted
        case .success(let gave, let followsMapping):
            // STUN led us astray: back at once, which cannot repeat itself as STUN is not heeded any more.
            if stoodStill, gave != seen { return .follow(from: gave, to: seen) }
            return registered(with: gave, followsMapping: followsMapping, at: now)
        case .keepalive(let bound):
            guard seen != bound else { return .unchanged }
            if formerView != nil, let freeFrom, now < freeFrom { isSettledOnRegistrar = true }
            return spend(from: bound, to: seen, at: now)
        }
    }

    /// The binding stands with the Contact `gave`; says whether what is known by now differs from it.
    mutating func registered(with gave: Endpoint, followsMapping: Bool, at now: Instant) -> Verdict {
        guard contact != gave else { return .unchanged }
        guard followsMapping else { return spend(from: gave, to: contact, at: now) }
        isSettledOnRegistrar = registrar != nil
        return .keep(gave, because: "the address moves with every request, so another REGISTER would not catch it")
    }

    /// `bound`: the Contact of the binding that stands; nil while none does or a REGISTER is in flight.
    mutating func stunSaw(_ seen: Endpoint, bound: Endpoint?, at now: Instant) -> Verdict {
        let previous = stun
        stun = seen
        guard previous != seen, seen != contact else { return .unchanged }
        if isSettledOnRegistrar { return .keep(contact, because: "the registrar's view is the one that counts here") }
        if registrar != nil, previous == nil { return .keep(contact, because: "the registrar's view is the one that counts") }
        // Where STUN and the registrar agreed so far, STUN's news hold for the registrar too; otherwise its next response tells.
        let agreed = registrar == nil || registrar == previous
        if agreed { contact = seen }
        guard let bound else { return .noted }
        if agreed, seen == bound { return .unchanged }
        beforeSTUNSurprise = registrar
        return spend(from: bound, to: seen, at: now)
    }

    private mutating func spend(from former: Endpoint, to seen: Endpoint, at now: Instant) -> Verdict {
        if let freeFrom, now < freeFrom { return .followLater(freeFrom, from: former, to: seen) }
        follows(at: now)
        return .follow(from: former, to: seen)
    }

    /// A REGISTER goes out for the sake of a mapping; the next such one has to wait.
    mutating func follows(at now: Instant) {
        if let freeFrom, now < freeFrom + Self.longestPause {
            pause = min(pause + pause, Self.longestPause)
        } else {
            pause = Self.firstPause
        }
        freeFrom = now + pause
    }
}
