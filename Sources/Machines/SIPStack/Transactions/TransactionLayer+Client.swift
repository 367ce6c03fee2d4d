import Base
import SIP

extension TransactionLayer {
    mutating func start(
        _ request: SIPMessage, over flow: FlowID, at now: Instant
    ) throws(SendRefusal) -> ClientTransactionID {
        guard case .request(let method, _) = request.startLine, method != .ack, let via = try? request.topVia,
            let branch = via.branch
        else { throw .malformed }
        let key = keys.client(branch: branch, method: method)
        guard !clients.awaits(key) else { throw .branchInUse }
        guard !clients.isFull else {
            note(.clientTableFull, \.clientsRefused)
            throw .tableFull
        }
        countClientStart()
        let id = ClientTransactionID(key: key, number: counts.clientsStarted)
        clients.ask(ClientRequest(method, request.bytes, key, on: flow, id), at: now)
        return id
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
        guard clients.awaits(key) else {
            note(.strayResponse(status: status, flow), \.strayResponses)
            // RFC 3261 13.2.2.4: a late 2xx has made a dialog, which the user must end or acknowledge.
            if method == .invite, 200..<300 ~= status { emit(.strayResponse(message, flow)) }
            return
        }
        let known = clients.user(key)
        clients.receive(key, message, status, at: now)
        let isTaken = drainClients(over: flow)
        if let known, !isTaken { note(.absorbedResponse(known, status: status), \.responsesAbsorbed) }
    }

    /// What the client transactions say. `flow`: that of the response they were given. Whether a response reached the user.
    @discardableResult
    mutating func drainClients(over flow: FlowID? = nil) -> Bool {
        var isTaken = false
        while let output = clients.nextOutput() {
            switch output {
            case .send(let request, let bytes, .again):
                note(.resentRequest(request.user, request.flow), \.requestsResent)
                emit(.send(request.flow, bytes))
            case .send(let request, let bytes, .request): emit(.send(request.flow, bytes))
            case .came(.response(let message, _), let request):
                isTaken = true
                emit(.response(request.user, message, flow ?? request.flow))
            case .came(.timeout, let request):
                note(.timeout(request.user), \.timeouts)
                emit(.timeout(request.user))
            case .came(.failed, let request):
                note(.transportError(request.flow), \.transportErrors)
                emit(.transportError(request.user))
            case .came(.unsent, _), .came(.unwanted, _): break
            }
        }
        return isTaken
    }
}
