import Base
import RegistrationClient
import SIP
import SIPStack

/// Transfers: REFER both ways (RFC 3515), and calls that take another's place (RFC 3891).
extension CallAgent {
    enum Replacement: Sendable {
        case call(PhoneCallID)
        case refusal(Int)
    }

    /// Which call the Replaces header of an INVITE means (RFC 3891 3).
    func replacement(_ message: SIPMessage) -> Replacement {
        guard message.all(.replaces).count == 1, let value = message.first(.replaces)?.value,
            let semicolon = value.bytes.firstIndex(of: UInt8(ascii: ";"))
        else { return .refusal(400) }
        let callID = SIPText(value.bytes[..<semicolon].filter { $0 > 0x20 })
        var tags: [String: SIPText] = [:]
        for part in value.bytes[semicolon...].split(separator: UInt8(ascii: ";")) {
            let words = part.split(separator: UInt8(ascii: "="), maxSplits: 1)
            guard let name = words.first else { continue }
            let key = String(decoding: name.filter { $0 > 0x20 }, as: UTF8.self).lowercased()
            tags[key] = words.count > 1 ? SIPText(words[1].filter { $0 > 0x20 }) : SIPText()
        }
        guard let ours = tags["to-tag"], let theirs = tags["from-tag"] else { return .refusal(400) }
        guard let id = dialogs[DialogID(callID: callID, localTag: ours, remoteTag: theirs)], let call = calls[id] else {
            return .refusal(481)
        }
        switch call.state {
        case .confirmed:
            guard call.isAlive else { return .refusal(603) }
            return tags["early-only"] == nil ? .call(id) : .refusal(486)
        // RFC 3891 3: an early dialog may be replaced only by whom the one who made it asks, so not one of theirs.
        case .ringing: return .refusal(481)
        case .inviting: return .call(id)
        case .preparing, .closing, .gone: return .refusal(481)
        }
    }

    // MARK: Ours

    mutating func transfer(_ id: PhoneCallID, to text: String, at now: Instant) {
        guard let (uri, _) = destination(text) else {
            emit(.event(id, .refused("'\(printable(text.utf8, atMost: 80))' is neither a number nor a SIP address")))
            return
        }
        refer(id, SIPText("<\(uri.text)>"), at: now)
    }

    mutating func transfer(_ id: PhoneCallID, with other: PhoneCallID, at now: Instant) {
        guard id != other, let consulted = calls[other], consulted.isAlive, case .confirmed(let confirmed) = consulted.state
        else {
            emit(.event(id, .refused("the other call is not answered")))
            return
        }
        let dialog = confirmed.dialog
        let replaces = "\(dialog.id.callID);to-tag=\(dialog.id.remoteTag);from-tag=\(dialog.id.localTag)"
        refer(id, SIPText("<\(dialog.remoteTarget)?Replaces=\(Self.escapedHeader(replaces))>"), at: now)
    }

    private mutating func refer(_ id: PhoneCallID, _ target: SIPText, at now: Instant) {
        guard var call = calls[id], call.isAlive, case .confirmed(var confirmed) = call.state else {
            emit(.event(id, .refused("only an answered call can be transferred")))
            return
        }
        let draft = Draft(method: .refer, headers: [(.referTo, target), (.referredBy, SIPText("<\(ownAddress)>"))])
        send(draft, for: .refer, &call, &confirmed.dialog, at: now)
        call.state = .confirmed(confirmed)
        store(call)
    }

    private var ownAddress: String {
        "sip:\(RegisterComposer.escapedUser(settings.identity.user))@\(registrar?.uriHost ?? contact.address.uriHost)"
    }

    mutating func referAnswered(_ call: inout Call, _ message: SIPMessage, _ status: Int, at now: Instant) {
        let reason = printable(message.reason?.bytes ?? [], atMost: 80)
        if status < 300 {
            call.isTransferring = true
            emit(.event(call.id, .transfer(code: 100, reason: "Trying")))
        } else {
            emit(.event(call.id, .transfer(code: status, reason: reason)))
        }
    }

    /// NOTIFY: how a transfer of ours gets on (RFC 3515 2.4.5).
    mutating func notified(_ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant)
    {
        let event = message.first(.event)?.value.lowercased.string ?? ""
        guard event == "refer" || event.hasPrefix("refer;") else {
            return refuse(id, message, 489, over: flow, headers: [("Allow-Events", "refer")], at: now)
        }
        layer.respond(id, status: 200, response(to: message, 200, tag: call.localTag, over: flow).bytes, at: now)
        guard call.isTransferring else { return }
        let state = message.first(.subscriptionState)?.value.lowercased.string ?? ""
        let line = message.body.prefix { $0 != 0x0D && $0 != 0x0A }.prefix(200)
        guard line.starts(with: "SIP/2.0 ".utf8), let status = SIPText(line.dropFirst(8).prefix(3)).decimal.map(Int.init),
            (100...699).contains(status)
        else {
            if state.hasPrefix("terminated") { call.isTransferring = false }
            return
        }
        if status >= 200 || state.hasPrefix("terminated") { call.isTransferring = false }
        emit(.event(call.id, .transfer(code: status, reason: printable(line.dropFirst(12), atMost: 80))))
        // The other two talk to each other now.
        if 200..<300 ~= status, call.isAlive { end(&call, .replaced, at: now) }
    }

