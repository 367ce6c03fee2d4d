import Base
import Foundation
import GRDB
import ServerNode

/// How much call records may take. The oldest go first, an account's before others'.
public struct CallRecordQuota: Hashable, Sendable {
    public var records = 400_000
    public var recordsPerAccount = 100_000
    /// Bytes on disk, nearly; an account has the same share of them as of the records.
    public var bytes: Int64 = 512 << 20
    /// How long one is kept.
    public var age = Duration.seconds(90 * 86_400)
    /// Bytes that stay free on the disk, for registrations. nil: 64 MiB, an eighth where the disk is small.
    public var leftFree: Int64?

    public init() {}

    var bytesPerAccount: Int64 { Int64(Double(bytes) * Double(recordsPerAccount) / Double(max(records, 1))) }
}

extension PinholeDatabase {
    /// Keeps records of calls that ended, within `quota`, in one commit. Returns how many found no room on the disk and are lost.
    @discardableResult
    public func keep(_ calls: [CallRecord], within quota: CallRecordQuota = .init(), at now: Instant) throws(StorageError) -> Int
    {
        guard calls.isEmpty || hasRoom(quota.leftFree) else { return calls.count }
        try doing("storing call records") {
            try queue.write { database in
                for call in calls { try Self.write(call, to: database) }
                try Self.removeCalls(endedBefore: now - quota.age, from: database)
                for account in Set(calls.map(\.account)) {
                    while let share = try Self.share(of: account, in: database),
                        share.records > quota.recordsPerAccount || share.bytes > quota.bytesPerAccount
                    {
                        // A few more than needed, so that not each call costs another one.
                        let surplus = max(share.records - quota.recordsPerAccount, share.records / 64, 1)
                        try Self.removeOldest(surplus, of: account, from: database)
                    }
                }
                while let share = try Self.largestShare(beyond: quota, in: database) {
                    try Self.removeOldest(max(share.records / 64, 1), of: share.account, from: database)
                }
            }
        }
        return 0
    }

    /// How many call records gave way to bindings since this was asked last.
    public func takeRecordsGivenWay() -> Int {
        recordsGivenWay.withLock { count in
            defer { count = 0 }
            return count
        }
    }

    /// Removes an eighth of the call records, at least a hundred, the oldest first. False: there are none.
    func makeRoom() throws -> Bool {
        // The log takes room as well.
        try? queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        let removed = try queue.write { database in
            let all = try Int.fetchOne(database, sql: "SELECT count(*) FROM call") ?? 0
            try database.execute(
                sql: "DELETE FROM call WHERE id IN (SELECT id FROM call ORDER BY ended, id LIMIT ?)",
                arguments: [max(100, all / 8)])
            return database.changesCount
        }
        recordsGivenWay.withLock { $0 += removed }
        return removed > 0
    }

    private struct Share {
        var account: String
        var records: Int
        var bytes: Int64

        init(_ row: Row) {
            (account, records, bytes) = (row["account"], row["records"], row["bytes"])
        }
    }

    private static func share(of account: String, in database: Database) throws -> Share? {
        try Row.fetchOne(database, sql: "SELECT * FROM call_share WHERE account = ?", arguments: [account]).map(Share.init)
    }

    /// Whose records take most, while all together are too many.
    private static func largestShare(beyond quota: CallRecordQuota, in database: Database) throws -> Share? {
        guard let sums = try Row.fetchOne(database, sql: "SELECT ifnull(sum(records), 0), ifnull(sum(bytes), 0) FROM call_share")
        else { return nil }
        let (records, bytes): (Int, Int64) = (sums[0], sums[1])
        guard records > quota.records || bytes > quota.bytes else { return nil }
        let scale = records > quota.records ? "records" : "bytes"
        return try Row.fetchOne(database, sql: "SELECT * FROM call_share ORDER BY \(scale) DESC LIMIT 1").map(Share.init)
    }

    private static func removeOldest(_ count: Int, of account: String, from database: Database) throws {
        try database.execute(
            sql: "DELETE FROM call WHERE id IN (SELECT id FROM call WHERE account = ? ORDER BY ended, id LIMIT ?)",
            arguments: [account, count])
    }

    private static func removeCalls(endedBefore instant: Instant, from database: Database) throws {
        try database.execute(sql: "DELETE FROM call WHERE ended < ?", arguments: [instant.nanoseconds])
    }

    /// What a record takes on disk: its texts, and about as much as was measured for the rest.
    static func size(of call: CallRecord) -> Int64 {
        var size =
            100
            + [call.callID, call.account, call.account, call.from, call.to, call.reason, call.codec].reduce(0) {
                $0 + $1.utf8.count
            }
        for party in call.parties {
            size += party.address.utf8.count + (party.flow == nil ? 20 : 60)
            for stream in party.streams { size += 10 + stream.kind.utf8.count + stream.text.utf8.count }
        }
        return Int64(size)
    }

    private func hasRoom(_ leftFree: Int64?) -> Bool {
        var disk = statvfs()
        guard statvfs(path, &disk) == 0 else { return true }
        let block = Int64(disk.f_frsize)
        return Int64(disk.f_bavail) * block >= leftFree ?? min(64 << 20, Int64(disk.f_blocks) * block / 8)
    }
}
