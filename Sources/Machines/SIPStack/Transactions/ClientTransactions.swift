import Base
import SIP

/// A request that an element sends and whose answer it awaits.
public struct ClientRequest<Name: Hashable & Sendable, User: Sendable>: Sendable {
    /// By which its asker knows it; no two under way have the same.
    public let name: Name
    public let method: SIPMethod
    public let flow: FlowID
    public let bytes: [UInt8]
    public let user: User
    /// On whose behalf it is sent; nil: on our own. Strangers are one, without a name.
    public let account: SIPText?

    /// `bytes`: the whole request.
    public init(
        _ method: SIPMethod, _ bytes: [UInt8], _ name: Name, on flow: FlowID, for account: SIPText? = nil, _ user: User
    ) {
        self.name = name
        self.method = method
        self.flow = flow
        self.bytes = bytes
        self.user = user
        self.account = account
    }

    public var isInvite: Bool { method == .invite }

    /// The same, as another knows its users.
    public func of<Other>(_ user: Other) -> ClientRequest<Name, Other> {
        ClientRequest<Name, Other>(method, bytes, name, on: flow, for: account, user)
    }
}

/// What a request ended in, or brought.
public enum ClientOutcome: Sendable {
    case response(SIPMessage, Int)
    /// A 2xx to an INVITE that was withdrawn: it answered before our CANCEL came (RFC 3261 9.1, 15).
    case unwanted(SIPMessage)
    /// Timer B or F: counts as 408.
    case timeout
    /// The table is full: nothing was sent.
    case unsent
    /// Its flow is gone, or nobody is there: counts as 503.
    case failed
}

/// The requests that wait for answers (RFC 3261 17.1): timers, copies, CANCEL, the ACK of refusals.
///
/// Whoever asks names its requests himself, so that he finds a response's by its branch (`ClientToken`, or a hash of branch and method), and says what
/// a request is to him (`User`), which comes back with each outcome.
///
/// Inlinable throughout: in its users' modules it would be generic code otherwise, which costs a call a fifth more.
public struct ClientTransactions<Name: Hashable & Sendable, User: Sendable>: Sendable {
    public typealias Request = ClientRequest<Name, User>

    public enum Output: Sendable {
        case send(Request, [UInt8], SentMeaning)
        case came(ClientOutcome, Request)
    }

    @usableFromInline
    enum Machine: Sendable {
        case invite(ClientInviteTransaction)
        case nonInvite(ClientNonInviteTransaction)

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
    }

    /// An INVITE nobody wants any more (RFC 3261 9.1).
    @usableFromInline
    enum Cancelling: Sendable {
        case no
        /// A CANCEL may only follow a provisional response.
        case wanted(reason: SIPText?)
        case sent(ClientNonInviteTransaction, [UInt8], until: Instant)
    }

    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline
        var machine: Machine
        @usableFromInline
        let request: Request
        @usableFromInline
        let order: UInt64
        @usableFromInline
        var cancelling = Cancelling.no
        /// The ACK of its refusal.
        @usableFromInline
        var ack: [UInt8] = []

        @inlinable
        init(machine: Machine, request: Request, order: UInt64) {
            self.machine = machine
            self.request = request
            self.order = order
        }

