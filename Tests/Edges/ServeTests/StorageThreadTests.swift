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
    /// A database in a folder of its own, on a disk that can be filled.
    struct Fixture {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-thread-\(UUID().uuidString)")
        let database: PinholeDatabase
        let reports: Mailbox<StorageThread.Report>

        init() throws {
            database = try PinholeDatabase(path: folder.appendingPathComponent("p.db").path)
            reports = Mailbox(waking: try WakeSignal())
        }

        func report() throws -> StorageThread.Report {
            let reports = reports
            return try awaited("a report of the storage thread") { reports.takeAll().first }
        }

        /// Everything until storage works again.
        func reportsUntilRelief() throws -> [StorageThread.Report] {
            let reports = reports
            var all: [StorageThread.Report] = []
            while true {
                all += try awaited("storage to work again") { () -> [StorageThread.Report]? in
                    let taken = reports.takeAll()
                    return taken.isEmpty ? nil : taken
                }
                if case .relief = all.last { return all }
            }
        }
    }

    struct DiskFull: Error {}

    static func change(_ user: String, bindings: Int = 1) throws -> RegistrarChange {
        let flow = FlowID(
            .udp, local: try #require(Endpoint("198.51.100.1:5060")), remote: try #require(Endpoint("203.0.113.7:40000")))
        let bindings = try (0..<bindings).map { index in
            try #require(
                Binding(
                    contact: "sip:\(user)@\(index)".utf8, parameters: "".utf8, callID: "c".utf8, instance: "".utf8, path: "".utf8,
                    userAgent: String(repeating: "x", count: 4_000).utf8, cseq: 1, expires: Instant(seconds: 100),
                    updated: .epoch, flow: flow))
        }
        return RegistrarChange(aor: AddressOfRecord(user: user, domain: "pinhole"), bindings: bindings, formerCount: 0)
    }

    @Test("On a full disk changes wait, the last of each address of record, and are stored when there is room again")
    func fullDisk() throws {
        let fixture = try Fixture()
        defer { try? FileManager.default.removeItem(at: fixture.folder) }
        let database = fixture.database
        try database.limitPages(1)
        let thread = StorageThread(
            .init(apply: { try database.apply($0) }), patience: .init(retry: 0.01, complaint: 0), reportingTo: fixture.reports)
        thread.start()
        thread.store([(1, try Self.change("a", bindings: 3)), (2, try Self.change("b"))])
        guard case .failed(let reason) = try fixture.report() else {
            Issue.record("expected a failure")
            return
        }
        #expect(reason.contains("database or disk is full. Make room on the disk"))
        var last = try Self.change("a", bindings: 2)
        last.formerCount = 3
        thread.store([(3, last), (4, try Self.change("c"))])
        guard case .trouble(let text) = try fixture.report() else {
            Issue.record("expected a complaint")
            return
        }
        #expect(text.hasPrefix("still nothing can be stored; what "))
        #expect(try database.allBindings().isEmpty)
        try database.limitPages(0)
        let reports = try fixture.reportsUntilRelief()
        guard case .persisted(4)? = reports.dropLast().last, case .relief(let relief)? = reports.last else {
            Issue.record("expected all to be stored: \(reports)")
            return
        }
        #expect(relief == "what 3 users registered in the meantime is stored now; a 200 is a promise again")
        #expect(try database.allBindings().map(\.aor.user) == ["a", "a", "b", "c"])
        thread.stop()
    }

    @Test("Call records that come while nothing can be stored are dropped and counted")
    func recordsGiveWay() throws {
        let fixture = try Fixture()
        defer { try? FileManager.default.removeItem(at: fixture.folder) }
        let database = fixture.database
        try database.limitPages(1)
        let kept = Mutex(0)
        let thread = StorageThread(
            .init(
                apply: { try database.apply($0) },
                keepCalls: { calls in
                    kept.withLock { $0 += calls.count }
                    return nil
                }), reportingTo: fixture.reports)
        thread.start()
        thread.store([(1, try Self.change("a", bindings: 3))])
        guard case .failed = try fixture.report() else {
            Issue.record("expected a failure")
            return
        }
        thread.keep((1...3).map(Self.record))
        thread.stop()
        let texts = fixture.reports.takeAll().compactMap { if case .trouble(let text) = $0 { text } else { nil } }
        #expect(kept.withLock { $0 } == 0)
        #expect(texts.contains("3 call records were lost: they could not be stored"))
        #expect(texts.contains { $0.hasPrefix("still nothing can be stored; what 1 user registered is lost. ") })
    }

    @Test("A database deleted under the thread is written again before the next commit, and said")
    func deletedFile() throws {
        let fixture = try Fixture()
        defer { try? FileManager.default.removeItem(at: fixture.folder) }
        let (database, reports) = (fixture.database, fixture.reports)
        try database.add(Account(username: "100", realm: "r", password: "a"))
        let thread = StorageThread(
            database, since: try database.changeMark(), records: CallRecordQuota(), clock: RealTime(), reportingTo: reports)
        try FileManager.default.removeItem(atPath: database.path)
        thread.start()
        thread.store([(1, try Self.change("a"))])
        guard case .trouble(let text) = try fixture.report() else {
            Issue.record("expected a word about it")
            return
        }
        #expect(text.hasPrefix("\(database.path) was deleted under the running server; "))
        thread.stop()
        let reopened = try PinholeDatabase(path: database.path)
        #expect(try reopened.accounts().map(\.username) == ["100"])
        #expect(try reopened.allBindings().map(\.aor.user) == ["a"])
    }

    @Test("Another database in its place: its accounts are news")
    func exchangedFile() throws {
        let fixture = try Fixture()
        defer { try? FileManager.default.removeItem(at: fixture.folder) }
        let (database, reports) = (fixture.database, fixture.reports)
        let other = fixture.folder.appendingPathComponent("other.db").path
        do {
            let copy = try PinholeDatabase(path: other)
            try copy.add(Account(username: "200", realm: "r", password: "b"))
            try copy.checkpoint()
        }
        let thread = StorageThread(
            database, since: try database.changeMark(), records: CallRecordQuota(), clock: RealTime(), reportingTo: reports)
        #expect(rename(other, database.path) == 0)
        thread.start()
        let accounts = try awaited("the accounts") { () -> [Account]? in
            for case .accounts(let accounts) in reports.takeAll() { return accounts }
            return nil
        }
        #expect(accounts.map(\.username) == ["200"])
        thread.stop()
    }

    @Test("Call records that the disk refuses wait, in order, and are stored when it takes them again or the server stops")
    func callRecordsWait() throws {
        let isFull = Atomic(true)
        let stored = Mutex<[UInt64]>([])
        let reports = Mailbox<StorageThread.Report>(waking: try WakeSignal())
        let thread = StorageThread(
            .init(
                apply: { _ in },
                keepCalls: { calls in
                    if isFull.load(ordering: .acquiring) { throw DiskFull() }
                    stored.withLock { $0 += calls.map(\.number) }
                    return nil
                }), reportingTo: reports)
        thread.start()
        thread.keep((1...3).map(Self.record))
        guard case .trouble(let text) = try awaited("a report", { reports.takeAll().first }) else {
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
