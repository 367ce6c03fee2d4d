import Base
import MediaControl
import Registrar
import SIP
import SIPStack

/// How calls end: BYE, CANCEL, refusals; then the verdicts of their media, then their record (RFC 3261 15).
extension ServerNode {
    /// Ends every leg of a call.
    ///
    /// `why`: for the record. `reason`: the Reason header (RFC 3326) of BYE and CANCEL. `status`: for a caller that still waits.
    mutating func hangUp(
        _ call: inout Call, _ why: String, cause: Int = 16, text: String? = nil, reason: SIPText? = nil, status: Int = 480,
        at now: Instant
    ) {
        guard !call.isOver else { return }
        let said = reason?.string ?? "Q.850;cause=\(cause)" + (text.map { ";text=\"\($0)\"" } ?? "")
        for leg in call.legs.indices { leave(leg, &call, reason: said, status: status, at: now) }
        finish(&call, why, at: now)
    }

    /// One leg leaves the call, whatever it is doing.
    mutating func leave(_ leg: Int, _ call: inout Call, reason: String? = nil, status: Int = 480, at now: Instant) {
        switch call.legs[leg].state {
        case .inviting:
            if call.legs[leg].isCaller {
                endInvite(&call, leg, status: status, at: now)
            } else {
                if let client = call.legs[leg].client { cancel(client, reason: reason.map { SIPText($0) }, at: now) }
                endLeg(leg, &call)
            }
        case .confirmed:
            // A BYE may not overtake the 2xx: it waits for the ACK (RFC 3261 15).
            if call.legs[leg].answer?.isOver == false {
                call.legs[leg].state = .leaving(reason: reason)
                call.legs[leg].timer = nil
                closeStreams(leg, &call)
            } else {
                sendBYE(leg, &call, reason: reason, at: now)
                endLeg(leg, &call)
            }
        case .leaving, .ended: break
        }
    }

    /// Nothing is left to be said on the leg.
    mutating func endLeg(_ leg: Int, _ call: inout Call) {
        guard call.legs[leg].state != .ended else { return }
        call.legs[leg].state = .ended
        call.legs[leg].dialog?.terminate()
        call.legs[leg].answer = nil
        call.legs[leg].provisionals = nil
        call.legs[leg].heldProvisional = nil
        call.legs[leg].timer = nil
        call.legs[leg].client = nil
        calls.tags[call.legs[leg].tag] = nil
        if call.legs[leg].pickUpID != 0 { calls.tags[call.legs[leg].pickUpID] = nil }
        // Its connection is gone: there is nobody to be answered.
        if let key = call.legs[leg].inviteKey, let entry = calls.invites[key], case .proceeding = entry.machine.state {
            forgetInvite(key)
        }
        closeStreams(leg, &call)
    }

    /// The call is over; its record follows when its media are closed.
    mutating func finish(_ call: inout Call, _ why: String, at now: Instant) {
        guard !call.isOver else { return }
        call.phase = .over(until: now + settings.calls.verdictWithin)
        call.ended = now
        call.reason = why
        dropExchange(&call, at: now)
        for account in call.accounts {
            let left = calls.perAccount[account, default: 0] - 1
            calls.perAccount[account] = left > 0 ? left : nil
        }
        call.accounts = []
        if let transfer = call.transfer {
            call.transfer = nil
            endReferral(transfer.subscription, 487, at: now)
        }
        tally.callsEnded &+= 1
        traces.note(.call(.ended(call: call.number, reason: why)))
        announce(&call, 0, at: now)
    }

    /// What was being negotiated is not any more; whoever asked for it is told.
    mutating func dropExchange(_ call: inout Call, at now: Instant) {
        guard let exchange = call.exchange else { return }
        call.exchange = nil
        if let client = exchange.client { cancel(client, at: now) }
        switch exchange.asker {
        case .invite(let leg, let key): respondToInvite(ReplyWriter.Reply(487), key, tag: call.legs[leg].tag, at: now)
        case .update(_, let request): refuseUpdate(request, 487, nil, .noDialog, at: now)
        case .replacement, .us: break
        }
    }

    /// Puts a call back after something happened to it, or writes its record.
    mutating func settle(_ call: Call, at now: Instant) {
        var call = call
        let isNews = call.isNews
        call.isNews = false
        let isDone = call.isOver && call.openMedia == 0 && call.legs.allSatisfy { $0.state == .ended }
        if isDone { conclude(call, at: now) } else { calls.put(call) }
        guard isNews, !calls.subscriptions.isEmpty else { return }
        var told: Set<AddressOfRecord> = []
        for leg in call.legs where told.insert(leg.party.address).inserted { notifyWatchers(.dialog(leg.party.address), at: now) }
    }

