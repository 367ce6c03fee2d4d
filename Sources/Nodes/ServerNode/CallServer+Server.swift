import Base
import CallServer
import SIPStack
import Subscriptions

// What calls and subscriptions are told and say, in the words of the server.

extension CallServer.Settings {
    init(_ settings: ServerSettings, _ addresses: OwnAddresses) {
        self.init()
        calls = settings.calls
        software = settings.software
        natHandling = settings.natHandling
        self.addresses = addresses
        limits.calls = settings.limits.calls
        limits.callsPerAccount = settings.limits.callsPerAccount
        limits.callRatePerAccount = settings.limits.callRatePerAccount
        limits.portPercentPerAccount = settings.limits.portPercentPerAccount
        limits.forks = settings.limits.forks
        limits.forwardsPerCall = settings.limits.forwardsPerCall
        limits.forwardsInARow = settings.limits.forwardsInARow
        limits.contactsPerForward = settings.limits.contactsPerRequest
        limits.mediaStreams = settings.limits.mediaStreams
        limits.legsPerCall = settings.limits.legsPerCall
        limits.deliveries = settings.limits.callTransactions
        limits.lookUps = settings.limits.lookUps
    }
}

extension Subscriptions.Settings {
    init(_ settings: ServerSettings, _ addresses: OwnAddresses) {
        self.init()
        shortest = settings.calls.shortestSubscription
        longest = settings.calls.longestSubscription
        cap = settings.limits.subscriptions
        perAccount = settings.limits.subscriptionsPerAccount
        software = settings.software
        self.addresses = addresses
    }
}

extension ServerCounters {
    /// What calls count.
    mutating func take(_ counters: CallServer.Counters) {
        callsStarted = counters.callsStarted
        callsAnswered = counters.callsAnswered
        callsEnded = counters.callsEnded
        transfers = counters.transfers
        callsUnacknowledged = counters.callsUnacknowledged
        sessionsExpired = counters.sessionsExpired
        callTablesFull &+= counters.callTablesFull
        callsWithoutPort = counters.callsWithoutPort
        mediaElsewhere = counters.mediaElsewhere
        glares = counters.glares
        challengesRefused = counters.challengesRefused
        verdictsMissing = counters.verdictsMissing
        outOfOrder &+= counters.outOfOrder
        lookUpsOverdue = counters.lookUpsOverdue
    }
}

extension ServerTrace {
    init(_ trace: CallServer.Trace) {
        switch trace {
        case .call(let trace): self = .call(trace)
        case .refused(let flow, let status, let refusal): self = .refused(flow, status: status, Refusal(refusal))
        case .full(let table): self = .notice(.tableFull(table))
        }
    }
}

extension ServerTrace.Meaning {
    init(_ meaning: SentMeaning) {
        switch meaning {
        case .request(let method): self = .request(method)
        case .again: self = .retransmission
        }
    }
}

extension ServerTrace.Refusal {
    init(_ refusal: CallServer.Refusal) {
        switch refusal {
        case .malformed(let error): self = .malformed(error)
        case .unknownAOR: self = .unknownAOR
        case .foreignDomain(let domain): self = .foreignDomain(domain)
        case .nobodyRegistered: self = .nobodyRegistered
        case .onlyInClear: self = .onlyInClear
        case .tablesFull: self = .tablesFull
        case .tooManyCalls(let aor): self = .tooManyCalls(of: aor)
        case .badContact: self = .badContact
        case .noDialog: self = .noDialog
        case .noTransaction: self = .noTransaction
        case .notOfItsDialog(let aor): self = .notOfItsDialog(aor)
        case .notInPickupGroup(let aor): self = .notInPickupGroup(aor)
        case .outOfOrder(let had, let got): self = .outOfOrder(had: had, got: got)
        case .session(let refusal): self = .session(refusal)
        case .sessionTooSmall(let seconds): self = .sessionTooSmall(seconds)
        case .glare: self = .glare
        case .declinedThere(let status): self = .declinedThere(status)
        case .noAnswer: self = .noAnswer
        case .outsideCalls: self = .outsideCalls
        case .badReferTo: self = .badReferTo
        case .badReplaces: self = .badReplaces
        case .draining: self = .draining
        }
    }

    init(_ refusal: Subscriptions.Refusal) {
        switch refusal {
        case .noDialog: self = .noDialog
        case .outOfOrder(let had, let got): self = .outOfOrder(had: had, got: got)
        case .tooBrief(let requested, let shortest): self = .tooBrief(requested: requested, shortest: shortest)
        case .tablesFull: self = .tablesFull
        case .badContact: self = .badContact
        }
    }
}
