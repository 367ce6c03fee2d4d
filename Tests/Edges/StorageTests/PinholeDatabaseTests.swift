import Base
import Foundation
import SIPStack
import ServerNode
import Storage
import Testing

@Suite("The database")
struct PinholeDatabaseTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-test-\(UUID().uuidString)")
    var path: String { folder.appendingPathComponent("a/b.db").path }

    func binding(_ contact: String, port: UInt16, expires: Int64, reach: Binding.Reach = .reachable) throws -> Binding {
        let flow = FlowID(
            .udp, local: Endpoint(.v4(IPv4Address(203, 0, 113, 10)), 5060),
            remote: Endpoint(.v6(try #require(IPv6Address("2001:db8::7"))), port))
        return try #require(
            Binding(
                contact: contact.utf8, parameters: ";+sip.instance=\"<urn:x>\"".utf8, callID: "c@h".utf8,
                instance: "<urn:x>".utf8,
                path: "<sip:p;lr>".utf8, userAgent: "phone/1".utf8, domain: "192.0.2.1:5070".utf8, cseq: 7, regID: 1, q: 500,
                expires: Instant(seconds: expires),
                updated: Instant(seconds: 1), flow: flow, verdict: [.translated, .portJumped], reach: reach))
    }

    @Test("An account survives reopening, as hashes for each algorithm, never in clear; only the owner may read the file")
    func accounts() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let account = Account(username: "100", realm: "lab.test", password: "secret100", domain: "lab.test")
        try PinholeDatabase(path: path).add(account)
        #expect(try PinholeDatabase(path: path).accounts() == [account])
        for suffix in ["", "-wal"] {
            guard let raw = FileManager.default.contents(atPath: path + suffix) else { continue }
            #expect(raw.range(of: Data("secret100".utf8)) == nil)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("A database that root makes belongs to whom its folder belongs to", .enabled(if: geteuid() == 0))
    func owner() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        #expect(chown(folder.path, 12_345, 23_456) == 0)
        let database = try PinholeDatabase(path: folder.path + "/x.db")
        try database.add(Account(username: "100", realm: "lab.test", password: "secret100"))
        for suffix in ["", "-wal", "-shm"] {
            var status = stat()
            #expect(stat(folder.path + "/x.db" + suffix, &status) == 0 && status.st_uid == 12_345 && status.st_gid == 23_456)
        }
    }

    @Test("Adding twice, changing or removing a stranger is refused in words that name the cure")
    func accountMistakes() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let account = Account(username: "100", realm: "r", password: "a")
        try database.add(account)
        let twice = #expect(throws: StorageError.self) { try database.add(account) }
        #expect(twice?.description.contains("pinhole account passwd 100") == true)
        #expect(throws: StorageError("there is no account 7 in realm r; see: pinhole account list")) {
            try database.removeAccount("7", realm: "r")
        }
        try database.replaceSecrets(of: Account(username: "100", realm: "r", password: "b"))
        #expect(try database.accounts() == [Account(username: "100", realm: "r", password: "b")])
        try database.removeAccount("100", realm: "r")
        #expect(try database.accounts().isEmpty)
    }

    @Test("A change replaces every binding of its address of record; what expired is not handed back")
    func bindings() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let aor = AddressOfRecord(user: "100", domain: "lab.test")
        let (one, two) = (try binding("sip:100@h:1", port: 1, expires: 100), try binding("sip:100@h:2", port: 2, expires: 50))
        let dead = try binding("sip:100@h:3", port: 3, expires: 90, reach: .flowDead(since: Instant(seconds: 3)))
        try database.apply([RegistrarChange(aor: aor, bindings: [one, two, dead], formerCount: 0)])
        #expect(try database.allBindings().map(\.binding) == [one, two, dead])
        #expect(try PinholeDatabase(path: path).bindings(aliveAt: Instant(seconds: 60)).map(\.binding) == [one, dead])
        try database.apply([RegistrarChange(aor: aor, bindings: [dead], formerCount: 3)])
        #expect(try database.allBindings() == [StoredBinding(aor: aor, binding: dead)])
        try database.apply([RegistrarChange(aor: aor, bindings: [], formerCount: 1)])
        #expect(try database.allBindings().isEmpty)
    }

    @Test("When a phone was heard and since when it cannot be reached are kept; a start of the server ends every connection")
    func reach() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let aor = AddressOfRecord(user: "100", domain: "lab.test")
        var udp = try binding("sip:100@h:1", port: 1, expires: 1_000)
        udp.answered = Instant(seconds: 7)
        var (open, lost) = (udp, udp)
        open.flow = FlowID(.tls, local: udp.flow.local, remote: udp.flow.remote, connection: 3)
        lost.flow = open.flow
        lost.reach = .connectionLost(since: Instant(seconds: 8))
        try database.apply([RegistrarChange(aor: aor, bindings: [udp, open, lost])])
        #expect(try database.allBindings().map(\.binding) == [udp, open, lost])
        _ = try database.bindings(aliveAt: Instant(seconds: 60))
        #expect(
            try database.allBindings().map(\.binding.reach) == [
                .reachable, .connectionLost(since: Instant(seconds: 60)), .connectionLost(since: Instant(seconds: 8)),
            ])
    }

    @Test("To look only: a file that is not there is not made, and one that is there is not changed")
    func readOnly() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let error = #expect(throws: StorageError.self) { try PinholeDatabase(reading: path) }
        #expect(error == StorageError("there is no database \(path)", cause: .missing))
        #expect(!FileManager.default.fileExists(atPath: path))
        let server = try PinholeDatabase(path: path)
        try server.add(Account(username: "100", realm: "r", password: "a"))
        let reader = try PinholeDatabase(reading: path)
        #expect(try reader.accounts().map(\.username) == ["100"])
        #expect(throws: StorageError.self) { try reader.add(Account(username: "200", realm: "r", password: "a")) }
        let empty = folder.appendingPathComponent("empty.db").path
        try Data().write(to: URL(fileURLWithPath: empty))
        let old = #expect(throws: StorageError.self) { try PinholeDatabase(reading: empty) }
        #expect(
            old?.description.hasSuffix("holds no tables of this version: start the server once, which brings them up to date")
                == true)
    }

    @Test("What was guessed at is kept by account, with how often and where from last, and forgotten with the account")
    func guesses() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        for user in ["100", "200"] { try database.add(Account(username: user, realm: "r", password: "a")) }
        func guess(_ user: String, _ time: Int64, _ address: String) -> StoredGuess {
            StoredGuess(username: user, last: Instant(seconds: time), address: address, times: 1)
        }
        try database.note(guess("100", 5, "192.0.2.1"))
        try database.note(guess("100", 9, "192.0.2.2"))
        try database.note(guess("200", 9, "192.0.2.2"))
        try database.note(guess("nobody", 9, "192.0.2.2"))
        var twice = guess("100", 9, "192.0.2.2")
        twice.times = 2
        #expect(try database.guesses() == ["100": twice, "200": guess("200", 9, "192.0.2.2")])
        try database.removeAccount("200", realm: "r")
        try database.note(guess("100", 10, "192.0.2.2"))
        #expect(try database.guesses().keys.sorted() == ["100"])
    }

    @Test(
        "IPv4 endpoints, empty texts and every digit survive being written as bytes",
        arguments: [1, 9, 10, 99, 100, 5060, 65_535] as [UInt16])
    func rows(port: UInt16) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let local = Endpoint(.v4(IPv4Address(10, 0, 200, 9)), port)
        let flow = FlowID(.udp, local: local, remote: Endpoint(.v4(IPv4Address(255, 1, 20, 0)), port))
        let binding = try #require(
            Binding(
                contact: "sip:a@b".utf8, parameters: "".utf8, callID: "c".utf8, instance: "".utf8, path: "".utf8,
                userAgent: "é".utf8,
                cseq: .max, expires: Instant(seconds: 9), updated: Instant(seconds: 1), flow: flow))
        let aor = AddressOfRecord(user: "a", domain: "b")
        try database.apply([RegistrarChange(aor: aor, bindings: [binding])])
        #expect(try database.allBindings() == [StoredBinding(aor: aor, binding: binding)])
    }

    @Test("The nonce key is drawn once")
    func nonceKey() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var entropy = Entropy(labSeed: 1)
        let first = try PinholeDatabase(path: path).nonceKey(drawnFrom: &entropy)
        #expect(try PinholeDatabase(path: path).nonceKey(drawnFrom: &entropy) == first)
        #expect(first.count == 32)
    }

    @Test("Another connection's change is noticed")
    func changeMark() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (server, command) = (try PinholeDatabase(path: path), try PinholeDatabase(path: path))
        let before = try server.changeMark()
        #expect(try server.changeMark() == before)
        try command.add(Account(username: "1", realm: "r", password: "p"))
        #expect(try server.changeMark() != before)
    }

    func change(_ user: String, texts: Int = 10) throws -> RegistrarChange {
        var binding = try binding("sip:\(user)@" + String(repeating: "x", count: texts), port: 1, expires: 100)
        binding.reach = .reachable
        return RegistrarChange(aor: AddressOfRecord(user: user, domain: "h"), bindings: [binding], formerCount: 0)
    }

    @Test("A full disk is told as such, with what to do; nothing of the group is stored, and what comes when there is room is")
    func full() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.limitPages(30)
        let group = try (0..<100).map { try change("u\($0)", texts: 4_000) }
        let error = #expect(throws: StorageError.self) { try database.apply(group) }
        #expect(error?.cause == .full)
        let folder = (path as NSString).deletingLastPathComponent
        #expect(
            error?.description == "storing bindings in \(path): database or disk is full. "
                + "Make room on the disk that holds \(folder): df -h \(folder) says how full it is.")
        #expect(try database.allBindings().isEmpty)
        try database.limitPages(0)
        try database.apply(group)
        #expect(try database.allBindings().count == 100)
    }

    @Test("On a full disk call records give way to bindings, the oldest first, and are counted")
    func recordsGiveWay() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let calls = (1...2_000).map { number in
            CallRecord(
                number: UInt64(number), callID: "c\(number)@h", from: "a@b", to: "c@d", start: .epoch, answer: nil,
                end: Instant(seconds: Int64(number)), status: 486, reason: "busy", codec: "", isDirect: false, parties: [])
        }
        try database.keep(calls, at: Instant(seconds: 2_000))
        try database.limitPages(1)
        try database.apply((0..<20).map { try change("u\($0)", texts: 300) })
        #expect(try database.allBindings().count == 20)
        let gone = database.takeRecordsGivenWay()
        #expect(gone >= 250 && gone < 1_000)
        #expect(try database.calls(most: 5_000) == Array(calls.suffix(2_000 - gone)))
        #expect(database.takeRecordsGivenWay() == 0)
    }

    @Test("A server starts on a full disk: what expired is not handed back, even if it cannot be removed")
    func startsFull() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.apply([try change("a"), try change("b")])
        try database.limitPages(1)
        #expect(try database.bindings(aliveAt: Instant(seconds: 99)).count == 2)
        #expect(try database.bindings(aliveAt: Instant(seconds: 100)).isEmpty)
    }

    @Test("A file that is no database is told as damaged, with what to do")
    func damaged() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(repeating: 0x41, count: 8_192).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: StorageError.self) { try PinholeDatabase(path: path) }
        #expect(error?.cause == .damaged)
        #expect(
            error?.description
                == "cannot open the database \(path): file is not a database. The file is damaged. Move it away and put a copy "
                + "back; sqlite3 \(path) .recover saves what can still be read. Without a file a new one is made, with no accounts."
        )
    }

    @Test(
        "A file deleted under the server: all that was in it is written to a new one, and what is stored from then on survives",
        arguments: [[""], ["", "-wal", "-shm"]])
    func deleted(suffixes: [String]) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let account = Account(username: "100", realm: "r", password: "a")
        try database.add(account)
        try database.apply([try change("a")])
        #expect(try database.followFile() == nil)
        for suffix in suffixes { try FileManager.default.removeItem(atPath: path + suffix) }
        #expect(try database.followFile() == .deleted)
        #expect(try database.followFile() == nil)
        try database.apply([try change("b")])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let other = try PinholeDatabase(path: path)
        #expect(try other.accounts() == [account])
        #expect(try other.allBindings().map(\.aor.user) == ["a", "b"])
    }

    @Test("The whole folder deleted: it is made again")
    func folderDeleted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.apply([try change("a")])
        try FileManager.default.removeItem(at: folder)
        #expect(try database.followFile() == .deleted)
        #expect(try PinholeDatabase(path: path).allBindings().count == 1)
    }

    @Test("Another database in its place: its accounts count, and it gets our bindings for its own", arguments: [false, true])
    func exchanged(leavesLog: Bool) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.add(Account(username: "100", realm: "r", password: "a"))
        try database.apply([try change("a")])
        let other = folder.appendingPathComponent("other.db").path
        do {
            let backup = try PinholeDatabase(path: other)
            try backup.add(Account(username: "200", realm: "r", password: "b"))
            try backup.apply([try change("old")])
            try backup.checkpoint()
        }
        if !leavesLog { for suffix in ["-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) } }
        #expect(rename(other, path) == 0)
        #expect(try database.followFile() == .exchanged)
        #expect(try database.accounts().map(\.username) == ["200"])
        try database.apply([try change("b")])
        let reopened = try PinholeDatabase(path: path)
        #expect(try reopened.accounts().map(\.username) == ["200"])
        #expect(try reopened.allBindings().map(\.aor.user) == ["a", "b"])
    }

    @Test("Rubbish in its place is told; the old one can still be read, and once a database lies there it is taken")
    func exchangedForRubbish() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.apply([try change("a")])
        try FileManager.default.removeItem(atPath: path)
        try Data(repeating: 0x41, count: 8_192).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: StorageError.self) { _ = try database.followFile() }
        #expect(error?.cause == .damaged)
        #expect(try database.allBindings().count == 1)
        try FileManager.default.removeItem(atPath: path)
        #expect(try database.followFile() == .deleted)
        #expect(try PinholeDatabase(path: path).allBindings().count == 1)
    }

    @Test("A path that cannot be used is reported with the cure")
    func badPath() {
        let error = #expect(throws: StorageError.self) { try PinholeDatabase(path: "/dev/null/x.db") }
        #expect(error?.description.hasPrefix("cannot open the database /dev/null/x.db: ") == true)
        #expect(error?.description.contains("--database") == true)
    }
}
