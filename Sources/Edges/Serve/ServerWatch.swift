import Base
import CoreMetrics
import HEPEdge
import LinuxEdge
import ServerNode

/// What the signalling thread tells of itself: to the metrics port, where it asks, and to a HEP collector. For that thread only.
final class ServerWatch {
    private let metrics: MetricsFeed?
    private let hep: HEPSender?
    private let clock: RealTime
    /// What storage said last.
    var storageWorks = true

    init(_ metrics: MetricsFeed?, _ hep: HEPSender?, _ clock: RealTime) {
        self.metrics = metrics
        self.hep = hep
        self.clock = clock
    }

    func heard(_ bytes: [UInt8], on flow: FlowID, at now: Instant) {
        guard let hep else { return }
        hep.post(
            HEPItem(
                .sip(bytes), from: flow.remote, to: flow.local, isStream: flow.transport.isReliable, at: clock.shown(now)))
    }

    func said(_ bytes: [UInt8], on flow: FlowID, at clock: RealTime) {
        guard let hep else { return }
        hep.post(
            HEPItem(
                .sip(bytes), from: flow.local, to: flow.remote, isStream: flow.transport.isReliable, at: clock.shown(clock.now)))
    }

    /// A call is over; its times as the wall clock shows them.
    func ended(_ record: CallRecord) {
        guard let hep else { return }
        for item in HEPItem.verdicts(of: record) { hep.post(item) }
    }

    /// `now`: when the round began. Whoever asked since the last one is answered.
    func roundEnded(_ node: ServerNode, commandsWaiting: Int, at now: Instant) {
        guard let metrics else { return }
        let replies = metrics.takeAll()
        if !replies.isEmpty {
            let snapshot = ServerSnapshot(
                counters: node.counters, bindings: node.bindingCount, usage: node.callUsage, pendingCommits: node.pendingCommits,
                commandsWaiting: commandsWaiting, storageWorks: storageWorks)
            for reply in replies { reply(snapshot) }
        }
        metrics.rounds.recordNanoseconds((clock.now - now).wholeNanoseconds)
    }
}

/// How the signalling thread's part of the server is, at one instant.
package struct ServerSnapshot: Sendable {
    package var counters = ServerCounters()
    package var bindings = 0
    package var usage = CallUsage()
    package var pendingCommits = 0
    /// What media loops are to be told and had no room for.
    package var commandsWaiting = 0
    package var storageWorks = true

    package init() {}

    init(
        counters: ServerCounters, bindings: Int, usage: CallUsage, pendingCommits: Int, commandsWaiting: Int, storageWorks: Bool
    ) {
        self.counters = counters
        self.bindings = bindings
        self.usage = usage
        self.pendingCommits = pendingCommits
        self.commandsWaiting = commandsWaiting
        self.storageWorks = storageWorks
    }
}
