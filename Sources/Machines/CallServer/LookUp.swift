import Base
import SIP
import SIPStack

/// Who is meant, and where can he be reached: what the call server asks whoever owns it.
package struct LookUp: Sendable {
    package enum Subject: Sendable {
        case user(AddressOfRecord)
        /// What a phone wrote into Contact or Refer-To, and the flow it came by.
        case uri(SIPURIReference, from: FlowID)
    }

    package let id: UInt32
    package let subject: Subject
    /// Who calls him, and over which flow; nil: who calls does not matter.
    package let caller: AddressOfRecord?
    package let callerFlow: FlowID?
}

/// The answer to a `LookUp`.
package struct Found: Sendable {
    package enum Owner: Sendable {
        /// A user, with what his account says of media.
        case user(AddressOfRecord, wantsDirectMedia: Bool, srtp: SRTPWish?)
        /// No user of ours has that number; one of our services may. `isOurs`: it names our very domain or address.
        case nobody(SIPText?, domain: SIPText, isOurs: Bool)
        /// Not one of our domains.
        case foreign(SIPText)
        /// No URI that can be called.
        case otherScheme
    }

    package var owner: Owner
    /// Where he can be rung now, in the order in which he registered.
    package var targets: [CallTarget]
    /// Something on the caller's way changes what his phone says of itself.
    package var isCallerRewritten: Bool

    package init(owner: Owner, targets: [CallTarget] = [], isCallerRewritten: Bool = false) {
        self.owner = owner
        self.targets = targets
        self.isCallerRewritten = isCallerRewritten
    }
}

/// One place where a user can be rung: a phone, by one of its flows (RFC 3261 10, RFC 5626).
package struct CallTarget: Sendable {
    /// The Contact as registered, which names it to whoever looked it up.
    package var contact: SIPText
    /// Path values, as Route; empty: none.
    package var route: SIPText
    /// Over which it is rung.
    package var flow: FlowID
    /// False: a connection that `Output.connect` opens.
    package var isOpen: Bool
    /// Where its REGISTER came from.
    package var source: IPAddress
    /// RFC 5626 instance-id; empty where there is none.
    package var instance: SIPText
    /// Preference 0...1000, thousandths.
    package var q: UInt16
    /// When it last registered, and its reg-id: the newer is rung first.
    package var updated: Instant
    package var regID: UInt32
    package var speaksICE: Bool
    /// The domain it knows us by.
    package var domain: DialledDomain
    /// Whether it takes SRTP alone (true) or plain RTP alone; nil: not known.
    package var insistsOnSRTP: Bool?
    /// A NAT stands between it and us.
    package var isTranslated: Bool
    /// Something on the way changes what it says of itself.
    package var isRewritten: Bool

    package init(
        contact: SIPText, route: SIPText = SIPText(), flow: FlowID, isOpen: Bool = true, source: IPAddress? = nil,
        instance: SIPText = SIPText(), q: UInt16 = 1000, updated: Instant, regID: UInt32 = 0, speaksICE: Bool = false,
        domain: DialledDomain, insistsOnSRTP: Bool? = nil, isTranslated: Bool = false, isRewritten: Bool = false
    ) {
        self.contact = contact
        self.route = route
        self.flow = flow
        self.isOpen = isOpen
        self.source = source ?? flow.remote.address
        self.instance = instance
        self.q = q
        self.updated = updated
        self.regID = regID
        self.speaksICE = speaksICE
        self.domain = domain
        self.insistsOnSRTP = insistsOnSRTP
        self.isTranslated = isTranslated
        self.isRewritten = isRewritten
    }

    /// Headers of a URI have no place in a Request-URI (RFC 3261 19.1.1).
    var requestURI: SIPText { SIPText(Array(contact.bytes.prefix { $0 != UInt8(ascii: "?") })) }

    /// Whether this flow of an instance is tried before another (RFC 5626 5.3).
    private func isBefore(_ other: Self) -> Bool {
        if isOpen != other.isOpen { return isOpen }
        return (updated, regID) > (other.updated, other.regID)
    }

    /// In the order in which each instance's flows are tried: the newest first (RFC 5626 5.3). What has no instance-id is an instance of its
    /// own. Flows that stand come before those that are yet to be opened. Higher q comes first.
    ///
    /// `isSecret`: over encrypted flows alone.
    static func byInstance(_ targets: [CallTarget], isSecret: Bool) -> [[CallTarget]] {
        var groups: [[CallTarget]] = []
        var places: [SIPText: Int] = [:]
        for target in targets where !isSecret || target.flow.transport.isSecure {
            if !target.instance.isEmpty, let place = places[target.instance] {
                groups[place].append(target)
                continue
            }
            if !target.instance.isEmpty { places[target.instance] = groups.count }
            groups.append([target])
        }
        for index in groups.indices { groups[index].sort { $0.isBefore($1) } }
        return groups.enumerated().sorted { ($1.element[0].q, $0.offset) < ($0.element[0].q, $1.offset) }.map(\.element)
    }
}

/// The look-ups under way, each with what it is for.
struct LookUpTable: Sendable {
    enum Purpose: Sendable {
        /// Whom a call is for.
        case ring(call: UInt32)
        /// Where a phone forwards to: that Contact, by that forward of the call.
        case forward(call: UInt32, index: Int, NameAddress)
        /// Whom a leg's REFER means.
        case transfer(call: UInt32, leg: Int, ServerRequest, NameAddress)
        /// Whether another flow of the leg's instance can be rung.
        case nextFlow(call: UInt32, leg: Int)
        case delivery(UInt32)
    }

    private var entries: [UInt32: Purpose] = [:]
    private var deadlines = DeadlineQueue<UInt32>()
    private var last: UInt32 = 0

    var count: Int { entries.count }
    var pendingDeadlines: Int { deadlines.count }
    var nextDeadline: Instant? { deadlines.nextDeadline }

    subscript(id: UInt32) -> Purpose? { entries[id] }

    mutating func begin(_ purpose: Purpose, until: Instant) -> UInt32 {
        repeat { last &+= 1 } while entries[last] != nil
        entries[last] = purpose
        deadlines.set(last, to: until)
        return last
    }

    /// nil: it is over already.
    mutating func end(_ id: UInt32) -> Purpose? {
        deadlines.set(id, to: nil)
        return entries.removeValue(forKey: id)
    }

    mutating func popDue(at now: Instant) -> Purpose? {
        guard let id = deadlines.popDue(at: now) else { return nil }
        return entries.removeValue(forKey: id)
    }
}
