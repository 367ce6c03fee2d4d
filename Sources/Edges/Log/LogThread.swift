import Base
import Foundation
import Logging
import Synchronization
import TerminalEdge

/// The one thread that writes the log, and does whatever work lines need before: nobody who has something to say waits for a disk, a pipe or an
/// analysis.
///
/// What waits is bounded by number and by bytes. Beyond that it is dropped and counted, and the log says so as soon as it can again. Nothing that
/// cannot be written ends the program.
public final class LogThread: Sendable {
    /// What may wait.
    public struct Room: Sendable {
        public var entries = 65_536
        public var octets = 16 << 20

        public init(entries: Int = 65_536, octets: Int = 16 << 20) {
            self.entries = entries
            self.octets = octets
        }
    }

    /// How much was said and what became of it.
    public struct Counts: Hashable, Sendable {
        public var waiting = 0
        public var written: UInt64 = 0
        /// There was no room.
        public var dropped: UInt64 = 0
        /// The disk or the reader refused them.
        public var unwritable: UInt64 = 0

        public init(waiting: Int = 0, written: UInt64 = 0, dropped: UInt64 = 0, unwritable: UInt64 = 0) {
            self.waiting = waiting
            self.written = written
            self.dropped = dropped
            self.unwritable = unwritable
        }
    }

    private enum Job: Sendable {
        case record(LogRecord)
        case work(@Sendable () -> Void)
        case adopt(LogSettings)
        case flush(DispatchSemaphore)
    }

    private struct Queue: Sendable {
        var jobs: [(job: Job, octets: Int)] = []
        var octets = 0
        var dropped: UInt64 = 0
        var droppedInAll: UInt64 = 0
        var isStopping = false
    }

    /// Of the thread itself alone.
    private struct Writing: Sendable {
        var format: LogFormat
        var standard: LogOutput
        var errors: LogOutput
        var file: String?
        var written: UInt64 = 0
        /// In files that were closed since.
        var lost: UInt64 = 0
        /// When what is told happened, while work of a thread that said it is done.
        var time: Instant?
    }

    private let room: Room
    private let clock: @Sendable () -> Instant
    private let queue = Mutex(Queue())
    private let signal = DispatchSemaphore(value: 0)
    private let writing: Mutex<Writing>
    /// Of each category, four bits: asked for with every fact, on whatever thread.
    private let levels: Atomic<UInt64>
    private let thread = Mutex<UInt>(0)

    /// `clock`: the wall clock. `standard` and `errors`: where lines go without a file. Throws where the file cannot be opened.
    public init(
        _ settings: LogSettings, clock: @escaping @Sendable () -> Instant, standard: OutputPort = .standard,
        errors: OutputPort = .error, room: Room = Room()
    ) throws(LogError) {
        self.room = room
        self.clock = clock
        levels = Atomic(settings.packedLevels)
        let ports = (LogOutput(standard), LogOutput(errors))
        let file = try settings.file.map { path throws(LogError) in try LogOutput(file: path) }
        writing = Mutex(
            Writing(format: Self.format(settings), standard: file ?? ports.0, errors: file ?? ports.1, file: settings.file))
        usual = ports
    }

    private let usual: (standard: LogOutput, errors: LogOutput)

    private static func format(_ settings: LogSettings) -> LogFormat {
        settings.format(journal: ProcessInfo.processInfo.environment["JOURNAL_STREAM"], descriptor: STDOUT_FILENO)
    }

    public func start() {
        Thread.detachNewThread { [self] in
            thread.withLock { $0 = UInt(pthread_self()) }
            run()
        }
    }

    // MARK: Saying something, from any thread

    /// Whether lines of that kind are written.
    public func wants(_ level: Logger.Level, _ category: LogCategory) -> Bool { level >= self.level(of: category) }

    public func level(of category: LogCategory) -> Logger.Level { category.level(in: levels.load(ordering: .relaxed)) }

    /// Writes it as soon as its turn comes. On the log's own thread, that is at once.
    public func write(_ record: LogRecord) {
        if isCurrent { return put(record) }
        post(.record(record), octets: 128 + record.text.utf8.count)
    }

