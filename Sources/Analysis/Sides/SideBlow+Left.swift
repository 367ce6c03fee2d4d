import Base
import Capture

/// Changes of a description, of names, and of one place without the other that belongs to it.
extension SideBlow {
    /// A medium that was closed, or a place for audio that is none.
    static func media(_ difference: SideDifference) -> [Kind] {
        func ports(_ fields: SideFields) -> [UInt16] { fields.items.filter { $0.field == .sdpMediaPort }.map(\.host.port) }
        func holes(_ fields: SideFields) -> [Bool] {
            fields.items.filter { $0.field == .sdpConnection }.map { $0.host.kind == .address && $0.host.address.isUnspecified }
        }
        let (old, new) = (ports(difference.before), ports(difference.after))
        var kinds: [Kind] = []
        if old.count == new.count, zip(old, new).contains(where: { $0 != 0 && $1 == 0 }), new.allSatisfy({ $0 == 0 }) {
            kinds.append(.closed)
        }
        let (held, holds) = (holes(difference.before), holes(difference.after))
        if held.count == holds.count, zip(held, holds).contains(where: { !$0 && $1 }) { kinds.append(.silence) }
        return kinds
    }

    /// The name of a domain that became an address, in the request that begins a dialog.
    static func identities(_ difference: SideDifference, _ there: SideRecord) -> [Kind] {
        guard difference.path.isOutbound, there.isRequest, there.method == .invite || there.method == .register else { return [] }
        return [SideField.requestURI, there.method == .invite ? .from : .to].filter { field in
            let (old, new) = (item(field, difference.before), item(field, difference.after))
            return old?.host.kind == .name && new?.host.kind == .address
        }.map { .identity($0) }
    }

    private static func item(_ field: SideField, _ fields: SideFields) -> SideItem? { fields.items.first { $0.field == field } }

    /// The call that a transfer replaces is named as it was before the box, the call that asks for it as behind it.
    static func leavesReplaces(_ difference: SideDifference) -> Bool {
        func value(_ field: SideField, _ fields: SideFields) -> String { item(field, fields)?.value ?? "" }
        let (old, new) = (value(.callID, difference.before), value(.callID, difference.after))
        guard !old.isEmpty, old != new, let sign = old.lastIndex(of: "@") else { return false }
        let refer = SideField.other("refer-to")
        let target = value(refer, difference.after)
        let host = String(old[sign...].dropFirst())
        return target == value(refer, difference.before) && target.lowercased().contains("replaces=") && target.contains(host)
            && !new.contains(host)
    }

    /// Requests that come in for a place that the box itself wrote into Contact, and that it does not change back.
    static func targets(_ differences: [(difference: SideDifference, inside: SideRecord, outside: SideRecord)]) -> [SideBlow] {
        // What the box wrote, for whom, and whose place it stands for.
        var written: [MediaPlace: (address: PackedAddress, user: Substring)] = [:]
        for (difference, inside, _) in differences where difference.path.isOutbound {
            guard let old = host(.contact, difference.before), let new = host(.contact, difference.after), old != new,
                old.address == inside.source.address, let contact = item(.contact, difference.before)
            else { continue }
            written[new] = (old.address, user(contact.value))
        }
        guard !written.isEmpty else { return [] }
        return differences.flatMap { difference, inside, outside -> [SideBlow] in
            guard !difference.path.isOutbound, inside.isRequest, inside.method == .invite, inside.dialog >= 0,
                outside.dialog >= 0,
                let place = host(.requestURI, difference.after), let own = written[place],
                own.address == inside.destination.address, let uri = item(.requestURI, difference.after),
                user(uri.value) == own.user
            else { return [] }
            return made([.target(place)], inside, outside, inside)
        }
    }

    private static func user(_ value: String) -> Substring {
        let end = value.firstIndex(of: "@") ?? value.startIndex
        let start = value[..<end].lastIndex(of: ":").map { value.index(after: $0) } ?? value.startIndex
        return value[start..<end]
    }
}
