import Base
import Foundation
import ServerNode
import Storage
import Testing

@Suite("Call detail records on disk")
struct CallRecordTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-test-\(UUID().uuidString)")
    var path: String { folder.appendingPathComponent("calls.db").path }

    func record(_ number: UInt64, from: String, to: String, ended: Int64, answered: Bool = true) throws -> CallRecord {
        let local = try #require(Endpoint("198.51.100.1:5060"))
        let remote = try #require(Endpoint("[2001:db8::7]:40000"))
        let stream = CallRecord.Stream(kind: "audio", verdict: nil, text: "SDP said 192.168.1.10:16384, nothing ever came")
        return CallRecord(
            number: number, callID: "c\(number)@h", from: from, to: to, start: Instant(seconds: ended - 10),
            answer: answered ? Instant(seconds: ended - 7) : nil, end: Instant(seconds: ended), status: answered ? 200 : 486,
            reason: "\(from) hung up", codec: answered ? "PCMU" : "", isDirect: false,
            parties: [
                .init(
                    address: from, flow: FlowID(.tls, local: local, remote: remote), answered: true,
                    streams: answered ? [stream, stream] : []),
                .init(address: to, flow: nil, answered: answered, streams: []),
            ])
    }

    @Test("A record comes back as it was kept, parties, flows and verdicts included; the newest ones are asked for")
    func roundTrip() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let calls = try [
            record(1, from: "100@lab", to: "200@lab", ended: 1_000), record(2, from: "1000@lab", to: "8000@lab", ended: 2_000),
            record(3, from: "200@lab", to: "100@lab", ended: 3_000, answered: false),
        ]
        try database.keep(calls, at: Instant(seconds: 3_000))
        #expect(try PinholeDatabase(path: path).calls(most: 10) == calls)
        #expect(try database.calls(most: 2) == Array(calls.suffix(2)))
        #expect(try database.calls(most: 10, address: "100@lab") == [calls[0], calls[2]])
        #expect(try database.calls(most: 10, address: "100") == [calls[0], calls[2]])
        #expect(try database.calls(most: 10, address: "1000") == [calls[1]])
        #expect(try database.calls(most: 10, address: "10_").isEmpty)
        #expect(try database.calls(most: 10, address: "%").isEmpty)
    }

    @Test("Old records go, with all that hangs on them")
    func removal() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let calls = try (1...3).map { try record(UInt64($0), from: "a@b", to: "c@d", ended: Int64($0) * 1_000) }
        var quota = CallRecordQuota()
        quota.age = .seconds(1_000)
        try database.keep(calls, within: quota, at: Instant(seconds: 3_000))
        #expect(try database.calls(most: 10) == Array(calls.suffix(2)))
        try database.keep([], within: quota, at: Instant(seconds: 4_001))
        #expect(try database.calls(most: 10).isEmpty)
    }

    @Test("What an account says of SRTP is kept with it")
    func srtp() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.add(Account(username: "100", realm: "r", password: "a"))
        try database.add(Account(username: "101", realm: "r", password: "a", srtp: .off))
        #expect(try database.accounts().map(\.srtp) == [nil, .off])
        for wish in Account.SRTP.allCases + [nil] {
            try database.setSRTP(wish, "100", realm: "r")
            #expect(try database.accounts().map(\.srtp) == [wish, .off])
        }
        #expect(throws: StorageError("there is no account 7 in realm r; see: pinhole account list")) {
            try database.setSRTP(.required, "7", realm: "r")
        }
    }

    /// So many calls of one account, ended a second after each other.
    func calls(_ count: Int, of account: String, from start: Int64 = 1_000) throws -> [CallRecord] {
        try (0..<count).map { index in
            var record = try record(UInt64(index), from: "\(account)@lab", to: "c@d", ended: start + Int64(index))
            record.account = account
            return record
        }
    }

    @Test("An account that has more records than it may loses its own oldest ones, and nobody else any")
    func accountCap() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        var quota = CallRecordQuota()
        (quota.records, quota.recordsPerAccount) = (100, 20)
        let honest = try calls(5, of: "honest", from: 1)
        try database.keep(honest, within: quota, at: Instant(seconds: 10))
        let flood = try calls(50, of: "flood")
        for call in flood { try database.keep([call], within: quota, at: Instant(seconds: 2_000)) }
        #expect(try database.calls(most: 1_000) == honest + flood.suffix(20))
        try database.keep(try calls(100, of: "", from: 3_000), within: quota, at: Instant(seconds: 4_000))
        #expect(
            try database.calls(most: 1_000).map(\.account) == honest.map(\.account) + Array(repeating: "flood", count: 20)
                + Array(repeating: "", count: 20))
    }

    @Test("All together are too many: whoever has most loses the oldest, by number and by bytes")
    func wholeCap() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        var quota = CallRecordQuota()
        (quota.records, quota.recordsPerAccount) = (30, 30)
        let honest = try calls(5, of: "honest", from: 1)
        try database.keep(honest, within: quota, at: Instant(seconds: 10))
        let flood = try calls(28, of: "flood")
        try database.keep(flood, within: quota, at: Instant(seconds: 2_000))
        #expect(try database.calls(most: 1_000) == honest + flood.suffix(25))
        // Bytes: these are about 300 each.
        quota.bytes = 6_000
        try database.keep([], within: quota, at: Instant(seconds: 2_000))
        let left = try database.calls(most: 1_000)
        #expect(left.prefix(5) == honest[...] && (10...25).contains(left.count) && left.suffix(5) == flood.suffix(5))
    }

    @Test("What records are counted as is about what they take on disk")
    func measured() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        let calls = try calls(4_000, of: "100")
        try database.keep(calls, at: Instant(seconds: 6_000))
        let counted = try database.callBytes()
        try database.checkpoint()
        let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        #expect((0.75...1.25).contains(Double(counted) / Double(size)), "\(counted) of \(size)")
    }

    @Test("A disk that is nearly full gets no more records, and tells how many were lost")
    func nearlyFull() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        var quota = CallRecordQuota()
        quota.leftFree = .max
        #expect(try database.keep(try calls(3, of: "100"), within: quota, at: Instant(seconds: 2_000)) == 3)
        #expect(try database.calls(most: 10).isEmpty)
        quota.leftFree = nil
        #expect(try database.keep(try calls(3, of: "100"), within: quota, at: Instant(seconds: 2_000)) == 0)
    }

    @Test("Whether an account's media may go past the server is kept with it")
    func directMedia() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try PinholeDatabase(path: path)
        try database.add(Account(username: "100", realm: "r", password: "a"))
        #expect(try database.accounts().map(\.wantsDirectMedia) == [false])
        try database.setDirectMedia(true, "100", realm: "r")
        #expect(try database.accounts().map(\.wantsDirectMedia) == [true])
        #expect(throws: StorageError("there is no account 7 in realm r; see: pinhole account list")) {
            try database.setDirectMedia(true, "7", realm: "r")
        }
    }
}
