import Base

extension Source {
    func combine(into hash: inout KeyedHash) {
        hash.combine(bits)
        hash.combine(UInt64(prefix))
    }
}

/// What strangers may cause, by source and in all: message rate and unproved replies. A flow that a binding or a call uses has a budget of its own,
/// which is taken from where its source's is used up: whoever shares its address, or forges it, cannot spend that.
struct SourceGuard: Sendable {
    private struct Gauges: Sendable {
        var messages = Gauge()
        var unprovedReplies = Gauge()
    }

    private var sources: TwoGenerations<Source, Gauges>
    private var flows: TwoGenerations<FlowID, Gauges>
    private var unprovedRepliesInAll = Gauge()
    private let limits: ServerLimits

    init(limits: ServerLimits) {
        self.limits = limits
        sources = TwoGenerations(cap: limits.sources)
        flows = TwoGenerations(cap: limits.sources)
    }

    /// How many sources are known.
    var count: Int { sources.count }

    /// How often a table started over because it was full.
    var turns: UInt64 { sources.turns &+ flows.turns }

    /// Counts a message; nil if it may be read.
    mutating func admit(_ flow: FlowID, at now: Instant) -> DropReason? {
        guard let rate = limits.messagesPerSource else { return nil }
        return sources.change(Source(flow), or: Gauges()) { $0.messages.take(rate, at: now) } ? nil : .sourceFlooding
    }

    /// Whether a message that its source may not send any more may be read all the same, as a binding or a call uses its flow.
    mutating func admitKnown(_ flow: FlowID, at now: Instant) -> Bool {
        guard let rate = limits.messagesPerSource else { return true }
        return flows.change(flow, or: Gauges()) { $0.messages.take(rate, at: now) }
    }

    /// Counts a reply to a request nobody has vouched for; nil if it may leave.
    mutating func admitUnprovedReply(to flow: FlowID, at now: Instant) -> DropReason? {
        if let rate = limits.unprovedRepliesPerSource,
            !sources.change(Source(flow), or: Gauges(), { $0.unprovedReplies.take(rate, at: now) })
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

    /// The source answered a challenge rightly: the challenge's reply is given back.
    mutating func vouch(for flow: FlowID) {
        guard let rate = limits.unprovedRepliesPerSource else { return }
        sources.change(Source(flow), or: Gauges()) { $0.unprovedReplies.giveBack(rate) }
    }
}
