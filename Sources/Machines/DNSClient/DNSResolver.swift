import Base
import DNS

/// A stub resolver (RFC 1034 5.3.1) over UDP, with a cache, falling back to a stream where an answer is truncated (RFC 7766).
///
/// Identifier and source port of each query are random (RFC 5452); an answer counts only if it comes from the server asked, to
/// the port that asked, with the identifier and the question of the query.
public struct DNSResolver: Machine {
    public struct Settings: Hashable, Sendable {
        /// Asked in this order; an answer of any of them counts.
        public var servers: [Endpoint]
        /// Where queries leave from; the port is chosen anew for each.
        public var local: IPAddress
        /// Source addresses for servers of IPv6, where `local` is of IPv4 and the other way round; nil uses none.
        public var otherLocal: IPAddress?
        public var ports: ClosedRange<UInt16> = 49_152...65_535
        /// How long the first answer is awaited; doubles each time all servers have been asked.
        public var firstTimeout = Duration.seconds(1)
        /// How often each server is asked.
        public var rounds = 3
        /// How long a stream may take.
        public var streamTimeout = Duration.seconds(5)
        /// Told to servers in an OPT record; nil sends none.
        public var udpSize: UInt16? = 1232
        public var cacheCapacity = 1024
        /// No answer is kept longer.
        public var longestTTL = Duration.seconds(86_400)
        /// No absence is remembered longer (RFC 2308 5).
        public var longestNegativeTTL = Duration.seconds(900)
        /// Look-ups under way.
        public var mostLookups = 256
        /// Names that need no server, as in a hosts file.
        public var hosts: [DNSName: [IPAddress]] = [:]

        public init(servers: [Endpoint], local: IPAddress) {
            self.servers = servers
            self.local = local
        }
    }

    public enum Input: Hashable, Sendable {
        /// `id`: the caller's own, comes back with the answer; one that is under way already is left alone.
        case lookUp(id: UInt64, DNSName, DNSRecordType)
        case cancel(id: UInt64)
        /// Any datagram that reached one of our ports.
        case received(Datagram)
        /// ICMP: nobody listens there.
        case unreachable(server: Endpoint)
        /// The whole answer from a stream that `.connect` asked for, without its length prefix.
        case streamAnswered(stream: UInt64, [UInt8])
        case streamFailed(stream: UInt64)
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// Nothing more is expected at this local endpoint: its socket may go.
        case release(Endpoint)
        /// Open a TCP connection, send the query with a two-byte length before it, hand back the answer.
        case connect(stream: UInt64, to: Endpoint, query: [UInt8])
        /// The stream is not needed any more.
        case disconnect(stream: UInt64)
        case found(id: UInt64, DNSAnswer)
    }

    public enum Trace: Hashable, Sendable {
        case asked(DNSQuestion, server: Endpoint)
        case answered(DNSQuestion, DNSAnswer, server: Endpoint)
        case fromCache(DNSQuestion)
        case truncated(DNSQuestion, server: Endpoint)
        case serverRefused(DNSQuestion, DNSResponseCode, server: Endpoint)
        case ignored(Ignored, from: Endpoint)
        case full(DNSQuestion)
    }

    /// Why a datagram was left alone.
    public enum Ignored: Hashable, Sendable {
        case malformed(DNSError)
        case notAResponse
        /// Its port or identifier belongs to no query.
        case noSuchQuery
        case wrongSource
        case wrongQuestion
    }

    struct Attempt: Sendable {
        var server: Endpoint
        var local: Endpoint
        var identifier: UInt16
    }

    enum State: Sendable {
        case asking(deadline: Instant)
        case streaming(stream: UInt64, server: Endpoint, identifier: UInt16, deadline: Instant)

        var deadline: Instant {
            switch self {
            case .asking(let deadline): deadline
            case .streaming(_, _, _, let deadline): deadline
            }
        }
    }

    struct Lookup: Sendable {
        var number: UInt64
        /// What the callers asked; `question` is where CNAME records have led by now.
        var original: DNSQuestion
        var question: DNSQuestion
        var waiting: [UInt64]
        /// Names seen on the way, `question` included.
        var chain: [DNSName]
        /// The least TTL on the way, in seconds.
        var ttl: UInt32
        var attempts: [Attempt] = []
        /// How many attempts were made for `question`.
        var asked = 0
        var lastRefusal: DNSResponseCode?
        var state: State
    }

