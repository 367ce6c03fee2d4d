import Base
import Registrar
import SIPStack

// What the registrar is told and says, in the words of the server.

extension Registrar.Settings {
    init(_ settings: ServerSettings, _ addresses: OwnAddresses) {
        self.init()
        expiry = settings.expiry
        keepalive = settings.keepalive
        natHandling = settings.natHandling
        asksContacts = settings.profile == .pinhole
        isPersistent = settings.isPersistent
        replacesMovedContacts = settings.replacesMovedContacts
        keepsNewestOnly = settings.profile == .chanSIP
        software = settings.software
        self.addresses = addresses
        limits.bindings = settings.limits.bindings
        limits.contactsPerAOR = settings.limits.contactsPerAOR
        limits.pendingCommits = settings.limits.pendingCommits
        limits.probes = settings.limits.clientTransactions
        limits.sources = settings.limits.sources
        limits.questionsPerAddress = settings.limits.questionsPerAddress
        limits.keepalives = settings.limits.keepalives
        limits.heardNotes = settings.limits.heardNotes
        limits.heardNoteInterval = settings.limits.heardNoteInterval
    }
}

extension ServerCounters {
    /// What the registrar counts.
    mutating func take(_ counters: Registrar.Counters) {
        bound = counters.bound
        refreshed = counters.refreshed
        moved = counters.moved
        unbound = counters.unbound
        expired = counters.expired
        commits = counters.commits
        commitsFailed = counters.commitsFailed
        registeredUnstored = counters.registeredUnstored
        keepalivesSent = counters.keepalivesSent
        keepalivesAnswered = counters.keepalivesAnswered
        keepalivesUnanswered = counters.keepalivesUnanswered
        keepalivesPostponed = counters.keepalivesPostponed
        flowsDied = counters.flowsDied
        flowsRevived = counters.flowsRevived
        probes = counters.probes
    }
}

extension ServerTrace {
    init(_ trace: Registrar.Trace) {
        switch trace {
        case .bound(let aor, let binding, let event): self = .bound(aor, binding, event)
        case .unbound(let aor, let binding, let reason): self = .unbound(aor, binding, reason)
        case .flowDead(let aor, let binding, let unanswered): self = .flowDead(aor, binding, unanswered: unanswered)
        case .flowRevived(let aor, let binding): self = .flowRevived(aor, binding)
        case .keepalive(let aor, let flow, let event): self = .keepalive(aor, flow, event)
        case .probed(let aor, let outcome): self = .probed(aor, outcome)
        case .commitFailed(let reason, let requests): self = .commitFailed(reason: reason, requests: requests)
        case .storageWorks: self = .storageWorks
        case .restored(let bindings, let unreachable, let refused):
            self = .restored(bindings: bindings, unreachable: unreachable, refused: refused)
        case .path(let aor, let verdict, let flow): self = .notice(.path(aor, verdict, flow))
        case .contactElsewhere(let aor, let binding, let isProved):
            self = .notice(.contactElsewhere(aor, binding, isProved: isProved))
        case .opens(let aor, let endpoint): self = .notice(.opens(aor, endpoint))
        case .full: self = .notice(.tableFull("bindings"))
        }
    }
}

extension ServerTrace.Refusal {
    init(_ refusal: Registrar.Refusal) {
        switch refusal {
        case .malformed(let error): self = .malformed(error)
        case .wildcard: self = .wildcard
        case .badContact: self = .badContact
        case .outOfOrder(let had, let got): self = .outOfOrder(had: had, got: got)
        case .tooBrief(let requested, let shortest): self = .tooBrief(requested: requested, shortest: shortest)
        case .tooManyContacts(let count): self = .tooManyContacts(count)
        case .manyFlows: self = .manyFlows
        case .firstHopLacksOutbound: self = .firstHopLacksOutbound
        case .tablesFull: self = .tablesFull
        }
    }
}
