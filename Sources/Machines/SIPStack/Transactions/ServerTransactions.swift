import Base
import SIP

/// The requests that came and what they are answered (RFC 3261 17.2): copies, timers, ACKs of refusals.
///
/// Whoever is asked names the requests himself, so that he finds a copy's (a hash of what identifies it, RFC 3261 17.2.3), and says what he
/// keeps of each until its final response (`Request`).
///
/// Inlinable throughout: in its users' modules it would be generic code otherwise, which costs a call a fifth more.
public struct ServerTransactions<Name: Hashable & Sendable, Request: Sendable>: Sendable {
    public enum Output: Sendable {
        /// The refusal of an INVITE is said again, as nobody acknowledged it yet.
        case again(Request, on: FlowID, [UInt8])
        /// Nobody has answered yet: a 100 is to be handed to `respond` (RFC 3261 17.2.1, RFC 4320 4.1).
        case trying(Request)
        /// Nobody acknowledged the refusal of an INVITE (Timer H).
        case unacknowledged(Request)
        /// A response to an INVITE could not be sent.
        case undeliverable(Request, on: FlowID)
        /// Its time is over.
        case over(Request)
    }

    /// What an ACK is of.
    public enum Acknowledged: Sendable {
        /// Of nothing here.
        case nothing
        /// Of a refusal: nobody else is to see it.
        case refusal
        /// Of a 2xx that has the INVITE's branch: whoever answered looks after it.
        case acceptance
        /// Of an INVITE that is not answered yet, or over.
        case unexpected
    }

    @usableFromInline
    enum Machine: Sendable {
        case invite(ServerInviteTransaction)
        case nonInvite(ServerNonInviteTransaction)

        @inlinable
        var nextDeadline: Instant? {
            switch self {
            case .invite(let machine): machine.nextDeadline
            case .nonInvite(let machine): machine.nextDeadline
            }
        }

        @inlinable
        var isTerminated: Bool {
            switch self {
            case .invite(let machine): machine.state == .terminated
            case .nonInvite(let machine): machine.state == .terminated
            }
        }

        @inlinable
        var response: [UInt8] {
            switch self {
            case .invite(let machine): machine.response
            case .nonInvite(let machine): machine.response
            }
        }
    }

    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline
        var machine: Machine
        /// Where responses go: that of the latest copy of the request.
        @usableFromInline
        var way: FlowID
        @usableFromInline
        var request: Request
        @usableFromInline
        let order: UInt64

        @inlinable
        init(machine: Machine, way: FlowID, request: Request, order: UInt64) {
            self.machine = machine
            self.way = way
            self.request = request
            self.order = order
        }

