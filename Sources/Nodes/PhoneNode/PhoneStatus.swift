import Base
import RegistrationClient

/// What the phone's status panel shows.
public typealias PhoneStatus = RegistrationStatus

/// A phone's words for it.
extension RegistrationStatus {
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

extension RegistrationStatus.Mapping {
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