    public let settings: Settings
    var lookups: [DNSQuestion: Lookup] = [:]
    var deadlines = DeadlineQueue<DNSQuestion>()
    var questionsByPort: [UInt16: DNSQuestion] = [:]
    var cache: DNSCache
    var streams: UInt64 = 0
    private var begun: UInt64 = 0
    var entropy: Entropy
    var outputs = Outbox<Output>()
    var traces = TraceBox<Trace>(cap: 4096)

    public init(_ settings: Settings, entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
        cache = DNSCache(capacity: settings.cacheCapacity)
    }

    public var nextDeadline: Instant? { deadlines.nextDeadline }
    public mutating func nextOutput() -> Output? { outputs.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    /// Answers in the cache, expired ones perhaps included.
    public var cached: Int { cache.count }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .lookUp(let id, let name, let type): lookUp(id, DNSQuestion(name, type), at: now)
        case .cancel(let id): cancel(id)
        case .received(let datagram): receive(datagram, at: now)
        case .unreachable(let server):
            // In the order in which they began: a dictionary's own order differs from run to run.
            let affected = lookups.filter { $0.value.attempts.last?.server == server }
            for (key, lookup) in affected.sorted(by: { $0.value.number < $1.value.number }) {
                if case .asking = lookup.state { askNext(key, at: now) }
            }
        case .streamAnswered(let stream, let bytes):
            guard let (key, server, identifier) = streaming(stream) else { return }
            guard let message = try? DNSMessage(bytes), isAnswer(message, identifier, lookups[key]?.question) else {
                return streamFailed(key, at: now)
            }
            settle(key, message, from: server, at: now)
        case .streamFailed(let stream):
            if let (key, _, _) = streaming(stream) { streamFailed(key, at: now) }
        }
    }

    public mutating func advance(to now: Instant) {
        while let key = deadlines.popDue(at: now) {
            guard let lookup = lookups[key] else { continue }
            switch lookup.state {
            case .asking: askNext(key, at: now)
            case .streaming(let stream, _, _, _):
                outputs.append(.disconnect(stream: stream))
                streamFailed(key, at: now)
            }
        }
    }

    private mutating func lookUp(_ id: UInt64, _ question: DNSQuestion, at now: Instant) {
        if let addresses = settings.hosts[question.name], question.type == .a || question.type == .aaaa {
            let records = addresses.compactMap { address -> DNSRecord? in
                switch (address, question.type) {
                case (.v4(let v4), .a): DNSRecord(question.name, .a(v4))
                case (.v6(let v6), .aaaa): DNSRecord(question.name, .aaaa(v6))
                default: nil
                }
            }
            return outputs.append(.found(id: id, records.isEmpty ? .noData : .records(records)))
        }
        if let answer = cache.answer(to: question, at: now) {
            traces.note(.fromCache(question))
            return outputs.append(.found(id: id, answer))
        }
        if lookups[question] != nil {
            if lookups[question]?.waiting.contains(id) == false { lookups[question]?.waiting.append(id) }
            return
        }
        guard lookups.count < settings.mostLookups else {
            traces.note(.full(question))
            return outputs.append(.found(id: id, .failed(.tooMany)))
        }
        begun += 1
        lookups[question] = Lookup(
            number: begun, original: question, question: question, waiting: [id], chain: [question.name], ttl: .max,
            state: .asking(deadline: now))
        askNext(question, at: now)
    }

    private mutating func cancel(_ id: UInt64) {
        let affected = lookups.filter { $0.value.waiting.contains(id) }
        for (key, _) in affected.sorted(by: { $0.value.number < $1.value.number }) {
            lookups[key]?.waiting.removeAll { $0 == id }
            // A look-up that nobody awaits any more ends by itself and still feeds the cache.
            outputs.append(.found(id: id, .failed(.cancelled)))
        }
    }

    private func streaming(_ stream: UInt64) -> (DNSQuestion, Endpoint, UInt16)? {
        for (key, lookup) in lookups {
            if case .streaming(stream, let server, let identifier, _) = lookup.state { return (key, server, identifier) }
        }
        return nil
    }

    func isAnswer(_ message: DNSMessage, _ identifier: UInt16, _ question: DNSQuestion?) -> Bool {
        guard let question else { return false }
        return message.isResponse && message.opcode == 0 && message.id == identifier && message.questions == [question]
    }
}
