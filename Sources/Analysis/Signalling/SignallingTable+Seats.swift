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
}