    /// Work that ends in lines, to be done by the log's thread: what `Logger`s say in it is written at once, under that time (of the wall clock).
    /// `octets`: what it keeps in memory until then. False: there is no room, and it is counted.
    @discardableResult
    public func perform(octets: Int, at time: Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        post(
            .work { [self] in
                writing.withLock { $0.time = time }
                work()
                writing.withLock { $0.time = nil }
            }, octets: octets)
    }

    /// Text that is no line of the log but belongs between its lines, in work of the log's thread. It goes to standard output, or into the file.
    public func show(_ text: String) {
        let output = writing.withLock { $0.standard }
        output.write(text)
    }

    /// Takes over levels at once, format and file in turn; the file is opened anew, as it may have been moved away. Throws where it cannot be
    /// opened; then everything stays as it was.
    public func adopt(_ settings: LogSettings) throws(LogError) {
        if let path = settings.file { try LogOutput.check(path) }
        levels.store(settings.packedLevels, ordering: .relaxed)
        queue.withLock { $0.jobs.append((.adopt(settings), 0)) }
        signal.signal()
    }

    public var counts: Counts {
        let (waiting, dropped) = queue.withLock { ($0.jobs.count, $0.droppedInAll) }
        return writing.withLock { writing in
            var unwritable = writing.lost &+ usual.standard.lost &+ usual.errors.lost
            if writing.file != nil { unwritable &+= writing.standard.lost }
            return Counts(waiting: waiting, written: writing.written, dropped: dropped, unwritable: unwritable)
        }
    }

    /// Waits until all that was said before is written, `seconds` at most: whoever reads the log may have stopped reading.
    @discardableResult
    public func flush(within seconds: Double = 5) -> Bool {
        let done = DispatchSemaphore(value: 0)
        queue.withLock { $0.jobs.append((.flush(done), 0)) }
        signal.signal()
        return done.wait(timeout: .now() + seconds) == .success
    }

    // MARK: The queue

    @discardableResult
    private func post(_ job: Job, octets: Int) -> Bool {
        let (isTaken, isFirst) = queue.withLock { queue -> (Bool, Bool) in
            guard queue.jobs.count < room.entries, queue.octets + octets <= room.octets else {
                queue.dropped &+= 1
                queue.droppedInAll &+= 1
                return (false, false)
            }
            queue.jobs.append((job, octets))
            queue.octets += octets
            return (true, queue.jobs.count == 1)
        }
        if isFirst { signal.signal() }
        return isTaken
    }

    private var isCurrent: Bool { thread.withLock { $0 } == UInt(pthread_self()) }

    private func run() {
        while true {
            signal.wait()
            let (jobs, dropped) = queue.withLock { queue -> ([(job: Job, octets: Int)], UInt64) in
                defer {
                    queue.jobs = []
                    queue.octets = 0
                    queue.dropped = 0
                }
                return (queue.jobs, queue.dropped)
            }
            for (job, _) in jobs { carryOut(job) }
            guard dropped > 0 else { continue }
            let lines = dropped == 1 ? "1 line of the log was" : "\(dropped) lines of the log were"
            put(
                LogRecord(
                    time: clock(), level: .error, category: .server,
                    text: "\(lines) dropped: what was to be logged came faster than it could be written"))
        }
    }

    private func carryOut(_ job: Job) {
        switch job {
        case .record(let record): put(record)
        case .work(let work): work()
        case .adopt(let settings): takeOver(settings)
        case .flush(let done): done.signal()
        }
    }

    private func takeOver(_ settings: LogSettings) {
        writing.withLock { writing in
            writing.format = Self.format(settings)
            writing.lost &+= writing.file == nil ? 0 : writing.standard.lost
            guard let path = settings.file else {
                (writing.standard, writing.errors, writing.file) = (usual.standard, usual.errors, nil)
                return
            }
            // It could be opened a moment ago; where it cannot any more, the old one stays.
            guard let output = try? LogOutput(file: path) else { return }
            (writing.standard, writing.errors, writing.file) = (output, output, path)
        }
    }

    private func put(_ record: LogRecord) {
        var record = record
        let (output, format) = writing.withLock { writing in
            if let time = writing.time { record.time = time }
            writing.written &+= 1
            return (record.level >= .error ? writing.errors : writing.standard, writing.format)
        }
        output.write(record.line(format))
    }
}
