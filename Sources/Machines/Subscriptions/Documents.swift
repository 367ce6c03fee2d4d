import Base
import SIP
import SIPStack

/// What NOTIFYs say: dialogs (RFC 4235), registrations (RFC 3680), mailboxes (RFC 3842). Always the full state.
extension SubscriptionTable.Entry {
    func document(_ content: Subscriptions.Content) -> (type: String, body: [UInt8]) {
        switch content {
        case .dialogs(let dialogs): ("application/dialog-info+xml", dialogInfo(dialogs))
        case .bindings(let contacts): ("application/reginfo+xml", registrationInfo(contacts))
        case .mailbox:
            (
                "application/simple-message-summary",
                Array(
                    "Messages-Waiting: no\r\nMessage-Account: \(watcher.domain.uriText(watched.aor))\r\nVoice-Message: 0/0 (0/0)\r\n"
                        .utf8)
            )
        }
    }

    private func dialogInfo(_ dialogs: [DialogInfo]) -> [UInt8] {
        let entity = Self.xml(watcher.domain.uriText(watched.aor))
        var text = "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"\(version)\""
        text += " state=\"full\" entity=\"\(entity)\">\r\n"
        for dialog in dialogs { text += self.text(dialog) }
        return Array((text + "</dialog-info>\r\n").utf8)
    }

    private func text(_ dialog: DialogInfo) -> String {
        var text = "<dialog id=\"\(dialog.id)\" direction=\"\(dialog.isInitiator ? "initiator" : "recipient")\""
        if let id = dialog.identifiers {
            text += " call-id=\"\(id.callID)\" local-tag=\"\(id.localTag)\" remote-tag=\"\(id.remoteTag)\""
        }
        text += "><state>\(dialog.state.rawValue)</state>"
        if let remote = dialog.remote {
            let uri = dialog.isRemoteAnonymous ? "sip:anonymous@anonymous.invalid" : watcher.domain.uriText(remote)
            text += "<remote><identity>\(Self.xml(uri))</identity></remote>"
        }
        return text + "</dialog>\r\n"
    }

    private func registrationInfo(_ contacts: [SIPText]) -> [UInt8] {
        var text =
            "<?xml version=\"1.0\"?>\r\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"\(version)\" state=\"full\">\r\n"
        let aor = Self.xml(watcher.domain.uriText(watched.aor))
        let id = Self.xml(watched.aor.description)
        text += "<registration aor=\"\(aor)\" id=\"\(id)\" state=\"\(contacts.isEmpty ? "init" : "active")\">\r\n"
        for (index, contact) in contacts.enumerated() {
            text += "<contact id=\"\(index)\" state=\"active\" event=\"registered\"><uri>"
            text += Self.xml(contact.string) + "</uri></contact>\r\n"
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
}
