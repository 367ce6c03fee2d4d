import GRDB
import SIPStack
import ServerNode

extension PinholeDatabase {
    /// Every account, by user name.
    public func accounts() throws(StorageError) -> [Account] {
        try doing("reading accounts") {
            try queue.read { database in
                try Row.fetchAll(database, sql: "SELECT * FROM account ORDER BY username, realm").map { row in
                    func value(_ column: String) -> HashValue? { HashValue(hex: Array((row[column] as String).utf8)[...]) }
                    return Account(
                        username: row["username"], realm: row["realm"], user: row["user"], domain: row["domain"],
                        secret: DigestSecret(
                            md5: value("ha1_md5"), sha256: value("ha1_sha256"), sha512256: value("ha1_sha512_256")),
                        wantsDirectMedia: row["direct_media"],
                        srtp: (row["srtp"] as String?).flatMap(Account.SRTP.init))
                }
            }
        }
    }

    /// Adds an account. Throws when one of that name and realm exists.
    public func add(_ account: Account) throws(StorageError) {
        guard try !exists(account.username, realm: account.realm) else {
            throw StorageError(
                "account \(account.username) exists already in realm \(account.realm); "
                    + "change its password with: pinhole account passwd \(account.username)")
        }
        try write(account)
    }

    /// Gives an existing account new secrets. Throws when there is none of that name and realm.
    public func replaceSecrets(of account: Account) throws(StorageError) {
        guard try exists(account.username, realm: account.realm) else { throw Self.missing(account.username, account.realm) }
        let hashes = Self.hashes(of: account)
        try doing("changing an account") {
            try queue.write { database in
                try database.execute(
                    sql: """
                        UPDATE account SET ha1_md5 = ?, ha1_sha256 = ?, ha1_sha512_256 = ? WHERE username = ? AND realm = ?
                        """,
                    arguments: StatementArguments(hashes + [account.username, account.realm]))
            }
        }
    }

    /// Lets an account's media go past the server, or not. Throws when there is none of that name and realm.
    public func setDirectMedia(_ isDirect: Bool, _ username: String, realm: String) throws(StorageError) {
        guard try exists(username, realm: realm) else { throw Self.missing(username, realm) }
        try doing("changing an account") {
            try queue.write { database in
                try database.execute(
                    sql: "UPDATE account SET direct_media = ? WHERE username = ? AND realm = ?",
                    arguments: [isDirect, username, realm])
            }
        }
    }

    /// What an account says of SRTP from now on; nil: nothing. Throws when there is none of that name and realm.
    public func setSRTP(_ srtp: Account.SRTP?, _ username: String, realm: String) throws(StorageError) {
        guard try exists(username, realm: realm) else { throw Self.missing(username, realm) }
        try doing("changing an account") {
            try queue.write { database in
                try database.execute(
                    sql: "UPDATE account SET srtp = ? WHERE username = ? AND realm = ?",
                    arguments: [srtp?.rawValue, username, realm])
            }
        }
    }

    /// Removes an account. Throws when there is none of that name and realm.
    public func removeAccount(_ username: String, realm: String) throws(StorageError) {
        let removed = try doing("removing an account") {
            try queue.write { database in
                try database.execute(sql: "DELETE FROM account WHERE username = ? AND realm = ?", arguments: [username, realm])
                return database.changesCount
            }
        }
        guard removed > 0 else { throw Self.missing(username, realm) }
    }

    /// In the order of the table's columns.
    private static func hashes(of account: Account) -> [String] {
        [DigestHash.md5, .sha256, .sha512256].map { account.secret[$0]?.description ?? "" }
    }

    private static func missing(_ username: String, _ realm: String) -> StorageError {
        StorageError("there is no account \(username) in realm \(realm); see: pinhole account list")
    }

    private func exists(_ username: String, realm: String) throws(StorageError) -> Bool {
        try doing("reading accounts") {
            try queue.read { database in
                try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM account WHERE username = ? AND realm = ?)",
                    arguments: [username, realm]) ?? false
            }
        }
    }

    private func write(_ account: Account) throws(StorageError) {
        let hashes = Self.hashes(of: account)
        try doing("adding an account") {
            try queue.write { database in
                try database.execute(
                    sql: "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    arguments: StatementArguments([account.username, account.realm, account.user, account.domain] + hashes)
                        + [account.wantsDirectMedia, account.srtp?.rawValue])
            }
        }
    }
}
