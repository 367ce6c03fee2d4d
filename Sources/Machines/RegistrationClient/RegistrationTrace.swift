import Base

/// What a registration noticed, one fact each.
public enum RegistrationTrace: Hashable, Sendable {
    /// One SIP message that crossed a socket of ours.
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
    case decided(Decision)

    /// Why it does what it does.
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
        case keepaliveFallsBack(to: RegistrationSettings.Keepalive, because: String)
        case flowFailed(Endpoint, because: String)
        /// Via names the public address from now on (or no longer), as answers did not come back.
        case sentByChanges(to: Endpoint)
        /// The registrar keeps former Contacts until told otherwise; this REGISTER also removes one.
        case removesFormerContact(Endpoint)
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
    case mappingChanged(from: Endpoint, to: Endpoint, seenBy: RegistrationTrace.Observer)
    case flowFailed
    case addressChanged
    /// The 200 to a REGISTER that removed a former Contact lists none.
    case removedWithFormer
    case stop
}