        @inlinable
        var nextDeadline: Instant? {
            guard case .sent(let cancel, _, let until) = cancelling else { return machine.nextDeadline }
            var next = until
            for deadline in [cancel.nextDeadline, machine.nextDeadline] { if let deadline { next = min(next, deadline) } }
            return next
        }
    }

    @usableFromInline var entries: [Name: Entry] = [:]
    @usableFromInline var perAccount: [SIPText: Int] = [:]
    /// By flow: over streams, and wherever somebody may say that nobody is there.
    @usableFromInline var flows: [FlowID: Set<Name>] = [:]
    @usableFromInline var orders: UInt64 = 0
    @usableFromInline var deadlines = DeadlineQueue<Name>()
    @usableFromInline var outbox = Outbox<Output>()
    /// Whether it has nothing to say.
    @inlinable public var isSilent: Bool { outbox.isEmpty }
    @usableFromInline let cap: Int
    @usableFromInline let perAccountCap: Int
    @usableFromInline let timers: TransactionTimers

    /// `cap`, `perAccount`: requests at once, and on behalf of one account.
    @inlinable
    public init(cap: Int, perAccount: Int = .max, timers: TransactionTimers) {
        self.cap = cap
        perAccountCap = perAccount
        self.timers = timers
    }

    @inlinable
    public var count: Int { entries.count }

    /// Requests under way of some of those who ask.
    @inlinable
    public func count(where isMeant: (User) -> Bool) -> Int { entries.values.count { isMeant($0.request.user) } }

    /// Accounts on whose behalf something is asked.
    @inlinable
    public var accounts: Int { perAccount.count }
    @inlinable
    public var pendingDeadlines: Int { deadlines.count }

    /// Whether no request would be sent.
    @inlinable
    public var isFull: Bool { entries.count >= cap }

    /// Whether no request on behalf of that account would be sent.
    @inlinable
    public func isFull(for account: SIPText) -> Bool { entries.count >= cap || perAccount[account, default: 0] >= perAccountCap }

    /// Whether a response with this branch would be one to what was sent over that flow.
    @inlinable
    public func awaits(_ name: Name, on flow: FlowID) -> Bool { entries[name].map { $0.request.flow == flow } ?? false }

    /// What a request under way is to whoever asks.
    @inlinable
    public func user(_ name: Name) -> User? { entries[name]?.request.user }

    /// Whether a response with this branch is one to a request of ours.
    @inlinable
    public func awaits(_ name: Name) -> Bool { entries.index(forKey: name) != nil }

    @inlinable
    public mutating func nextOutput() -> Output? { outbox.next() }

    // MARK: Asking

    /// Sends a request. It comes to nothing at once (`.unsent`) where the table is full.
    @inlinable
    public mutating func ask(_ request: Request, at now: Instant) {
        let isOver = request.account.map { perAccount[$0, default: 0] >= perAccountCap } ?? false
        guard entries.count < cap, !isOver else { return outbox.append(.came(.unsent, request)) }
        let isReliable = request.flow.transport.isReliable
        let machine: Machine =
            request.isInvite
            ? .invite(ClientInviteTransaction(isReliable: isReliable, timers: timers, at: now))
            : .nonInvite(ClientNonInviteTransaction(isReliable: isReliable, timers: timers, at: now))
        orders &+= 1
        entries[request.name] = Entry(machine: machine, request: request, order: orders)
        flows[request.flow, default: []].insert(request.name)
        if let account = request.account { perAccount[account, default: 0] += 1 }
        deadlines.set(request.name, to: machine.nextDeadline)
        outbox.append(.send(request, request.bytes, .request(request.method)))
    }

    /// Nothing can come back any more, or nobody asks.
    @inlinable
    public mutating func forget(_ name: Name) {
        deadlines.set(name, to: nil)
        guard let request = entries.removeValue(forKey: name)?.request else { return }
        if let place = flows.index(forKey: request.flow) {
            flows.values[place].remove(name)
            if flows.values[place].isEmpty { flows.remove(at: place) }
        }
        guard let account = request.account else { return }
        let left = perAccount[account, default: 0] - 1
        perAccount[account] = left > 0 ? left : nil
    }

    /// A flow is gone, or nobody is at its far end: what waits for an answer over it fails.
    ///
    /// `isMeant`: of whom; the answers of others may come by another way.
    @inlinable
    public mutating func fail(_ flow: FlowID, of isMeant: (User) -> Bool = { _ in true }) {
        guard let names = flows[flow] else { return }
        for entry in names.compactMap({ entries[$0] }).sorted(by: { $0.order < $1.order }) where isMeant(entry.request.user) {
            // Who has his answer is told no more.
            switch entry.machine {
            case .invite(var machine): guard machine.fail().contains(.transportError) else { continue }
            case .nonInvite(var machine): guard machine.fail().contains(.transportError) else { continue }
            }
            forget(entry.request.name)
            if case .no = entry.cancelling { outbox.append(.came(.failed, entry.request)) }
        }
    }

    // MARK: Answers

    /// A response whose branch is one of ours.
    @inlinable
    public mutating func receive(_ name: Name, _ message: SIPMessage, _ status: Int, at now: Instant) {
        guard var entry = entries[name], let cseq = try? message.cseq else { return }
        if cseq.method == .cancel, entry.request.method != .cancel {
            guard case .sent(var machine, let bytes, let until) = entry.cancelling else { return }
            _ = machine.receive(status: status, at: now)
            entries[name]?.cancelling = .sent(machine, bytes, until: until)
            return settle(name)
        }
        let request = entry.request
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            if status >= 300, entry.ack.isEmpty { entry.ack = Self.acknowledgement(of: message, to: request.bytes) }
            actions = machine.receive(status: status, ack: entry.ack, at: now)
            entry.machine = .invite(machine)
            if actions.contains(.sendACK) { outbox.append(.send(request, entry.ack, .request(.ack))) }
        case .nonInvite(var machine):
            actions = machine.receive(status: status, at: now)
            entry.machine = .nonInvite(machine)
        }
        entries[name] = entry
        if case .wanted(let reason) = entry.cancelling, status < 200 { return sendCancel(name, reason, at: now) }
        guard actions.contains(.deliver) else { return settle(name) }
        if case .no = entry.cancelling {
            settle(name)
            return outbox.append(.came(.response(message, status), request))
        }
        if 200..<300 ~= status, request.isInvite { outbox.append(.came(.unwanted(message), request)) }
        if status >= 200 { entries[name]?.cancelling = .no }
        settle(name)
    }

    @inlinable
    mutating func settle(_ name: Name) {
        guard let entry = entries[name] else { return deadlines.set(name, to: nil) }
        // A CANCEL on its way still repeats itself, but nothing hangs on it.
        if entry.machine.isTerminated { forget(name) } else { deadlines.set(name, to: entry.nextDeadline) }
    }

    // MARK: Time

    @inlinable public var nextDeadline: Instant? { deadlines.nextDeadline }

    /// What is due first. False: nothing is.
    @inlinable
    public mutating func advanceOnce(to now: Instant) -> Bool {
        guard let name = deadlines.popDue(at: now) else { return false }
        guard var entry = entries[name] else { return true }
        if case .sent(var cancel, let bytes, let until) = entry.cancelling {
            if cancel.advance(to: now).contains(.sendRequest) { outbox.append(.send(entry.request, bytes, .again)) }
            entry.cancelling = .sent(cancel, bytes, until: until)
            entries[name] = entry
            if until <= now {
                forget(name)
                return true
            }
        }
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            actions = machine.advance(to: now)
            entries[name]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.advance(to: now)
            entries[name]?.machine = .nonInvite(machine)
        }
        if actions.contains(.sendRequest) { outbox.append(.send(entry.request, entry.request.bytes, .again)) }
        settle(name)
        if actions.contains(.timeout), case .no = entry.cancelling { outbox.append(.came(.timeout, entry.request)) }
        return true
    }

    // MARK: CANCEL

    /// Nobody wants the answer of this INVITE any more.
    @inlinable
    public mutating func cancel(_ name: Name, reason: SIPText?, at now: Instant) {
        guard let entry = entries[name], case .no = entry.cancelling, case .invite(let machine) = entry.machine else { return }
        switch machine.state {
        case .calling: entries[name]?.cancelling = .wanted(reason: reason)
        case .proceeding: sendCancel(name, reason, at: now)
        case .completed, .accepted, .terminated: break
        }
    }

    @inlinable
    mutating func sendCancel(_ name: Name, _ reason: SIPText?, at now: Instant) {
        guard let entry = entries[name], var builder = Self.beside(entry.request.bytes, .cancel) else { return }
        if let reason { builder.add(.reason, reason) }
        let bytes = builder.bytes
        let machine = ClientNonInviteTransaction(isReliable: entry.request.flow.transport.isReliable, timers: timers, at: now)
        entries[name]?.cancelling = .sent(machine, bytes, until: now + timers.patience)
        outbox.append(.send(entry.request, bytes, .request(.cancel)))
        settle(name)
    }

    /// The ACK of a refusal (RFC 3261 17.1.1.3).
    @inlinable
    static func acknowledgement(of response: SIPMessage, to request: [UInt8]) -> [UInt8] {
        beside(request, .ack, to: response)?.bytes ?? []
    }

    /// A request that goes the way of an INVITE, in its transaction: a CANCEL, or the ACK of a refusal, whose To is the response's.
    @inlinable
    static func beside(_ invite: [UInt8], _ method: SIPMethod, to response: SIPMessage? = nil) -> SIPMessageBuilder? {
        guard let request = try? SIPMessage(parsing: invite), let uri = request.requestURIText, let cseq = try? request.cseq
        else { return nil }
        var builder = SIPMessageBuilder(method, uri)
        builder.copy(.via, from: request)
        builder.copy(.route, from: request)
        builder.add(.maxForwards, 70)
        builder.copy(.from, from: request)
        builder.copy(.to, from: response ?? request)
        builder.copy(.callID, from: request)
        builder.add(CSeq(cseq.number, method))
        return builder
    }
}

/// What a message that a transaction sends is for.
public enum SentMeaning: Hashable, Sendable {
    case request(SIPMethod)
    /// A copy, as a timer or a copy asked for it.
    case again
}