    // MARK: Theirs

    mutating func referred(_ call: inout Call, _ id: ServerTransactionID, _ message: SIPMessage, _ flow: FlowID, at now: Instant)
    {
        guard wishes.followsTransfers, call.isAlive, case .confirmed(var confirmed) = call.state else {
            return refuse(id, message, 603, tag: call.localTag, over: flow, at: now)
        }
        guard message.all(.referTo).count == 1, let value = message.first(.referTo)?.value,
            let address = try? NameAddress(parsing: value), var uri = address.uri.sip
        else { return refuse(id, message, 400, tag: call.localTag, over: flow, at: now) }
        var extras: [(name: HeaderName, value: SIPText)] = []
        if let replaces = Self.header("replaces", in: uri.headers) { extras.append((.replaces, replaces)) }
        if let by = message.first(.referredBy)?.value { extras.append((.referredBy, by.detached)) }
        uri.headers = nil
        let target = uri.text.string
        let hasMethod = uri.parameters["method"].map { !$0.equalsCaseless(literal: "invite") } ?? false
        guard !hasMethod, destination(target) != nil, lastReferred < UInt64(UInt32.max) else {
            return refuse(id, message, 400, tag: call.localTag, over: flow, at: now)
        }
        let sequence = (try? message.cseq.number) ?? 0
        let wantsNews = message.first(.referSub).map { !$0.value.lowercased.string.hasPrefix("false") } ?? true
        var builder = response(to: message, 202, tag: call.localTag, over: flow, namesContact: true)
        if !wantsNews { builder.add(.referSub, "false") }
        layer.respond(id, status: 202, builder.bytes, at: now)
        let new = PhoneCallID(lastReferred)
        lastReferred += 1
        let referral = wantsNews ? Call.Referral(by: call.id, event: SIPText("refer;id=\(sequence)")) : nil
        emit(.event(call.id, .asksTransfer(to: printable(target.utf8, atMost: 200), as: new)))
        if let referral { notify(&call, &confirmed.dialog, referral, code: 100, reason: "Trying", isLast: false, at: now) }
        call.state = .confirmed(confirmed)
        // The one who asked must be found in the table when the new call reports at once.
        store(call)
        make(
            CallRequest(id: new, target: target, play: media[call.id]?.playSource ?? .silence), extras: extras,
            referral: referral,
            at: now)
        call = calls[call.id] ?? call
    }

    /// Tells whoever asked for a call how it gets on, where anybody did.
    mutating func referralProgress(_ call: inout Call, code: Int, reason: String, isLast: Bool, at now: Instant) {
        guard let referral = call.referral else { return }
        if isLast { call.referral = nil }
        guard var asker = calls[referral.by] else { return }
        switch asker.state {
        case .confirmed(var confirmed):
            notify(&asker, &confirmed.dialog, referral, code: code, reason: reason, isLast: isLast, at: now)
            asker.state = .confirmed(confirmed)
            store(asker)
        // Whoever hung up after asking wants no news.
        case .preparing, .inviting, .ringing, .closing, .gone: break
        }
    }

    /// The end of a call that somebody asked for.
    mutating func reportReferral(_ call: inout Call, _ end: CallEnd, at now: Instant) {
        let (code, reason): (Int, String) =
            switch end {
            case .refused(let code, let reason): (code, reason)
            case .noAnswer: (408, "Request Timeout")
            case .unreachable, .lost: (503, "Service Unavailable")
            case .unresolvable: (404, "Not Found")
            case .cancelled, .cancelledByPeer: (487, "Request Terminated")
            case .incompatible: (488, "Not Acceptable Here")
            case .impossible: (500, "Server Internal Error")
            case .hungUp, .hungUpByPeer, .replaced: (200, "OK")
            }
        referralProgress(&call, code: code, reason: reason, isLast: true, at: now)
    }

    private mutating func notify(
        _ call: inout Call, _ dialog: inout Dialog, _ referral: Call.Referral, code: Int, reason: String, isLast: Bool,
        at now: Instant
    ) {
        let draft = Draft(
            method: .notify,
            headers: [
                (.event, referral.event),
                (.subscriptionState, isLast ? "terminated;reason=noresource" : "active;expires=180"),
            ], type: "message/sipfrag;version=2.0", body: Array("SIP/2.0 \(code) \(reason)\r\n".utf8))
        send(draft, for: .notify, &call, &dialog, at: now)
    }

    // MARK: Headers in URIs (RFC 3261 19.1.1)

    private static func header(_ name: String, in headers: SIPText?) -> SIPText? {
        guard let headers else { return nil }
        for field in headers.bytes.split(whereSeparator: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "?") }) {
            let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1)
            guard parts.count == 2, SIPText(parts[0]).percentDecoded.lowercased.string == name else { continue }
            let value = SIPText(parts[1]).percentDecoded
            return value.bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f } ? value.detached : nil
        }
        return nil
    }

    /// Everything but letters, digits and a few marks is escaped.
    private static func escapedHeader(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "~"), UInt8(ascii: "*"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), lowerHexDigits[Int(byte >> 4)], lowerHexDigits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
