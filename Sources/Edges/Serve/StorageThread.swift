import Base
import Foundation
import LinuxEdge
import ServerNode
import Storage
import Synchronization

/// The one thread that owns the database of a running server: groups changes into commits and notices new accounts.
///
/// Where a commit fails, the changes are kept, the last one of each address of record, and tried again until they are stored. Meanwhile
/// the server promises less (docs/decisions/0012).
package final class StorageThread: Sendable {
    /// What the signalling thread hears back.
    package enum Report: Sendable {
        case persisted(through: UInt64)
        /// Nothing is stored from here on, until `.persisted` comes again.
        case failed(reason: String)
        case accounts([Account])
        case trouble(String)
        /// A trouble that was told is over.
        case relief(String)
    }

    package typealias Change = (sequence: UInt64, change: RegistrarChange)

    /// What it does with the disk; all of it may fail.
    package struct Disk: Sendable {
        /// Stores a group of changes, all or nothing.
        var apply: @Sendable ([RegistrarChange]) throws -> Void
        /// Stores records of calls, and tidies where there are none. Returns what was lost, in words.
        var keepCalls: @Sendable ([CallRecord]) throws -> String?
        var note: @Sendable (StoredGuess) throws -> Void
        /// The accounts if they changed since this was asked last, about once a second.
        var newAccounts: @Sendable () throws -> [Account]?

        package init(
            apply: @escaping @Sendable ([RegistrarChange]) throws -> Void,
            keepCalls: @escaping @Sendable ([CallRecord]) throws -> String? = { _ in nil },
            note: @escaping @Sendable (StoredGuess) throws -> Void = { _ in },
            newAccounts: @escaping @Sendable () throws -> [Account]? = { nil }
        ) {
            self.note = note
            self.apply = apply
            self.keepCalls = keepCalls
            self.newAccounts = newAccounts
        }
    }

    /// In seconds.
    package struct Patience: Sendable {
        /// How long from one failed commit to the next try.
        var retry = 5.0
        /// How long from one word about a trouble to the next.
        var complaint = 60.0

        package init(retry: Double = 5, complaint: Double = 60) {
            self.retry = retry
            self.complaint = complaint
        }
    }

    private struct Work: Sendable {
        var changes: [Change] = []
        var isStopping = false
        /// Somebody cannot wait for the next look at the accounts.
        var isAskedToLook = false
        var calls: [CallRecord] = []
        /// By user name.
        var guesses: [String: StoredGuess] = [:]
        /// Records that found no room, since the last time this was told.
        var lostCalls = 0
    }

    /// Records of calls that may wait for the disk; a server with a broken disk must not eat the memory too.
    package static let mostCalls = 16_384

    private let disk: Disk
    private let patience: Patience
    private let reports: Mailbox<Report>
    private let work = Mutex(Work())
    private let signal = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    package init(_ disk: Disk, patience: Patience = Patience(), reportingTo reports: Mailbox<Report>) {
        self.disk = disk
        self.patience = patience
        self.reports = reports
    }

    package func start() {
        Thread.detachNewThread { [self] in run() }
    }

    /// Hands over changes of one round; they are committed together with whatever else waits.
    package func store(_ changes: [Change]) {
        let wasIdle = work.withLock { work in
            let wasIdle = work.changes.isEmpty
            work.changes += changes
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

    /// Somebody guesses at an account's password: kept within a second or so.
    package func note(_ guess: StoredGuess) {
        work.withLock { work in
            var guess = guess
            guess.times += work.guesses[guess.username]?.times ?? 0
            work.guesses[guess.username] = guess
        }
    }

    /// Looks at the accounts now.
    package func look() {
        work.withLock { $0.isAskedToLook = true }
        signal.signal()
    }

    /// Commits what waits, then ends. Blocks until it has.
    package func stop() {
        work.withLock { $0.isStopping = true }
        signal.signal()
        ended.wait()
    }

    private func run() {
        var backlog: Backlog?
        var complaints = Complaints(every: patience.complaint)
        var nextLook = DispatchTime.now() + 1
        while true {
            // A second's patience: how soon an account added by the command line can register.
            _ = signal.wait(timeout: min(nextLook, backlog?.nextTry ?? .distantFuture))
            // Busy: a millisecond's patience makes one commit of what would be several, and costs no phone a retransmission.
            if work.withLock({ $0.changes.count > 8 && !$0.isStopping }) { usleep(1_000) }
            let (changes, isStopping) = work.withLock { work in
                defer { work.changes = [] }
                return (work.changes, work.isStopping)
            }
            commit(changes, &backlog, &complaints, isLast: isStopping)
            if isStopping {
                storeCalls(isFailing: backlog != nil, &complaints)
                storeGuesses()
                break
            }
            let isAsked = work.withLock { work in
                defer { work.isAskedToLook = false }
                return work.isAskedToLook
            }
            guard isAsked || DispatchTime.now() >= nextLook else { continue }
            nextLook = .now() + 1
            storeCalls(isFailing: backlog != nil, &complaints)
            storeGuesses()
            do {
                if let accounts = try disk.newAccounts() { reports.post(.accounts(accounts)) }
                complaints.end(.accounts)
            } catch {
                complain(.accounts, "\(error)", &complaints)
            }
        }
        ended.signal()
    }

    // MARK: Bindings

    private func commit(_ changes: [Change], _ backlog: inout Backlog?, _ complaints: inout Complaints, isLast: Bool) {
        if backlog == nil {
            guard let last = changes.last?.sequence else { return }
            do {
                try disk.apply(changes.map(\.change))
                reports.post(.persisted(through: last))
            } catch {
                backlog = Backlog(changes, retryAfter: patience.retry)
                complaints.begin(.bindings)
                reports.post(.failed(reason: "\(error)"))
            }
            return
        }
        for change in changes { backlog?.add(change) }
        guard let waiting = backlog, isLast || DispatchTime.now() >= waiting.nextTry else { return }
        do {
            try disk.apply(waiting.changes)
            reports.post(.persisted(through: waiting.last))
            reports.post(.relief("what \(waiting.names) registered in the meantime is stored now; a 200 is a promise again"))
            complaints.end(.bindings)
            backlog = nil
        } catch {
            backlog?.nextTry = .now() + patience.retry
            if isLast { complaints.end(.bindings) }
            let loss = isLast ? "is lost" : "waits, and is lost where the server ends"
            complain(.bindings, "still nothing can be stored; what \(waiting.names) registered \(loss). \(error)", &complaints)
        }
    }

    private func complain(_ kind: Complaints.Kind, _ text: String, _ complaints: inout Complaints) {
        if complaints.isDue(kind) { reports.post(.trouble(text)) }
    }

    /// What cannot be stored is lost: the log has told it.
    private func storeGuesses() {
        let guesses = work.withLock { work in
            defer { work.guesses = [:] }
            return work.guesses
        }
        for guess in guesses.values { try? disk.note(guess) }
    }

    // MARK: Calls

    private func storeCalls(isFailing: Bool, _ complaints: inout Complaints) {
        let calls = work.withLock { work in
            defer { work.calls = [] }
            return work.calls
        }
        if isFailing {
            // Registrations come first: nothing is written that could take their room.
            work.withLock { $0.lostCalls += calls.count }
        } else {
            do {
                if let loss = try disk.keepCalls(calls) { complain(.loss, loss, &complaints) }
                complaints.end(.calls)
            } catch {
                complain(.calls, "\(calls.count) call records wait: \(error)", &complaints)
                // Ahead of what came since.
                work.withLock { work in
                    let all = calls + work.calls
                    work.calls = Array(all.prefix(Self.mostCalls))
                    work.lostCalls += max(0, all.count - Self.mostCalls)
                }
            }
        }
        let lost = work.withLock { $0.lostCalls }
        guard lost > 0, complaints.isDue(.lostCalls) || work.withLock({ $0.isStopping }) else { return }
        work.withLock { $0.lostCalls -= lost }
        reports.post(.trouble("\(lost) call records were lost: they could not be stored"))
    }
}

/// Changes that could not be stored: of each address of record the last, which is the whole truth about it.
private struct Backlog {
    private(set) var changes: [RegistrarChange] = []
    private(set) var last: UInt64 = 0
    private var places: [AddressOfRecord: Int] = [:]
    var nextTry: DispatchTime

    init(_ changes: [StorageThread.Change], retryAfter seconds: Double) {
        nextTry = .now() + seconds
        for change in changes { add(change) }
    }

    /// How many addresses of record wait, in words.
    var names: String { changes.count == 1 ? "1 user" : "\(changes.count) users" }

    mutating func add(_ new: StorageThread.Change) {
        last = max(last, new.sequence)
        var change = new.change
        if let place = places[change.aor] {
            // Storage still has what it had before the first of them.
            change.formerCount = max(change.formerCount, changes[place].formerCount)
            changes[place] = change
        } else {
            places[change.aor] = changes.count
            changes.append(change)
        }
    }
}

/// Troubles are told at once, and then once in a while as long as they last.
private struct Complaints {
    enum Kind: Hashable { case bindings, calls, lostCalls, accounts, loss }

    private let interval: Double
    private var told: [Kind: DispatchTime] = [:]

    init(every interval: Double) { self.interval = interval }

    /// It was told just now.
    mutating func begin(_ kind: Kind) { told[kind] = .now() }

    mutating func isDue(_ kind: Kind) -> Bool {
        if let last = told[kind], DispatchTime.now() < last + interval { return false }
        begin(kind)
        return true
    }

    /// The next one of its kind is told at once.
    mutating func end(_ kind: Kind) { told[kind] = nil }
}