        @inlinable
        var isInvite: Bool { if case .invite = machine { true } else { false } }
    }

    @usableFromInline var entries: [Name: Entry] = [:]
    /// Requests other than INVITE that were answered, the oldest first.
    @usableFromInline var answered = Outbox<(name: Name, order: UInt64)>()
    @usableFromInline var orders: UInt64 = 0
    @usableFromInline var deadlines = DeadlineQueue<Name>()
    @usableFromInline var outbox = Outbox<Output>()
    /// Whether it has nothing to say.
    @inlinable public var isSilent: Bool { outbox.isEmpty }
    @usableFromInline let timers: TransactionTimers

    @inlinable
    public init(timers: TransactionTimers) { self.timers = timers }

    @inlinable
    public var count: Int { entries.count }
    @inlinable
    public var pendingDeadlines: Int { deadlines.count }
    /// How many stand in line to be forgotten first.
    @inlinable
    public var answeredCount: Int { answered.count }

    /// What was kept of a request.
    @inlinable
    public func request(_ name: Name) -> Request? { entries[name]?.request }

    @inlinable
    public func contains(_ name: Name) -> Bool { entries.index(forKey: name) != nil }

    /// Where responses to it go.
    @inlinable
    public func way(_ name: Name) -> FlowID? { entries[name]?.way }

    /// Whether it is an INVITE that waits for its final response.
    @inlinable
    public func isProceeding(_ name: Name) -> Bool {
        guard case .invite(let machine)? = entries[name]?.machine, case .proceeding = machine.state else { return false }
        return true
    }

    @inlinable
    public mutating func nextOutput() -> Output? { outbox.next() }

    // MARK: Requests

    /// A request is known from now on.
    ///
    /// `way`: where responses go.
    @inlinable
    public mutating func open(_ name: Name, _ request: Request, isInvite: Bool, on way: FlowID, at now: Instant) {
        let isReliable = way.transport.isReliable
        let machine: Machine =
            isInvite
            ? .invite(ServerInviteTransaction(isReliable: isReliable, timers: timers, at: now))
            : .nonInvite(ServerNonInviteTransaction(isReliable: isReliable, timers: timers, at: now))
        orders &+= 1
        entries[name] = Entry(machine: machine, way: way, request: request, order: orders)
        deadlines.set(name, to: machine.nextDeadline)
    }

    /// The same request again: whatever was said last is said again. A NAT may have moved whoever asks meanwhile: answers go where he is now.
    /// nil: nothing was said yet, or nothing is to be said again.
    @inlinable
    public mutating func again(_ name: Name, on way: FlowID) -> [UInt8]? {
        guard let entry = entries[name] else { return nil }
        if entry.way != way { entries[name]?.way = way }
        let actions =
            switch entry.machine {
            case .invite(var machine): machine.receiveRetransmission()
            case .nonInvite(var machine): machine.receiveRetransmission()
            }
        return actions.contains(.sendResponse) ? entry.machine.response : nil
    }

    /// A response; where it is to be sent, nil where its transaction is over or has its final one.
    ///
    /// `isRemembered`: false forgets the transaction with its final response, so that a copy of the request counts as new (RFC 3261 8.2.7).
    @inlinable
    public mutating func respond(
        _ name: Name, _ status: Int, _ bytes: [UInt8], isRemembered: Bool = true, at now: Instant
    ) -> FlowID? {
        guard let entry = entries[name] else { return nil }
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            actions = machine.respond(status: status, bytes, at: now)
            entries[name]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.respond(status: status, bytes, at: now)
            entries[name]?.machine = .nonInvite(machine)
            // Timer J of zero, over a stream: over at once.
            if case .completed(_, let timerJ) = machine.state, !actions.contains(.refused) {
                if !isRemembered || timerJ <= now { forget(name) } else { noteAnswered(name, entry.order) }
            }
        }
        if entry.isInvite, status >= 200, !isRemembered { forget(name) }
        settle(name)
        return actions.contains(.sendResponse) ? entry.way : nil
    }

    @inlinable
    public mutating func acknowledge(_ name: Name, at now: Instant) -> Acknowledged {
        guard case .invite(var machine)? = entries[name]?.machine else { return .nothing }
        switch machine.state {
        case .accepted: return .acceptance
        case .proceeding, .terminated: return .unexpected
        case .completed, .confirmed: break
        }
        _ = machine.receiveACK(at: now)
        entries[name]?.machine = .invite(machine)
        settle(name)
        return .refusal
    }

    /// There is nobody to be answered.
    @inlinable
    public mutating func forget(_ name: Name) {
        deadlines.set(name, to: nil)
        entries.removeValue(forKey: name)
    }

    /// Makes room: the request that was answered longest ago is forgotten. nil: there is none.
    @inlinable
    public mutating func forgetOldest() -> Request? {
        while let oldest = answered.next() {
            guard let entry = entries[oldest.name], entry.order == oldest.order else { continue }
            forget(oldest.name)
            return entry.request
        }
        return nil
    }

    /// A flow is gone: what was said over it did not arrive. RFC 6026 7.1: the user is told, the transaction stays.
    @inlinable
    public mutating func fail(_ flow: FlowID) {
        let over = entries.filter { $0.value.way == flow && $0.value.isInvite }
        for (name, _) in over.sorted(by: { $0.value.order < $1.value.order }) {
            guard case .invite(var machine)? = entries[name]?.machine else { continue }
            if machine.fail().contains(.transportError), let request = entries[name]?.request {
                outbox.append(.undeliverable(request, on: flow))
            }
            entries[name]?.machine = .invite(machine)
        }
    }

    /// What is kept of a request becomes another.
    @inlinable
    public mutating func change(_ name: Name, _ change: (inout Request) -> Void) {
        if let place = entries.index(forKey: name) { change(&entries.values[place].request) }
    }

    /// What is over by itself is dropped from the line now and then, or it would only grow.
    @inlinable
    mutating func noteAnswered(_ name: Name, _ order: UInt64) {
        answered.append((name, order))
        guard answered.count > 64, answered.count > 2 * entries.count else { return }
        var left = Outbox<(name: Name, order: UInt64)>()
        while let next = answered.next() {
            if entries[next.name]?.order == next.order { left.append(next) }
        }
        answered = left
    }

    @inlinable
    mutating func settle(_ name: Name) {
        guard let machine = entries[name]?.machine else { return }
        if machine.isTerminated { forget(name) } else { deadlines.set(name, to: machine.nextDeadline) }
    }

    // MARK: Time

    @inlinable public var nextDeadline: Instant? { deadlines.nextDeadline }

    /// What is due first. False: nothing is.
    @inlinable
    public mutating func advanceOnce(to now: Instant) -> Bool {
        guard let name = deadlines.popDue(at: now) else { return false }
        guard let entry = entries[name] else { return true }
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            actions = machine.advance(to: now)
            entries[name]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.advance(to: now)
            entries[name]?.machine = .nonInvite(machine)
        }
        if actions.contains(.makeTrying) { outbox.append(.trying(entry.request)) }
        if actions.contains(.sendResponse) { outbox.append(.again(entry.request, on: entry.way, entry.machine.response)) }
        if actions.contains(.timeout) { outbox.append(.unacknowledged(entry.request)) }
        settle(name)
        if !contains(name) { outbox.append(.over(entry.request)) }
        return true
    }
}
