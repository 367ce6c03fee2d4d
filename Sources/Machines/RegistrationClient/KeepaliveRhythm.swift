import Base

/// When the next keepalive is due and which kind works with this registrar (RFC 5626 4.4).
struct KeepaliveRhythm: Hashable, Sendable {
    enum Failure: Hashable, Sendable {
        case fallBack(to: RegistrationSettings.Keepalive, because: String)
        case flowIsDead
    }

    private(set) var kind: RegistrationSettings.Keepalive
    private let interval: Duration
    /// `interval`, or less where the registrar's Flow-Timer asks for it.
    private var pace: Duration
    private var target: Endpoint?
    private(set) var nextDeadline: Instant?
    /// A keepalive whose answer is still awaited; none is sent beside it.
    private var isPending = false
    /// Behind this nobody calls us over the path, and it is left alone.
    private var bindingEnds = Instant.epoch
    /// The registrar has answered this kind at least once, so that silence means something.
    private var hasAnswered = false
    /// Paths given up since the last answer.
    private var deadPaths = 0

    init(_ settings: RegistrationSettings) {
        kind = settings.keepalive
        interval = max(settings.keepaliveInterval, .seconds(1))
        pace = interval
    }

    mutating func registered(
        at target: Endpoint, until: Instant, flowTimer: UInt32?, now: Instant, using entropy: inout Entropy
    ) {
        guard kind != .none else { return }
        self.target = target
        bindingEnds = until
        pace = flowTimer.map { min(interval, max(.seconds(Int64($0)), .seconds(5))) } ?? interval
        if nextDeadline == nil { schedule(after: now, using: &entropy) }
    }

    mutating func stop() {
        target = nil
        nextDeadline = nil
        isPending = false
    }

    /// The target to send to, once each time it is due.
    mutating func due(at now: Instant, using entropy: inout Entropy) -> Endpoint? {
        guard let due = nextDeadline, due <= now, let target else { return nil }
        guard now < bindingEnds else {
            stop()
            return nil
        }
        schedule(after: now, using: &entropy)
        switch kind {
        case .none: return nil
        case .crlf: return target
        case .stun, .options:
            guard !isPending else { return nil }
            isPending = true
            return target
        }
    }

    mutating func answered() {
        isPending = false
        hasAnswered = true
        deadPaths = 0
    }

    /// The answer does not matter, as a REGISTER tells more.
    mutating func interrupted() { isPending = false }

    mutating func failed(at now: Instant) -> Failure {
        isPending = false
        if hasAnswered, deadPaths < 2 {
            deadPaths += 1
            return .flowIsDead
        }
        hasAnswered = false
        deadPaths = 0
        switch kind {
        case .stun:
            kind = .options
            nextDeadline = target == nil ? nil : now
            return .fallBack(to: .options, because: "the registrar does not answer STUN on its SIP port")
        case .options, .crlf, .none:
            kind = .crlf
            return .fallBack(to: .crlf, because: "the registrar does not answer OPTIONS")
        }
    }

    /// 80 to 100 per cent of the pace (RFC 5626 4.4.2).
    private mutating func schedule(after now: Instant, using entropy: inout Entropy) {
        nextDeadline = now + pace * Int64(800 + entropy.next() % 201) / 1000
    }
}
