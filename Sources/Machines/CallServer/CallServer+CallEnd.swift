import Base
import MediaControl
import SIP
import SIPStack

/// How calls end: BYE, CANCEL, refusals; then the verdicts of their media, then their record (RFC 3261 15).
extension CallServer {
    /// Ends every leg of a call.
    ///
    /// `why`: for the record. `reason`: the Reason header (RFC 3326) of BYE and CANCEL. `status`: for a caller that still waits.
    mutating func hangUp(
        _ call: inout Call, _ why: String, cause: Int = 16, text: String? = nil, reason: SIPText? = nil, status: Int = 480,
        at now: Instant
    ) {
        guard !call.isOver else { return }
        let said = reason?.string ?? "Q.850;cause=\(cause)" + (text.map { ";text=\"\($0)\"" } ?? "")
        for leg in call.legs.indices { leave(leg, &call, reason: said, status: status) }
        finish(&call, why, at: now)
    }

    /// Ends every call there is, as the server is about to stop: BYE to those who talk, 503 to those who wait.
    package mutating func hangUpAll(at now: Instant) {
        for key in calls.keys {
            guard var call = calls.take(key) else { continue }
            hangUp(&call, "the server stops", reason: "SIP;cause=503;text=\"the server stops\"", status: 503, at: now)
            settle(call, at: now)
        }
    }

    /// One leg leaves the call, whatever it is doing.
    mutating func leave(_ leg: Int, _ call: inout Call, reason: String? = nil, status: Int = 480) {
        switch call.legs[leg].state {
        case .inviting:
            if call.legs[leg].isCaller {
                endInvite(&call, leg, status: status)
            } else {
                cancel(call.legs[leg].client, reason: reason.map { SIPText($0) })
                endLeg(leg, &call)
            }
        case .confirmed:
            // A BYE may not overtake the 2xx: it waits for the ACK (RFC 3261 15).
            if let answer = call.legs[leg].answer, !answer.isOver {
                call.legs[leg].state = .leaving(reason: reason, answer)
                closeStreams(leg, &call)
            } else {
                sendBYE(leg, &call, reason: reason)
                endLeg(leg, &call)
            }
        case .leaving, .ended: break
        }
    }

    /// The call is over; its record follows when its media are closed.
    mutating func finish(_ call: inout Call, _ why: String, at now: Instant) {
        guard !call.isOver else { return }
        call.phase = .over(until: now + settings.calls.verdictWithin)
        call.ended = now
        call.reason = why
        dropExchange(&call)
        for account in call.accounts {
            let left = calls.perAccount[account, default: 0] - 1
            calls.perAccount[account] = left > 0 ? left : nil
        }
        call.accounts = []
        call.transfer = nil
        counters.callsEnded &+= 1
        note(.call(.ended(call: call.number, reason: why)))
        announce(&call, 0)
    }

    /// Puts a call back after something happened to it, or writes its record.
    mutating func settle(_ call: Call, at now: Instant) {
        var call = call
        let isNews = call.isNews
        call.isNews = false
        let isDone = call.isOver && call.openMedia == 0 && call.legs.allSatisfy { $0.isEnded }
        if isDone { conclude(call, at: now) } else { calls.put(call) }
        guard isNews else { return }
        var told: Set<AddressOfRecord> = []
        for leg in call.legs where told.insert(leg.party.address).inserted { outbox.append(.dialogsChanged(leg.party.address)) }
    }

    private mutating func conclude(_ call: Call, at now: Instant) {
        calls.deadlines.set(call.key, to: nil)
        for leg in call.legs {
            calls.part(leg.party.address, call.key)
            calls.leave(leg.flow, call.key)
        }
        let record = record(of: call, at: now)
        if isTracing {
            for party in record.parties {
                for stream in party.streams {
                    note(.call(.media(call: call.number, party: party.address, kind: stream.kind, stream.text)))
                }
            }
        }
        outbox.append(.record(record))
    }

    /// The time to wait for verdicts is over.
    mutating func callOverdue(_ call: inout Call) {
        for leg in call.legs.indices {
            if case .leaving(let reason, _) = call.legs[leg].state {
                sendBYE(leg, &call, reason: reason)
                endLeg(leg, &call)
            } else {
                endLeg(leg, &call)
            }
        }
        if call.openMedia > 0 {
            note(.call(.verdictMissing(call: call.number, streams: call.openMedia)))
            counters.verdictsMissing &+= UInt64(call.openMedia)
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
}
