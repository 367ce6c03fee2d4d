import Base
import Foundation
import LinuxEdge
import ServerNode
import Storage
import Synchronization

/// The one thread that owns the database of a running server: groups changes into commits and notices new accounts.
final class StorageThread: Sendable {
    /// What the signalling thread hears back.
    enum Report: Sendable {
        case persisted(through: UInt64)
        case failed(from: UInt64, reason: String)
        case accounts([Account])
        case trouble(String)
    }

    private struct Work: Sendable {
        var changes: [(sequence: UInt64, change: RegistrarChange)] = []
        var isStopping = false
    }

    private let database: PinholeDatabase
    private let reports: Mailbox<Report>
    /// The file's state when the accounts were read: what came later is news.
    private let initialMark: Int
    private let work = Mutex(Work())
    private let signal = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ database: PinholeDatabase, since mark: Int, reportingTo reports: Mailbox<Report>) {
        self.database = database
        initialMark = mark
        self.reports = reports
    }

    func start() {
        Thread.detachNewThread { [self] in run() }
    }

    /// Hands over changes of one round; they are committed together with whatever else waits.
    func store(_ changes: [(sequence: UInt64, change: RegistrarChange)]) {
        let wasIdle = work.withLock { work in
            defer { work.changes += changes }
            return work.changes.isEmpty
        }
        if wasIdle { signal.signal() }
    }

    /// Commits what waits, then ends. Blocks until it has.
    func stop() {
        work.withLock { $0.isStopping = true }
        signal.signal()
        ended.wait()
    }

    private func run() {
        var mark = initialMark
        while true {
            // A second's patience: how soon an account added by the command line can register.
            _ = signal.wait(timeout: .now() + 1)
            // Busy: a millisecond's patience makes one commit of what would be several, and costs no phone a retransmission.
            if work.withLock({ $0.changes.count > 8 && !$0.isStopping }) { usleep(1_000) }
            let (changes, isStopping) = work.withLock { work in
                defer { work.changes = [] }
                return (work.changes, work.isStopping)
            }
            if !changes.isEmpty { commit(changes) }
            if isStopping { break }
            do {
                let current = try database.changeMark()
                if current != mark {
                    mark = current
                    reports.post(.accounts(try database.accounts()))
                }
            } catch {
                reports.post(.trouble("\(error)"))
            }
        }
        ended.signal()
    }

    private func commit(_ changes: [(sequence: UInt64, change: RegistrarChange)]) {
        guard let first = changes.first?.sequence, let last = changes.last?.sequence else { return }
        do {
            try database.apply(changes.map(\.change))
            reports.post(.persisted(through: last))
        } catch {
            reports.post(.failed(from: first, reason: "\(error)"))
        }
    }
}
