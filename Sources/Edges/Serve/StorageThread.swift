import Base
import Foundation
import LinuxEdge
import ServerNode
import Storage
import Synchronization

/// The one thread that owns the database of a running server: groups changes into commits and notices new accounts.
///
/// When a commit fails, the server takes back everything that waits; until it says so, nothing more is stored. Otherwise a change that
/// was answered 500 could come back with the next start.
package final class StorageThread: Sendable {
    /// What the signalling thread hears back.
    package enum Report: Sendable {
        case persisted(through: UInt64)
        /// Nothing from here on was stored; nothing will be until `tookBack(through:)`.
        case failed(from: UInt64, reason: String)
        case accounts([Account])
        case trouble(String)
    }

    package typealias Change = (sequence: UInt64, change: RegistrarChange)

    private struct Work: Sendable {
        var changes: [Change] = []
        var isStopping = false
        /// A commit failed and the server has not yet said how far it took its changes back.
        var isRefusing = false
        /// Changes up to here were taken back: they must never be stored.
        var tookBackThrough: UInt64 = 0
        var calls: [CallRecord] = []
        /// Records that found no room, since the last time this was told.
        var lostCalls = 0
    }

    /// Records of calls that may wait for the disk; a server with a broken disk must not eat the memory too.
    package static let mostCalls = 65_536

    private let keepCalls: @Sendable ([CallRecord]) throws -> Void

    private let apply: @Sendable ([RegistrarChange]) throws -> Void
    private let newAccounts: @Sendable () throws -> [Account]?
    private let reports: Mailbox<Report>
    private let work = Mutex(Work())
    private let signal = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// `apply` stores a group of changes, all or nothing; `keepCalls` records of calls, and none where it has nothing new (then it may
    /// tidy). `newAccounts`: the accounts if they changed since it was last asked, about once
    /// a second.
    package init(
        applying apply: @escaping @Sendable ([RegistrarChange]) throws -> Void,
        keepCalls: @escaping @Sendable ([CallRecord]) throws -> Void = { _ in },
        newAccounts: @escaping @Sendable () throws -> [Account]?, reportingTo reports: Mailbox<Report>
    ) {
        self.apply = apply
        self.keepCalls = keepCalls
        self.newAccounts = newAccounts
        self.reports = reports
    }

    /// `mark`: the file's state when the accounts were read; what came later is news. Records of calls that ended longer ago than
    /// `keepingCalls` are removed; `clock` says when that is.
    convenience init(
        _ database: PinholeDatabase, since mark: Int, keepingCalls: Duration, clock: RealTime,
        reportingTo reports: Mailbox<Report>
    ) {
        let last = Mutex(mark)
        let nextTidying = Mutex(clock.now)
        self.init(
            applying: { try database.apply($0) },
            keepCalls: { calls in
                try database.add(calls)
                let isTime = nextTidying.withLock { next in
                    guard clock.now >= next else { return false }
                    next = clock.now + .seconds(3_600)
                    return true
                }
                if isTime { try database.removeCalls(endedBefore: clock.now - keepingCalls) }
            },
            newAccounts: {
                let current = try database.changeMark()
                let isNews = last.withLock { last in
                    defer { last = current }
                    return last != current
                }
                return isNews ? try database.accounts() : nil
            }, reportingTo: reports)
    }

    package func start() {
        Thread.detachNewThread { [self] in run() }
    }

    /// Hands over changes of one round; they are committed together with whatever else waits.
    package func store(_ changes: [Change]) {
        let wasIdle = work.withLock { work in
            let wasIdle = work.changes.isEmpty
            work.changes += changes.filter { $0.sequence > work.tookBackThrough }
            return wasIdle && !work.changes.isEmpty
        }
        if wasIdle { signal.signal() }
    }

    /// Hands over records of calls that ended; they are stored within a second or so, apart from bindings.
    package func keep(_ calls: [CallRecord]) {
        work.withLock { work in
            let room = max(0, Self.mostCalls - work.calls.count)
            work.calls += calls.prefix(room)
            work.lostCalls += max(0, calls.count - room)
        }
    }

    /// The server has heard of a failure and taken back every change up to this sequence.
    package func tookBack(through sequence: UInt64) {
        work.withLock { work in
            work.tookBackThrough = max(work.tookBackThrough, sequence)
            work.changes.removeAll { $0.sequence <= sequence }
            work.isRefusing = false
        }
        signal.signal()
    }

    /// Commits what waits, then ends. Blocks until it has.
    package func stop() {
        work.withLock { $0.isStopping = true }
        signal.signal()
        ended.wait()
    }

    private func run() {
        var nextLook = DispatchTime.now() + 1
        while true {
            // A second's patience: how soon an account added by the command line can register.
            _ = signal.wait(timeout: nextLook)
            // Busy: a millisecond's patience makes one commit of what would be several, and costs no phone a retransmission.
            if work.withLock({ $0.changes.count > 8 && !$0.isStopping }) { usleep(1_000) }
            let (changes, isStopping) = work.withLock { work in
                guard !work.isRefusing else { return ([Change](), work.isStopping) }
                defer { work.changes = [] }
                return (work.changes, work.isStopping)
            }
            if !changes.isEmpty { commit(changes) }
            if isStopping {
                storeCalls()
                break
            }
            guard DispatchTime.now() >= nextLook else { continue }
            nextLook = .now() + 1
            storeCalls()
            do {
                if let accounts = try newAccounts() { reports.post(.accounts(accounts)) }
            } catch {
                reports.post(.trouble("\(error)"))
            }
        }
        ended.signal()
    }

    private func storeCalls() {
        let (calls, lost) = work.withLock { work in
            defer { (work.calls, work.lostCalls) = ([], 0) }
            return (work.calls, work.lostCalls)
        }
        if lost > 0 { reports.post(.trouble("\(lost) call records were lost: \(Self.mostCalls) waited for the disk already")) }
        do {
            try keepCalls(calls)
        } catch {
            reports.post(.trouble("\(calls.count) call records wait: \(error)"))
            // Ahead of what came since.
            work.withLock { $0.calls = Array((calls + $0.calls).prefix(Self.mostCalls)) }
        }
    }

    private func commit(_ changes: [Change]) {
        guard let first = changes.first?.sequence, let last = changes.last?.sequence else { return }
        do {
            try apply(changes.map(\.change))
            reports.post(.persisted(through: last))
        } catch {
            work.withLock { $0.isRefusing = true }
            reports.post(.failed(from: first, reason: "\(error)"))
        }
    }
}