    private mutating func conclude(_ call: Call, at now: Instant) {
        calls.deadlines.set(.call(call.key), to: nil)
        for leg in call.legs {
            calls.part(leg.party.address, call.key)
            calls.leave(leg.flow, call.key)
        }
        let record = record(of: call, at: now)
        if traces.isOn {
            for party in record.parties {
                for stream in party.streams {
                    traces.note(.call(.media(call: call.number, party: party.address, kind: stream.kind, stream.text)))
                }
            }
        }
        outbox.append(.record(record))
    }

    /// The time to wait for verdicts is over.
    mutating func callOverdue(_ call: inout Call, at now: Instant) {
        for leg in call.legs.indices {
            if case .leaving(let reason) = call.legs[leg].state {
                sendBYE(leg, &call, reason: reason, at: now)
                endLeg(leg, &call)
            } else {
                endLeg(leg, &call)
            }
        }
        if call.openMedia > 0 {
            traces.note(.call(.verdictMissing(call: call.number, streams: call.openMedia)))
            tally.verdictsMissing &+= UInt64(call.openMedia)
        }
        // Ports come back with their `.closed`, however late.
        call.openMedia = 0
    }

    private func record(of call: Call, at now: Instant) -> CallRecord {
        let from = call.legs.first?.party.address.description ?? ""
        var parties = call.legs.indices.map { index in
            let leg = call.legs[index]
            let streams = call.verdicts.filter { $0.leg == index }.sorted { $0.stream < $1.stream }.map { kept in
                var own = kept.verdict
                if own != nil, own?.signalled == nil { own?.signalled = kept.signalled }
                let other = kept.other.flatMap { id in call.verdicts.first { $0.id == id }?.verdict }
                return CallRecord.Stream(
                    kind: kept.kind, verdict: own, text: Self.sentence(kept, own, other))
            }
            return CallRecord.Party(
                address: leg.party.address.description, flow: leg.flow, answered: leg.hasTalked, streams: streams)
        }
        if let service = call.service { parties.append(.init(address: service.name, flow: nil, answered: true, streams: [])) }
        return CallRecord(
            number: call.number, callID: call.legs.first?.callID.string ?? "",
            account: call.legs.first?.party.account.string ?? "",
            from: from, to: call.calledName, start: call.start,
            answer: call.answered, end: call.ended ?? now, status: call.status,
            reason: (call.forwarded + [call.reason]).joined(separator: "; "), codec: call.spokenCodec,
            isDirect: call.isDirect, parties: parties)
    }

    private static func sentence(_ kept: Call.Verdict, _ own: MediaVerdict?, _ other: MediaVerdict?) -> String {
        guard let own else { return "what became of it was not told in time" }
        guard kept.isAgreed || own.packetsReceived > 0 else { return "nothing was agreed on" }
        return own.sentence(other: other)
    }

    // MARK: Requests that end things

    mutating func sendBYE(_ leg: Int, _ call: inout Call, reason: String? = nil, at now: Instant) {
        let flow = requestWay(call.legs[leg])
        let token = freshToken()
        guard var builder = call.legs[leg].dialog?.request(.bye, via: addresses.via(flow, token)) else { return }
        if let reason { builder.add(.reason, SIPText(reason)) }
        addSoftware(to: &builder)
        ask(builder.bytes, token, on: flow, .courtesy, .request(.bye), at: now)
    }

    /// The ACK of the leg's latest 2xx; kept, as it goes out again whenever that 2xx does.
    mutating func sendACK(_ body: [UInt8], _ leg: Int, _ call: inout Call) {
        let flow = requestWay(call.legs[leg])
        let token = freshToken()
        guard let dialog = call.legs[leg].dialog else { return }
        var builder = dialog.acknowledgement(sequence: call.legs[leg].inviteSequence, via: addresses.via(flow, token))
        addSoftware(to: &builder)
        builder.setSession(body)
        let bytes = builder.bytes
        call.legs[leg].keepACK(bytes, of: call.legs[leg].inviteSequence)
        send(bytes, on: flow, .request(.ack))
    }

    /// A 2xx came again: its ACK was lost, or waits for the other side's.
    mutating func sendACKAgain(_ response: SIPMessage, _ leg: CallLeg) {
        guard let sequence = try? response.cseq.number, let ack = leg.ack(sequence) else { return }
        send(ack, on: requestWay(leg), .request(.ack))
    }

    /// Where requests inside a leg's dialog go. NAT handling and streams: over its flow. Otherwise where its Contact or first route says,
    /// as far as that is an address: its own one, or one that it proved when it registered.
    func requestWay(_ leg: CallLeg) -> FlowID {
        guard !settings.natHandling, !leg.flow.transport.isReliable, let dialog = leg.dialog,
            let endpoint = (try? SIPURIReference(parsing: dialog.nextHop))?.sip?.endpoint, endpoint.port != 0,
            !endpoint.address.isUnspecified, endpoint.address.isIPv6 == leg.flow.local.address.isIPv6,
            endpoint.address == leg.flow.remote.address || registrar.isProved(endpoint.address, of: leg.party.address)
        else { return leg.flow }
        var way = leg.flow
        way.remote = endpoint
        return way
    }
}
