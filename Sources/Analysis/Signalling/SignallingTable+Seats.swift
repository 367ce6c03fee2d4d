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
        let end = p.place(of: 0x40, callID.start, callID.end) ?? callID.end
        guard callID.start < end, end - callID.start <= 64 else { return false }
        let local = UnsafeRawBufferPointer(rebasing: p[callID.start..<end])
        if local.allSatisfy(blots.contains) { return true }
        let isMarked = brackets.contains(local[0])
        guard isMarked || local.allSatisfy(isLetter) else { return false }
        let word = String(decoding: local.filter(isLetter), as: UTF8.self).lowercased()
        return standIns.contains { word == $0 || isMarked && word.contains($0) }
    }

    private static let blots = Array("X*-._#x".utf8)
    private static let brackets = Array("<[(*".utf8)
    private static let standIns = [
        "redacted", "removed", "hidden", "anonymized", "anonymised", "masked", "callid", "deleted", "obfuscated",
        "emailprotected",
    ]

    private static func isLetter(_ octet: UInt8) -> Bool { (0x41...0x5a).contains(octet & 0xdf) }

    /// The dialog that one of the tags belongs to.
    mutating func numberByTags(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> Int {
        sharedCallIDs += 1
        let file = UInt64(envelope.place.file) &* 0x9e37_79b9_7f4a_7c15
        // A word in place of each tag tells no more than the one in place of the Call-ID.
        let tags = [facts.fromTag, facts.toTag].filter { !Self.isStandIn(p, $0) }.map { p.hash($0) }.filter { $0 != 0 }
            .map { $0 ^ file }
        guard !tags.isEmpty else { return numberByOrder(facts, p, envelope) }
        var number: Int?
        for tag in tags where number == nil { number = byTag[tag].map { Int($0) } }
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
