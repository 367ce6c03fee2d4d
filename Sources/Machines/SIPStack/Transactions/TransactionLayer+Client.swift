import Base
import SIP

/// One client transaction with what its timers need.
struct ClientRecord: Sendable {
    enum Machine: Sendable {
        case invite(ClientInviteTransaction)
        case nonInvite(ClientNonInviteTransaction)

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

        /// Whether the deadline is Timer K, which has a line of its own.
        var isWaitingForK: Bool {
            if case .nonInvite(let machine) = self, case .completed = machine.state { true } else { false }
        }
    }

    var key: TransactionKey
    var machine: Machine
    var request: SIPMessage
    var flow: FlowID
}

extension TransactionLayer {
    mutating func start(
        _ request: SIPMessage, over flow: FlowID, at now: Instant
    ) throws(SendRefusal) -> (Place, [UInt8]) {
        guard case .request(let method, _) = request.startLine, method != .ack, let via = try? request.topVia,
            let branch = via.branch
        else { throw .malformed }
        let key = keys.client(branch: branch, method: method)
        guard clientPlaces[key] == nil else { throw .branchInUse }
        guard clients.count < settings.clientCap else {
            note(.clientTableFull, \.clientsRefused)
            throw .tableFull
        }
        let isReliable = flow.transport.isReliable
        let machine: ClientRecord.Machine =
            method == .invite
            ? .invite(ClientInviteTransaction(isReliable: isReliable, timers: settings.timers, at: now))
            : .nonInvite(ClientNonInviteTransaction(isReliable: isReliable, timers: settings.timers, at: now))
        let place = clients.insert(ClientRecord(key: key, machine: machine, request: request, flow: flow))
        clientPlaces[key] = place
        clientFlows.insert(place, flow)
        deadlines.set(.client(place), to: machine.nextDeadline)
        countClientStart()
        return (place, request.bytes)
    }

    mutating func receiveResponse(_ message: SIPMessage, _ status: Int, over flow: FlowID, at now: Instant) {
        let key: TransactionKey
        let method: SIPMethod
        do throws(SIPParseError) {
            let via = try message.topVia
            method = try message.cseq.method
            guard let branch = via.branch else { throw SIPParseError(.foreignVia, at: via.written.range.lowerBound) }
            key = keys.client(branch: branch, method: method)
        } catch {
            note(.malformed(error, flow), \.malformed)
            return
        }
        guard let place = clientPlaces[key], let record = clients[place] else {
            note(.strayResponse(status: status, flow), \.strayResponses)
            // RFC 3261 13.2.2.4: a late 2xx has made a dialog, which the user must end or acknowledge.
            if method == .invite, 200..<300 ~= status { emit(.strayResponse(message, flow)) }
            return
        }
        let actions: TransactionActions
        switch record.machine {
        case .invite(var machine):
            var ack: [UInt8] = []
            if status >= 300, machine.state != .terminated { ack = acknowledgement(of: message, to: record.request) }
            actions = machine.receive(status: status, ack: ack, at: now)
            clients[place]?.machine = .invite(machine)
            if actions.contains(.sendACK) { emit(.send(record.flow, ack)) }
        case .nonInvite(var machine):
            actions = machine.receive(status: status, at: now)
            clients[place]?.machine = .nonInvite(machine)
        }
        if actions.contains(.deliver) {
            emit(.response(ClientTransactionID(place: place), message, flow))
        } else {
            note(.absorbedResponse(ClientTransactionID(place: place), status: status), \.responsesAbsorbed)
        }
        settleClient(place)
    }

    mutating func advanceClient(_ place: Place, to now: Instant) {
        guard let record = clients[place] else { return }
        let actions: TransactionActions
        switch record.machine {
        case .invite(var machine):
            actions = machine.advance(to: now)
            clients[place]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.advance(to: now)
            clients[place]?.machine = .nonInvite(machine)
        }
        let id = ClientTransactionID(place: place)
        if actions.contains(.sendRequest) {
            note(.resentRequest(id, record.flow), \.requestsResent)
            emit(.send(record.flow, record.request.bytes))
        }
        if actions.contains(.timeout) {
            note(.timeout(id), \.timeouts)
            emit(.timeout(id))
        }
        settleClient(place)
    }

    mutating func failClient(_ place: Place, at now: Instant) {
        guard let record = clients[place] else { return }
        let actions: TransactionActions
        switch record.machine {
        case .invite(var machine):
            actions = machine.fail()
            clients[place]?.machine = .invite(machine)
        case .nonInvite(var machine):
            actions = machine.fail()
            clients[place]?.machine = .nonInvite(machine)
        }
        if actions.contains(.transportError) {
            note(.transportError(record.flow), \.transportErrors)
            emit(.transportError(ClientTransactionID(place: place)))
        }
        settleClient(place)
    }

    mutating func removeClient(_ place: Place) {
        guard let record = clients.remove(place) else { return }
        deadlines.set(.client(place), to: nil)
        clientPlaces[record.key] = nil
        clientFlows.remove(place, record.flow)
        pruneLines()
    }

    /// Takes the transaction out where it ended, otherwise sets its next timer.
    private mutating func settleClient(_ place: Place) {
        guard let machine = clients[place]?.machine else { return }
        if machine.isTerminated {
            removeClient(place)
        } else if machine.isWaitingForK {
            guard deadlines[.client(place)] != nil, let timerK = machine.nextDeadline else { return }
            deadlines.set(.client(place), to: nil)
            lineK.append(place, at: timerK)
        } else {
            deadlines.set(.client(place), to: machine.nextDeadline)
        }
    }

    /// The ACK for a refusal (RFC 3261 17.1.1.3): same Request-URI, top Via, From, Call-ID and Route, the refusal's To.
    private func acknowledgement(of response: SIPMessage, to request: SIPMessage) -> [UInt8] {
        guard let via = try? request.topVia, let uri = request.requestURIText, let cseq = try? request.cseq else { return [] }
        var builder = SIPMessageBuilder(.ack, uri)
        builder.add(.via, via.written.isEmpty ? via.text : via.written)
        builder.add(.maxForwards, 70)
        builder.copy(.from, from: request)
        builder.copy(.to, from: response)
        builder.copy(.callID, from: request)
        builder.add(CSeq(cseq.number, .ack))
        builder.copy(.route, from: request)
        return builder.bytes
    }
}
