import Base
import Capture

/// What a box took out of a message, or wrote into it, that breaks a call only where something was seen to break: told as its cause then.
struct SideBlow: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Keys for SRTP, or the fingerprint of DTLS, taken out.
        case keys
        /// Record-Route taken out of an answer.
        case route
        /// Another place in the Contact of the far end's answer or request.
        case contact(MediaPlace)
        /// Another place in Via than the packet wears, or no rport any more.
        case via(MediaPlace)
        /// Port 0 for a medium that was offered.
        case closed
        /// 0.0.0.0, or ::, as the place for audio.
        case silence
        /// Another Call-ID than the Replaces in a Refer-To names (RFC 3891), which was left.
        case replaces
        /// An address in place of the name of the domain, there.
        case identity(SideField)
        /// What it wrote into Contact, left in the Request-URI of what comes in.
        case target(MediaPlace)

        /// What it leads to.
        var follows: Set<FindingName> {
            switch self {
            case .keys: [.srtpMismatch, .sdpMismatch, .sipRefused]
            case .route: [.sipNoACK, .sipTimerDrop]
            case .contact: [.natPrivateContact, .sipNoACK, .sipTimerDrop]
            case .via: [.natRportMissing, .sipRetransmit, .authNoAnswer]
            case .closed: [.sdpMismatch, .sipRefused]
            case .silence: [.mediaOneWay, .mediaNone]
            case .replaces, .identity, .target: [.sipRefused]
            }
        }

        /// Where what follows from it goes.
        var place: MediaPlace? {
            switch self {
            case .contact(let place), .via(let place): place
            case .keys, .route, .closed, .silence, .replaces, .identity, .target: nil
            }
        }

        /// What the refusal that follows may say; nil: anything.
        var statuses: Set<UInt16>? {
            switch self {
            case .identity: [400, 403, 404, 416, 484, 604]
            case .target: [404, 416]
            case .replaces: [481]
            case .keys, .route, .contact, .via, .closed, .silence: nil
            }
        }
    }

    var kind: Kind
    var dialogs: SideComparison.DialogPair
    var method: MessageMethod
    /// As it left the box.
    var place: EvidencePlace
    var time: Int64?
    var firstLine: String

    /// The blows of one message.
    static func all(_ difference: SideDifference, _ inside: SideRecord, _ outside: SideRecord) -> [SideBlow] {
        guard inside.dialog >= 0, outside.dialog >= 0 else { return [] }
        let isOutbound = difference.path.isOutbound
        let there = isOutbound ? outside : inside
        var kinds: [Kind] = []
        func has(_ fields: SideFields, _ start: String) -> Bool {
            fields.items.contains { $0.field == .other("SDP a=") && $0.value.hasPrefix(start) }
        }
        if difference.after.bodyCount > 0 {
            for key in ["crypto:", "fingerprint:"] where has(difference.before, key) && !has(difference.after, key) {
                kinds.append(.keys)
            }
        }
        func routes(_ fields: SideFields) -> Int { fields.items.filter { $0.field == .recordRoute }.count }
        if !there.isRequest, there.method == .invite, difference.before.viaCount == difference.after.viaCount,
            routes(difference.before) > routes(difference.after)
        {
            kinds.append(.route)
        }
        if !isOutbound, there.method == .invite, let old = host(.contact, difference.before),
            let new = host(.contact, difference.after),
            old != new
        {
            kinds.append(.contact(new))
        }
        if isOutbound, there.isRequest, let new = host(.via, difference.after), host(.via, difference.before) != nil,
            difference.before.viaCount == difference.after.viaCount, new != outside.source,
            host(.via, difference.before) != new || rport(difference.before) && !rport(difference.after)
        {
            kinds.append(.via(new))
        }
        kinds += media(difference) + identities(difference, there)
        if isOutbound, there.method == .refer, leavesReplaces(difference) { kinds.append(.replaces) }
        return made(kinds, inside, outside, there)
    }

    static func made(_ kinds: [Kind], _ inside: SideRecord, _ outside: SideRecord, _ there: SideRecord) -> [SideBlow] {
        let pair = SideComparison.DialogPair(inside: Int(inside.dialog), outside: Int(outside.dialog))
        return kinds.map {
            SideBlow(
                kind: $0, dialogs: pair, method: there.method, place: there.place, time: there.time,
                firstLine: MessageExcerpt.firstLine(there.bytes))
        }
    }

    static func host(_ field: SideField, _ fields: SideFields) -> MediaPlace? {
        guard let host = fields.items.first(where: { $0.field == field })?.host, host.kind == .address else { return nil }
        return MediaPlace(host.address, host.portOrDefault)
    }

    private static func rport(_ fields: SideFields) -> Bool { fields.items.contains { $0.field == .viaRport } }
}
