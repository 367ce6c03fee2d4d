import Base
import SIP
import SIPStack

/// What NOTIFYs say: dialogs (RFC 4235), registrations (RFC 3680), mailboxes (RFC 3842). Always the full state.
extension ServerNode {
    func document(_ entry: SubscriptionTable.Entry) -> (type: String, body: [UInt8]) {
        switch entry.package {
        case .dialog(let aor): ("application/dialog-info+xml", dialogInfo(aor, to: entry))
        case .reg(let aor): ("application/reginfo+xml", registrationInfo(aor, to: entry))
        case .messageSummary(let aor):
            (
                "application/simple-message-summary",
                Array(
                    "Messages-Waiting: no\r\nMessage-Account: \(entry.domain.uriText(aor))\r\nVoice-Message: 0/0 (0/0)\r\n".utf8)
            )
        case .refer: ("message/sipfrag;version=2.0", Array(entry.status.utf8))
        }
    }

    private func dialogInfo(_ aor: AddressOfRecord, to entry: SubscriptionTable.Entry) -> [UInt8] {
        let entity = Self.xml(entry.domain.uriText(aor))
        var text =
            "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"\(entry.version)\""
        text += " state=\"full\" entity=\"\(entity)\">\r\n"
        for call in calls.calls(of: aor) where !call.isOver {
            for index in call.legs.indices where call.legs[index].party.address == aor {
                text += dialog(index, call, to: entry)
            }
        }
        return Array((text + "</dialog-info>\r\n").utf8)
    }

    /// One dialog, as the watched phone sees it. While it rings, whoever may pick it up is told identifiers for an INVITE with Replaces
    /// (RFC 3891): invented ones, as the dialog's own are nobody's but its phone's.
    private func dialog(_ index: Int, _ call: Call, to entry: SubscriptionTable.Entry) -> String {
        let leg = call.legs[index]
        let state: String
        switch leg.state {
        case .inviting: state = leg.isCaller ? "proceeding" : leg.hasRung ? "early" : "trying"
        case .confirmed: state = "confirmed"
        case .leaving, .ended: return ""
        }
        var text = "<dialog id=\"\(call.number)-\(index)\" direction=\"\(leg.isCaller ? "initiator" : "recipient")\""
        if leg.state == .inviting, leg.hasRung, leg.pickUpID != 0, settings.calls.mayPickUp(entry.watcher, leg.party.address) {
            let id = PickUpIdentifiers(leg.pickUpID)
            text += " call-id=\"\(id.callID)\" local-tag=\"\(id.localTag)\" remote-tag=\"\(id.remoteTag)\""
        }
        text += "><state>\(state)</state>"
        let other = call.other(index) ?? (leg.isCaller ? nil : call.offerer)
        if let other {
            let party = call.legs[other].party
            let uri = party.isAnonymous ? "sip:anonymous@anonymous.invalid" : entry.domain.uriText(party.address)
            text += "<remote><identity>\(Self.xml(uri))</identity></remote>"
        }
        return text + "</dialog>\r\n"
    }

    private func registrationInfo(_ aor: AddressOfRecord, to entry: SubscriptionTable.Entry) -> [UInt8] {
        let bindings = bindings(of: aor)
        var text =
            "<?xml version=\"1.0\"?>\r\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"\(entry.version)\" state=\"full\">\r\n"
        let id = Self.xml(aor.description)
        text +=
            "<registration aor=\"\(Self.xml(entry.domain.uriText(aor)))\" id=\"\(id)\" state=\"\(bindings.isEmpty ? "init" : "active")\">\r\n"
        for (index, binding) in bindings.enumerated() {
            text += "<contact id=\"\(index)\" state=\"active\" event=\"registered\"><uri>"
            text += Self.xml(String(decoding: binding.contact, as: UTF8.self)) + "</uri></contact>\r\n"
        }
        return Array((text + "</registration>\r\n</reginfo>\r\n").utf8)
    }

    /// Characters that would end a text or an attribute are written as entities; those XML forbids are left out.
    static func xml(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&apos;"
            default: if scalar.value >= 0x20, scalar.value != 0x7f, scalar.value < 0xfffe { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }

    // MARK: Changes

    /// Something about the call's dialogs changed that watchers are to hear. `level`: 0 over, 1 early, 2 confirmed.
    mutating func announce(_ call: inout Call, _ level: Int, at now: Instant) {
        guard call.announced != level || level == 2 else { return }
        call.announced = level
        call.isNews = true
    }

    /// A user's bindings changed.
    mutating func bindingsChanged(_ aor: AddressOfRecord, at now: Instant) {
        guard !calls.subscriptions.isEmpty else { return }
        notifyWatchers(.reg(aor), at: now)
    }
}
