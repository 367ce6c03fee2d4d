import Base
import Foundation
import GRDB
import GRDBSQLite
import ServerNode

/// Which file a path leads to.
struct FileIdentity: Hashable, Sendable {
    private var device: UInt64
    private var node: UInt64

    /// nil: there is none.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        node = UInt64(status.st_ino)
    }
}

/// A file that is deleted or exchanged under a running server stays open, and what is written to it is lost with the process.
extension PinholeDatabase {
    /// What became of the file, and was made good.
    public enum FileFate: Hashable, Sendable {
        /// Deleted; all that it held was written to a new one.
        case deleted
        /// Another one lies in its place: its accounts count from now on, and it got our bindings.
        case exchanged
    }

    /// Looks whether the file that is open still lies at `path`, and where it does not, sees to it that what is stored from now on survives.
    /// nil: it does. Throws where that fails; then the old one is still open, to be read and not to be trusted.
    public func followFile() throws(StorageError) -> FileFate? {
        let current = FileIdentity(path)
        let open = file.withLock { $0 }
        guard current != open.identity else { return nil }
        return try doing("following the database file") {
            let fate: FileFate = current == nil ? .deleted : .exchanged
            let copy = path + ".new"
            if fate == .deleted {
                let folder = (path as NSString).deletingLastPathComponent
                if !folder.isEmpty { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
                try Self.copy(open.queue, to: copy)
            }
            // What lies beside it would be taken for the new file's.
            if let log = FileIdentity(path + "-wal"), log == open.log {
                unlink(path + "-wal")
                unlink(path + "-shm")
            }
            if fate == .deleted, rename(copy, path) != 0 { throw CocoaError(.fileWriteUnknown) }
            let new = try Self.open(path, durability)
            if fate == .exchanged {
                let bindings = try open.queue.read { try Self.read($0) }
                try new.queue.write { database in
                    try database.execute(sql: "DELETE FROM binding")
                    try Self.write(Self.changes(bindings), to: database)
                }
            }
            // When the old one closes it must not delete a log by its name: that is the new one's.
            open.queue.writeWithoutTransaction { database in
                var isKept: Int32 = 1
                sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_PERSIST_WAL, &isKept)
            }
            file.withLock { $0 = new }
            return fate
        }
    }

    private static func copy(_ queue: DatabaseQueue, to path: String) throws {
        unlink(path)
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw CocoaError(.fileWriteNoPermission)
        }
        try queue.writeWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [path]) }
    }

    private static func changes(_ bindings: [StoredBinding]) -> [RegistrarChange] {
        Dictionary(grouping: bindings, by: \.aor).map {
            RegistrarChange(aor: $0.key, bindings: $0.value.map(\.binding), formerCount: 0)
        }
    }
}
