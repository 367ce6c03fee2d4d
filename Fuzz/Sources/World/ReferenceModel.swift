import Base
import Lab
import MediaControl
import PhoneNode
import ServerNode

/// What must hold of the world, told as simply as can be: it knows no protocol, only what a server promised and what it may keep.
package struct ReferenceModel: Sendable {
    /// A lie of the model, that shows whether a run can fail.
    package enum Flaw: Hashable, Sendable {
        /// One media port more is thought to be free.
        case portLeaked
    }

    let settings: ServerSettings
    let flaw: Flaw?
    package private(set) var violations: [String] = []

    /// Of the server's present life.
    private var drops: [DropReason: UInt64] = [:]
    private var refusals: [Int: UInt64] = [:]
    var recorded: UInt64 = 0
    /// What came last is an ACK, which nobody answers whatever is wrong with it.
    private var isACK = false
    /// Storage failed, verdicts were held back: what the server says of it is no surprise.
    var mayFailToStore = false
    var mayMissVerdicts = false
    /// When somebody last asked for something, or something that was asked for was not over yet.
    private var busy = Instant.epoch
    /// By phone: until when its registration may be anything.
    private var excuses: [Instant]

    /// No retransmission, absorbed copy or verdict takes longer.
    private static let patience = Duration.seconds(75)
    /// A 200 may come so much later than the binding was made.
    static let slack = Duration.seconds(64)

    init(_ settings: ServerSettings, flaw: Flaw?) {
        self.settings = settings
        self.flaw = flaw
        excuses = Array(repeating: .epoch, count: FuzzWorld.phoneCount)
    }

    func aor(of phone: Int) -> AddressOfRecord { AddressOfRecord(user: Cast.users[phone], domain: settings.realm) }

    mutating func complain(_ what: String, at now: Instant) {
        // The first is what matters; what follows from it would fill the page.
        if violations.count < 4 { violations.append("at \(now): \(what)") }
    }

    mutating func excuse(_ phone: Int, until: Instant) { excuses[phone] = max(excuses[phone], until) }

    mutating func serverRestarted(at now: Instant) {
        (drops, refusals, recorded) = ([:], [:], 0)
        busy = now
    }

    // MARK: What the server says

    mutating func take(_ trace: ServerTrace, at now: Instant) {
        switch trace {
        case .dropped(_, let reason, _): drops[reason, default: 0] += 1
        case .refused(_, let status, _): if !isACK { refusals[min(status / 100, 5), default: 0] += 1 }
        case .received(_, let message, _):
            isACK = message.method == .ack
            if message.method != .options { busy = now }
        case .commitFailed: if !mayFailToStore { complain("it says that nothing can be stored, and storage works", at: now) }
        case .notice(.tableFull(let table)):
            if settings.limits.calls > 100 { complain("a table is full: \(table)", at: now) }
        case .call(let trace):
            busy = now
            guard case .verdictMissing = trace, !mayMissVerdicts else { return }
            complain("a verdict is said to be missing, and none was held back", at: now)
        default: break
        }
    }

    // MARK: After each transition

    mutating func check(_ server: ServerNode, legs: (open: [MediaLegID], closing: [MediaLegID]), at now: Instant) {
        var usage = server.callUsage
        if flaw == .portLeaked, usage.ports > 0 { usage.ports -= 1 }
        let open = legs.open.count + legs.closing.count
        if usage.ports != open { complain("\(usage.ports) ports are in use, and \(open) media legs are open", at: now) }
        if usage.mediaLegs != open { complain("\(usage.mediaLegs) media legs are known, and \(open) are open", at: now) }
        checkCounters(server.counters, at: now)
        checkCaps(server, at: now)
        if usage.calls > 0 || usage.subscriptions > 0 || usage.deliveries > 0 || open > 0 { busy = now }
        if now - busy > Self.patience, usage != CallUsage() { complain("nothing goes on, and this is left: \(usage)", at: now) }
    }

    /// Each refusal was answered, or dropped for a reason that was counted.
    private mutating func checkCounters(_ counters: ServerCounters, at now: Instant) {
        for reason in DropReason.allCases where counters[dropped: reason] != drops[reason, default: 0] {
            complain(
                "\(drops[reason, default: 0]) messages were dropped (\(reason)), \(counters[dropped: reason]) counted", at: now)
        }
        let unanswered: [DropReason] = [
            .unprovedRepliesOfSource, .unprovedRepliesInAll, .amplification, .noReplyAddress, .unanswerable,
        ]
        let dropped = unanswered.reduce(0) { $0 + counters[dropped: $1] }
        let replies = [3: counters.replies3xx, 4: counters.replies4xx, 5: counters.replies5xx]
        for (status, count) in refusals where count > replies[status, default: 0] + dropped {
            complain(
                "\(count) requests were refused with \(status)xx, \(replies[status, default: 0]) such replies counted", at: now)
        }
    }

    private mutating func checkCaps(_ server: ServerNode, at now: Instant) {
        let (memory, usage, limits) = (server.memory, server.callUsage, settings.limits)
        let caps = [
            ("server transactions", memory.transactions, limits.serverTransactions),
            ("octets of replies", memory.replyOctets, limits.replyOctets), ("attempts", memory.attempts, limits.attempts),
            ("sources", memory.sources, limits.sources), ("questions", memory.questions, limits.sources),
            ("probes", memory.probes, limits.clientTransactions), ("bindings", server.bindingCount, limits.bindings),
            ("calls", usage.calls, limits.calls), ("subscriptions", usage.subscriptions, limits.subscriptions),
            ("requests of calls", usage.clientTransactions, limits.callTransactions),
            ("commits", server.pendingCommits, limits.pendingCommits + limits.bindings),
        ]
        for (name, count, cap) in caps where count > cap { complain("\(count) \(name), where \(cap) are the most", at: now) }
    }

    /// An acknowledged registration is known at the server, as reachable or as not.
    mutating func checkRegistration(_ phone: Int, _ status: PhoneStatus.Registration?, _ server: ServerNode, at now: Instant) {
        guard case .registered(let until, _, _)? = status, until - now > Self.slack, excuses[phone] < now else { return }
        if !server.bindings(of: aor(of: phone)).contains(where: { $0.expires > now }) {
            complain("\(Cast.users[phone])'s phone is registered until \(until), and the server knows nothing of it", at: now)
        }
    }

    /// After time has passed nothing is overdue. Phones in calls are late on purpose.
    mutating func checkDeadlines(_ world: LabWorld, _ places: FuzzWorld.Places) {
        let now = world.now
        if let next = world.server(places.server)?.nextDeadline, next <= now {
            complain("the server is overdue since \(next)", at: now)
        }
        for router in places.routers {
            if let next = world.router(router)?.nextDeadline, next <= now {
                complain("a router is overdue since \(next)", at: now)
            }
        }
        for box in places.phones {
            if let phone = world.phone(box), phone.callCount == 0, let next = phone.nextDeadline, next <= now {
                complain("\(world.name(of: box))'s phone is overdue since \(next)", at: now)
            }
        }
    }

    // MARK: At the end

    mutating func checkProbe(_ user: String, _ outcomes: [ProbeOutcome]?, at now: Instant) {
        guard let outcomes else { return complain("a probe of \(user) has no outcome after 40 s", at: now) }
        for outcome in outcomes where outcome.result == .timedOut && outcome.flow.transport == .udp {
            complain("\(user) is said to be reachable at \(outcome.contact) over \(outcome.flow), and does not answer", at: now)
        }
    }

    mutating func checkEnd(_ server: ServerNode, _ world: LabWorld, _ places: FuzzWorld.Places) {
        let now = world.now
        let counters = server.counters
        if server.callUsage != CallUsage() { complain("everybody is gone, and this is left: \(server.callUsage)", at: now) }
        if server.bindingCount > 0 { complain("\(server.bindingCount) bindings outlive their time", at: now) }
        if server.pendingCommits > 0 { complain("\(server.pendingCommits) commits are awaited for ever", at: now) }
        if let next = server.nextDeadline { complain("nothing is left to be done, and the server waits for \(next)", at: now) }
        // Those that were refused at once end without having begun.
        if counters.callsStarted > counters.callsEnded {
            complain("\(counters.callsStarted) calls began, \(counters.callsEnded) ended", at: now)
        }
        if counters.callsEnded != recorded { complain("\(counters.callsEnded) calls ended, \(recorded) are recorded", at: now) }
        if let stored = world.storage(of: places.server)?.bindings, !stored.isEmpty {
            complain("\(stored.count) bindings are stored that the server does not have", at: now)
        }
        for box in places.phones {
            if let count = world.phone(box)?.callCount, count > 0 {
                complain("\(world.name(of: box))'s phone has \(count) calls that never end", at: now)
            }
        }
    }
}
