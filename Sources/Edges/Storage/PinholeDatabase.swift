import Base
import Foundation
import GRDB
import SIPStack
import ServerNode
import Synchronization

/// What one pinhole server keeps on disk: accounts (as digest hashes, never passwords), bindings, call records and the nonce key. SQLite.
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

    /// The file that is open at present; another one after `followFile`.
    struct OpenFile: Sendable {
        var queue: DatabaseQueue
        var identity: FileIdentity?
        /// Of the write-ahead log beside it.
        var log: FileIdentity?
    }

    public let path: String
    let durability: Durability
    let file: Mutex<OpenFile>
    /// Call records removed so that bindings could be stored, since this was asked last.
    let recordsGivenWay = Mutex(0)

    var queue: DatabaseQueue { file.withLock { $0.queue } }

    /// Opens or creates the file and brings its tables up to date. Throws what is wrong with the path, and the cure.
    public init(path: String, durability: Durability = .process) throws(StorageError) {
        self.path = path
        self.durability = durability
        do {
            file = Mutex(try Self.open(path, durability))
        } catch {
            throw StorageError(error, "cannot open the database", path: path)
        }
    }

    /// Opens a file that is there, to look at it only: nothing is made, and nothing is brought up to date.
    public init(reading path: String) throws(StorageError) {
        self.path = path
        durability = .process
        guard !Self.isMissing(path) else {
            throw StorageError("there is no database \(path)", cause: .missing)
        }
        do {
            var configuration = GRDB.Configuration()
            configuration.busyMode = .timeout(5)
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            guard try queue.read({ try Self.migrator.hasCompletedMigrations($0) }) else {
                throw StorageError(
                    "\(path) holds no tables of this version: start the server once, which brings them up to date",
                    cause: .outdated)
            }
            file = Mutex(OpenFile(queue: queue))
        } catch {
            throw StorageError(error, "cannot read the database", path: path)
        }
    }

    /// Whether there is no such file; one in a folder that this user may not look into may be there.
    public static func isMissing(_ path: String) -> Bool { access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR) }

    static func open(_ path: String, _ durability: Durability) throws -> OpenFile {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL")
            try database.execute(sql: "PRAGMA synchronous = \(durability == .power ? "FULL" : "NORMAL")")
            // A log that one great commit made long does not stay so.
            try database.execute(sql: "PRAGMA journal_size_limit = 16777216")
        }
        let folder = (path as NSString).deletingLastPathComponent
        if !folder.isEmpty { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        makeFile(path, in: folder)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try migrator.migrate(queue)
        return OpenFile(queue: queue, identity: FileIdentity(path), log: FileIdentity(path + "-wal"))
    }

    /// An empty file where there is none. Digest hashes are as good as passwords to whoever wants to register: nobody else may read them. One that
    /// root makes belongs to whom the folder belongs to, so that `pinhole account add` does not lock the server's user out.
    private static func makeFile(_ path: String, in folder: String) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        fchmod(descriptor, 0o600)
        var status = stat()
        if geteuid() == 0, stat(folder.isEmpty ? "." : folder, &status) == 0 { fchown(descriptor, status.st_uid, status.st_gid) }
    }

    func doing<T>(_ what: String, _ body: () throws -> T) throws(StorageError) -> T {
        do {
            return try body()
        } catch {
            throw StorageError(error, what + " in", path: path)
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

    /// What call records count for at present.
    package func callBytes() throws(StorageError) -> Int64 {
        try doing("reading") { try queue.read { try Int64.fetchOne($0, sql: "SELECT sum(bytes) FROM call_share") ?? 0 } }
    }

    /// Writes what lies in the log into the file itself.
    package func checkpoint() throws(StorageError) {
        try doing("writing") { try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }
    }

    /// Lets the file grow to so many pages of 4,096 bytes and no further: for tests of a full disk. 0 lifts that.
    package func limitPages(_ most: Int) throws(StorageError) {
        try doing("limiting") {
            try queue.writeWithoutTransaction { database in
                let pages = most == 0 ? 1_073_741_823 : most
                try database.execute(sql: "PRAGMA max_page_count = \(pages)")
            }
        }
    }
}
