import Base
import SIP

/// One server transaction with what its timers need.
struct ServerRecord: Sendable {
    enum Machine: Sendable {
        case invite(ServerInviteTransaction)
        case nonInvite(ServerNonInviteTransaction)

        var nextDeadline: Instant? {
            switch self {
            case .invite(let machine): machine.nextDeadline
            case .nonInvite(let machine): machine.nextDeadline
            }
        }

        var isTerminated: Bool {
            switch self {
            case .invite(let machine): machine.state == .terminated
            case .nonInvite(let machine): machine.state == .terminated
            }
        }

        var response: [UInt8] {
            switch self {
            case .invite(let machine): machine.response
            case .nonInvite(let machine): machine.response
            }
        }
    }

    var key: TransactionKey
    /// nil for requests inside a dialog, which cannot be merged.
    var mergeKey: TransactionKey?
    /// Hash of the branch alone; 0 without the magic cookie.
    var branch: UInt64
    var machine: Machine
    /// Where responses go: the flow of the latest copy of the request.
    var flow: FlowID
    /// What a 100 is made from; nil once the final response was sent.
    var request: SIPMessage?
    /// A challenged request comes again with credentials, and old clients then keep their CSeq: no merged copy.
    var isChallenged = false
}

extension TransactionLayer {
    mutating func receiveRequest(_ message: SIPMessage, _ method: SIPMethod, over flow: FlowID, at now: Instant) {
        let via: Via
        do throws(SIPParseError) {
            via = try message.topVia
        } catch {
            note(.malformed(error, flow), \.malformed)
            return
        }
        let back = settings.responsePath.responseFlow(for: via, received: flow)
        if method == .ack {
            receiveACK(message, via, over: flow, at: now)
            return
        }
        let key = keys.server(message, via, method: method)
        if let place = serverPlaces[key] {
            receiveRetransmission(place, over: back)
            return
        }
        let branch = keys.branch(via)
        let mergeKey = (try? message.to)?.tag == nil ? keys.merge(message) : nil
        if let mergeKey, let place = mergePlaces[mergeKey], let twin = servers[place]?.branch,
            let isChallenged = servers[place]?.isChallenged
        {
            // Same branch, other sent-by: no fork, but a box on the way that rewrote a copy.
            if twin == branch, branch != 0 {
                receiveRetransmission(place, over: back)
                return
            }
            if settings.refusesMerged, !isChallenged {
                note(.merged(flow), \.merged)
                answerStatelessly(482, message, mergeKey, over: back, from: flow)
                return
            }
        }
        guard makeRoom() else {
            note(.serverTableFull(flow), \.serversRefused)
            answerStatelessly(503, message, key, over: back, from: flow)
            return
        }
        let isReliable = flow.transport.isReliable
        let machine: ServerRecord.Machine =
            method == .invite
            ? .invite(ServerInviteTransaction(isReliable: isReliable, timers: settings.timers, at: now))
            : .nonInvite(ServerNonInviteTransaction(isReliable: isReliable, timers: settings.timers, at: now))
        let place = servers.insert(
            ServerRecord(key: key, mergeKey: mergeKey, branch: branch, machine: machine, flow: back, request: message))
        serverPlaces[key] = place
        if let mergeKey { mergePlaces[mergeKey] = place }
        if let deadline = machine.nextDeadline {
            if method == .invite {
                deadlines.set(.server(place), to: deadline)
                serverFlows.insert(place, back)
            } else {
                tryingLine.append(place, at: deadline)
            }
        }
        countServerStart()
        let id = ServerTransactionID(place: place)
        if method == .cancel {
            let target = serverPlaces[keys.server(message, via, method: .invite)]
            emit(.cancel(id, of: target.map { ServerTransactionID(place: $0) }, message, flow))
        } else {
            emit(.request(id, message, flow))
        }
    }

    /// The user's response. One that does not fit is counted, traced and not sent.
    ///
    /// - Parameter isRemembered: false forgets the transaction at once, so that a copy of the request counts as new (RFC 3261
    ///   8.2.7): for answers that can be made again from the request alone, such as a stateless challenge.
    public mutating func respond(
        _ id: ServerTransactionID, status: Int, _ bytes: [UInt8], isRemembered: Bool = true, at now: Instant
    ) {
        guard let machine = servers[id.place]?.machine, let flow = servers[id.place]?.flow else {
            note(.responseRefused(id, status: status), \.responsesRefused)
            return
        }
        let actions: TransactionActions
        switch machine {
        case .invite(var machine):
            actions = machine.respond(status: status, bytes, at: now)
            servers[id.place]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.respond(status: status, bytes, at: now)
            servers[id.place]?.machine = .nonInvite(machine)
            if case .completed(_, let timerJ) = machine.state, !actions.contains(.refused), timerJ > now, isRemembered {
                lineJ.append(id.place, at: timerJ)
            }
        }
        guard !actions.contains(.refused) else {
            note(.responseRefused(id, status: status), \.responsesRefused)
            return
        }
        emit(.send(flow, bytes))
        if status >= 200 {
            servers[id.place]?.request = nil
            servers[id.place]?.isChallenged = status == 401 || status == 407
        }
        settleServer(id.place, isForgotten: !isRemembered && status >= 200, at: now)
        pruneLines()
    }

