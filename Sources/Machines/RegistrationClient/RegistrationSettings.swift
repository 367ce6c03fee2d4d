import Base
import SIPStack

/// Who registers where, and what keeps the path to the registrar (RFC 3261 10.2, RFC 5626).
public struct RegistrationSettings: Hashable, Sendable {
    /// Who registers, and where.
    public struct Identity: Hashable, Sendable {
        /// The user part of the AOR.
        public var user: String
        public var displayName: String?
        /// The name used in the digest; nil means `user`.
        public var authUser: String?
        /// Used for whatever realm the registrar names.
        public var password: String
        /// `example.net`, `example.net:5070`, `192.0.2.1`, or a whole URI (`sip:example.net;transport=udp`).
        public var registrar: String
        /// Where requests are sent instead of to the registrar (same forms as `registrar`); nil means to the registrar itself.
        public var outboundProxy: String?

        public init(
            user: String, displayName: String? = nil, authUser: String? = nil, password: String, registrar: String,
            outboundProxy: String? = nil
        ) {
            self.user = user
            self.displayName = displayName
            self.authUser = authUser
            self.password = password
            self.registrar = registrar
            self.outboundProxy = outboundProxy
        }
    }

    public enum Behaviour: String, Hashable, Sendable, CaseIterable {
        /// One REGISTER in flight, the newest challenge answered, mapping changes followed once.
        case modern
        /// That of the SNOM 300 of 2007: re-registers on every STUN surprise, answers the first challenge that arrives, knows no `stale`.
        case seed
    }

    /// What keeps the mapping of the SIP socket alive while nothing happens (RFC 5626 3.5, 4.4).
    public enum Keepalive: String, Hashable, Sendable, CaseIterable {
        case none
        /// A double CRLF. Over UDP nothing answers it, so it refreshes only NATs that outgoing packets refresh.
        case crlf
        /// A STUN Binding request to the registrar over the SIP socket; falls back to OPTIONS where the registrar knows no STUN.
        case stun
        /// An OPTIONS request to the registrar; any response counts.
        case options
    }

    /// `stun.example.net`, `192.0.2.1:3478`; port 3478 unless given (RFC 8489 8).
    public struct STUNServer: Hashable, Sendable {
        public var host: String
        public var port: UInt16

        public init(host: String, port: UInt16 = 3478) {
            self.host = host
            self.port = port
        }

        /// nil if `text` is neither `host`, `host:port`, an IPv6 address nor `[v6]:port`.
        public init?(_ text: String) {
            if let address = IPAddress(text) {
                self.init(host: address.description)
            } else if let endpoint = Endpoint(text) {
                self.init(host: endpoint.address.description, port: endpoint.port)
            } else {
                let parts = text.split(separator: ":", omittingEmptySubsequences: false)
                guard let host = parts.first, !host.isEmpty, parts.count <= 2, host.utf8.allSatisfy(STUNServer.isHostByte) else {
                    return nil
                }
                guard parts.count == 2 else {
                    self.init(host: String(host))
                    return
                }
                guard let port = UInt16(parts[1]), port > 0 else { return nil }
                self.init(host: String(host), port: port)
            }
        }

        private static func isHostByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// The transport timers and the rhythm of retries.
    public struct Timers: Hashable, Sendable {
        /// RFC 3261 17.1.1.1: the round-trip estimate, 500 ms.
        public var t1: Duration
        public var t2: Duration
        public var t4: Duration
        /// RFC 5626 4.5: the back-off when no flow works, 30 s (base-all-fail).
        public var backoffBase: Duration
        /// RFC 5626 4.5: the back-off while another flow works, 90 s; used here after a refusal, where haste helps nobody.
        public var refusalBackoffBase: Duration
        /// RFC 5626 4.5: no wait is longer than this, 1800 s.
        public var backoffCap: Duration
        /// How long a first REGISTER waits for the STUN server's answer.
        public var stunPatience: Duration

        public init(
            t1: Duration = .milliseconds(500), t2: Duration = .seconds(4), t4: Duration = .seconds(5),
            backoffBase: Duration = .seconds(30), refusalBackoffBase: Duration = .seconds(90),
            backoffCap: Duration = .seconds(1800),
            stunPatience: Duration = .milliseconds(500)
        ) {
            self.t1 = t1
            self.t2 = t2
            self.t4 = t4
            self.backoffBase = backoffBase
            self.refusalBackoffBase = refusalBackoffBase
            self.backoffCap = backoffCap
            self.stunPatience = stunPatience
        }
    }

