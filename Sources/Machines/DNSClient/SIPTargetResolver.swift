import Base
import DNS

/// Finds where a SIP request may go (RFC 3263): any number of queries side by side over one `DNSResolver` and its cache.
public struct SIPTargetResolver: Machine {
    /// An address family, in the order of preference.
    public enum Family: Hashable, Sendable, CaseIterable {
        case v6, v4

        var recordType: DNSRecordType {
            switch self {
            case .v6: .aaaa
            case .v4: .a
            }
        }
    }

    public struct Settings: Hashable, Sendable {
        /// Spoken here, most wanted first.
        public var transports: [SIPTransport] = [.udp, .tcp, .tls]
        /// Reachable from here, most wanted first.
        public var families: [Family] = [.v6, .v4]
        public var mostQueries = 256
        public var dns: DNSResolver.Settings

        public init(dns: DNSResolver.Settings) { self.dns = dns }
    }

    public enum Input: Hashable, Sendable {
        /// `id`: the caller's own, comes back with the result.
        case resolve(id: UInt64, SIPTargetQuery)
        case cancel(id: UInt64)
        /// What the network brought.
        case dns(DNSResolver.Input)
    }

    public enum Output: Hashable, Sendable {
        /// What the network shall do. Never `.found`.
        case dns(DNSResolver.Output)
        /// Places to try in this order: the next one where the one before does not answer (RFC 3263 4.3).
        case resolved(id: UInt64, Result<[SIPTarget], SIPTargetFailure>)
    }

    public typealias Trace = DNSResolver.Trace

    private struct Waiting: Sendable {
        var query: UInt64
        var question: DNSQuestion
    }

    public let settings: Settings
    private var resolver: DNSResolver
    private var lookups: [UInt64: SIPTargetLookup] = [:]
    private var waiting: [UInt64: Waiting] = [:]
    private var questions: UInt64 = 0
    private var entropy: Entropy
    private var outputs = Outbox<Output>()

    public init(_ settings: Settings, entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
        resolver = DNSResolver(settings.dns, entropy: self.entropy.fork())
    }

    public var nextDeadline: Instant? { resolver.nextDeadline }
    public mutating func nextOutput() -> Output? { outputs.next() }
    public mutating func nextTrace() -> Trace? { resolver.nextTrace() }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .resolve(let id, let query):
            guard lookups[id] == nil else { return }
            guard lookups.count < settings.mostQueries else { return outputs.append(.resolved(id: id, .failure(.tooMany))) }
            lookups[id] = SIPTargetLookup(query, settings)
            proceed(id, at: now)
        case .cancel(let id):
            guard lookups.removeValue(forKey: id) != nil else { return }
            waiting = waiting.filter { $0.value.query != id }
            outputs.append(.resolved(id: id, .failure(.cancelled)))
        case .dns(let input): resolver.receive(input, at: now)
        }
        drain(at: now)
    }

    public mutating func advance(to now: Instant) {
        resolver.advance(to: now)
        drain(at: now)
    }

    /// Asks what a look-up wants to know now, or tells how it ended.
    private mutating func proceed(_ id: UInt64, at now: Instant) {
        guard var lookup = lookups[id] else { return }
        if let outcome = lookup.outcome {
            lookups[id] = nil
            waiting = waiting.filter { $0.value.query != id }
            return outputs.append(.resolved(id: id, outcome))
        }
        let pending = lookup.pending
        lookup.pending = []
        lookups[id] = lookup
        for question in pending {
            questions += 1
            waiting[questions] = Waiting(query: id, question: question)
            resolver.receive(.lookUp(id: questions, question.name, question.type), at: now)
        }
    }

    private mutating func drain(at now: Instant) {
        while let output = resolver.nextOutput() {
            guard case .found(let number, let answer) = output else {
                outputs.append(.dns(output))
                continue
            }
            guard let asked = waiting.removeValue(forKey: number), var lookup = lookups[asked.query] else { continue }
            lookup.found(asked.question, answer, entropy: &entropy)
            lookups[asked.query] = lookup
            proceed(asked.query, at: now)
        }
    }
}
