import Base
import DNS
import DNSClient

/// Whose look-up an answer belongs to, in the owner's own words.
public struct LookUpToken: Hashable, Sendable {
    public var kind: UInt8
    public var number: UInt64

    public init(kind: UInt8, number: UInt64 = 0) {
        self.kind = kind
        self.number = number
    }
}

/// Names to endpoints (RFC 3263 for SIP servers, A and AAAA for STUN servers); addresses need no asking.
///
/// One serves all clients of a node. Of one token and name only one look-up is under way.
public struct NameLookups: Machine {
    public enum Input: Sendable {
        /// A SIP server by RFC 3263.
        case resolve(ServerAddress, LookUpToken)
        /// A host by its addresses alone.
        case resolveHost(String, port: UInt16, LookUpToken)
        /// A datagram that `owns` said yes to.
        case received(Datagram)
        case unreachable(Endpoint)
        /// The machine has other addresses now. What is under way is forgotten.
        case addressChanged([Endpoint])
        case cancelAll
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// The best endpoint first, at least one. `wasAsked`: false where the name was an address.
        case found(LookUpToken, name: String, [Endpoint], wasAsked: Bool)
        case notFound(LookUpToken, name: String, reason: String)
    }

    public enum Trace: Hashable, Sendable {
        case asks(name: String)
    }

    private struct Asked: Sendable {
        var name: String
        var token: LookUpToken
    }

    /// How many ports the queries share; each query under way has one of its own (RFC 5452 9.2).
    public static let portCount: UInt16 = 16

    /// Where queries leave from.
    public let ports: ClosedRange<UInt16>
    private let servers: [Endpoint]
    private let transport: SIPTransport
    private var resolver: SIPTargetResolver?
    private var asked: [UInt64: Asked] = [:]
    private var asks: UInt64 = 0
    private var entropy: Entropy
    private var outbox = Outbox<Output>()
    private var traces = TraceBox<Trace>()

    /// Whether traces are kept; nobody listening costs nothing.
    public var tracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    /// - Parameters:
    ///   - servers: asked first to last; none means that only addresses can be used.
    ///   - locals: our addresses, one a family at most.
    ///   - transport: what SIP servers are to be reached by.
    ///   - port: the first of `portCount`; nil draws it from 49152 upwards.
    public init(
        servers: [Endpoint], locals: [Endpoint], transport: SIPTransport = .udp, port: UInt16? = nil, entropy seed: Entropy
    ) {
        var entropy = seed
        self.transport = transport
        let port = port ?? UInt16(49_152 + entropy.next() % 16_000)
        let first = min(port, .max - Self.portCount + 1)
        ports = first...(first + Self.portCount - 1)
        self.servers = servers
        self.entropy = entropy
        resolver = makeResolver(locals)
    }

    /// Whether a datagram is for these look-ups: from one of the servers to one of our ports.
    public func owns(_ datagram: Datagram) -> Bool {
        resolver != nil && ports.contains(datagram.destination.port) && servers.contains(datagram.source)
    }

    // MARK: Machine

