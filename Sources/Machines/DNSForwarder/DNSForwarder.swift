public import Base
import DNS

/// A DNS forwarder (RFC 5625): it takes questions from inside, asks the resolvers it was told, and passes their answers on to the octet
/// but for the identifier. What the local domain holds it answers itself.
///
/// Each question leaves from a port of its own, with an identifier of its own, both random (RFC 5452); the owner is asked for the port.
public struct DNSForwarder: Machine {
    public typealias Trace = DNSForwarderTrace

    public enum Input: Sendable {
        /// From a host inside, to our port 53.
        case question(Datagram)
        /// From outside, to one of the ports that were asked for.
        case answer(Datagram)
        /// The port of a `.toUpstream` cannot be had: another is tried.
        case portTaken(UInt16)
        case settings(DNSForwarderSettings)
        /// A host inside, by its label, lower case; no address: it is gone. What the settings say of that name goes first.
        case name(String, [IPAddress])
    }

    public enum Output: Hashable, Sendable {
        case toClient(Datagram)
        /// Its source port has to be the forwarder's alone until `.release`.
        case toUpstream(Datagram)
        case release(Endpoint)
    }

    struct Question: Sendable {
        let client: Datagram
        let query: DNSQuery
        let asked: Instant
        var tries: Int
        var ports: Int
        var id: UInt16
        var local: Endpoint
        var upstream: Endpoint
    }

    struct ClientQuestion: Hashable, Sendable {
        let client: Endpoint
        let id: UInt16
    }

    public private(set) var settings: DNSForwarderSettings
    /// Hosts that have come by themselves.
    private(set) var guests: [String: [IPAddress]] = [:]
    public private(set) var counters = DNSForwarderCounters()
    private var questions: [UInt16: Question] = [:]
    private var open: Set<ClientQuestion> = []
    private var perClient: [IPAddress: Int] = [:]
    private var deadlines = DeadlineQueue<UInt16>()
    private var entropy: Entropy
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<DNSForwarderTrace>()

    public init(_ settings: DNSForwarderSettings, entropy: Entropy) {
        self.settings = settings
        self.entropy = entropy
    }

    public var isTracing: Bool {
        get { traces.isOn }
        set { traces.isOn = newValue }
    }

    public var openQuestions: Int { questions.count }

    /// Whether an answer that comes to `local` is ours and not the NAT's.
    public func isAsking(from local: Endpoint) -> Bool { questions[local.port]?.local == local }

    // MARK: Machine

    public var nextDeadline: Instant? { deadlines.nextDeadline }

    public mutating func nextOutput() -> Output? { outputs.next() }

    public mutating func nextTrace() -> DNSForwarderTrace? { traces.next() }

    public mutating func receive(_ input: Input, at now: Instant) {
        advance(to: now)
        switch input {
        case .question(let datagram): asked(datagram, now)
        case .answer(let datagram): answered(datagram, now)
        case .portTaken(let port):
            guard var question = take(port) else { return }
            question.ports += 1
            guard question.ports < 16 else {
                fail(question)
                return
            }
            ask(question, now)
        case .name(let label, let addresses): guests[label] = addresses.isEmpty ? nil : addresses
        case .settings(let new):
            let isMoved = new.outsideV4 != settings.outsideV4 || new.outsideV6 != settings.outsideV6
            settings = new
            guard isMoved else { return }
            // The old address is nobody's now.
            for port in questions.keys.sorted() {
                guard let question = take(port) else { continue }
                outputs.append(.release(question.local))
                askNext(question, now)
            }
        }
    }

    public mutating func advance(to now: Instant) {
        while let port = deadlines.popDue(at: now) {
            guard let question = take(port) else { continue }
            outputs.append(.release(question.local))
            traces.note(.silent(question.upstream))
            askNext(question, now)
        }
    }

    // MARK: Questions

