import Base
import DNS
import DNSClient
import Testing

func name(_ text: String) -> DNSName { DNSName(text)! }

/// DNS servers behind a resolver's outputs: answers come 10 ms later.
struct ZoneWorld {
    static let first = Endpoint(.v4(IPv4Address(192, 0, 2, 53)), 53)
    static let second = Endpoint(.v4(IPv4Address(192, 0, 2, 54)), 53)
    static let local = IPAddress.v4(IPv4Address(10, 0, 0, 2))

    var zone = DNSZone(apex: .root, minimum: 60)
    var now = Instant(seconds: 100)
    var dead: Set<Endpoint> = []
    /// Alters an answer before it is sent.
    var spoil: (@Sendable (inout DNSMessage) -> Void)?
    var streamsWork = true
    private(set) var queries: [Query] = []
    private(set) var streams = 0
    private(set) var open: Set<Endpoint> = []

    struct Query: Hashable {
        var milliseconds: Int64
        var server: Endpoint
        var question: DNSQuestion
        var local: Endpoint
        var identifier: UInt16
    }

    static var settings: DNSResolver.Settings { DNSResolver.Settings(servers: [first, second], local: local) }

    mutating func add(_ owner: String, _ data: DNSRecordData, ttl: UInt32 = 3600) {
        zone.add(DNSRecord(name(owner), ttl: ttl, data))
    }

    mutating func add(_ owner: String, srv priority: UInt16, _ weight: UInt16, _ port: UInt16, _ target: String) {
        add(owner, .srv(DNSServiceRecord(priority: priority, weight: weight, port: port, target: name(target))))
    }

    mutating func add(_ owner: String, naptr order: UInt16, _ preference: UInt16, _ service: String, _ target: String) {
        add(
            owner,
            .naptr(DNSNamingRecord(order: order, preference: preference, flags: "s", service: service, replacement: name(target)))
        )
    }

    /// What the network does with an output: inputs, each for when it arrives.
    mutating func take(_ output: DNSResolver.Output) -> DNSResolver.Input? {
        switch output {
        case .send(let datagram):
            open.insert(datagram.source)
            guard let query = try? DNSMessage(datagram.payload), let question = query.questions.first else { return nil }
            queries.append(
                Query(
                    milliseconds: (now - Instant(seconds: 100)).wholeMilliseconds, server: datagram.destination,
                    question: question, local: datagram.source, identifier: query.id))
            guard !dead.contains(datagram.destination) else { return nil }
            var answer = zone.answer(query)
            spoil?(&answer)
            return .received(Datagram(from: datagram.destination, to: datagram.source, answer.bytes(limit: query.udpSize)))
        case .release(let local):
            open.remove(local)
            return nil
        case .connect(let stream, _, let query):
            streams += 1
            guard streamsWork, let answer = zone.answer(query, overStream: true) else { return .streamFailed(stream: stream) }
            return .streamAnswered(stream: stream, answer)
        case .disconnect, .found: return nil
        }
    }

    /// Runs one look-up to its end.
    mutating func lookUp(_ resolver: inout DNSResolver, _ owner: String, _ type: DNSRecordType) -> DNSAnswer? {
        resolver.receive(.lookUp(id: 1, name(owner), type), at: now)
        for _ in 0..<1000 {
            var arriving: [DNSResolver.Input] = []
            while let output = resolver.nextOutput() {
                if case .found(1, let answer) = output {
                    while let rest = resolver.nextOutput() { _ = take(rest) }
                    return answer
                }
                if let input = take(output) { arriving.append(input) }
            }
            if arriving.isEmpty {
                guard let next = resolver.nextDeadline else { return nil }
                now = max(now, next)
                resolver.advance(to: now)
            } else {
                now += .milliseconds(10)
                for input in arriving { resolver.receive(input, at: now) }
            }
        }
        return nil
    }

    /// Runs one query to its end.
    mutating func resolve(
        _ resolver: inout SIPTargetResolver, _ query: SIPTargetQuery
    ) -> Result<[SIPTarget], SIPTargetFailure>? {
        resolver.receive(.resolve(id: 5, query), at: now)
        for _ in 0..<1000 {
            var arriving: [DNSResolver.Input] = []
            while let output = resolver.nextOutput() {
                switch output {
                case .resolved(_, let result): return result
                case .dns(let output): if let input = take(output) { arriving.append(input) }
                }
            }
            if arriving.isEmpty {
                guard let next = resolver.nextDeadline else { return nil }
                now = max(now, next)
                resolver.advance(to: now)
            } else {
                now += .milliseconds(10)
                for input in arriving { resolver.receive(.dns(input), at: now) }
            }
        }
        return nil
    }
}
