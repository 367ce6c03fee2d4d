import Base
import Foundation
import GRDB
import SIPStack
import ServerNode

/// Why storage could not do what was asked, in words for a person.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// What one pinhole server keeps on disk: accounts (as digest hashes, never passwords), bindings, and the nonce key. SQLite.
///
/// Safe to share between a running server and the `pinhole account` command: write-ahead logging, one short
/// transaction a call.
public final class PinholeDatabase: Sendable {
    /// When a commit counts as done.
    public enum Durability: String, Sendable, CaseIterable {
        /// Survives the death of the process (WAL, synchronous NORMAL).
        case process
        /// Survives a power cut too: every group of commits is synced (synchronous FULL).
        case power
    }

    let queue: DatabaseQueue
    public let path: String

    /// Opens or creates the file and brings its tables up to date. Throws what is wrong with the path, and the cure.
    public init(path: String, durability: Durability = .process) throws(StorageError) {
        self.path = path
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = \(durability == .power ? "FULL" : "NORMAL")")
        }
        do {
            let folder = (path as NSString).deletingLastPathComponent
            if !folder.isEmpty {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            let isNew = !FileManager.default.fileExists(atPath: path)
            queue = try DatabaseQueue(path: path, configuration: configuration)
            if isNew {
                // Digest hashes are as good as passwords to whoever wants to register: nobody else may read them.
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            }
            try Self.migrator.migrate(queue)
        } catch {
            throw StorageError(
                "cannot open the database \(path): \(error.localizedDescription). "
                    + "Check that the folder can be written, or name another file (database: in the configuration, or --database)."
            )
        }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("accounts, bindings, keys") { database in
            try database.execute(
                sql: """
                    CREATE TABLE account (
                        username TEXT NOT NULL, realm TEXT NOT NULL, user TEXT NOT NULL, domain TEXT,
                        ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL, ha1_sha512_256 TEXT NOT NULL,
                        PRIMARY KEY (username, realm)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE binding (
                        aor TEXT NOT NULL, place INTEGER NOT NULL, contact TEXT NOT NULL, parameters TEXT NOT NULL,
                        call_id TEXT NOT NULL, cseq INTEGER NOT NULL, instance TEXT NOT NULL, reg_id INTEGER NOT NULL,
                        path TEXT NOT NULL, user_agent TEXT NOT NULL, q INTEGER NOT NULL,
                        expires INTEGER NOT NULL, updated INTEGER NOT NULL,
                        transport TEXT NOT NULL, local TEXT NOT NULL, remote TEXT NOT NULL, connection INTEGER NOT NULL,
                        verdict INTEGER NOT NULL, dead_since INTEGER,
                        PRIMARY KEY (aor, place)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE secret (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("call detail records, direct media") { database in
            try database.execute(
                sql: """
                    CREATE TABLE call (
                        id INTEGER PRIMARY KEY, number INTEGER NOT NULL, call_id TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,
                        began INTEGER NOT NULL, answered INTEGER, ended INTEGER NOT NULL,
                        status INTEGER NOT NULL, reason TEXT NOT NULL, codec TEXT NOT NULL, direct INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX call_ended ON call (ended);
                    CREATE TABLE call_party (
                        call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE, place INTEGER NOT NULL,
                        address TEXT NOT NULL, answered INTEGER NOT NULL, transport TEXT, local TEXT, remote TEXT,
                        PRIMARY KEY (call, place)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE call_stream (
                        call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE, party INTEGER NOT NULL, place INTEGER NOT NULL,
                        kind TEXT NOT NULL, verdict TEXT NOT NULL,
                        PRIMARY KEY (call, party, place)
                    ) STRICT, WITHOUT ROWID;
                    ALTER TABLE account ADD COLUMN direct_media INTEGER NOT NULL DEFAULT 0;
                    """)
        }
        migrator.registerMigration("domains of bindings") { database in
            try database.execute(sql: "ALTER TABLE binding ADD COLUMN domain TEXT NOT NULL DEFAULT ''")
        }
        migrator.registerMigration("SRTP by account") { database in
            try database.execute(sql: "ALTER TABLE account ADD COLUMN srtp TEXT")
        }
        return migrator
    }

    func doing<T>(_ what: String, _ body: () throws -> T) throws(StorageError) -> T {
        do {
            return try body()
        } catch {
            throw StorageError("\(what) in \(path): \(error.localizedDescription)")
        }
    }

    /// A number that changes whenever another connection changed the file.
    public func changeMark() throws(StorageError) -> Int {
        try doing("reading") { try queue.read { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 } }
    }

    /// The key nonces are made with: drawn from `entropy` at first use, the same ever after.
    public func nonceKey(drawnFrom entropy: inout Entropy) throws(StorageError) -> [UInt8] {
        let fresh = entropy.bytes(32)
        return try doing("keeping the nonce key") {
            try queue.write { database in
                try database.execute(sql: "INSERT OR IGNORE INTO secret VALUES ('nonce', ?)", arguments: [Data(fresh)])
                let kept = try Data.fetchOne(database, sql: "SELECT value FROM secret WHERE name = 'nonce'")
                return kept.map { [UInt8]($0) } ?? fresh
            }
        }
    }
}
