import ExplainCommand
import Foundation
import Testing

@Suite("explain, what its end tells")
struct ExplainStatusTests {
    /// A zip of uncompressed members (APPNOTE 4.3).
    static func zip(_ files: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        func little(_ value: some FixedWidthInteger, _ octets: Int) -> [UInt8] {
            (0..<octets).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        func checksum(_ bytes: [UInt8]) -> UInt32 {
            var sum = ~UInt32(0)
            for byte in bytes {
                sum ^= UInt32(byte)
                for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xedb8_8320 : sum >> 1 }
            }
            return ~sum
        }
        var out: [UInt8] = []
        var directory: [UInt8] = []
        for (name, bytes) in files {
            var facts: [UInt8] = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            facts += little(checksum(bytes), 4)
            facts += little(bytes.count, 4)
            facts += little(bytes.count, 4)
            facts += little(name.utf8.count, 2) + [0, 0]
            directory += [0x50, 0x4b, 1, 2, 20, 0] as [UInt8]
            directory += facts + [UInt8](repeating: 0, count: 10)
            directory += little(out.count, 4) + Array(name.utf8)
            out += [0x50, 0x4b, 3, 4] as [UInt8]
            out += facts + Array(name.utf8) + bytes
        }
        var end: [UInt8] = [0x50, 0x4b, 5, 6, 0, 0, 0, 0]
        end += little(files.count, 2) + little(files.count, 2)
        end += little(directory.count, 4) + little(out.count, 4) + [0, 0]
        return out + directory + end
    }

    static let log = Array(
        """
        2026/03/01 12:00:00.000000 192.0.2.1:5060 -> 192.0.2.2:5060
        OPTIONS sip:a@192.0.2.2 SIP/2.0\r
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r
        From: <sip:b@192.0.2.1>;tag=1\r
        To: <sip:a@192.0.2.2>\r
        Call-ID: 1@192.0.2.1\r
        CSeq: 1 OPTIONS\r
        Content-Length: 0\r
        \r

        2026/03/01 12:00:00.010000 192.0.2.2:5060 -> 192.0.2.1:5060
        SIP/2.0 200 OK\r
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r
        From: <sip:b@192.0.2.1>;tag=1\r
        To: <sip:a@192.0.2.2>;tag=2\r
        Call-ID: 1@192.0.2.1\r
        CSeq: 1 OPTIONS\r
        Content-Length: 0\r
        \r

        """.utf8)
    static let document = Array("%PDF-1.7\n%\u{e2}\u{e3}\n".utf8)
    static let talk = Array("Nobody called today.\nNobody will tomorrow.\n".utf8)

    static let rows: [(name: String, bytes: [UInt8], status: Int32)] = [
        ("a healthy log", log, 0), ("a text that speaks of something else", talk, 3), ("nothing", [], 3),
        ("a document", document, 2),
        ("octets of no kind", [0, 1, 2, 3, 0, 0, 0xff, 0xfe, 9], 2), ("a log in a zip", zip([("a.log", log)]), 0),
        ("a log beside a document", zip([("b.pdf", document), ("a.log", log)]), 0),
        ("a document in a zip", zip([("b.pdf", document)]), 2), ("an empty zip", zip([]), 2),
        ("two logs in a zip, one says nothing", zip([("a.log", log), ("b.txt", talk)]), 0),
        ("a zip in a zip", zip([("c.zip", zip([("a.log", log)])), ("__MACOSX/._c.zip", [1, 2])]), 0),
    ]

    @Test("what could be judged, and whether anything could be read", arguments: rows.map(\.name))
    func statuses(name: String) throws {
        let (_, bytes, status) = try #require(Self.rows.first { $0.name == name })
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-\(UUID().uuidString)")
        try Data(bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let command = try ExplainCommand.parse([file.path, "--no-color"])
        var seen: Int32 = 0
        do { try command.run() } catch { seen = ExplainCommand.exitCode(for: error).rawValue }
        #expect(seen == status)
    }

    private static func status(_ files: [(name: String, bytes: [UInt8])], _ arguments: [String], asFolder: Bool) throws -> Int32 {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pinhole-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, bytes) in files { try Data(bytes).write(to: folder.appendingPathComponent(name)) }
        let paths = asFolder ? [folder.path] : files.map { folder.appendingPathComponent($0.name).path }
        let command = try ExplainCommand.parse(paths + arguments + ["--no-color"])
        do { try command.run() } catch { return ExplainCommand.exitCode(for: error).rawValue }
        return 0
    }

    @Test("an archive of several cases does not hide what is named beside it", arguments: [0, 1])
    func beside(order: Int) throws {
        let files = [("two.zip", Self.zip([("a.log", Self.log), ("b.txt", Self.talk)])), ("c.pdf", Self.document)]
        #expect(try Self.status(order == 0 ? files : files.reversed(), [], asFolder: false) == 2)
    }

    @Test("a filter that nothing passes leaves nothing to judge in a folder either")
    func filteredFolder() throws {
        let files = [("a.log", Self.log), ("b.log", Self.log)]
        #expect(try Self.status(files, ["--user", "nobody"], asFolder: true) == 3)
        #expect(try Self.status(files, ["--finding", "nat"], asFolder: true) == 0)
        #expect(try Self.status(files, [], asFolder: true) == 0)
    }
}
