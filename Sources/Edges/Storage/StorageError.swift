import Foundation
import GRDB

/// Why storage could not do what was asked, in words for a person, with the cure.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Cause: Hashable, Sendable {
        /// No room is left on the disk.
        case full
        /// The file is no database, or not a whole one.
        case damaged
        /// Another program held the file for too long.
        case busy
        /// There is no such file.
        case missing
        /// It has not the tables of this version; opening it to write brings them up to date.
        case outdated
        case other
    }

    public var description: String
    public var cause: Cause

    public init(_ description: String, cause: Cause = .other) {
        self.description = description
        self.cause = cause
    }

    /// What went wrong while `doing` something with the file at `path`.
    init(_ error: any Error, _ doing: String, path: String) {
        if let error = error as? StorageError {
            self = error
            return
        }
        let (cause, words, cure) = Self.explain(error, path)
        self.init("\(doing) \(path): \(words). \(cure)", cause: cause)
    }

    private static func explain(_ error: any Error, _ path: String) -> (Cause, words: String, cure: String) {
        let folder = (path as NSString).deletingLastPathComponent
        let place = folder.isEmpty ? "." : folder
        let elsewhere = "name another file (database: in the configuration, or --database)"
        guard let error = error as? DatabaseError else {
            let words = error.localizedDescription
            return (
                .other, words.last == "." ? String(words.dropLast()) : words,
                "Check that \(place) can be written, or \(elsewhere)."
            )
        }
        let words = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_FULL: return (.full, words, "Make room on the disk that holds \(place): df -h \(place) says how full it is.")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return (
                .damaged, words,
                "The file is damaged. Move it away and put a copy back; sqlite3 \(path) .recover saves what can still be read. "
                    + "Without a file a new one is made, with no accounts."
            )
        case .SQLITE_BUSY, .SQLITE_LOCKED: return (.busy, words, "Another program holds the file: see which with: fuser \(path)")
        case .SQLITE_IOERR:
            return (.other, words, "The disk that holds \(place) fails, or is full: see df -h \(place), and dmesg.")
        default: return (.other, words, "Check that \(place) can be written by this user, or \(elsewhere).")
        }
    }
}
