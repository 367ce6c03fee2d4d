import Base
import MediaControl
import PhoneNode
import ServerNode

/// Follows one direction's packets from phone to phone until it finds where they end.
extension CallReviewer {
    func reason(from speaker: Part, to listener: Part, during span: ClosedRange<Instant>) -> SilenceReason {
        guard let media = speaker.call.media else {
            return .notSent(speaker: speaker.name, because: "no audio was agreed")
        }
        guard media.sends, !media.heldByUs else {
            let why =
                media.heldByUs
                ? "the call is on hold there" : media.heldByThem ? "\(listener.name) put the call on hold" : "it was not agreed"
            return .notSent(speaker: speaker.name, because: why)
        }
        if speaker.call.report?.packetsSent == 0 {
            return .notSent(speaker: speaker.name, because: "its phone had nowhere to send it")
        }
        if let end = evidence.end(of: media.remote, during: span) { return worded(end, media.remote, listener) }
        let isRelayed = world.boxes.contains { world.server($0) != nil && world.addresses(of: $0).contains(media.remote.address) }
        if isRelayed, let reason = beyondServer(speaker, listener, media.remote, span) { return reason }
        if let why = evidence.refusal(at: listener.box, during: span) {
            return .refusedByPhone(listener: listener.name, why)
        }
        return evidence.isLossy(during: span) ? .lost : .unknown
    }

    /// Media that the server relays or mixes: did it get the speaker's, and where did it send them?
    private func beyondServer(
        _ speaker: Part, _ listener: Part, _ port: Endpoint, _ span: ClosedRange<Instant>
    ) -> SilenceReason? {
        let inbound = stream(of: speaker, in: record(of: speaker))?.verdict
        if let inbound, inbound.packetsReceived == 0 || inbound.source == nil,
            let why = evidence.refusal(onServerPort: port, during: span)
        {
            return .refusedByServer(why)
        }
        guard let outbound = stream(of: listener, in: record(of: listener))?.verdict else { return nil }
        guard let place = outbound.source?.endpoint ?? (outbound.packetsSent > 0 ? outbound.signalled : nil) else {
            return .serverWaits(listener: listener.name, signalled: outbound.signalled)
        }
        if let end = evidence.end(of: place, during: span) { return worded(end, place, listener) }
        return nil
    }

    private func worded(_ end: MediaEvidence.End, _ place: Endpoint, _ listener: Part) -> SilenceReason {
        switch end {
        case .nowhere:
            return place.address.isPrivate ? .privateAddress(place, of: listener.name) : .nowhere(place)
        case .noMapping(let router):
            if evidence.closedPinhole(router, place) { return .pinholeClosed(router: world.name(of: router), place) }
            if let idle = evidence.expired(router, place) {
                return .mappingExpired(router: world.name(of: router), place, idle: idle)
            }
            return .noMapping(router: world.name(of: router), place)
        case .filtered(let router, let source):
            return .filtered(
                router: world.name(of: router), place, from: source, madeFor: evidence.madeFor(router, place))
        case .refused(let router, let why): return .refusedByRouter(router: world.name(of: router), why)
        case .down: return .lost
        }
    }
}
