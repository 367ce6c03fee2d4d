import Base

/// What the phone's status panel shows: the state of the registration, and who saw which address.
public struct PhoneStatus: Hashable, Sendable {
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
        /// The settings cannot work; nothing is sent.
        case misconfigured(String)
        case deregistering
        case deregistered
    }

    public enum AuthorizationFault: Hashable, Sendable {
        /// Our digest over the newest nonce was refused without `stale`: name or password are wrong.
        case refused
        /// The registrar says `stale=true` again and again, to fresh nonces as well.
        case staleForEver
        /// Only schemes or algorithms that this phone does not know.
        case unsupported
        /// The seed's phone: another challenge after its one answer; it does not look at `stale`.
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
        /// The observations alternate; the phone keeps to what the registrar says and does not chase them.
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

    /// Something keeps the phone from being registered; it may try again by itself.
    public var isFailure: Bool {
        switch registration {
        case .authorizationError, .rejected, .noAnswer, .unreachable, .unresolvable, .misconfigured: true
        case .starting, .resolving, .registering, .registered, .deregistering, .deregistered: false
        }
    }

    /// The line on the panel, as the phone of the story words it.
    public var panel: String {
        switch registration {
        case .starting: "Starting"
        case .resolving: "Looking up the server"
        case .registering: "Registering"
        case .registered: "Registered"
        case .authorizationError: "Authorization error"
        case .rejected(let code, _, _): "Rejected (\(code))"
        case .noAnswer: "No answer"
        case .unreachable: "Unreachable"
        case .unresolvable: "Server name not found"
        case .misconfigured: "Settings incomplete"
        case .deregistering: "Signing off"
        case .deregistered: "Not registered"
        }
    }

    /// One sentence: what this means.
    public var explanation: String {
        switch registration {
        case .starting: "The phone has not yet asked anyone for anything."
        case .resolving(let name): "The address of \(name) is being looked up."
        case .registering(let target): "The registrar at \(target) has been asked and has not yet decided."
        case .registered(_, let contact, let target): "The registrar at \(target) sends calls for this phone to \(contact)."
        case .authorizationError(.refused, _):
            "The registrar refused name and password although the answer used its newest nonce."
        case .authorizationError(.staleForEver, _):
            "The registrar calls every answer stale, even one to the challenge it has just sent."
        case .authorizationError(.unsupported, _):
            "The registrar offers only ways to prove a password that this phone does not know."
        case .authorizationError(.challengedAgain(let stale), _):
            stale
                ? "The registrar accepted the password but called the nonce stale, and this phone does not take that up."
                : "The registrar answered the credentials with another challenge."
        case .rejected(let code, let reason, _): "The registrar refused with \(code) \(reason)."
        case .noAnswer(let target, _): "\(target) did not answer, or the answer did not find its way back."
        case .unreachable(let target, _): "The network reports that nobody listens at \(target)."
        case .unresolvable(let name, let reason, _): "No address was found for \(name): \(reason)."
        case .misconfigured(let what): what
        case .deregistering: "The registrar has been asked to forget this phone."
        case .deregistered: "The phone has signed off; calls do not reach it."
        }
    }

    /// One sentence: what a person can do about it; nil where nothing needs doing.
    public var advice: String? {
        switch registration {
        case .starting, .resolving, .registering, .deregistering, .deregistered: nil
        case .registered:
            if mapping.disagreement == nil {
                nil
            } else if mapping.isTimerEnough {
                "If calls do not arrive, let the phone send keepalives more often than every 25 s."
            } else {
                "If calls do not arrive, look for a SIP ALG in the router and switch it off."
            }
        case .authorizationError(.refused, _): "Check user, authentication name and password."
        case .authorizationError(.staleForEver, _), .authorizationError(.challengedAgain, _):
            "The password need not be wrong: something may delay or renumber the messages; look for a SIP ALG in the router and switch it off."
        case .authorizationError(.unsupported, _): "Let the server offer Digest with MD5, SHA-256 or SHA-512-256."
        case .rejected(let code, _, _):
            switch code {
            case 403, 404: "Check that the account exists on this server and may register."
            case 500...599: "The server has a problem of its own; the phone tries again."
            default: "Ask whoever runs the server what \(code) means to it."
            }
        case .noAnswer: "Check the server's address, and whether a firewall or a SIP ALG swallows SIP."
        case .unreachable: "Check the server's address and port."
        case .unresolvable: "Check the spelling of the name and the DNS servers."
        case .misconfigured: "Correct the settings."
        }
    }
}

extension PhoneStatus.Mapping {
    /// What it tells when STUN and the registrar's SIP responses show different addresses; nil while they agree or one is
    /// silent. The STUN server is named where it disagrees, else the registrar's own STUN answers.
    public var disagreement: String? {
        guard let registrar, let other = otherView else { return nil }
        let observer = other == stun ? "STUN says" : "STUN on the registrar's SIP port says"
        let cause =
            if registrar == local {
                "something between rewrites SIP (a SIP ALG)"
            } else if isTimerEnough {
                "it was seen at another time, and the NAT has given another port since (its timer ran out)"
            } else {
                "something between treats SIP apart (a SIP ALG, or a NAT that maps each destination for itself)"
            }
        return "\(observer) \(other), the registrar sees \(registrar): \(cause)"
    }

    /// What STUN sees where that is not what the registrar sees.
    private var otherView: Endpoint? {
        if let stun, stun != registrar { return stun }
        if let registrarSTUN, registrarSTUN != registrar { return registrarSTUN }
        return nil
    }

    /// A mapping that ran out and was made anew explains what differs: the port alone, seen at different times.
    var isTimerEnough: Bool { seenApart && registrar != local && otherView?.address == registrar?.address }
}
