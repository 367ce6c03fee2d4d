import ExplainCommand
import Foundation
import Testing

@Suite("explain, a folder redacted")
struct RedactedFolderTests {
    /// A REGISTER that nobody answers, so that its names come into the verdict.
    private static func log(_ user: String, _ host: String) -> [UInt8] {
        let sends = [0, 500, 1_500, 3_500, 7_500].map { "12:00:\(String(format: "%02d.%03d", $0 / 1_000, $0 % 1_000))000" }
        return Array(
            sends.map { time in
                """
                2026/03/01 \(time) 198.51.100.7:5060 -> 203.0.113.9:5060
                REGISTER sip:\(host) SIP/2.0\r
                Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK\(user)\r
                From: <sip:\(user)@\(host)>;tag=1\r
                To: <sip:\(user)@\(host)>\r
                Call-ID: \(user)77@198.51.100.7\r
                CSeq: 1 REGISTER\r
                Contact: <sip:\(user)@198.51.100.7:5060>\r
                Content-Length: 0\r
                \r


                """
            }.joined().utf8)
    }

    @Test("the index and every page hide who is in the files; redacted, files are numbered and not named")
    func pages() throws {
        let manager = FileManager.default
        let root = manager.temporaryDirectory.appendingPathComponent("pinhole-\(UUID().uuidString)")
        defer { try? manager.removeItem(at: root) }
        let (cases, out, plain) = ("cases", "out", "plain")
        try manager.createDirectory(at: root.appendingPathComponent(cases), withIntermediateDirectories: true)
        for (name, user, host) in [("mueller.log", "hildegard", "firma.example"), ("meier.log", "zacharias", "verein.example")] {
            try Data(Self.log(user, host)).write(to: root.appendingPathComponent(cases).appendingPathComponent(name))
        }
        let folder = root.appendingPathComponent(cases).path
        func pages(_ name: String, _ more: [String]) throws -> [String: String] {
            let target = root.appendingPathComponent(name)
            let command = try ExplainCommand.parse([folder, "--no-color", "--html", target.path] + more)
            #expect(throws: (any Error).self) { try command.run() }
            let files = try manager.contentsOfDirectory(atPath: target.path)
            return try Dictionary(
                uniqueKeysWithValues: files.map {
                    ($0, String(decoding: try Data(contentsOf: target.appendingPathComponent($0)), as: UTF8.self))
                })
        }
        let secrets = ["hildegard", "zacharias", "firma.example", "verein.example", "198.51.100.7", "203.0.113.9"]
        let open = try pages(plain, [])
        #expect(open["index.html"]?.contains("mueller.log") == true)
        for secret in secrets { #expect(open.values.contains { $0.contains(secret) }, "\(secret)") }
        let redacted = try pages(out, ["--redact"])
        #expect(redacted.keys.sorted() == ["1.html", "2.html", "index.html"])
        for (page, text) in redacted {
            for secret in secrets + ["mueller", "meier"] { #expect(!text.contains(secret), "\(secret) in \(page)") }
        }
        #expect(redacted["index.html"]?.contains("file-1") == true && redacted["index.html"]?.contains("file-2") == true)
    }
}
