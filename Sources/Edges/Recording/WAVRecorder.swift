import Conference
import Foundation
import Glibc
import LinuxEdge
import Synchronization

/// What became of a recording.
public enum RecordingReport: Hashable, Sendable {
    case began(file: String)
    case ended(file: String, seconds: Double)
    /// `room`: as far as it is known.
    case failed(room: String, reason: String)
}

/// The one thread that writes recordings: the media loop never waits for the disk.
public final class WAVRecorder: Sendable {
    /// Where the media loop puts what a room records; what finds no room (about a minute of a hundred rooms) is lost to the recording.
    public let mailbox: Mailbox<RecordingEvent>
    private let wake: WakeSignal
    private let folder: String
    private let report: @Sendable (RecordingReport) -> Void
    private let isStopping = Mutex(false)
    private let ended = DispatchSemaphore(value: 0)

    /// `folder` is made where it is not there. `report` is called on the recorder's thread.
    public init(folder: String, report: @escaping @Sendable (RecordingReport) -> Void = { _ in }) throws(SystemError) {
        if mkdir(folder, 0o700) < 0, errno != EEXIST { throw SystemError(code: errno, doing: "making the folder \(folder)") }
        guard access(folder, W_OK | X_OK) == 0 else { throw SystemError(code: errno, doing: "writing to the folder \(folder)") }
        wake = try WakeSignal()
        mailbox = Mailbox(waking: wake, capacity: 32_768)
        self.folder = folder
        self.report = report
    }

    public func start() { Thread.detachNewThread { [self] in run() } }

    /// Writes what waits, finishes every file, then ends. Blocks until it has; only after `start`.
    public func stop() {
        isStopping.withLock { $0 = true }
        wake.signal()
        ended.wait()
    }

    private func run() {
        var recordings = RecordingFolder(folder)
        var isLast = false
        while !isLast {
            var descriptor = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&descriptor, 1, -1)
            wake.drain()
            // Asked before the box is emptied: what was posted before `stop` is written.
            isLast = isStopping.withLock { $0 }
            for event in mailbox.takeAll() { recordings.take(event, report) }
        }
        recordings.finish(report)
        ended.signal()
    }
}
