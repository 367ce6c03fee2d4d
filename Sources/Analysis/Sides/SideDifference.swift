import Base
import Capture

/// How the packets of one message lie on both sides: who translated into whom.
struct SidePath: Sendable {
    /// Address and port on the side that the message came from, and what stands in their place on the other.
    var old: MediaPlace
    var new: MediaPlace
    /// The same of the other end, equal where only one end is translated.
    var oldPeer: MediaPlace
    var newPeer: MediaPlace
    var isOutbound: Bool
    /// Both ends differ, because the sender addressed the box itself: a proxy or SBC.
    var isAddressed: Bool

    /// `inside`, `outside`: the message's records on these sides.
    init(_ inside: SideRecord, _ outside: SideRecord, addsVia: Bool) {
        let sameSource = inside.source == outside.source
        let sameDestination = inside.destination == outside.destination
        if sameSource, !sameDestination {
            isOutbound = false
        } else if !sameSource, sameDestination {
            isOutbound = true
        } else {
            // Nothing or everything is translated: the end in a private network is the inside's.
            isOutbound = inside.source.address.isPrivateNetwork || !inside.destination.address.isPrivateNetwork
        }
        if isOutbound {
            (old, new) = (inside.source, outside.source)
            (oldPeer, newPeer) = (inside.destination, outside.destination)
        } else {
            (old, new) = (outside.destination, inside.destination)
            (oldPeer, newPeer) = (outside.source, inside.source)
        }
        let peerInside = isOutbound ? inside.destination : inside.source
        let clientOutside = isOutbound ? outside.source : outside.destination
        isAddressed =
            !sameSource && !sameDestination
            && (addsVia || peerInside.address.isPrivateNetwork || peerInside.address == clientOutside.address)
    }
}

/// What differs between a message on its way in and on its way out of a box.
struct SideDifference {
    private(set) var changes: [FieldChange] = []
    /// Items of the side where the message came from, with whether they were changed and into what.
    private(set) var before: SideFields
    private(set) var after: SideFields
    let path: SidePath

    init(inside: SideRecord, outside: SideRecord) {
        let insideFields = SideFields(inside.bytes)
        let outsideFields = SideFields(outside.bytes)
        path = SidePath(inside, outside, addsVia: insideFields.viaCount != outsideFields.viaCount)
        before = path.isOutbound ? insideFields : outsideFields
        after = path.isOutbound ? outsideFields : insideFields
        guard inside.bytes != outside.bytes else { return }
        compare()
    }

    private mutating func note(_ field: SideField, _ kind: FieldChange.Kind, _ old: String?, _ new: String?) {
        changes.append(
            FieldChange(field: field, kind: kind, inside: path.isOutbound ? old : new, outside: path.isOutbound ? new : old))
    }

    private mutating func compare() {
        let viasDiffer = before.viaCount != after.viaCount
        if viasDiffer {
            let isAdded = after.viaCount > before.viaCount
            let top = (isAdded ? after : before).items.first { $0.field == .via }?.value
            note(.via, isAdded ? .added : .removed, isAdded ? nil : top, isAdded ? top : nil)
        }
        let viaFields: Set<SideField> = [.via, .viaBranch, .viaReceived, .viaRport, .viaMaddr, .other("Via parameter")]
        var rest: [SideField: [SideItem]] = [:]
        for item in after.items where !viasDiffer || !viaFields.contains(item.field) {
            rest[item.field, default: []].append(item)
        }
        let bodyChanged =
            before.items.contains { $0.field.isOfBody && !isThere($0, in: rest) } || before.bodyCount != after.bodyCount
        for item in before.items where !viasDiffer || !viaFields.contains(item.field) {
            guard let others = rest[item.field], item.occurrence < others.count else {
                note(item.field, .removed, item.value, nil)
                continue
            }
            let other = others[item.occurrence]
            if other.value == item.value {
                if item.field == .contentLength, after.announcedLength != after.bodyCount,
                    before.announcedLength == before.bodyCount
                {
                    note(.contentLength, .miscounted, item.value, other.value)
                }
                continue
            }
            note(item.field, kind(item, other, bodyChanged: bodyChanged), item.value, other.value)
        }
        var had: [SideField: Int] = [:]
        for item in before.items { had[item.field, default: 0] += 1 }
        for item in after.items
        where (!viasDiffer || !viaFields.contains(item.field)) && item.occurrence >= had[item.field, default: 0] {
            note(item.field, .added, nil, item.value)
        }
        // A pure move, or spacing.
        if changes.isEmpty || isReordered { note(.layout, .reshaped, nil, nil) }
    }

    private func isThere(_ item: SideItem, in rest: [SideField: [SideItem]]) -> Bool {
        guard let others = rest[item.field], item.occurrence < others.count else { return false }
        return others[item.occurrence].value == item.value
    }

