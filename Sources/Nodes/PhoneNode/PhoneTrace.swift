import Base

/// What the phone noticed, one fact each; `text` is the line a person reads.
public enum PhoneTrace: Hashable, Sendable {
    /// One SIP message that crossed the phone's socket.
    public struct Message: Hashable, Sendable {
        /// As it was on the wire.
        public var bytes: [UInt8]
        public var local: Endpoint
        public var remote: Endpoint
        public var meaning: SIPMeaning
        public var transport: SIPTransport

        public init(
            bytes: [UInt8], local: Endpoint, remote: Endpoint, meaning: SIPMeaning, transport: SIPTransport = .udp
        ) {
            self.bytes = bytes
            self.local = local
            self.remote = remote
            self.meaning = meaning
            self.transport = transport
        }
    }

    /// What a STUN request is for.
    public enum STUNPurpose: String, Hashable, Sendable {
        /// The mapping of the SIP socket, asked of the STUN server.
        case sip = "SIP"
        /// The mapping of the audio socket, asked of the STUN server.
        case rtp = "RTP"
        /// Keepalive over the SIP socket, asked of the registrar itself (RFC 5626 4.4.2).
        case keepalive = "keepalive"
    }

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
    /// A datagram that was neither SIP, STUN nor an answer to a DNS query, or not for us.
    case dropped(from: Endpoint, reason: String)

    /// Why the phone does what it does.
    public enum Decision: Hashable, Sendable {
        case registers(cseq: UInt32, to: Endpoint, contact: Endpoint, cause: RegisterCause)
        case refreshes(at: Instant, expiry: Instant)
        case waits(until: Instant, failures: Int, because: String)
        case failsOver(from: Endpoint, to: Endpoint)
        /// The next REGISTER names this address in its Contact, because the registrar or STUN saw it.
        case adoptsContact(Endpoint, seenBy: Observer)
        /// A mapping change that is not followed, and why.
        case keepsContact(Endpoint, though: Endpoint, seenBy: Observer, because: String)
        case settlesOnRegistrar(Endpoint)
        case keepaliveFallsBack(to: PhoneSettings.Keepalive, because: String)
        case flowFailed(Endpoint, because: String)
        /// Via names the public address from now on (or no longer), as answers did not come back.
        case sentByChanges(to: Endpoint)
        /// The registrar keeps former Contacts until told otherwise; this REGISTER also removes one.
        case removesFormerContact(Endpoint)
        /// Something about a call that its messages do not show.
        case call(PhoneCallID, String)
        case connects(Endpoint, SIPTransport)
        case connectionLost(Endpoint, reason: String)
    }

    public enum Observer: String, Hashable, Sendable {
        case stun = "STUN"
        case registrar = "the registrar"
    }
}

/// Why a REGISTER is sent.
public enum RegisterCause: Hashable, Sendable {
    case start
    case refresh
    case retry(failures: Int)
    case failover
    case answersChallenge
    case answersStale
    case tooBrief(minimum: UInt32)
    case mappingChanged(from: Endpoint, to: Endpoint, seenBy: PhoneTrace.Observer)
    case flowFailed
    case addressChanged
    case stop

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
        case .stop: "the phone signs off"
        }
    }
}

extension PhoneTrace.Decision {
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
        case .call(let id, let what): "call \(id): \(what)"
        case .connects(let to, let transport): "opens a \(transport.viaToken) connection to \(to)"
        case .connectionLost(let to, let reason): "the connection to \(to) is gone: \(reason)"
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
        case .dropped(let from, let reason): "ignores a datagram from \(from): \(reason)"
        }
    }
}
