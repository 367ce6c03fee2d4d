import Base
import STUN

/// An answer and the way it took.
public struct STUNResponse: Hashable, Sendable {
    public var message: STUNMessage
    public var source: Endpoint
    /// Our own endpoint that it reached.
    public var destination: Endpoint
}

/// How a request ended.
public enum STUNOutcome: Hashable, Sendable {
    case success(STUNResponse)
    /// The server refused. 401, 438 and 300 ask for another request; that is the owner's business.
    case error(STUNErrorCode, STUNResponse)
    /// An answer with comprehension-required attributes that nobody here knows (RFC 8489 6.3.3).
    case notUnderstood([STUNAttributeType], STUNResponse)
    case timedOut
    /// ICMP said so.
    case unreachable
    case cancelled
}

/// A client transaction over UDP: one request, sent again until an answer comes or the schedule ends (RFC 8489 6.2.1).
public struct STUNClientRequest: Machine {
    public enum Input: Hashable, Sendable {
        /// Any datagram; what does not belong here is left alone.
        case received(Datagram)
        /// An ICMP error for our request: it ends the transaction (RFC 8489 6.2.1).
        case unreachable
        case cancel
    }

    public enum Output: Hashable, Sendable {
        case send(Datagram)
        /// Comes once, last.
        case finished(STUNOutcome)
    }

    public enum Trace: Hashable, Sendable {
        case sent(count: Int)
        case ignored(Ignored, from: Endpoint)
    }

    /// Why an answer with our transaction ID was left alone, as if it had never come.
    public enum Ignored: Hashable, Sendable {
        case malformed(STUNError)
        case wrongFingerprint
        case wrongIntegrity
        case noIntegrity
        case otherSource
        case otherMethod
    }

    /// From where an answer is believed.
    public enum Sources: Hashable, Sendable {
        /// Only from where the request went.
        case server
        /// From anywhere: the request carries CHANGE-REQUEST.
        case any
    }

    private enum State: Hashable, Sendable {
        case waiting(sent: Int, next: Instant)
        case finished
    }

    public let transactionID: STUNTransactionID
    public let local: Endpoint
    public let server: Endpoint
    private let request: [UInt8]
    private let schedule: STUNSchedule
    private let sources: Sources
    private let key: STUNKey?
    private var state: State
    private var outputs = Outbox<Output>()
    private var traces = TraceBox<Trace>(cap: 64)

    /// Sends at once.
    ///
    /// `request`: whole, with whatever integrity it needs. `key`: with it, only answers with right integrity are believed.
    public init(
        _ request: STUNWriter, from local: Endpoint, to server: Endpoint, schedule: STUNSchedule = .rfc8489(),
        sources: Sources = .server, key: STUNKey? = nil, at now: Instant
    ) {
        transactionID = request.transactionID
        self.request = request.bytes
        self.local = local
        self.server = server
        self.schedule = schedule
        self.sources = sources
        self.key = key
        state = .waiting(sent: 1, next: now + schedule.pause(after: 1))
        outputs.append(.send(Datagram(from: local, to: server, self.request)))
        traces.note(.sent(count: 1))
    }

    public var nextDeadline: Instant? {
        switch state {
        case .waiting(_, let next): next
        case .finished: nil
        }
    }

    public var isFinished: Bool { state == .finished }

    public mutating func receive(_ input: Input, at now: Instant) {
        guard !isFinished else { return }
        switch input {
        case .received(let datagram): receive(datagram)
        case .unreachable: finish(.unreachable)
        case .cancel: finish(.cancelled)
        }
    }

    public mutating func advance(to now: Instant) {
        switch state {
        case .waiting(let sent, let next):
            guard next <= now else { return }
            guard sent < schedule.sends else { return finish(.timedOut) }
            // From `now`, not from `next`: a driver that slept long must not send a burst.
            state = .waiting(sent: sent + 1, next: now + schedule.pause(after: sent + 1))
            outputs.append(.send(Datagram(from: local, to: server, request)))
            traces.note(.sent(count: sent + 1))
        case .finished: return
        }
    }

    public mutating func nextOutput() -> Output? { outputs.next() }
    public mutating func nextTrace() -> Trace? { traces.next() }

    /// Whether the bytes are an answer to this request, by class and transaction ID.
    public func isAnswered(by payload: [UInt8]) -> Bool {
        guard payload.count >= STUNMessage.headerLength, let type = STUNMessageType(wire: payload.uint16(at: 0)) else {
            return false
        }
        guard type.kind == .success || type.kind == .error else { return false }
        return payload.uint32(at: 4) == UInt32(truncatingIfNeeded: transactionID.high >> 32)
            && payload.uint32(at: 8) == UInt32(truncatingIfNeeded: transactionID.high)
            && payload.uint32(at: 12) == UInt32(truncatingIfNeeded: transactionID.low >> 32)
            && payload.uint32(at: 16) == UInt32(truncatingIfNeeded: transactionID.low)
    }

    private mutating func receive(_ datagram: Datagram) {
        guard isAnswered(by: datagram.payload) else { return }
        func ignore(_ why: Ignored) { traces.note(.ignored(why, from: datagram.source)) }
        let message: STUNMessage
        do {
            message = try STUNMessage(datagram.payload)
        } catch {
            return ignore(.malformed(error))
        }
        guard message.type.method == STUNMessageType(wire: request.uint16(at: 0))?.method else { return ignore(.otherMethod) }
        guard sources == .any || datagram.source == server else { return ignore(.otherSource) }
        guard message.fingerprintIsValid != false else { return ignore(.wrongFingerprint) }
        if let key {
            switch message.integrityIsValid(key) {
            case .some(true): break
            case .some(false): return ignore(.wrongIntegrity)
            case .none:
                // A server that refuses our credential cannot seal its answer (RFC 8489 9.2.5).
                guard let code = message.errorCode, [400, 401, 438].contains(code.code) else { return ignore(.noIntegrity) }
            }
        }
        let response = STUNResponse(message: message, source: datagram.source, destination: datagram.destination)
        if message.type.kind == .error {
            return finish(.error(message.errorCode ?? STUNErrorCode(500, "No ERROR-CODE"), response))
        }
        let unknown = message.unknownRequired(knowing: stunKnownAttributes)
        finish(unknown.isEmpty ? .success(response) : .notUnderstood(unknown, response))
    }

    private mutating func finish(_ outcome: STUNOutcome) {
        state = .finished
        outputs.append(.finished(outcome))
    }
}

/// The comprehension-required attributes that this module understands.
public let stunKnownAttributes: Set<STUNAttributeType> = [
    .mappedAddress, .responseAddress, .changeRequest, .sourceAddress, .changedAddress, .username, .password, .messageIntegrity,
    .errorCode, .unknownAttributes, .reflectedFrom, .realm, .nonce, .messageIntegritySHA256, .passwordAlgorithm, .userhash,
    .xorMappedAddress, .padding, .responsePort,
]
