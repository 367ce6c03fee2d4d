import Base
import SIP
import SIPStack

/// Requests of ours and what comes back: transactions, CANCEL, the ACK of refusals.
extension ServerNode {
    /// Sends a request whose branch is `token`. False, and nothing sent: the table is full.
    @discardableResult
    mutating func ask(
        _ bytes: [UInt8], _ token: ClientToken, on flow: FlowID, isInvite: Bool = false, _ purpose: ClientTransactions.Purpose,
        _ meaning: ServerTrace.Meaning, for account: SIPText? = nil, at now: Instant
    ) -> Bool {
        let isOver = account.map { calls.clients.count(of: $0) >= settings.limits.transactionsPerAccount } ?? false
        guard !calls.clients.isFull, !isOver else {
            tally.callTablesFull &+= 1
            traces.note(.notice(.tableFull("requests of ours")))
            return false
        }
        let isReliable = flow.transport.isReliable
        let timers = settings.calls.timers
        let machine: ClientTransactions.Machine =
            isInvite
            ? .invite(ClientInviteTransaction(isReliable: isReliable, timers: timers, at: now))
            : .nonInvite(ClientNonInviteTransaction(isReliable: isReliable, timers: timers, at: now))
        calls.clients[token.place] = .init(
            machine: machine, number: token.number,
            flow: flow, bytes: bytes, purpose: purpose, account: account)
        calls.deadlines.set(.client(token.place), to: machine.nextDeadline)
        if flow.transport == .udp, bytes.count > 1_300 { traces.note(.call(.largeRequest(flow, bytes: bytes.count))) }
        send(bytes, on: flow, meaning)
        return true
    }

