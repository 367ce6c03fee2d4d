import Base
import GRDB
import ServerNode

/// An account whose password somebody guesses at: its owner is told where he looks.
public struct StoredGuess: Hashable, Sendable {
    public var username: String
    /// When it was noticed last.
    public var last: Instant
    /// From where, then.
    public var address: String
    /// How often it was noticed; each time stands for many guesses.
    public var times: Int

    public init(username: String, last: Instant, address: String, times: Int) {
        self.username = username
        self.last = last
        self.address = address
        self.times = times
    }
}

extension PinholeDatabase {
    /// Keeps that an account's password was guessed at; that of an account that is gone is forgotten with it.
    public func note(_ guess: StoredGuess) throws(StorageError) {
        try doing("storing what was guessed at") {
            try queue.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO guess VALUES (?, ?, ?, ?)
                        ON CONFLICT (username) DO UPDATE SET last = excluded.last, address = excluded.address, times = times + excluded.times
                        """, arguments: [guess.username, guess.last.nanoseconds, guess.address, guess.times])
                try database.execute(sql: "DELETE FROM guess WHERE username NOT IN (SELECT username FROM account)")
            }
        }
    }

    /// By user name.
    public func guesses() throws(StorageError) -> [String: StoredGuess] {
        try doing("reading what was guessed at") {
            let rows = try queue.read { try Row.fetchAll($0, sql: "SELECT * FROM guess") }
            return Dictionary(
                uniqueKeysWithValues: rows.map { row in
                    let username: String = row["username"]
                    return (
                        username,
                        StoredGuess(
                            username: username, last: Instant(nanoseconds: row["last"]), address: row["address"],
                            times: row["times"])
                    )
                })
        }
    }
}
