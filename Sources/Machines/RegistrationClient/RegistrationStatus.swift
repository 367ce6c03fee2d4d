import Base

/// The state of a registration, and who saw which address.
public struct RegistrationStatus: Hashable, Sendable {
    /// The registration as a person would describe it.
    public enum Registration: Hashable, Sendable {
        case starting
        /// A name is being looked up (RFC 3263).
        case resolving(name: String)
        case registering(at: Endpoint)
        /// `until`: when the binding ends; `contact`: the address in our Contact as it was accepted.
        case registered(until: Instant, contact: Endpoint, at: Endpoint)
        /// The registrar refused a digest it should have accepted, or there is none we can compute.
        case authorizationError(AuthorizationFault, retryAt: Instant?)
        /// A final refusal other than a challenge.
        case rejected(code: Int, reason: String, retryAt: Instant?)
        case noAnswer(from: Endpoint, retryAt: Instant?)
        /// The network said that nobody listens there (ICMP).
        case unreachable(Endpoint, retryAt: Instant?)
        case unresolvable(name: String, reason: String, retryAt: Instant?)
        /// The settings cannot work; nothing is sent. Said by the owner, in its words.
        case misconfigured(String)
        case deregistering
        case deregistered
    }

    public enum AuthorizationFault: Hashable, Sendable {
        /// Our digest over the newest nonce was refused without `stale`: name or password are wrong.
        case refused
        /// The registrar says `stale=true` again and again, to fresh nonces as well.
        case staleForEver
        /// Only schemes or algorithms that are not known here.
        case unsupported
        /// The seed's behaviour: another challenge after its one answer; it does not look at `stale`.
        case challengedAgain(stale: Bool)
    }

    /// Who saw the SIP socket as what.
    public struct Mapping: Hashable, Sendable {
        /// Our own address.
        public var local: Endpoint?
        /// As the STUN server saw it (RFC 8489).
        public var stun: Endpoint?
        /// As the registrar saw it: `received` and `rport` of its responses (RFC 3581), or its STUN answer on the SIP port
        /// where they do not say.
        public var registrar: Endpoint?
        /// As the registrar's STUN answers on the SIP port saw it, which no SIP ALG touches; nil where it gives none.
        public var registrarSTUN: Endpoint?
        /// The observations alternate; the Contact keeps to what the registrar says and does not chase them.
        public var settledOnRegistrar: Bool
        /// STUN and the registrar looked at different times: the mapping may have run out in between.
        public var seenApart: Bool

        public init(
            local: Endpoint? = nil, stun: Endpoint? = nil, registrar: Endpoint? = nil, registrarSTUN: Endpoint? = nil,
            settledOnRegistrar: Bool = false, seenApart: Bool = false
        ) {
            self.local = local
            self.stun = stun
            self.registrar = registrar
            self.registrarSTUN = registrarSTUN
            self.settledOnRegistrar = settledOnRegistrar
            self.seenApart = seenApart
        }
    }

    public var registration: Registration
    public var mapping: Mapping

    public init(_ registration: Registration, mapping: Mapping = Mapping()) {
        self.registration = registration
        self.mapping = mapping
    }

    public var isRegistered: Bool { if case .registered = registration { true } else { false } }

    /// Something keeps it from being registered; it may try again by itself.
    public var isFailure: Bool {
        switch registration {
        case .authorizationError, .rejected, .noAnswer, .unreachable, .unresolvable, .misconfigured: true
        case .starting, .resolving, .registering, .registered, .deregistering, .deregistered: false
        }
    }

    /// Where requests go that are for our own server: the flow of the registration; nil while there is none.
    public var server: Endpoint? {
        switch registration {
        case .registered(_, _, let at), .registering(let at): at
        case .starting, .resolving, .authorizationError, .rejected, .noAnswer, .unreachable, .unresolvable, .misconfigured,
            .deregistering, .deregistered:
            nil
        }
    }
}