    /// A response whose branch is one of ours. False: to nothing we asked.
    mutating func callAnswered(
        _ token: ClientToken, _ message: SIPMessage, _ status: Int, on flow: FlowID, at now: Instant
    ) -> Bool {
        guard var entry = calls.clients[token.place], entry.number == token.number, let cseq = try? message.cseq else {
            return false
        }
        traces.note(.received(flow, message, meaning: .response(status: status)))
        if cseq.method == .cancel {
            if case .sent(var machine, let bytes, let until) = entry.cancelling {
                _ = machine.receive(status: status, at: now)
                calls.clients[token.place]?.cancelling = .sent(machine, bytes, until: until)
                settleClient(token.place)
            }
            return true
        }
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            if status >= 300, entry.ack.isEmpty { entry.ack = Self.acknowledgement(of: message, to: entry.bytes) }
            actions = machine.receive(status: status, ack: entry.ack, at: now)
            entry.machine = .invite(machine)
            if actions.contains(.sendACK) { send(entry.ack, on: entry.flow, .request(.ack)) }
        case .nonInvite(var machine):
            actions = machine.receive(status: status, at: now)
            entry.machine = .nonInvite(machine)
        }
        let purpose = entry.purpose
        var isUnwanted = false
        switch entry.cancelling {
        case .no: break
        case .wanted(let reason):
            isUnwanted = true
            if status < 200 {
                calls.clients[token.place] = entry
                sendCancel(token.place, reason, at: now)
                return true
            }
        case .sent: isUnwanted = true
        }
        calls.clients[token.place] = entry
        if !actions.contains(.deliver) {
            settleClient(token.place)
            return true
        }
        if isUnwanted {
            // It answered before our CANCEL came: take the call, and end it (RFC 3261 9.1, 15).
            if status >= 200, status < 300, case .invite = entry.machine { unwantedAccepted(message, entry, at: now) }
            if status >= 200 { calls.clients[token.place]?.cancelling = .no }
            settleClient(token.place)
            return true
        }
        settleClient(token.place)
        deliver(.response(message, status), purpose, token.place, entry, at: now)
        return true
    }

    /// What a transaction ended in, or brought.
    enum Outcome: Sendable {
        case response(SIPMessage, Int)
        /// Timer B or F: counts as 408.
        case timeout
    }

    private mutating func deliver(
        _ outcome: Outcome, _ purpose: ClientTransactions.Purpose, _ id: UInt32, _ entry: ClientTransactions.Entry,
        at now: Instant
    ) {
        switch purpose {
        case .fork(let key, let leg): forkAnswered(key, leg, id, entry, outcome, at: now)
        case .exchange(let key, let leg): exchangeAnswered(key, leg, id, entry, outcome, at: now)
        case .refresh(let key, let leg): refreshAnswered(key, leg, id, entry, outcome, at: now)
        case .courtesy: break
        case .relay(let request): relayAnswered(request, outcome, at: now)
        case .notify(let subscription): notifyAnswered(subscription, outcome, at: now)
        case .delivery(let key, let alternates, let party, let aor):
            deliveryAnswered(key, alternates, party, aor, outcome, at: now)
        }
    }

    mutating func advancedClient(_ id: UInt32, at now: Instant) {
        guard var entry = calls.clients[id] else { return }
        if case .sent(var cancel, let bytes, let until) = entry.cancelling {
            if cancel.advance(to: now).contains(.sendRequest) { send(bytes, on: entry.flow, .retransmission) }
            entry.cancelling = .sent(cancel, bytes, until: until)
            calls.clients[id] = entry
            if until <= now {
                calls.clients[id] = nil
                return calls.deadlines.set(.client(id), to: nil)
            }
        }
        let actions: TransactionActions
        switch entry.machine {
        case .invite(var machine):
            actions = machine.advance(to: now)
            calls.clients[id]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.advance(to: now)
            calls.clients[id]?.machine = .nonInvite(machine)
        }
        if actions.contains(.sendRequest) { send(entry.bytes, on: entry.flow, .retransmission) }
        settleClient(id)
        guard actions.contains(.timeout) else { return }
        if case .no = entry.cancelling { deliver(.timeout, entry.purpose, id, entry, at: now) }
    }

    /// Nothing can come back any more.
    mutating func forgetClient(_ id: UInt32) {
        calls.clients[id] = nil
        calls.deadlines.set(.client(id), to: nil)
    }

    private mutating func settleClient(_ id: UInt32) {
        guard let entry = calls.clients[id] else { return calls.deadlines.set(.client(id), to: nil) }
        if entry.machine.isTerminated {
            // A CANCEL on its way still repeats itself, but nothing hangs on it.
            calls.clients[id] = nil
            calls.deadlines.set(.client(id), to: nil)
        } else {
            calls.deadlines.set(.client(id), to: entry.nextDeadline)
        }
    }

    // MARK: CANCEL

    /// Nobody wants the answer of this INVITE any more.
    mutating func cancel(_ id: UInt32, reason: SIPText? = nil, at now: Instant) {
        guard let entry = calls.clients[id], case .no = entry.cancelling, case .invite(let machine) = entry.machine else {
            return
        }
        switch machine.state {
        case .calling: calls.clients[id]?.cancelling = .wanted(reason: reason)
        case .proceeding: sendCancel(id, reason, at: now)
        case .completed, .accepted, .terminated: break
        }
    }

    private mutating func sendCancel(_ id: UInt32, _ reason: SIPText?, at now: Instant) {
        guard let entry = calls.clients[id], let request = try? SIPMessage(parsing: entry.bytes),
            let uri = request.requestURIText,
            let cseq = try? request.cseq
        else { return }
        var builder = SIPMessageBuilder(.cancel, uri)
        builder.copy(.via, from: request)
        builder.copy(.route, from: request)
        builder.add(.maxForwards, 70)
        builder.copy(.from, from: request)
        builder.copy(.to, from: request)
        builder.copy(.callID, from: request)
        builder.add(CSeq(cseq.number, .cancel))
        if let reason { builder.add(.reason, reason) }
        let bytes = builder.bytes
        let timers = settings.calls.timers
        let machine = ClientNonInviteTransaction(isReliable: entry.flow.transport.isReliable, timers: timers, at: now)
        calls.clients[id]?.cancelling = .sent(machine, bytes, until: now + timers.patience)
        send(bytes, on: entry.flow, .request(.cancel))
        settleClient(id)
    }

    /// A 2xx to an INVITE that was withdrawn. Of a re-INVITE only the round is gone: the dialog stays.
    private mutating func unwantedAccepted(_ message: SIPMessage, _ entry: ClientTransactions.Entry, at now: Instant) {
        switch entry.purpose {
        case .exchange(let key, let leg), .refresh(let key, let leg):
            guard var call = calls.take(key) else { return endStray(message, entry, at: now) }
            if call.legs.indices.contains(leg), call.legs[leg].state == .confirmed {
                sendACK([], leg, &call)
            } else {
                endStray(message, entry, at: now)
            }
            settle(call, at: now)
        case .fork, .courtesy, .relay, .notify, .delivery: endStray(message, entry, at: now)
        }
    }

    /// A 2xx that nobody waits for any more: acknowledged and hung up at once (RFC 3261 13.2.2.4).
    mutating func endStray(_ response: SIPMessage, _ entry: ClientTransactions.Entry, at now: Instant) {
        guard let request = try? SIPMessage(parsing: entry.bytes), var dialog = try? Dialog(request: request, response: response)
        else { return }
        let ack = dialog.acknowledgement(sequence: dialog.localSequence, via: addresses.via(entry.flow, freshToken()))
        send(ack.bytes, on: entry.flow, .request(.ack))
        let token = freshToken()
        let bye = dialog.request(.bye, via: addresses.via(entry.flow, token))
        ask(bye.bytes, token, on: entry.flow, .courtesy, .request(.bye), at: now)
    }

    /// The ACK of a refusal (RFC 3261 17.1.1.3).
    private static func acknowledgement(of response: SIPMessage, to bytes: [UInt8]) -> [UInt8] {
        guard let request = try? SIPMessage(parsing: bytes), let uri = request.requestURIText, let cseq = try? request.cseq else {
            return []
        }
        var builder = SIPMessageBuilder(.ack, uri)
        builder.copy(.via, from: request)
        builder.copy(.route, from: request)
        builder.add(.maxForwards, 70)
        builder.copy(.from, from: request)
        builder.copy(.to, from: response)
        builder.copy(.callID, from: request)
        builder.add(CSeq(cseq.number, .ack))
        return builder.bytes
    }

    // MARK: Branches

    mutating func freshToken() -> ClientToken { calls.clients.nextToken(&transactionEntropy) }
}
