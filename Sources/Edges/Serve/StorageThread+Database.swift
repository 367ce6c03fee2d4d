import Base
import CoreMetrics
import LinuxEdge
import ServerNode
import Storage
import Synchronization

extension StorageThread {
    /// Reports go to `reports`. `mark`: the file's state when the accounts were read; what came later is news. `clock` says how old call
    /// records are. `commits`: hears how long each commit of bindings took.
    package convenience init(
        _ database: PinholeDatabase, since mark: Int, records: CallRecordQuota, clock: RealTime,
        commits: CoreMetrics.Timer? = nil, reportingTo reports: Mailbox<Report>
    ) {
        // nil: whatever the file holds is news.
        let last = Mutex<Int?>(mark)
        @Sendable func follow() throws {
            guard let fate = try database.followFile() else { return }
            if fate == .exchanged { last.withLock { $0 = nil } }
            reports.post(.trouble(fate.text(database.path)))
        }
        self.init(
            Disk(
                apply: { changes in
                    try follow()
                    let begin = clock.now
                    try database.apply(changes)
                    commits?.recordNanoseconds((clock.now - begin).wholeNanoseconds)
                },
                keepCalls: { calls in
                    let lost = try database.keep(calls, within: records, at: clock.shown(clock.now))
                    let gaveWay = database.takeRecordsGivenWay()
                    if gaveWay > 0 { return "the disk is full: the \(gaveWay) oldest call records gave way to registrations" }
                    return lost > 0
                        ? "\(lost) call records are not kept: the disk that holds \(database.path) is nearly full" : nil
                },
                note: { try database.note($0) },
                newAccounts: {
                    try follow()
                    let current = try database.changeMark()
                    let isNews = last.withLock { last in
                        defer { last = current }
                        return last != current
                    }
                    return isNews ? try database.accounts() : nil
                }), reportingTo: reports)
    }
}

extension PinholeDatabase.FileFate {
    func text(_ path: String) -> String {
        switch self {
        case .deleted:
            "\(path) was deleted under the running server; accounts, bindings and call records were written to a new one. "
                + "To start with none, stop the server first"
        case .exchanged:
            "\(path) is another file than the one that was opened: its accounts count from now on, and it got the bindings. "
                + "To exchange it, stop the server first: SQLite's files belong together"
        }
    }
}
