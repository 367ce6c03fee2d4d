import SIP

/// `Replaces` (RFC 3891 6.1): the dialog whose place another takes.
struct Replaces: Hashable, Sendable {
    var callID: SIPText
    var toTag: SIPText
    var fromTag: SIPText
    var isEarlyOnly: Bool

    /// nil: not a Call-ID with both tags.
    init?(_ value: SIPText) {
        let parts = value.bytes.split(separator: UInt8(ascii: ";")).map { SIPText($0.filter { $0 != 0x20 && $0 != 0x09 }) }
        guard let callID = parts.first, !callID.isEmpty else { return nil }
        func parameter(_ name: String) -> SIPText? {
            parts.dropFirst().first { $0.lowercased.string.hasPrefix(name + "=") }.map {
                $0.part((name.utf8.count + 1)..<$0.count)
            }
        }
        guard let toTag = parameter("to-tag"), let fromTag = parameter("from-tag") else { return nil }
        self.callID = callID
        self.toTag = toTag
        self.fromTag = fromTag
        isEarlyOnly = parts.dropFirst().contains { $0.equalsCaseless(literal: "early-only") }
    }

    /// The `Replaces` among the headers of a Refer-To URI: `Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2`.
    init?(uriHeaders: SIPText) {
        for field in uriHeaders.bytes.split(separator: UInt8(ascii: "&")) {
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")) else { continue }
            guard SIPText(field[..<equals]).equalsCaseless(literal: "replaces") else { continue }
            self.init(SIPText(field[(equals + 1)...]).percentDecoded)
            return
        }
        return nil
    }
}

/// What a ringing phone's dialog is called towards those who may pick it up.
struct PickUpIdentifiers {
    let callID: SIPText
    let localTag: SIPText
    let remoteTag: SIPText

    init(_ id: UInt64) {
        callID = SIPText(tag: id)
        localTag = callID.part(0..<8)
        remoteTag = callID.part(8..<16)
    }

    /// The number that a `Replaces` names; nil where it is none of ours. Phones write the tags from their own side or from the watched phone's.
    static func number(_ replaces: Replaces) -> UInt64? {
        guard let number = replaces.callID.tagNumber else { return nil }
        let id = Self(number)
        let tags = (replaces.fromTag, replaces.toTag)
        return tags == (id.localTag, id.remoteTag) || tags == (id.remoteTag, id.localTag) ? number : nil
    }
}
