import Base
import SIP
import SIPStack

/// The phone's server transactions (RFC 3261 17.2): every request is answered once, its copies get the same answer.
struct IncomingRequests: Sendable {
    /// RFC 3261 17.2.3; where the branch is not unique (RFC 2543), Call-ID, From and CSeq stand in for it.
    struct Key: Hashable, Sendable {
        var branch: SIPText
        var sentBy: SIPText
        var method: SIPText
    }

    private enum Transaction: Sendable {
        case invite(ServerInviteTransaction)
        case other(ServerNonInviteTransaction)

        var nextDeadline: Instant? {
            switch self {
            case .invite(let transaction): transaction.nextDeadline
            case .other(let transaction): transaction.nextDeadline
            }
        }

        var response: [UInt8] {
            switch self {
            case .invite(let transaction): transaction.response
            case .other(let transaction): transaction.response
            }
        }
    }

    private struct Entry: Sendable {
        var transaction: Transaction
        /// What the answer goes over.
        var flow: FlowID
    }

    /// Transactions held at once; a request beyond it is dropped, its sender will repeat it.
    static let cap = 256

    private var entries: [Key: Entry] = [:]
    private var deadlines = DeadlineQueue<Key>()

    var nextDeadline: Instant? { deadlines.nextDeadline }

    enum Arrival: Sendable {
        case fresh
        /// To be answered with these bytes once more, over that flow; empty where there is nothing to repeat.
        case copy(response: [UInt8], over: FlowID)
        case full
    }

    mutating func arrive(_ key: Key) -> Arrival {
        guard var entry = entries[key] else { return entries.count < Self.cap ? .fresh : .full }
        let actions: TransactionActions
        switch entry.transaction {
        case .invite(var transaction):
            actions = transaction.receiveRetransmission()
            entry.transaction = .invite(transaction)
        case .other(var transaction):
            actions = transaction.receiveRetransmission()
            entry.transaction = .other(transaction)
        }
        entries[key] = entry
        return .copy(response: actions.contains(.sendResponse) ? entry.transaction.response : [], over: entry.flow)
    }

    /// Holds the answer, so that copies of the request get it again.
    mutating func answer(
        _ key: Key, status: Int, _ response: [UInt8], over flow: FlowID, timers: TransactionTimers, at now: Instant
    ) {
        let isReliable = flow.transport.isReliable
        let transaction: Transaction
        if key.method == SIPMethod.invite.text {
            var invite = ServerInviteTransaction(isReliable: isReliable, timers: timers, at: now)
            _ = invite.respond(status: status, response, at: now)
            transaction = .invite(invite)
        } else {
            var other = ServerNonInviteTransaction(isReliable: isReliable, timers: timers, at: now)
            _ = other.respond(status: status, response, at: now)
            transaction = .other(other)
        }
        guard let next = transaction.nextDeadline else { return }
        entries[key] = Entry(transaction: transaction, flow: flow)
        deadlines.set(key, to: next)
    }

    /// An ACK for the refused INVITE of that branch; false where there is none.
    mutating func acknowledge(_ key: Key, at now: Instant) -> Bool {
        guard var entry = entries[key], case .invite(var transaction) = entry.transaction else { return false }
        _ = transaction.receiveACK(at: now)
        entry.transaction = .invite(transaction)
        entries[key] = entry
        deadlines.set(key, to: transaction.nextDeadline)
        return true
    }

    func holds(_ key: Key) -> Bool { entries[key] != nil }

    /// One response to repeat, nil when nothing is due.
    mutating func due(at now: Instant) -> (flow: FlowID, bytes: [UInt8])? {
        while let key = deadlines.popDue(at: now) {
            guard var entry = entries[key] else { continue }
            let actions: TransactionActions
            switch entry.transaction {
            case .invite(var transaction):
                actions = transaction.advance(to: now)
                entry.transaction = .invite(transaction)
            case .other(var transaction):
                actions = transaction.advance(to: now)
                entry.transaction = .other(transaction)
            }
            guard let next = entry.transaction.nextDeadline else {
                entries[key] = nil
                continue
            }
            entries[key] = entry
            deadlines.set(key, to: next)
            if actions.contains(.sendResponse) {
                return (entry.flow, entry.transaction.response)
            }
        }
        return nil
    }
}

extension IncomingRequests.Key {
    /// nil where the message lacks what names a transaction.
    init?(_ message: SIPMessage) {
        guard let via = try? message.topVia, let method = message.method, let cseq = try? message.cseq else { return nil }
        self.method = method == .ack ? SIPMethod.invite.text : method.text.detached
        sentBy = SIPText("\(via.host):\(via.port.map { "\($0)" } ?? "")")
        if via.hasUniqueBranch, let branch = via.branch {
            self.branch = branch.detached
        } else {
            guard let callID = try? message.callID, let from = message.first(.from)?.value else { return nil }
            branch = SIPText("\(callID) \(from) \(cseq.number)")
        }
    }

    /// The transaction of the INVITE that a CANCEL with this key is about.
    var ofInvite: IncomingRequests.Key { IncomingRequests.Key(branch: branch, sentBy: sentBy, method: SIPMethod.invite.text) }
}
