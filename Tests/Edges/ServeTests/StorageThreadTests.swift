import Base
import Foundation
import LinuxEdge
import SIPStack
import Serve
import ServerNode
import Storage
import Synchronization
import Testing
import Waiting

@Suite("Storage thread")
struct StorageThreadTests {
    struct DiskFull: Error {}

    /// A disk that fails on request, and what was stored on it.
    final class Disk: Sendable {
        let stored = Mutex<[AddressOfRecord]>([])
        let isFull = Atomic(false)
        /// Lets `apply` go on; each commit takes one.
        let gate = DispatchSemaphore(value: 0)
        let began = DispatchSemaphore(value: 0)

        func apply(_ changes: [RegistrarChange]) throws {
            began.signal()
            try gate.wait(for: "the test to let a commit go on")
            if isFull.load(ordering: .acquiring) { throw DiskFull() }
            stored.withLock { $0 += changes.map(\.aor) }
        }
    }

    static func report(_ reports: Mailbox<StorageThread.Report>) throws -> StorageThread.Report {
        try awaited("a report of the storage thread") { reports.takeAll().first }
    }

    static func change(_ user: String) -> RegistrarChange {
        RegistrarChange(aor: AddressOfRecord(user: user, domain: "pinhole"), bindings: [])
    }

    @Test("After a failed commit nothing that waits is stored until the server has taken it back; what comes later is")
    func refusesUntilHeard() throws {
        let disk = Disk()
        let wake = try WakeSignal()
        let reports = Mailbox<StorageThread.Report>(waking: wake)
        let thread = StorageThread(applying: { try disk.apply($0) }, newAccounts: { nil }, reportingTo: reports)
        thread.start()
        thread.store([(1, Self.change("a"))])
        try disk.began.wait(for: "a commit")
        // While the first commit is under way two more changes arrive; then the disk is full.
        thread.store([(2, Self.change("b"))])
        disk.isFull.store(true, ordering: .releasing)
        disk.gate.signal()
        guard case .failed(let first, _) = try Self.report(reports) else {
            Issue.record("expected a failure")
            return
        }
        #expect(first == 1)
        disk.isFull.store(false, ordering: .releasing)
        // A change of the same round, made before the server heard: it is taken back as well.
        thread.store([(3, Self.change("c"))])
        thread.tookBack(through: 3)
        thread.store([(4, Self.change("d"))])
        try disk.began.wait(for: "a commit")
        disk.gate.signal()
        guard case .persisted(let last) = try Self.report(reports) else {
            Issue.record("expected a commit")
            return
        }
        #expect(last == 4)
        #expect(disk.stored.withLock { $0 } == [AddressOfRecord(user: "d", domain: "pinhole")])
        thread.stop()
    }

    @Test("Call records that the disk refuses wait, in order, and are stored when it takes them again or the server stops")
    func callRecordsWait() throws {
        let isFull = Atomic(true)
        let stored = Mutex<[UInt64]>([])
        let wake = try WakeSignal()
        let reports = Mailbox<StorageThread.Report>(waking: wake)
        let thread = StorageThread(
            applying: { _ in },
            keepCalls: { calls in
                if isFull.load(ordering: .acquiring) { throw DiskFull() }
                stored.withLock { $0 += calls.map(\.number) }
            }, newAccounts: { nil }, reportingTo: reports)
        thread.start()
        thread.keep((1...3).map(Self.record))
        guard case .trouble(let text) = try Self.report(reports) else {
            Issue.record("expected a complaint")
            return
        }
        #expect(text.hasPrefix("3 call records wait: "))
        thread.keep([Self.record(4)])
        isFull.store(false, ordering: .releasing)
        thread.stop()
        #expect(stored.withLock { $0 } == [1, 2, 3, 4])
    }

    static func record(_ number: Int) -> CallRecord {
        CallRecord(
            number: UInt64(number), callID: "c", from: "a@b", to: "c@d", start: .epoch, answer: nil, end: .epoch, status: 486,
            reason: "busy",
            codec: "", isDirect: false, parties: [])
    }
}
