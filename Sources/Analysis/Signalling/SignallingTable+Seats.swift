import Base
import Capture

/// Messages of logs whose ends are told now and then, or never.
extension SignallingTable {
    /// Whether a message of a log goes the way that its dialog's first request went: the tags tell (RFC 3261 12).
    mutating func isFromAsking(_ number: Int, _ facts: MessageFacts, _ p: Bytes) -> Bool {
        let from = UInt32(truncatingIfNeeded: p.hash(facts.fromTag))
        let to = UInt32(truncatingIfNeeded: p.hash(facts.toTag))
        let asking = dialogs[number].askingTag
        let isByAsked = from != 0 && from != asking && to != 0 && to == asking
        if !isByAsked, from != asking, asking == 0 || to == 0 {
            if asking == 0 {
                // In the middle of a call nobody knows who called.
                let isBegin = dialogs[number].kind != .call || facts.method == .invite && (to == 0 || !facts.isRequest)
                dialogs[number].seats = isBegin ? dialogs[number].kind : .other
            }
            dialogs[number].askingTag = from
        }
        return facts.isRequest != isByAsked
    }

    /// Gives a message that shows neither end those of its dialog.
    mutating func seat(_ envelope: inout Envelope, _ number: Int, isFromAsking: Bool) {
        let leg = dialogs[number].legs.first
        let asking = leg?.client ?? PackedEndpoint(unnamed.address(of: .asking(dialogs[number].seats)), 0)
        let asked = leg?.server ?? PackedEndpoint(unnamed.address(of: .asked(dialogs[number].seats)), 0)
        (envelope.source, envelope.destination) = isFromAsking ? (asking, asked) : (asked, asking)
    }

    /// The hop of a message of a log that names ends now and then; nil where each is named, or none fits.
    func looseLeg(_ step: Step, _ number: Int, _ envelope: Envelope, isFromAsking: Bool) -> Int? {
        let client = isFromAsking ? envelope.source : envelope.destination
        let server = isFromAsking ? envelope.destination : envelope.source
        let file = envelope.place.file
        return dialogs[number].legs.firstIndex { leg in
            guard unnamed.isVague(client) || unnamed.isVague(server) || unnamed.isVague(leg.client) || unnamed.isVague(leg.server)
            else { return false }
            let fits = (unnamed.mayBe(leg.client, client, file), unnamed.mayBe(leg.server, server, file))
            if fits.0, fits.1 { return true }
            // One hop has so many Vias: a proxy's other hop has another number.
            guard step.viaCount == leg.viaCount else { return false }
            return fits.0 && unnamed.isVague(leg.server) || fits.1 && unnamed.isVague(leg.client)
        }
    }

    // MARK: Stand-ins for Call-IDs

    /// `<redacted>`, `xxxxxxxx@192.0.2.1`, `***`: what people put in place of a Call-ID, the same for all.
    static func isStandIn(_ p: Bytes, _ callID: Span) -> Bool {
        let local = Array(UnsafeRawBufferPointer(rebasing: p[callID.start..<callID.end])).prefix { $0 != 0x40 }
        guard !local.isEmpty, local.count <= 64 else { return false }
        if local.allSatisfy({ [0x78, 0x58, 0x2a, 0x2d, 0x2e, 0x5f, 0x23].contains($0) }) { return true }
        let word = String(decoding: local.filter { (0x41...0x5a).contains($0 & 0xdf) }, as: UTF8.self).lowercased()
        let isMarked = local.first == 0x3c || local.first == 0x5b || local.first == 0x28 || local.first == 0x2a
        guard isMarked || word.utf8.count == local.count else { return false }
        return ["redacted", "removed", "hidden", "anonymized", "anonymised", "masked", "callid", "deleted", "obfuscated"].contains
        {
            word == $0 || isMarked && word.contains($0)
        }
    }

    /// The dialog that one of the tags belongs to.
    mutating func numberByTags(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> Int {
        sharedCallIDs += 1
        let file = UInt64(envelope.place.file) &* 0x9e37_79b9_7f4a_7c15
        let tags = [p.hash(facts.fromTag), p.hash(facts.toTag)].filter { $0 != 0 }.map { $0 ^ file }
        guard !tags.isEmpty else { return numberByOrder(facts, p, envelope) }
        let known = byTag
        var number = tags.compactMap { known[$0] }.first.map { Int($0) }
        if let number {
            if dialogs[number].progress.contains(.closed) { reopen(number) }
        } else {
            number = newDialog(facts, p, envelope)
        }
        guard let number, number >= 0 else { return -1 }
        for tag in tags where byTag[tag] == nil && byTag.count < Self.mostDialogs { byTag[tag] = Int32(number) }
        return number
    }
}
