import Base
import SIP
import SIPStack

/// The client's transactions (RFC 3261 17.1.2), found by the branch of our Via.
struct OutgoingRequests: Sendable {
    /// What a request was for.
    enum Purpose: Hashable, Sendable {
        /// `contact`: what the REGISTER gave as our address.
        case register(cseq: UInt32, contact: Endpoint)
        case keepalive(cseq: UInt32)

        var method: String {
            switch self {
            case .register: "REGISTER"
            case .keepalive: "OPTIONS"
            }
        }

        var cseq: UInt32 {
            switch self {
            case .register(let cseq, _), .keepalive(let cseq): cseq
            }
        }
    }

    struct Request: Sendable {
        var purpose: Purpose
        var bytes: [UInt8]
        var local: Endpoint
        var remote: Endpoint
        var transaction: ClientNonInviteTransaction
    }

    enum Event: Sendable {
        case retransmit(Request)
        case timedOut(Purpose)
    }

    /// Transactions held at once, finished ones that still absorb copies included.
    static let cap = 64

    private var requests: [String: Request] = [:]
    private var deadlines = DeadlineQueue<String>()
    /// Oldest first, for the cap.
    private var order: [String] = []

    var nextDeadline: Instant? { deadlines.nextDeadline }

    mutating func begin(_ request: Request, branch: String) {
        if order.count >= Self.cap { forget(order[0]) }
        requests[branch] = request
        order.append(branch)
        deadlines.set(branch, to: request.transaction.nextDeadline)
    }

    enum Match: Sendable {
        /// The first final response, or a provisional one.
        case delivered(Purpose)
        /// A copy of what was delivered already.
        case copy(Purpose)
        case none
    }

    func awaits(_ branch: String, _ method: SIPMethod) -> Bool { requests[branch]?.purpose.method == method.text.string }

    mutating func receive(status: Int, branch: String, method: SIPMethod, at now: Instant) -> Match {
        guard var request = requests[branch], method.text.string == request.purpose.method else { return .none }
        let actions = request.transaction.receive(status: status, at: now)
        requests[branch] = request
        deadlines.set(branch, to: request.transaction.nextDeadline)
        return actions.contains(.deliver) ? .delivered(request.purpose) : .copy(request.purpose)
    }

    /// One thing that is due, nil when nothing is.
    mutating func due(at now: Instant) -> Event? {
        while let branch = deadlines.popDue(at: now) {
            guard var request = requests[branch] else { continue }
            let actions = request.transaction.advance(to: now)
            guard let next = request.transaction.nextDeadline else {
                forget(branch)
                if actions.contains(.timeout) { return .timedOut(request.purpose) }
                continue
            }
            requests[branch] = request
            deadlines.set(branch, to: next)
            if actions.contains(.sendRequest) { return .retransmit(request) }
        }
        return nil
    }

    mutating func abandon(_ matches: (Purpose) -> Bool) {
        for branch in order where requests[branch].map({ matches($0.purpose) }) ?? false { forget(branch) }
    }

    /// ICMP came back from `remote`: the unanswered requests to it have failed.
    mutating func fail(to remote: Endpoint) -> [Purpose] {
        var failed: [Purpose] = []
        for branch in order {
            guard var request = requests[branch], request.remote == remote, request.transaction.fail().contains(.transportError)
            else { continue }
            failed.append(request.purpose)
            forget(branch)
        }
        return failed
    }

    private mutating func forget(_ branch: String) {
        requests[branch] = nil
        deadlines.set(branch, to: nil)
        order.removeAll { $0 == branch }
    }
}