    public var identity: Identity
    public var behaviour: Behaviour
    /// The SIP sockets, one an address family at most; the target's family chooses. Ports are real ports, not 0.
    public var locals: [Endpoint]
    public var transport: SIPTransport
    /// The Expires asked for, in seconds.
    public var expires: UInt32
    public var stunServer: STUNServer?
    /// How often the STUN server is asked again.
    public var stunInterval: Duration
    public var keepalive: Keepalive
    public var keepaliveInterval: Duration
    /// Whether Via carries `rport` (RFC 3581).
    public var rport: Bool
    /// The URN of RFC 5626 4.1, without angle brackets; nil sends no `+sip.instance`, and then no `reg-id` either.
    public var instanceID: String?
    public var userAgent: String
    /// What others may ask of us, as REGISTER says in Allow.
    public var allow = RegistrationSettings.defaultAllow
    /// Servers asked for names, first to last; none means that only addresses can be used.
    public var dnsServers: [Endpoint]
    /// The first of the 16 local ports that DNS queries leave from; nil lets it be drawn from 49152 upwards.
    public var dnsPort: UInt16?
    /// The local port of the audio. The seed's behaviour asks STUN for its mapping too.
    public var rtpPort: UInt16
    public var timers: Timers

    /// What whoever answers requests, and takes calls without more than the least (RFC 3261), lets others ask.
    public static let defaultAllow = "INVITE, ACK, CANCEL, OPTIONS, BYE"

    public init(
        identity: Identity, behaviour: Behaviour = .modern, locals: [Endpoint], transport: SIPTransport = .udp,
        expires: UInt32 = 3600,
        stunServer: STUNServer? = nil, stunInterval: Duration = .seconds(120), keepalive: Keepalive = .stun,
        keepaliveInterval: Duration = .seconds(25), rport: Bool = true,
        instanceID: String? = nil, userAgent: String = "Pinhole", dnsServers: [Endpoint] = [], dnsPort: UInt16? = nil,
        rtpPort: UInt16 = 16_384, timers: Timers = Timers()
    ) {
        self.identity = identity
        self.behaviour = behaviour
        self.locals = locals
        self.transport = transport
        self.expires = expires
        self.stunServer = stunServer
        self.stunInterval = stunInterval
        self.keepalive = keepalive
        self.keepaliveInterval = keepaliveInterval
        self.rport = rport
        self.instanceID = instanceID
        self.userAgent = userAgent
        self.dnsServers = dnsServers
        self.dnsPort = dnsPort
        self.rtpPort = rtpPort
        self.timers = timers
    }
}

/// Why settings cannot work: nothing would be sent.
public enum RegistrationFault: Error, Hashable, Sendable {
    case noUser
    /// Neither a name, an address nor a SIP URI.
    case badRegistrar(String)
    case badProxy(String)
    case noLocalAddress
    /// A SIP socket whose port is 0.
    case noLocalPort
    /// WebSocket, which this client does not speak.
    case foreignTransport(SIPTransport)
    /// The server's address asks for another transport than the one set.
    case otherTransport(wanted: SIPTransport, set: SIPTransport)
    case noExpiry
}

extension RegistrationSettings {
    /// - Throws: what makes the settings unusable.
    func servers() throws(RegistrationFault) -> (registrar: ServerAddress, proxy: ServerAddress?) {
        if identity.user.isEmpty { throw .noUser }
        guard let registrar = ServerAddress(identity.registrar) else { throw .badRegistrar(identity.registrar) }
        let proxy = identity.outboundProxy.flatMap { ServerAddress($0) }
        if let text = identity.outboundProxy, proxy == nil { throw .badProxy(text) }
        if locals.isEmpty { throw .noLocalAddress }
        if locals.contains(where: { $0.port == 0 }) { throw .noLocalPort }
        switch transport {
        case .udp, .tcp, .tls: break
        case .ws, .wss: throw .foreignTransport(transport)
        }
        if let wanted = (proxy ?? registrar).transport, wanted != transport {
            throw .otherTransport(wanted: wanted, set: transport)
        }
        if expires == 0 { throw .noExpiry }
        return (registrar, proxy)
    }

    /// The socket that reaches `target`; nil: none is of its family.
    package func local(for target: Endpoint) -> Endpoint? {
        locals.first { $0.address.isIPv6 == target.address.isIPv6 }
    }
}

extension RegistrationSettings.Timers {
    /// As transactions take them: none below what makes sense.
    package var transactions: TransactionTimers {
        let t1 = max(t1, .milliseconds(1))
        return TransactionTimers(t1: t1, t2: max(t2, t1), t4: max(t4, .zero))
    }
}

extension RegistrationSettings.Identity {
    /// What answers challenges in its name.
    package func digest(_ entropy: Entropy) -> DigestClient {
        DigestClient(username: authUser ?? user, password: .text(password), entropy: entropy)
    }
}