    private func kind(_ item: SideItem, _ other: SideItem, bodyChanged: Bool) -> FieldChange.Kind {
        if item.field == .contentLength {
            guard after.announcedLength == after.bodyCount else {
                return before.announcedLength == before.bodyCount ? .miscounted : .changed
            }
            return bodyChanged ? .recounted : .reshaped
        }
        if item.field == .viaRport {
            return item.host.port == path.old.port && other.host.port == path.new.port ? .translated : .changed
        }
        if item.host.kind == .address, other.host.kind == .address, item.host.address != other.host.address {
            let own = item.host.address == path.old.address && other.host.address == path.new.address
            let peer = item.host.address == path.oldPeer.address && other.host.address == path.newPeer.address
            return own || peer ? .translated : .changed
        }
        return Self.squeezed(item.value) == Self.squeezed(other.value) ? .reshaped : .changed
    }

    /// Without spaces, in lower case.
    private static func squeezed(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0x20 && $0 != 0x09 }.map { lowered($0) } }

    /// Headers common to both stand in another order.
    private var isReordered: Bool {
        func order(_ fields: SideFields, _ other: SideFields) -> [SideItemName] {
            let there = Set(other.items.map { SideItemName(field: $0.field, occurrence: $0.occurrence) })
            return fields.items.map { SideItemName(field: $0.field, occurrence: $0.occurrence) }.filter { there.contains($0) }
        }
        return before.viaCount == after.viaCount && order(before, after) != order(after, before)
    }

    /// Only what every proxy does (RFC 3261 16.6): one more Via, Record-Route, a spent Route, Max-Forwards less.
    var isProxyWork: Bool {
        changes.allSatisfy { change in
            switch change.field {
            case .via: change.kind == .added || change.kind == .removed
            // A proxy stands in Via where it writes routes (RFC 3261 16.6).
            case .recordRoute, .route: before.viaCount != after.viaCount || change.kind == .reshaped
            case .viaReceived, .viaRport, .maxForwards, .layout: true
            default: change.kind == .reshaped
            }
        }
    }

    /// Another host in place of the one in Record-Route: what follows in the dialog goes there.
    var routeRewrite: MediaPlace? {
        guard before.viaCount == after.viaCount else { return nil }
        let new = after.items.filter { $0.field == .recordRoute }
        for item in before.items where item.field == .recordRoute {
            guard item.occurrence < new.count, case let host = new[item.occurrence].host, host.kind == .address,
                item.host.kind != .address || item.host.address != host.address
            else { continue }
            return MediaPlace(host.address, host.portOrDefault)
        }
        return nil
    }

    /// Something that a receiver will stumble over.
    var harm: Harm? {
        for change in changes {
            switch (change.field, change.kind) {
            case (.contentLength, .miscounted): return .miscounted
            case (.authorization, .changed), (.authorization, .removed): return .credentials
            case (.cseq, _): return .sequence
            case (.from, .removed), (.to, .removed), (.callID, .removed), (.contact, .removed): return .removed(change.field)
            default: break
            }
        }
        return before.bodyCount > 0 && after.bodyCount == 0 && before.items.contains { $0.field == .sdpMediaPort }
            ? .description : nil
    }

    /// What was broken.
    enum Harm: Hashable, Sendable {
        case miscounted, credentials, sequence, description
        case removed(SideField)

        var text: String {
            switch self {
            case .miscounted: "Content-Length no longer fits the body"
            case .credentials: "credentials were altered, so the digest cannot be right"
            case .sequence: "CSeq was altered"
            case .description: "the session description was taken out"
            case .removed(let field): "\(field) was removed"
            }
        }

        /// What it leads to.
        var follows: Set<FindingName> {
            switch self {
            case .credentials: [.authBadDigest, .sipRefused]
            case .description: [.sdpMismatch, .mediaOneWay, .mediaNone, .sipRefused, .sipTimerDrop]
            case .miscounted, .sequence, .removed: [.sipRetransmit, .sipRefused, .sipNoACK, .sipTimerDrop, .authNoAnswer]
            }
        }
    }
}

private struct SideItemName: Hashable {
    var field: SideField
    var occurrence: Int
}

extension SideField {
    var isOfBody: Bool {
        switch self {
        case .sdpOrigin, .sdpConnection, .sdpMediaPort, .sdpRTCP, .sdpCandidate, .body: true
        case .other(let name): name.hasPrefix("SDP ")
        default: false
        }
    }

    /// The order of declaration; headers of their own name come last.
    private var rank: Int {
        switch self {
        case .requestURI: 0
        case .via: 1
        case .viaBranch: 2
        case .viaReceived: 3
        case .viaRport: 4
        case .viaMaddr: 5
        case .contact: 6
        case .from: 7
        case .to: 8
        case .callID: 9
        case .cseq: 10
        case .authorization: 11
        case .contentLength: 12
        case .maxForwards: 13
        case .userAgent: 14
        case .route: 15
        case .recordRoute: 16
        case .sdpOrigin: 17
        case .sdpConnection: 18
        case .sdpMediaPort: 19
        case .sdpRTCP: 20
        case .sdpCandidate: 21
        case .body: 22
        case .other: 23
        case .layout: 24
        }
    }

    public static func < (a: SideField, b: SideField) -> Bool { (a.rank, a.description) < (b.rank, b.description) }
}
