import Base

/// What STUN and the registrar report about the SIP socket's address, and the judgement when that is worth a REGISTER.
///
/// Three observers are told apart: the STUN server, the registrar's STUN answers on its SIP port, and `received`/`rport` in
/// its SIP responses. What one of them says is compared with what that one said before: that two see different addresses,
/// today as yesterday, is no change. The registrar's SIP responses count, as it is the registrar that sends to us, unless
/// they name our own address while STUN sees a public one: then an ALG wrote that in, and they say nothing of the path.
/// A change is followed once; what alternates is not chased.
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
    /// `received` and `rport` of the registrar's latest SIP response.
    private(set) var registrar: Endpoint?
    private var registrarTimes: Sighting?
    private(set) var isSettledOnRegistrar = false
    private var server = STUNView()
    private var sipPort = STUNView()
    private var hasRegistered = false
    private var pause = MappingWatch.firstPause
    private var freeFrom: Instant?
    private var surprise: Surprise?

    /// A STUN surprise that made us register, and the registrar's view before it; if that is the same afterwards, STUN sees
    /// another mapping.
    private struct Surprise: Hashable, Sendable {
        var source: STUNSource
        var registrar: Endpoint
    }

    init(local: Endpoint) {
        self.local = local
        contact = local
    }

    /// As the STUN server sees us.
    var stun: Endpoint? { server.seen }

    var status: RegistrationStatus.Mapping {
        RegistrationStatus.Mapping(
            local: local, stun: server.seen, registrar: registrar ?? sipPort.seen, registrarSTUN: sipPort.seen,
            settledOnRegistrar: isSettledOnRegistrar, seenApart: isSeenApart)
    }

    /// Whether STUN and the registrar, where they disagree, looked at different times.
    private var isSeenApart: Bool {
        guard let registrar, let times = registrarTimes else { return false }
        let view = server.seen.map { $0 != registrar } ?? false ? server : sipPort
        return view.times?.isApart(from: times) ?? false
    }

    /// An ALG writes our own address into the responses: STUN knows better.
    var isDisguised: Bool {
        guard registrar == local, let other = sipPort.seen ?? server.seen else { return false }
        return other != local
    }

    private static let disguise = "that is what an ALG writes into the responses; the path itself has not moved"

    mutating func registrarSaw(_ seen: Endpoint, on occasion: Occasion, at now: Instant) -> Verdict {
        let former = contact
        let formerView = registrar
        registrarTimes = Sighting(registrarTimes, isSame: formerView == seen, at: now)
        registrar = seen
        let stoodStill = surprise.map { $0.registrar == seen && self[$0.source].seen != seen } ?? false
        if stoodStill, let source = surprise?.source {
            self[source].isMisleading = true
            isSettledOnRegistrar = true
        }
        surprise = nil
        // Before the first binding the private address is adopted all the same: an ALG that writes it also translates it.
        let keepsContact: Bool
        switch occasion {
        case .challenge: keepsContact = isDisguised && hasRegistered
        case .success, .keepalive: keepsContact = isDisguised
        }
        if !keepsContact { contact = seen }
        switch occasion {
        case .challenge:
            if keepsContact, seen != contact, seen != formerView { return .keep(contact, because: Self.disguise) }
            return contact == former ? .unchanged : .noted
        case .success(let gave, let followsMapping):
            hasRegistered = true
            // STUN led us astray: back at once, which cannot repeat itself as STUN is not heeded any more.
            if stoodStill, gave != seen { return .follow(from: gave, to: seen) }
            let verdict = registered(with: gave, followsMapping: followsMapping, at: now)
            if verdict == .unchanged, keepsContact, seen != gave, seen != formerView {
                return .keep(gave, because: Self.disguise)
            }
            return verdict
        case .keepalive(let bound):
            guard seen != bound else { return .unchanged }
            if keepsContact { return seen == formerView ? .unchanged : .keep(contact, because: Self.disguise) }
            if formerView != nil, let freeFrom, now < freeFrom { isSettledOnRegistrar = true }
            return spend(from: bound, to: seen, at: now)
        }
    }

    /// The binding stands with the Contact `gave`; says whether what is known by now differs from it.
    mutating func registered(with gave: Endpoint, followsMapping: Bool, at now: Instant) -> Verdict {
        hasRegistered = true
        server.isTold()
        sipPort.isTold()
        guard contact != gave else { return .unchanged }
        guard followsMapping else { return spend(from: gave, to: contact, at: now) }
        isSettledOnRegistrar = registrar != nil
        return .keep(gave, because: "the address moves with every request, so another REGISTER would not catch it")
    }

    /// `bound`: the Contact of the binding that stands; nil while none does or a REGISTER is in flight.
    mutating func stunSaw(_ seen: Endpoint, by source: STUNSource, bound: Endpoint?, at now: Instant) -> Verdict {
        let former = self[source]
        // Behind a disguise no response can tell what STUN has just told: left to its next answer.
        if isDisguised, bound == nil, former.seen != nil { return .unchanged }
        self[source].note(seen, at: now)
        if isDisguised { return disguisedSTUNSaw(seen, by: source, former: former, bound: bound, at: now) }
        guard former.seen != seen, seen != contact else { return .unchanged }
        if former.isMisleading || isSettledOnRegistrar && source == .server {
            return .keep(contact, because: "the registrar's view is the one that counts here")
        }
        if registrar != nil, former.seen == nil, source == .server {
            return .keep(contact, because: "the registrar's view is the one that counts")
        }
        // Where STUN and the registrar agreed so far, STUN's news hold for the registrar too; otherwise its next response tells.
        let agreed = registrar == nil || registrar == former.seen || registrar == seen
        if agreed { contact = seen }
        guard let bound else { return .noted }
        if seen == bound { return .unchanged }
        surprise = registrar.map { Surprise(source: source, registrar: $0) }
        return spend(from: bound, to: seen, at: now)
    }

    /// The registrar's STUN answers are not to be had any more.
    mutating func registrarSTUNEnds() { sipPort = STUNView() }

    /// The server has to learn of a new path, but no response will confirm it: only a view that stood still, before or since,
    /// is believed.
    private mutating func disguisedSTUNSaw(
        _ seen: Endpoint, by source: STUNSource, former: STUNView, bound: Endpoint?, at now: Instant
    ) -> Verdict {
        guard let bound, let told = former.told else {
            self[source].isTold()
            return seen == contact ? .unchanged : .keep(contact, because: "an ALG translates it on the way")
        }
        guard seen != told else { return .unchanged }
        let isNews = former.seen != seen
        if source == .server, sipPort.seen != nil {
            return isNews ? .keep(contact, because: "the registrar's own STUN answers tell of SIP's path") : .unchanged
        }
        guard former.isSteady || self[source].isSteady else {
            return isNews ? .keep(contact, because: "that view moves by itself") : .unchanged
        }
        self[source].isBelieved()
        if contact == told { contact = seen }
        return spend(from: bound, to: seen, at: now)
    }

    private subscript(source: STUNSource) -> STUNView {
        get {
            switch source {
            case .server: server
            case .registrar: sipPort
            }
        }
        set {
            switch source {
            case .server: server = newValue
            case .registrar: sipPort = newValue
            }
        }
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
