import Base
import SIP
import SIPStack

/// What an authenticated REGISTER asks for, read and checked, before it meets the bindings there are (RFC 3261 10.3 steps 5 to 7).
package struct Registration: Sendable {
    enum Wish: Sendable {
        /// No Contact: only tell.
        case fetch
        /// `Contact: *` with `Expires: 0`.
        case removeAll
        case update([Contact])
    }

    /// One Contact value.
    struct Contact: Sendable {
        var uri: SIPURIReference
        var uriText: SIPText
        /// As echoed: `expires` and `q` left out.
        var parameters: [UInt8]
        /// Seconds asked for.
        var expires: UInt32
        var q: UInt16
        var instance: SIPText
        /// 0: the phone does not use outbound, or has not said so.
        var regID: UInt32
    }

    var aor: AddressOfRecord
    /// Host and port of its To: by what the phone knows us.
    var domain: SIPText
    var callID: SIPText
    var cseq: UInt32
    var wish: Wish
    var path: [UInt8]
    var userAgent: SIPText
    var flow: FlowID
    var verdict: PathVerdict

    /// Whether a contact of it is kept by instance and flow rather than by its URI (RFC 5626 6).
    var usesOutbound: Bool {
        switch wish {
        case .fetch, .removeAll: false
        case .update(let contacts): contacts.contains { $0.regID != 0 && $0.expires > 0 }
        }
    }
}

/// The registrar's rules: what a registration makes of an address of record's bindings. All of it or nothing.
struct RegistrarRules: Sendable {
    /// What the user has from now on, and what became of each.
    typealias Ruling = (locations: [LocationTable.Location], events: [Event])

    enum Event: Sendable {
        case bound(Binding, Registrar.BindingEvent)
        case unbound(Binding, Registrar.UnbindingReason)
    }

    var expiry: Registrar.Expiry
    var contactsPerAOR: Int
    var replacesMovedContacts: Bool
    /// chan_sip: the newest contact wins, CSeq is not compared.
    var keepsNewestOnly: Bool

    init(_ settings: Registrar.Settings) {
        expiry = settings.expiry
        contactsPerAOR = max(settings.limits.contactsPerAOR, 1)
        replacesMovedContacts = settings.replacesMovedContacts
        keepsNewestOnly = settings.keepsNewestOnly
    }

    func rule(_ registration: Registration, over current: [LocationTable.Location], at now: Instant)
        throws(Registrar.Refusal) -> Ruling
    {
        switch registration.wish {
        case .fetch: return (current, [])
        case .removeAll: return try removeAll(registration, current)
        case .update(let contacts): return try update(registration, contacts, current, now)
        }
    }

    private func removeAll(_ registration: Registration, _ current: [LocationTable.Location])
        throws(Registrar.Refusal) -> Ruling
    {
        for location in current { try checkOrder(registration, location.binding) }
        return ([], current.map { .unbound($0.binding, .removedAll) })
    }

    private func update(
        _ registration: Registration, _ contacts: [Registration.Contact], _ current: [LocationTable.Location], _ now: Instant
    ) throws(Registrar.Refusal) -> Ruling {
        var locations = current
        var events: [Event] = []
        for contact in contacts {
            if contact.expires > 0, contact.expires < expiry.shortest, contact.expires < 3600 {
                throw .tooBrief(requested: contact.expires, shortest: expiry.shortest)
            }
            let place = locations.firstIndex { isSame(contact, $0.binding) }
            if let place { try checkOrder(registration, locations[place].binding) }
            guard contact.expires > 0 else {
                if let place { events.append(.unbound(locations.remove(at: place).binding, .removed)) }
                continue
            }
            guard let binding = binding(registration, contact, now) else { throw .badContact }
            if let place {
                let former = locations[place].binding
                locations[place].binding = binding
                events.append(.bound(binding, refreshEvent(former, binding)))
            } else if let moved = movedPlace(registration, contact, contacts.count, locations) {
                let former = locations[moved].binding
                guard former.cseq < registration.cseq else {
                    throw .outOfOrder(had: former.cseq, got: registration.cseq)
                }
                locations[moved] = LocationTable.Location(binding: binding)
                events.append(.bound(binding, .replaced(former: SIPText(former.contact))))
            } else {
                locations.append(LocationTable.Location(binding: binding))
                events.append(.bound(binding, .added))
            }
        }
        while locations.count > contactsPerAOR {
            // What no longer answers gives way: a phone that reboots on new ports again and again is one phone.
            guard
                let place = keepsNewestOnly
                    ? locations.startIndex
                    : locations.indices.filter({ locations[$0].binding.reach != .reachable }).min(by: {
                        locations[$0].binding.updated < locations[$1].binding.updated
                    })
            else { throw .tooManyContacts(locations.count) }
            events.append(.unbound(locations.remove(at: place).binding, .evicted))
        }
        return (locations, events)
    }

    private func binding(_ registration: Registration, _ contact: Registration.Contact, _ now: Instant) -> Binding? {
        Binding(
            contact: contact.uriText.bytes, parameters: contact.parameters, callID: registration.callID.bytes,
            instance: contact.instance.bytes, path: registration.path, userAgent: registration.userAgent.bytes.prefix(128),
            domain: registration.domain.bytes, cseq: registration.cseq, regID: contact.regID, q: contact.q,
            expires: now + .seconds(Int64(min(contact.expires, expiry.longest))), updated: now, flow: registration.flow,
            verdict: registration.verdict)
    }

    private func checkOrder(_ registration: Registration, _ binding: Binding) throws(Registrar.Refusal) {
        guard !keepsNewestOnly, registration.cseq <= binding.cseq, registration.callID.bytes == binding.callID else { return }
        throw .outOfOrder(had: binding.cseq, got: registration.cseq)
    }

    /// RFC 5626 6: instance and reg-id where the phone uses outbound; otherwise the URI (RFC 3261 10.3 step 7).
    private func isSame(_ contact: Registration.Contact, _ binding: Binding) -> Bool {
        if contact.regID != 0 || binding.regID != 0 {
            return contact.regID == binding.regID && contact.instance.bytes == binding.instance
        }
        if contact.uriText.bytes == binding.contact { return true }
        guard let bound = try? SIPURIReference(parsing: SIPText(binding.contact)) else { return false }
        return contact.uri.isEquivalent(to: bound)
    }

    private func refreshEvent(_ former: Binding, _ binding: Binding) -> Registrar.BindingEvent {
        if former.flow != binding.flow { return .flowChanged(from: former.flow) }
        return .refreshed
    }

    /// The contact that this one is, moved to another host or port by a NAT or an ALG: same Call-ID and user, and each the only one.
    private func movedPlace(
        _ registration: Registration, _ contact: Registration.Contact, _ contacts: Int, _ locations: [LocationTable.Location]
    ) -> Int? {
        guard replacesMovedContacts, contacts == 1, contact.regID == 0, case .sip(let uri) = contact.uri else { return nil }
        var found: Int?
        for (place, location) in locations.enumerated() where location.binding.callID == registration.callID.bytes {
            guard found == nil, location.binding.regID == 0 else { return nil }
            found = place
        }
        guard let found, case .sip(let bound)? = try? SIPURIReference(parsing: SIPText(locations[found].binding.contact)),
            bound.user == uri.user, bound.scheme == uri.scheme,
            bound.host != uri.host || bound.port != uri.port
        else { return nil }
        return found
    }
}