    mutating func advanceServer(_ place: Place, to now: Instant) {
        guard let machine = servers[place]?.machine, let flow = servers[place]?.flow else { return }
        let actions: TransactionActions
        switch machine {
        case .invite(var machine):
            actions = machine.advance(to: now)
            servers[place]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.advance(to: now)
            servers[place]?.machine = .nonInvite(machine)
        }
        let id = ServerTransactionID(place: place)
        if actions.contains(.sendResponse) {
            note(.resentResponse(id, flow), \.responsesResent)
            emit(.send(flow, servers[place]?.machine.response ?? []))
        }
        if actions.contains(.timeout) {
            note(.unacknowledged(id), \.unacknowledged)
            emit(.unacknowledged(id))
        }
        settleServer(place, isForgotten: false, at: now)
        if actions.contains(.makeTrying), let request = servers[place]?.request {
            let trying = SIPMessageBuilder.response(to: request, status: 100, source: flow.remote)
            respond(id, status: 100, trying.bytes, at: now)
        }
    }

    mutating func failServer(_ place: Place) {
        guard let record = servers[place], case .invite(var machine) = record.machine else { return }
        let actions = machine.fail()
        servers[place]?.machine = .invite(machine)
        guard actions.contains(.transportError) else { return }
        note(.transportError(record.flow), \.transportErrors)
        emit(.responseUndeliverable(ServerTransactionID(place: place)))
    }

    private mutating func receiveRetransmission(_ place: Place, over back: FlowID) {
        guard let record = servers[place] else { return }
        let id = ServerTransactionID(place: place)
        if record.flow == back {
            note(.absorbedRetransmission(id, back), \.retransmissionsAbsorbed)
        } else {
            note(.retransmissionFromElsewhere(id, was: record.flow, is: back), \.retransmissionsAbsorbed)
            servers[place]?.flow = back
            if case .invite = record.machine {
                serverFlows.remove(place, record.flow)
                serverFlows.insert(place, back)
            }
        }
        let actions =
            switch record.machine {
            case .invite(var machine): machine.receiveRetransmission()
            case .nonInvite(var machine): machine.receiveRetransmission()
            }
        if actions.contains(.sendResponse) { emit(.send(back, record.machine.response)) }
    }

    private mutating func receiveACK(_ message: SIPMessage, _ via: Via, over flow: FlowID, at now: Instant) {
        guard let place = serverPlaces[keys.server(message, via, method: .invite)], let record = servers[place],
            case .invite(var machine) = record.machine
        else {
            // The ACK of a 2xx has a branch of its own; the user finds its dialog.
            note(.strayACK(flow), \.strayACKs)
            emit(.ack(message, flow, of: nil))
            return
        }
        let actions = machine.receiveACK(at: now)
        servers[place]?.machine = .invite(machine)
        if actions.contains(.deliver) { emit(.ack(message, flow, of: ServerTransactionID(place: place))) }
        settleServer(place, isForgotten: false, at: now)
    }

    /// Takes the transaction out where it ended, otherwise sets its next timer.
    private mutating func settleServer(_ place: Place, isForgotten: Bool, at now: Instant) {
        guard let machine = servers[place]?.machine else { return }
        switch machine {
        case .invite:
            if machine.isTerminated || isForgotten {
                removeServer(place)
            } else {
                deadlines.set(.server(place), to: machine.nextDeadline)
            }
        case .nonInvite(let transaction):
            // Timer J of zero, over a stream: over at once.
            if case .completed(_, let timerJ) = transaction.state, timerJ <= now {
                removeServer(place)
            } else if machine.isTerminated || isForgotten {
                removeServer(place)
            }
        }
    }

    private mutating func removeServer(_ place: Place) {
        guard let record = servers.remove(place) else { return }
        if case .invite = record.machine {
            deadlines.set(.server(place), to: nil)
            serverFlows.remove(place, record.flow)
        }
        serverPlaces[record.key] = nil
        if let mergeKey = record.mergeKey, mergePlaces[mergeKey] == place { mergePlaces[mergeKey] = nil }
    }

    /// Whether a place is free, having forgotten an answered request for it if need be.
    private mutating func makeRoom() -> Bool {
        guard servers.count >= settings.serverCap else { return true }
        while let oldest = lineJ.first {
            lineJ.removeFirst()
            guard servers.contains(oldest.place) else { continue }
            note(.forgottenEarly(ServerTransactionID(place: oldest.place)), \.forgottenEarly)
            removeServer(oldest.place)
            return true
        }
        return false
    }

    /// An answer without a transaction: its tag is made from the request, so that copies draw the same (RFC 3261 8.2.7).
    private mutating func answerStatelessly(
        _ status: Int, _ request: SIPMessage, _ key: TransactionKey, over back: FlowID, from flow: FlowID
    ) {
        var tag: [UInt8] = []
        appendHex(key.low, digits: 16, to: &tag)
        let response = SIPMessageBuilder.response(to: request, status: status, toTag: SIPText(tag), source: flow.remote)
        emit(.send(back, response.bytes))
    }
}
