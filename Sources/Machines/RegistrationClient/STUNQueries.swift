import Base
import STUN
import STUNStack

/// The STUN requests under way, one of each purpose at most.
struct STUNQueries: Sendable {
    enum Event: Sendable {
        case send(Datagram)
        case mapped(RegistrationTrace.STUNPurpose, local: Endpoint, server: Endpoint, mapped: Endpoint)
        case silent(RegistrationTrace.STUNPurpose, server: Endpoint)
        case unreachable(RegistrationTrace.STUNPurpose, server: Endpoint)
        case refused(RegistrationTrace.STUNPurpose, server: Endpoint, reason: String)
    }

    private let isClassic: Bool
    private let t1: Duration
    private var entropy: Entropy
    private var underWay: [(purpose: RegistrationTrace.STUNPurpose, request: STUNClientRequest)] = []
    private var events = Outbox<Event>()

    init(isClassic: Bool, t1: Duration, entropy: Entropy) {
        self.isClassic = isClassic
        self.t1 = t1
        self.entropy = entropy
    }

    var nextDeadline: Instant? { underWay.compactMap(\.request.nextDeadline).min() }

    mutating func nextEvent() -> Event? { events.next() }

    func isUnderWay(_ purpose: RegistrationTrace.STUNPurpose) -> Bool { underWay.contains { $0.purpose == purpose } }

    mutating func ask(_ purpose: RegistrationTrace.STUNPurpose, from local: Endpoint, to server: Endpoint, at now: Instant) {
        var writer = STUNWriter(.bindingRequest, STUNTransactionID(from: &entropy, classic: isClassic))
        // On a port shared with SIP the fingerprint tells the two apart (RFC 5626 5.1, RFC 8489 7).
        if purpose == .keepalive { writer.addFingerprint() }
        var request = STUNClientRequest(
            writer, from: local, to: server, schedule: isClassic && purpose != .keepalive ? .rfc3489 : .rfc8489(rto: t1), at: now)
        drain(purpose, &request)
        underWay.append((purpose, request))
    }

    /// Whether a request of ours waits for it.
    func awaits(_ datagram: Datagram) -> Bool { place(of: datagram) != nil }

    mutating func receive(_ datagram: Datagram, at now: Instant) {
        if let place = place(of: datagram) { tell(place) { $0.receive(.received(datagram), at: now) } }
    }

    private func place(of datagram: Datagram) -> Int? {
        underWay.firstIndex { $0.request.isAnswered(by: datagram.payload) && $0.request.local == datagram.destination }
    }

    mutating func unreachable(_ server: Endpoint, at now: Instant) {
        for place in underWay.indices.reversed() where underWay[place].request.server == server {
            tell(place) { $0.receive(.unreachable, at: now) }
        }
    }

    mutating func advance(to now: Instant) {
        for place in underWay.indices.reversed() { tell(place) { $0.advance(to: now) } }
    }

    mutating func cancel(_ purpose: RegistrationTrace.STUNPurpose) { underWay.removeAll { $0.purpose == purpose } }

    mutating func cancelAll() { underWay.removeAll() }

    private mutating func tell(_ place: Int, _ news: (inout STUNClientRequest) -> Void) {
        let purpose = underWay[place].purpose
        var request = underWay[place].request
        news(&request)
        drain(purpose, &request)
        if request.isFinished {
            underWay.remove(at: place)
        } else {
            underWay[place].request = request
        }
    }

    private mutating func drain(_ purpose: RegistrationTrace.STUNPurpose, _ request: inout STUNClientRequest) {
        while let output = request.nextOutput() {
            switch output {
            case .send(let datagram): events.append(.send(datagram))
            case .finished(let outcome): conclude(purpose, request.local, request.server, outcome)
            }
        }
    }

    private mutating func conclude(
        _ purpose: RegistrationTrace.STUNPurpose, _ local: Endpoint, _ server: Endpoint, _ outcome: STUNOutcome
    ) {
        switch outcome {
        case .success(let response):
            if let mapped = response.message.reflexiveEndpoint, mapped.port > 0, !mapped.address.isUnspecified {
                events.append(.mapped(purpose, local: local, server: server, mapped: mapped))
            } else {
                events.append(.refused(purpose, server: server, reason: "the answer names no address"))
            }
        case .error(let code, _):
            events.append(.refused(purpose, server: server, reason: "\(code)"))
        case .notUnderstood:
            events.append(.refused(purpose, server: server, reason: "the answer requires an attribute that is not known here"))
        case .timedOut: events.append(.silent(purpose, server: server))
        case .unreachable: events.append(.unreachable(purpose, server: server))
        case .cancelled: break
        }
    }
}
