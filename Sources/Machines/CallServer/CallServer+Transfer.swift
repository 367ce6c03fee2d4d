import Base
import SDP
import SIP
import SIPStack

/// How transfers fare: told by NOTIFYs inside the dialog that asked (RFC 3515 2.4.4, RFC 6665).
extension CallServer {
    /// A provisional answer of whom the transfer rings.
    mutating func tellTransferor(_ status: Int, _ call: inout Call, at now: Instant) {
        notifyReferral(status, isLast: false, &call, at: now)
    }

    mutating func transferAnswered(_ leg: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        // What the two still negotiated while the target rang is overtaken.
        dropExchange(&call)
        abandonForks(but: leg, &call, reason: "SIP;cause=200;text=\"Call completed elsewhere\"")
        call.legs[leg].hasTalked = true
        note(.call(.answered(call: call.number, party: call.legs[leg].party.address.description, call.legs[leg].flow)))
        concludeTransfer(200, &call, at: now)
        call.phase = .talking(transfer.transferee, leg)
        // What both have said already may do; both are asked anew all the same.
        connect(transfer.transferee, leg, isFinal: false, &call)
        join(transfer.transferee, leg, &call, at: now)
    }

    /// Two legs that never negotiated with each other do so now (RFC 3725 4.4).
    mutating func join(_ stays: Int, _ comes: Int, _ call: inout Call, at now: Instant) {
        announce(&call, 2)
        do throws(SessionRefusal) {
            try begin(.us, nil, [], ask: stays, for: comes, isInvite: true, &call, at: now)
        } catch {
            hangUp(&call, "a transfer: \(error.text)", cause: 88, at: now)
        }
    }

    /// The last NOTIFY; the transferor leaves the call.
    mutating func concludeTransfer(_ status: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        notifyReferral(status, isLast: true, &call, at: now)
        call.transfer = nil
        let name = call.legs[transfer.transferor].party.address.description
        note(.call(.transferred(call: call.number, by: name, to: transfer.targetName, status: status)))
        if status < 300 { leave(transfer.transferor, &call, reason: "SIP;cause=200;text=\"transferred\"") }
    }

    /// The two talk on, if they are still there.
    mutating func transferFailed(_ status: Int, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer else { return }
        concludeTransfer(status, &call, at: now)
        call.phase = .talking(transfer.transferor, transfer.transferee)
        guard !call.legs[transfer.transferor].isConfirmed || !call.legs[transfer.transferee].isConfirmed else {
            return
        }
        hangUp(&call, "the transfer to \(transfer.targetName) failed (\(status))", at: now)
    }

    private mutating func notifyReferral(_ status: Int, isLast: Bool, _ call: inout Call, at now: Instant) {
        guard let transfer = call.transfer, var referral = transfer.referral else { return }
        let leg = transfer.transferor
        if isLast { referral.terminate(.noresource) }
        let flow = requestWay(call.legs[leg])
        let token = tokens.next()
        guard var builder = call.legs[leg].dialog?.request(.notify, via: settings.addresses.via(flow, token)) else { return }
        builder.add(.event, referral.event)
        builder.add(.subscriptionState, referral.header(at: now))
        builder.add(.contact, settings.addresses.contact(flow))
        addSoftware(to: &builder)
        builder.add(.contentType, "message/sipfrag;version=2.0")
        builder.body = Array("SIP/2.0 \(status) \(SIPStatus.phrase(status))\r\n".utf8)
        ask(.notify, builder.bytes, token, on: flow, .referral(call: call.key, transfer: transfer.number))
        call.transfer?.referral = isLast ? nil : referral
    }

    /// The transferor takes no notice of it any more (RFC 6665 4.2.2).
    mutating func referralAnswered(_ key: UInt32, _ transfer: Int, _ outcome: ClientOutcome) {
        let why: String
        switch outcome {
        case .response(_, ..<300), .unwanted, .unsent: return
        case .response(_, let status): why = "the watcher answers \(status)"
        case .timeout, .failed: why = "the watcher does not answer"
        }
        guard var call = calls.take(key) else { return }
        if call.transfer?.number == transfer, call.transfer?.referral != nil {
            call.transfer?.referral = nil
            note(.call(.unsubscribed("", event: "refer", reason: why)))
        }
        calls.put(call)
    }

    /// The one who stays goes to a room or service.
    mutating func transfer(to service: CallService, _ leg: Int, _ call: inout Call, at now: Instant) {
        guard call.legs[leg].streams.element(0) != nil, !call.isDirect,
            call.legs[leg].session.remote?.media.first?.kind == "audio"
        else {
            return transferFailed(488, &call, at: now)
        }
        let former = call.phase
        call.phase = .served(media(service, call.legs[leg].flow, call.legs[leg].party))
        do throws(SessionRefusal) {
            try enterLoop(of: service, leg, &call)
            call.legs[leg].session.local = try offerAsService(leg, &call)
        } catch {
            call.phase = former
            return transferFailed(error.status, &call, at: now)
        }
        call.service = service
        concludeTransfer(200, &call, at: now)
        reinviteToService(leg, &call)
    }
}
