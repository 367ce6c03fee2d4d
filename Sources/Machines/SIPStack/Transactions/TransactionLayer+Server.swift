import Base
import SIP

/// What is kept of a request until its transaction is over.
struct ServerRecord: Sendable {
    let id: ServerTransactionID
    /// nil for requests inside a dialog, which cannot be merged.
    let mergeKey: TransactionKey?
    /// Hash of the branch alone; 0 without the magic cookie.
    let branch: UInt64
    /// What a 100 is made from.
    let request: SIPMessage
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
        if method == .ack { return receiveACK(message, via, over: flow, at: now) }
        let key = keys.server(message, via, method: method)
        if servers.contains(key) { return receiveRetransmission(key, over: back, at: now) }
        let branch = keys.branch(via)
        let mergeKey = (try? message.to)?.tag == nil ? keys.merge(message) : nil
        if let mergeKey, let twinKey = mergePlaces[mergeKey], let twin = servers.request(twinKey) {
            // Same branch, other sent-by: no fork, but a box on the way that rewrote a copy.
            if twin.branch == branch, branch != 0 { return receiveRetransmission(twinKey, over: back, at: now) }
            if settings.refusesMerged, !twin.isChallenged {
                note(.merged(flow), \.merged)
                return answerStatelessly(482, message, mergeKey, over: back, from: flow)
            }
        }
        guard makeRoom() else {
            note(.serverTableFull(flow), \.serversRefused)
            return answerStatelessly(503, message, key, over: back, from: flow)
        }
        countServerStart()
        let id = ServerTransactionID(key: key, number: counts.serversStarted)
        let record = ServerRecord(id: id, mergeKey: mergeKey, branch: branch, request: message)
        servers.open(key, record, isInvite: method == .invite, on: back, at: now)
        if let mergeKey { mergePlaces[mergeKey] = key }
        if method == .cancel {
            let target = servers.request(keys.server(message, via, method: .invite))
            emit(.cancel(id, of: target?.id, message, flow))
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
        guard let record = servers.request(id.key), record.id == id,
            let flow = servers.respond(id.key, status, bytes, isRemembered: isRemembered, at: now)
        else { return note(.responseRefused(id, status: status), \.responsesRefused) }
        emit(.send(flow, bytes))
        if status >= 200 { servers.change(id.key) { $0.isChallenged = status == 401 || status == 407 } }
        forgotten(record)
    }

    /// Without its transaction nobody is merged with a request.
    private mutating func forgotten(_ record: ServerRecord) {
        guard !servers.contains(record.id.key), let mergeKey = record.mergeKey, mergePlaces[mergeKey] == record.id.key else {
            return
        }
        mergePlaces[mergeKey] = nil
    }

    /// What the server transactions say.
    mutating func drainServers(at now: Instant) {
        while let output = servers.nextOutput() {
            switch output {
            case .again(let record, let flow, let bytes):
                note(.resentResponse(record.id, flow), \.responsesResent)
                emit(.send(flow, bytes))
            case .trying(let record):
                let source = servers.way(record.id.key)?.remote ?? Endpoint(.v4(.any), 0)
                let trying = SIPMessageBuilder.response(to: record.request, status: 100, source: source)
                respond(record.id, status: 100, trying.bytes, at: now)
            case .unacknowledged(let record):
                note(.unacknowledged(record.id), \.unacknowledged)
                emit(.unacknowledged(record.id))
            case .undeliverable(let record, let flow):
                note(.transportError(flow), \.transportErrors)
                emit(.responseUndeliverable(record.id))
            case .over(let record): forgotten(record)
            }
        }
    }

    private mutating func receiveRetransmission(_ key: TransactionKey, over back: FlowID, at now: Instant) {
        guard let record = servers.request(key), let former = servers.way(key) else { return }
        if former == back {
            note(.absorbedRetransmission(record.id, back), \.retransmissionsAbsorbed)
        } else {
            note(.retransmissionFromElsewhere(record.id, was: former, is: back), \.retransmissionsAbsorbed)
        }
        if let bytes = servers.again(key, on: back) { emit(.send(back, bytes)) }
    }

    private mutating func receiveACK(_ message: SIPMessage, _ via: Via, over flow: FlowID, at now: Instant) {
        let key = keys.server(message, via, method: .invite)
        let record = servers.request(key)
        switch servers.acknowledge(key, at: now) {
        case .refusal: if let record { forgotten(record) }
        case .acceptance: emit(.ack(message, flow, of: record?.id))
        case .unexpected: break
        case .nothing:
            // The ACK of a 2xx has a branch of its own; the user finds its dialog.
            note(.strayACK(flow), \.strayACKs)
            emit(.ack(message, flow, of: nil))
        }
    }

    /// Whether a place is free, having forgotten an answered request for it if need be.
    private mutating func makeRoom() -> Bool {
        guard servers.count >= settings.serverCap else { return true }
        guard let record = servers.forgetOldest() else { return false }
        note(.forgottenEarly(record.id), \.forgottenEarly)
        forgotten(record)
        return true
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