    private mutating func asked(_ datagram: Datagram, _ now: Instant) {
        guard let query = DNSQuery(datagram.payload) else {
            drop(.malformed)
            return
        }
        guard !query.isResponse else {
            drop(.wrongWay)
            return
        }
        counters.questions &+= 1
        if let answer = localAnswer(to: query, datagram.payload) {
            counters.local &+= 1
            traces.note(.answeredLocally(query.name, query.type))
            respond(answer, to: datagram)
            return
        }
        let key = ClientQuestion(client: datagram.source, id: query.id)
        // Asked again before we gave up: it is on its way.
        guard !open.contains(key) else { return }
        guard questions.count < settings.limits.questions,
            perClient[datagram.source.address, default: 0] < settings.limits.perClient
        else {
            drop(.limit)
            respond(query.failure(of: datagram.payload, .serverFailure), to: datagram)
            return
        }
        let nowhere = Endpoint(.v4(.any), 0)
        open.insert(key)
        perClient[datagram.source.address, default: 0] += 1
        askNext(
            Question(client: datagram, query: query, asked: now, tries: 0, ports: 0, id: 0, local: nowhere, upstream: nowhere),
            now)
    }

    private mutating func askNext(_ question: Question, _ now: Instant) {
        var question = question
        let usable = settings.upstreams.filter { $0.address.isIPv6 ? settings.outsideV6 != nil : settings.outsideV4 != nil }
        guard question.tries < max(1, settings.limits.tries), !usable.isEmpty else {
            fail(question)
            return
        }
        question.upstream = usable[question.tries % usable.count]
        question.tries += 1
        ask(question, now)
    }

    private mutating func ask(_ question: Question, _ now: Instant) {
        var question = question
        let source: IPAddress? =
            question.upstream.address.isIPv6 ? settings.outsideV6.map { .v6($0) } : settings.outsideV4.map { .v4($0) }
        guard let source, let port = freePort() else {
            fail(question)
            return
        }
        question.id = UInt16(truncatingIfNeeded: entropy.next())
        question.local = Endpoint(source, port)
        questions[port] = question
        deadlines.set(port, to: now + settings.limits.patience)
        var payload = question.client.payload
        payload.replace(at: 0, bigEndian: question.id)
        counters.forwarded &+= 1
        traces.note(.asked(question.query.name, question.query.type, of: question.upstream))
        outputs.append(.toUpstream(Datagram(from: question.local, to: question.upstream, payload)))
    }

    /// Random; another where that one waits already.
    private mutating func freePort() -> UInt16? {
        for _ in 0..<16 {
            let port = UInt16(1024 + entropy.next() % 64_512)
            if questions[port] == nil { return port }
        }
        return nil
    }

    private mutating func take(_ port: UInt16) -> Question? {
        deadlines.set(port, to: nil)
        return questions.removeValue(forKey: port)
    }

    private mutating func close(_ question: Question) {
        open.remove(ClientQuestion(client: question.client.source, id: question.query.id))
        let address = question.client.source.address
        let left = perClient[address, default: 1] - 1
        perClient[address] = left > 0 ? left : nil
    }

    private mutating func fail(_ question: Question) {
        close(question)
        counters.failed &+= 1
        traces.note(.failed(question.query.name, question.query.type))
        respond(question.query.failure(of: question.client.payload, .serverFailure), to: question.client)
    }

    // MARK: Answers

    private mutating func answered(_ datagram: Datagram, _ now: Instant) {
        guard let answer = DNSQuery(datagram.payload) else {
            drop(.malformed)
            return
        }
        guard answer.isResponse else {
            drop(.wrongWay)
            return
        }
        let port = datagram.destination.port
        // RFC 5452 9.1: all of what was asked comes back, from where it was asked.
        guard let question = questions[port], question.local == datagram.destination, question.upstream == datagram.source,
            question.id == answer.id, question.query.name == answer.name, question.query.type == answer.type,
            question.query.questionClass == answer.questionClass
        else {
            drop(.unasked)
            return
        }
        _ = take(port)
        close(question)
        outputs.append(.release(question.local))
        counters.answered &+= 1
        traces.note(.answered(answer.name, answer.type, by: question.upstream, after: now - question.asked))
        var payload = datagram.payload
        payload.replace(at: 0, bigEndian: question.query.id)
        respond(payload, to: question.client)
    }

    private mutating func respond(_ payload: [UInt8], to client: Datagram) {
        outputs.append(.toClient(Datagram(from: client.destination, to: client.source, payload)))
    }

    private mutating func drop(_ reason: DNSForwarderDrop) {
        counters[reason] &+= 1
        traces.note(.dropped(reason))
    }
}
