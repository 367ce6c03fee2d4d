/// Why requests were refused, without what each named: what is counted.
public enum RefusalReason: UInt8, Hashable, Sendable, CaseIterable {
    case malformed, tooLarge, version, scheme, maxForwards, loop, merged, extensions, method, encoding, foreignDomain, notTheirs
    case unknownAOR, nobodyRegistered, onlyInClear, askedInClear, noCallsYet, wildcard, badContact, outOfOrder, tooBrief
    case tooManyContacts, tablesFull, manyFlows, firstHopLacksOutbound, noTransaction, noDialog, notOfItsDialog, notInPickupGroup
    case tooManyCalls, session, sessionTooSmall, glare, declinedThere, noAnswer, event, outsideCalls, badReferTo, badReplaces
    case draining, credentials, guessing
}

extension ServerTrace.Refusal {
    public var reason: RefusalReason {
        switch self {
        case .malformed: .malformed
        case .tooLarge: .tooLarge
        case .version: .version
        case .scheme: .scheme
        case .maxForwards: .maxForwards
        case .loop: .loop
        case .merged: .merged
        case .extensions: .extensions
        case .method: .method
        case .encoding: .encoding
        case .foreignDomain: .foreignDomain
        case .notTheirs: .notTheirs
        case .unknownAOR: .unknownAOR
        case .nobodyRegistered: .nobodyRegistered
        case .onlyInClear: .onlyInClear
        case .askedInClear: .askedInClear
        case .noCallsYet: .noCallsYet
        case .wildcard: .wildcard
        case .badContact: .badContact
        case .outOfOrder: .outOfOrder
        case .tooBrief: .tooBrief
        case .tooManyContacts: .tooManyContacts
        case .tablesFull: .tablesFull
        case .manyFlows: .manyFlows
        case .firstHopLacksOutbound: .firstHopLacksOutbound
        case .noTransaction: .noTransaction
        case .noDialog: .noDialog
        case .notOfItsDialog: .notOfItsDialog
        case .notInPickupGroup: .notInPickupGroup
        case .tooManyCalls: .tooManyCalls
        case .session: .session
        case .sessionTooSmall: .sessionTooSmall
        case .glare: .glare
        case .declinedThere: .declinedThere
        case .noAnswer: .noAnswer
        case .event: .event
        case .outsideCalls: .outsideCalls
        case .badReferTo: .badReferTo
        case .badReplaces: .badReplaces
        case .draining: .draining
        case .credentials: .credentials
        case .guessing: .guessing
        }
    }
}
