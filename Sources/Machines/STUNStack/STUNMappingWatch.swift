import Base
import STUN

/// Asks a STUN server every so often how it sees one local port, and tells when that changes: what a phone's "STUN interval"
/// setting does, keepalive included.
public struct STUNMappingWatch: Machine {
    /// What the requests look like on the wire.
    public enum Dialect: Hashable, Sendable {
        case rfc8489
        /// No magic cookie, CHANGE-REQUEST of zero: a phone of 2007.
        case rfc3489
    }

    public struct Settings: Hashable, Sendable {
        public var local: Endpoint
        public var server: Endpoint
        /// From the start of one request to the start of the next; a request that still runs is awaited.
        public var interval: Duration
        public var dialect: Dialect
        public var schedule: STUNSchedule

        public init(
            local: Endpoint, server: Endpoint, interval: Duration, dialect: Dialect = .rfc8489, schedule: STUNSchedule? = nil
        ) {
            self.local = local
            self.server = server
            self.interval = interval
            self.dialect = dialect
            self.schedule = schedule ?? (dialect == .rfc3489 ? .rfc3489 : .rfc8489())
        }
    }

    public enum Input: Hashable, Sendable {
        case received(Datagram)
        /// Ask now, whatever the interval says.
        case refresh
        case stop
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// How the server sees us: once at first, then whenever it changes, and after silence.
        case mapped(Endpoint)
        /// No usable answer; told once until one comes.
        case lost(STUNOutcome)
    }

    public enum Trace: Hashable, Sendable {
        case asked
        /// Every answer, changed or not.
        case answered(Endpoint)
        case failed(STUNOutcome)
    }

    private enum State: Sendable {
        case asking(STUNClientRequest, next: Instant)
        case idle(until: Instant)
        case stopped
    }

    /// What was told last.
    private enum Told: Hashable, Sendable { case nothing, mapped(Endpoint), lost }

    public let settings: Settings
    private var state: State = .stopped
    private var told: Told = .nothing
    private var entropy: Entropy
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<Trace>(cap: 1024)

    /// Asks at once.
    public init(_ settings: Settings, entropy: Entropy, at now: Instant) {
        self.settings = settings
        self.entropy = entropy
        ask(at: now)
    }

    /// What was told last; nil before the first answer and after silence.
    public var mapped: Endpoint? { if case .mapped(let endpoint) = told { endpoint } else { nil } }

    public var nextDeadline: Instant? {
        switch state {
        case .asking(let request, _): request.nextDeadline
        case .idle(let until): until
        case .stopped: nil
        }
    }

    public mutating func nextOutput() -> Output? { outputs.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    public mutating func receive(_ input: Input, at now: Instant) {
        switch input {
        case .received(let datagram):
            switch state {
            case .asking(var request, let next):
                request.receive(.received(datagram), at: now)
                settle(request, next: next, at: now)
            case .idle, .stopped: return
            }
        case .refresh:
            switch state {
            case .idle, .stopped: ask(at: now)
            case .asking: return
            }
        case .stop: state = .stopped
        }
    }

    public mutating func advance(to now: Instant) {
        switch state {
        case .asking(var request, let next):
            request.advance(to: now)
            settle(request, next: next, at: now)
        case .idle(let until):
            if until <= now { ask(at: now) }
        case .stopped: return
        }
    }

    /// Whether a datagram answers the request under way, so that an owner of a shared port knows whose it is.
    public func expects(_ payload: [UInt8]) -> Bool {
        if case .asking(let request, _) = state { request.isAnswered(by: payload) } else { false }
    }

    private mutating func ask(at now: Instant) {
        let isClassic = settings.dialect == .rfc3489
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy, classic: isClassic))
        if isClassic { writer.add(.changeRequest(STUNChangeRequest(address: false, port: false))) }
        let request = STUNClientRequest(
            writer, from: settings.local, to: settings.server, schedule: settings.schedule, at: now)
        traces.note(.asked)
        settle(request, next: now + settings.interval, at: now)
    }

    private mutating func settle(_ request: STUNClientRequest, next: Instant, at now: Instant) {
        var request = request
        while let output = request.nextOutput() {
            switch output {
            case .send(let datagram): outputs.append(.send(datagram))
            case .finished(let outcome):
                tell(outcome)
                state = .idle(until: max(next, now))
                return
            }
        }
        while request.nextTrace() != nil {}
        state = .asking(request, next: next)
    }

    private mutating func tell(_ outcome: STUNOutcome) {
        if case .success(let response) = outcome, let endpoint = response.message.reflexiveEndpoint {
            traces.note(.answered(endpoint))
            guard told != .mapped(endpoint) else { return }
            told = .mapped(endpoint)
            outputs.append(.mapped(endpoint))
        } else {
            traces.note(.failed(outcome))
            guard told != .lost else { return }
            told = .lost
            outputs.append(.lost(outcome))
        }
    }
}
