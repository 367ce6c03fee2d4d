import Base
import RegistrationClient

/// What the phone noticed, one fact each; `text` is the line a person reads.
public enum PhoneTrace: Hashable, Sendable {
    public typealias Message = RegistrationTrace.Message
    public typealias STUNPurpose = RegistrationTrace.STUNPurpose
    public typealias Decision = RegistrationTrace.Decision
    public typealias Observer = RegistrationTrace.Observer

    case received(Message)
    case sent(Message)
    case stunAsked(STUNPurpose, local: Endpoint, server: Endpoint)
    case stunObserved(STUNPurpose, local: Endpoint, server: Endpoint, mapped: Endpoint)
    case stunSilent(STUNPurpose, server: Endpoint)
    case stunRefused(STUNPurpose, server: Endpoint, reason: String)
    /// A double CRLF went out to keep a mapping.
    case crlfSent(local: Endpoint, remote: Endpoint)
    case lookingUp(name: String)
    case found(name: String, targets: [Endpoint])
    case notFound(name: String, reason: String)
    case decided(Decision)
    /// Something about a call that its messages do not show.
    case call(PhoneCallID, String)
    case connects(Endpoint, SIPTransport)
    case connectionLost(Endpoint, reason: String)
    /// A datagram that was neither SIP, STUN nor an answer to a DNS query, or not for us.
    case dropped(from: Endpoint, reason: String)

    init(_ trace: RegistrationTrace) {
        self =
            switch trace {
            case .received(let message): .received(message)
            case .sent(let message): .sent(message)
            case .stunAsked(let purpose, let local, let server): .stunAsked(purpose, local: local, server: server)
            case .stunObserved(let purpose, let local, let server, let mapped):
                .stunObserved(purpose, local: local, server: server, mapped: mapped)
            case .stunSilent(let purpose, let server): .stunSilent(purpose, server: server)
            case .stunRefused(let purpose, let server, let reason): .stunRefused(purpose, server: server, reason: reason)
            case .crlfSent(let local, let remote): .crlfSent(local: local, remote: remote)
            case .decided(let decision): .decided(decision)
            }
    }
}

extension RegisterCause {
    public var text: String {
        switch self {
        case .start: "the phone starts"
        case .refresh: "the binding is due for a refresh"
        case .retry(let failures): "trying again after \(failures) failure\(failures == 1 ? "" : "s")"
        case .failover: "the previous server failed, trying the next"
        case .answersChallenge: "answers the challenge"
        case .answersStale: "the nonce was stale, the password right: answers the new nonce at once"
        case .tooBrief(let minimum): "the registrar wants at least \(minimum) s"
        case .mappingChanged(let from, let to, let observer): "\(observer.rawValue) reports \(to), the Contact said \(from)"
        case .flowFailed: "the path to the registrar stopped answering"
        case .addressChanged: "the phone's own address changed"
        case .removedWithFormer:
            "with its former Contact the registrar removed the new one: a box on the way wrote both alike (a SIP ALG)"
        case .stop: "the phone signs off"
        }
    }
}

extension RegistrationTrace.Decision {
    public var text: String {
        switch self {
        case .registers(let cseq, let to, let contact, let cause):
            "REGISTER \(cseq) to \(to) with Contact \(contact): \(cause.text)"
        case .refreshes(let at, let expiry):
            "registered; will refresh in time, \(Self.seconds(expiry - at)) before the binding ends"
        case .waits(_, let failures, let because): "waits before trying again (failure \(failures)): \(because)"
        case .failsOver(let from, let to): "gives up on \(from) for now, tries \(to)"
        case .adoptsContact(let contact, let observer): "will give \(contact) as Contact: \(observer.rawValue) sees us there"
        case .keepsContact(let contact, let though, let observer, let because):
            "keeps Contact \(contact) although \(observer.rawValue) reports \(though): \(because)"
        case .settlesOnRegistrar(let contact): "the observed addresses alternate; settles on what the registrar sees, \(contact)"
        case .keepaliveFallsBack(let kind, let because): "keepalive falls back to \(kind.rawValue): \(because)"
        case .flowFailed(let target, let because): "the path to \(target) is taken for dead: \(because)"
        case .sentByChanges(let to): "no answer found its way back; Via now names \(to)"
        case .removesFormerContact(let contact): "the same REGISTER removes the former Contact \(contact)"
        }
    }

    private static func seconds(_ duration: Duration) -> String { "\(duration.wholeSeconds) s" }
}

extension PhoneTrace {
    /// One plain English line.
    public var text: String {
        switch self {
        case .received(let message): "<- \(message.remote): \(message.meaning.text)"
        case .sent(let message): "-> \(message.remote): \(message.meaning.text)"
        case .stunAsked(.keepalive, let local, let server): "STUN keepalive from \(local) to \(server)"
        case .stunAsked(let purpose, let local, let server):
            "asks STUN server \(server) how it sees the \(purpose.rawValue) port \(local)"
        case .stunObserved(.keepalive, let local, let server, let mapped):
            "registrar \(server) sees \(local) as \(mapped) (STUN keepalive)"
        case .stunObserved(let purpose, let local, let server, let mapped):
            "STUN server \(server) sees the \(purpose.rawValue) port \(local) as \(mapped)"
        case .stunSilent(.keepalive, let server): "\(server) does not answer STUN keepalives"
        case .stunSilent(_, let server): "STUN server \(server) does not answer"
        case .stunRefused(_, let server, let reason): "\(server) refused a STUN request: \(reason)"
        case .crlfSent(_, let remote): "-> \(remote): CRLF keepalive"
        case .lookingUp(let name): "looks up \(name)"
        case .found(let name, let targets): "\(name) is \(targets.map(\.description).joined(separator: ", "))"
        case .notFound(let name, let reason): "\(name) was not found: \(reason)"
        case .decided(let decision): decision.text
        case .call(let id, let what): "call \(id): \(what)"
        case .connects(let to, let transport): "opens a \(transport.viaToken) connection to \(to)"
        case .connectionLost(let to, let reason): "the connection to \(to) is gone: \(reason)"
        case .dropped(let from, let reason): "ignores a datagram from \(from): \(reason)"
        }
    }
}