    public var nextDeadline: Instant? { resolver?.nextDeadline }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .resolve(let server, let token): resolve(server, token, at: now)
        case .resolveHost(let host, let port, let token): resolve(host, port, token, at: now)
        case .received(let datagram): resolver?.receive(.dns(.received(datagram)), at: now)
        case .unreachable(let endpoint): resolver?.receive(.dns(.unreachable(server: endpoint)), at: now)
        case .addressChanged(let locals):
            asked.removeAll()
            resolver = makeResolver(locals)
        case .cancelAll:
            let open = asked.keys.sorted()
            asked.removeAll()
            for id in open { resolver?.receive(.cancel(id: id), at: now) }
        }
        drain(at: now)
    }

    public mutating func advance(to now: Instant) {
        resolver?.advance(to: now)
        drain(at: now)
    }

    public mutating func nextOutput() -> Output? { outbox.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    // MARK: Asking

    private mutating func resolve(_ server: ServerAddress, _ token: LookUpToken, at now: Instant) {
        if let address = server.literal {
            let endpoint = Endpoint(address, server.port ?? transport.defaultPort)
            outbox.append(.found(token, name: server.host, [endpoint], wasAsked: false))
            return
        }
        let wanted = server.transport ?? (transport == .udp ? nil : transport)
        ask(SIPTargetQuery(host: server.host, port: server.port, transport: wanted), token, at: now)
    }

    private mutating func resolve(_ host: String, _ port: UInt16, _ token: LookUpToken, at now: Instant) {
        if let address = IPAddress(host) {
            outbox.append(.found(token, name: host, [Endpoint(address, port)], wasAsked: false))
            return
        }
        // With a port given, RFC 3263 4.2 asks for addresses only.
        ask(SIPTargetQuery(host: host, port: port, transport: .udp), token, at: now)
    }

    private mutating func ask(_ query: SIPTargetQuery, _ token: LookUpToken, at now: Instant) {
        guard resolver != nil else {
            outbox.append(.notFound(token, name: query.host, reason: "no DNS server is set"))
            return
        }
        guard !asked.values.contains(where: { $0.token == token && $0.name == query.host }) else { return }
        asks += 1
        asked[asks] = Asked(name: query.host, token: token)
        traces.note(.asks(name: query.host))
        resolver?.receive(.resolve(id: asks, query), at: now)
    }

    private mutating func drain(at now: Instant) {
        while let output = resolver?.nextOutput() {
            switch output {
            case .dns(.send(let datagram)): outbox.append(.send(datagram))
            // Our ports are few and stay bound.
            case .dns(.release), .dns(.disconnect), .dns(.found): break
            // There are no streams for it; a record set beyond 1232 bytes counts as unanswered.
            case .dns(.connect(let stream, _, _)): resolver?.receive(.dns(.streamFailed(stream: stream)), at: now)
            case .resolved(let id, let result):
                guard let question = asked.removeValue(forKey: id) else { continue }
                switch result {
                case .success(let targets):
                    outbox.append(.found(question.token, name: question.name, targets.map(\.endpoint), wasAsked: true))
                case .failure(let failure):
                    outbox.append(.notFound(question.token, name: question.name, reason: Self.text(failure)))
                }
            }
        }
    }

    private mutating func makeResolver(_ locals: [Endpoint]) -> SIPTargetResolver? {
        guard !servers.isEmpty, let local = locals.first?.address else { return nil }
        var dns = DNSResolver.Settings(servers: servers, local: local)
        dns.otherLocal = locals.first { $0.address.isIPv6 != local.isIPv6 }?.address
        dns.ports = ports
        var settings = SIPTargetResolver.Settings(dns: dns)
        settings.transports = transport == .udp ? [.udp] : [.udp, transport]
        settings.families = SIPTargetResolver.Family.allCases.filter { family in
            locals.contains { $0.address.isIPv6 == (family == .v6) }
        }
        return SIPTargetResolver(settings, entropy: entropy.fork())
    }

    private static func text(_ failure: SIPTargetFailure) -> String {
        switch failure {
        case .badHost: "it is no host name"
        case .transportNotSupported: "it asks for a transport that is not spoken here"
        case .serviceNotOffered: "it offers no SIP service"
        case .noAddress: "it has no address that can be reached from here"
        case .nameError: "the name does not exist"
        case .lookUpFailed(.timedOut): "the DNS servers do not answer"
        case .lookUpFailed(.refused(let code)): "the DNS servers refuse (\(code))"
        case .lookUpFailed(.noServers): "no DNS server is within reach"
        case .lookUpFailed(.aliasLoop): "its aliases go round in circles"
        case .lookUpFailed(.streamFailed): "its records are too many for one datagram"
        case .lookUpFailed(.tooMany), .tooMany: "too many names are being looked up"
        case .lookUpFailed(.cancelled), .cancelled: "the look-up was cancelled"
        }
    }
}
