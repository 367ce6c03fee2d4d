import Base
import DNS
import DNSClient

/// Names to endpoints for the phone (RFC 3263 for SIP servers, A and AAAA for STUN servers); addresses need no asking.
struct NameLookups: Sendable {
    enum Purpose: Hashable, Sendable {
        case registrar
        case stun
        /// The target of a call.
        case call(PhoneCallID)
        /// The STUN server, for the audio of calls.
        case callSTUN
    }

    enum Event: Sendable {
        case send(Datagram)
        case asks(name: String)
        /// `wasAsked`: false where the name was an address.
        case found(name: String, [Endpoint], Purpose, wasAsked: Bool)
        case notFound(name: String, reason: String, Purpose)
    }

    private struct Asked: Sendable {
        var name: String
        var purpose: Purpose
    }

    /// How many ports the queries of one phone share; each query under way has one of its own (RFC 5452 9.2).
    static let portCount: UInt16 = 16

    let ports: ClosedRange<UInt16>
    private let servers: [Endpoint]
    private let transport: SIPTransport
    private var resolver: SIPTargetResolver?
    private var asked: [UInt64: Asked] = [:]
    private var asks: UInt64 = 0
    private var entropy: Entropy
    private var events = Outbox<Event>()

    /// - Parameter port: the first of `portCount`.
    init(servers: [Endpoint], locals: [Endpoint], transport: SIPTransport = .udp, port: UInt16, entropy: Entropy) {
        self.transport = transport
        let first = min(port, .max - Self.portCount + 1)
        ports = first...(first + Self.portCount - 1)
        self.servers = servers
        self.entropy = entropy
        resolver = makeResolver(locals)
    }

    var nextDeadline: Instant? { resolver?.nextDeadline }

    mutating func nextEvent() -> Event? { events.next() }

    /// A SIP server by RFC 3263.
    mutating func resolve(_ server: ServerAddress, for purpose: Purpose, at now: Instant) {
        if let address = server.literal {
            events.append(
                .found(name: server.host, [Endpoint(address, server.port ?? transport.defaultPort)], purpose, wasAsked: false))
            return
        }
        let wanted = server.transport ?? (transport == .udp ? nil : transport)
        ask(SIPTargetQuery(host: server.host, port: server.port, transport: wanted), purpose, at: now)
    }

    /// A host by its addresses alone.
    mutating func resolve(host: String, port: UInt16, for purpose: Purpose, at now: Instant) {
        if let address = IPAddress(host) {
            events.append(.found(name: host, [Endpoint(address, port)], purpose, wasAsked: false))
            return
        }
        // With a port given, RFC 3263 4.2 asks for addresses only.
        ask(SIPTargetQuery(host: host, port: port, transport: .udp), purpose, at: now)
    }

    private mutating func ask(_ query: SIPTargetQuery, _ purpose: Purpose, at now: Instant) {
        guard resolver != nil else {
            events.append(.notFound(name: query.host, reason: "no DNS server is set", purpose))
            return
        }
        guard !asked.values.contains(where: { $0.purpose == purpose && $0.name == query.host }) else { return }
        asks += 1
        asked[asks] = Asked(name: query.host, purpose: purpose)
        events.append(.asks(name: query.host))
        resolver?.receive(.resolve(id: asks, query), at: now)
        drain(at: now)
    }

    /// False where the datagram did not come to one of our ports.
    mutating func receive(_ datagram: Datagram, at now: Instant) -> Bool {
        guard resolver != nil, ports.contains(datagram.destination.port), servers.contains(datagram.source) else { return false }
        resolver?.receive(.dns(.received(datagram)), at: now)
        drain(at: now)
        return true
    }

    mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        resolver?.receive(.dns(.unreachable(server: endpoint)), at: now)
        drain(at: now)
    }

    mutating func addressChanged(to locals: [Endpoint], at now: Instant) {
        asked.removeAll()
        resolver = makeResolver(locals)
    }

    mutating func advance(to now: Instant) {
        resolver?.advance(to: now)
        drain(at: now)
    }

    mutating func cancelAll(at now: Instant) {
        let open = asked.keys.sorted()
        asked.removeAll()
        for id in open { resolver?.receive(.cancel(id: id), at: now) }
        drain(at: now)
    }

    private mutating func drain(at now: Instant) {
        while let output = resolver?.nextOutput() {
            switch output {
            case .dns(.send(let datagram)): events.append(.send(datagram))
            // Our ports are few and stay bound.
            case .dns(.release), .dns(.disconnect), .dns(.found): break
            // The phone has no streams; a record set beyond 1232 bytes counts as unanswered.
            case .dns(.connect(let stream, _, _)): resolver?.receive(.dns(.streamFailed(stream: stream)), at: now)
            case .resolved(let id, let result):
                guard let question = asked.removeValue(forKey: id) else { continue }
                switch result {
                case .success(let targets):
                    events.append(.found(name: question.name, targets.map(\.endpoint), question.purpose, wasAsked: true))
                case .failure(let failure):
                    events.append(.notFound(name: question.name, reason: Self.text(failure), question.purpose))
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
        case .transportNotSupported: "it asks for a transport this phone does not have"
        case .serviceNotOffered: "it offers no SIP service"
        case .noAddress: "it has no address that this phone can reach"
        case .nameError: "the name does not exist"
        case .lookUpFailed(.timedOut): "the DNS servers do not answer"
        case .lookUpFailed(.refused(let code)): "the DNS servers refuse (\(code))"
        case .lookUpFailed(.noServers): "no DNS server is within reach"
        case .lookUpFailed(.aliasLoop): "its aliases go round in circles"
        case .lookUpFailed(.streamFailed): "its records are too many for this phone"
        case .lookUpFailed(.tooMany), .tooMany: "too many names are being looked up"
        case .lookUpFailed(.cancelled), .cancelled: "the look-up was cancelled"
        }
    }
}
