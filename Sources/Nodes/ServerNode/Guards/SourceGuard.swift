import Base

/// What strangers may cause, by source and in all: message rate and unproved replies. A flow that a binding or a call uses has a budget of its own,
/// which is taken from where its source's is used up: whoever shares its address cannot spend that. Who forges the flow itself can; what only its
/// owner can say has a third one.
struct SourceGuard: Sendable {
    private struct Gauges: Sendable {
        var messages = Gauge()
        var unprovedReplies = Gauge()
        var newcomersMessages = Gauge()
        var newcomersReplies = Gauge()
    }

    private var sources: TwoGenerations<Source, Gauges>
    private var flows: TwoGenerations<FlowID, Gauges>
    private var owners: TwoGenerations<FlowID, Gauges>
    /// Flows that came while their source was over its budget.
    private var newcomers: TwoGenerations<FlowID, Gauges>
    private var unprovedRepliesInAll = Gauge()
    /// May be exchanged; the sizes of the tables stay.
    var limits: ServerLimits

    init(limits: ServerLimits) {
        self.limits = limits
        sources = TwoGenerations(cap: limits.sources)
        flows = TwoGenerations(cap: limits.sources)
        owners = TwoGenerations(cap: limits.sources)
        newcomers = TwoGenerations(cap: limits.sources)
    }

    /// How many sources are known.
    var count: Int { sources.count }

    /// How often a table started over because it was full.
    var turns: UInt64 { sources.turns &+ flows.turns &+ owners.turns &+ newcomers.turns }

    /// Counts a message; nil if it may be read.
    mutating func admit(_ flow: FlowID, at now: Instant) -> DropReason? {
        guard let rate = limits.messagesPerSource else { return nil }
        if sources.change(Source(flow), or: Gauges(), { $0.messages.take(rate, at: now) }) { return nil }
        return admitNewcomer(flow, \.messages, \.newcomersMessages, at: now) ? nil : .sourceFlooding
    }

    /// A flow that says little may say it though its source says too much: most who flood do so from one port, and a phone behind the same
    /// address has another. All such flows of a source share a budget, so that other ports buy nothing.
    private mutating func admitNewcomer(
        _ flow: FlowID, _ own: WritableKeyPath<Gauges, Gauge>, _ shared: WritableKeyPath<Gauges, Gauge>, at now: Instant
    ) -> Bool {
        guard let rate = limits.newcomer else { return false }
        return newcomers.change(flow, or: Gauges()) { $0[keyPath: own].take(rate, at: now) }
            && sources.change(Source(flow), or: Gauges()) { $0[keyPath: shared].take(limits.newcomersPerSource, at: now) }
    }

    /// Whether a message that its source may not send any more may be read all the same, as a binding or a call uses its flow.
    mutating func admitKnown(_ flow: FlowID, at now: Instant) -> Bool {
        guard let rate = limits.messagesPerSource else { return true }
        return flows.change(flow, or: Gauges()) { $0.messages.take(rate, at: now) }
    }

    /// The same for what only the owner of the flow can say.
    mutating func admitOwner(_ flow: FlowID, at now: Instant) -> Bool {
        guard let rate = limits.messagesPerSource else { return true }
        return owners.change(flow, or: Gauges()) { $0.messages.take(rate, at: now) }
    }

    /// Counts a reply to a request nobody has vouched for; nil if it may leave.
    mutating func admitUnprovedReply(to flow: FlowID, at now: Instant) -> DropReason? {
        if let rate = limits.unprovedRepliesPerSource,
            !sources.change(Source(flow), or: Gauges(), { $0.unprovedReplies.take(rate, at: now) }),
            !admitNewcomer(flow, \.unprovedReplies, \.newcomersReplies, at: now)
        {
            return .unprovedRepliesOfSource
        }
        // Who opened a connection is who he says he is: forged sources leave him alone.
        if !flow.transport.isReliable, let rate = limits.unprovedReplies, !unprovedRepliesInAll.take(rate, at: now) {
            return .unprovedRepliesInAll
        }
        return nil
    }

    /// The same as `admitKnown` for such a reply.
    mutating func admitUnprovedReplyToKnown(_ flow: FlowID, at now: Instant) -> Bool {
        guard let rate = limits.unprovedRepliesPerSource else { return true }
        return flows.change(flow, or: Gauges()) { $0.unprovedReplies.take(rate, at: now) }
    }

    /// The same as `admitOwner` for such a reply.
    mutating func admitUnprovedReplyToOwner(_ flow: FlowID, at now: Instant) -> Bool {
        guard let rate = limits.unprovedRepliesPerSource else { return true }
        return owners.change(flow, or: Gauges()) { $0.unprovedReplies.take(rate, at: now) }
    }

    /// The source answered a challenge rightly: the challenge's reply is given back.
    mutating func vouch(for flow: FlowID) {
        guard let rate = limits.unprovedRepliesPerSource else { return }
        sources.change(Source(flow), or: Gauges()) { $0.unprovedReplies.giveBack(rate) }
    }
}
