import Base
import CoreMetrics
import HEPEdge
import LinuxEdge
import ServerNode

/// What the signalling thread tells of itself while it works: how long its rounds take, and to a HEP collector what it hears and says. For that
/// thread only.
final class ServerWatch {
    private let metrics: MetricsFeed?
    private let hep: HEPSender?
    private let clock: RealTime

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

    func said(_ bytes: [UInt8], on flow: FlowID) {
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

    /// `now`: when the round began.
    func roundEnded(at now: Instant) { metrics?.rounds.recordNanoseconds((clock.now - now).wholeNanoseconds) }
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
    /// The server was told to stop: no call begins any more.
    package var isDraining = false

    package init() {}
}
