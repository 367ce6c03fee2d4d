import Base
import CLinux
import Conference
import Foundation
import LinuxEdge
import MediaControl
import MediaPlane
import Relay
import Synchronization

/// One thread that owns media ports and the plane behind them: commands in by a mailbox, events out by another, one wake a batch.
public final class MediaLoop: Sendable {
    /// RTP ports that signalling may hand out, each with its neighbour for RTCP.
    public let ports: [UInt16]

    private let sockets: MediaSockets
    private let wake: WakeSignal
    private let inbox = Mutex<[MediaCommand]>([])
    private let stopping = Atomic(false)
    private let isStarted = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private let published = Mutex(MediaCounters())

    /// Commands that may wait. Signalling that outruns the loop by so many must hold them back.
    public static let capacity = 1 << 18

    /// Binds the ports; nothing is read before `start`. Throws where not one port could be had.
    public init(_ settings: MediaLoopSettings) throws(SystemError) {
        let wanted = settings.addresses.count * settings.ports.count * 2
        // Beside what the rest of the process needs.
        _ = pl_descriptor_limit(UInt64(wanted) + 4_096)
        sockets = try MediaSockets(addresses: settings.addresses, ports: settings.ports, receiveBuffer: settings.receiveBuffer)
        ports = sockets.ports
        wake = try WakeSignal()
    }

    /// Hands over commands, in order, all or none. False: too many wait.
    @discardableResult
    public func post(_ commands: [MediaCommand]) -> Bool {
        guard !commands.isEmpty else { return true }
        let (isTaken, isFirst) = inbox.withLock { held in
            guard held.count + commands.count <= Self.capacity else { return (false, false) }
            defer { held += commands }
            return (true, held.isEmpty)
        }
        if isFirst { wake.signal() }
        return isTaken
    }

    /// What the loop has done, no older than a second.
    public var counters: MediaCounters { published.withLock { $0 } }

    /// Starts the thread, once. `events` go to whoever shares that mailbox's wake signal; one that does not fit is kept until it does.
    /// `recordings`: where recorded rooms go, if anywhere. `reports`: hears on the loop's thread what RTCP said in passing, where the plane tells
    /// it. `failed` hears why the loop ended by itself.
    public func start(
        _ plane: MediaPlane, clock: RealTime, events: Mailbox<MediaEvent>, recordings: Mailbox<RecordingEvent>? = nil,
        reports: (@Sendable (RelayTable.PassingReport, Instant) -> Void)? = nil,
        failed: @escaping @Sendable (SystemError) -> Void = { _ in }
    ) {
        let isFirst = !isStarted.exchange(true, ordering: .acquiringAndReleasing)
        precondition(isFirst && !stopping.load(ordering: .acquiring), "a media loop runs once")
        Thread.detachNewThread { [self] in
            pl_name_thread("media")
            defer { ended.signal() }
            do throws(SystemError) {
                let runner = try MediaRunner(
                    plane, sockets: sockets, wake: wake, clock: clock, events: events, recordings: recordings,
                    reports: reports)
                try runner.run(
                    until: { self.stopping.load(ordering: .acquiring) }, commands: { self.takeCommands() },
                    publish: { counters in self.published.withLock { $0 = counters } })
            } catch {
                failed(error)
            }
        }
    }

    /// Ends the thread, if `start` started one; returns when it has ended and the ports are free.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        wake.signal()
        if isStarted.load(ordering: .acquiring) {
            ended.wait()
            // So that a second `stop` returns as well.
            ended.signal()
        }
        sockets.close()
    }

    private func takeCommands() -> [MediaCommand] {
        inbox.withLock { held in
            var taken: [MediaCommand] = []
            swap(&taken, &held)
            return taken
        }
    }
}
