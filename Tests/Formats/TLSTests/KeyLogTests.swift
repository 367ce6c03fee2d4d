import TLS
import Testing

@Suite("TLS key log")
struct KeyLogTests {
    private static let random = String(repeating: "0a", count: 32)
    private static let name = TLSRandom([UInt8](repeating: 10, count: 32))!
    private static let master = String(repeating: "Bc", count: 48)

    private func read(_ text: String, in size: Int = .max, limits: TLSKeyLog.Limits = .init()) -> TLSKeyLog {
        var log = TLSKeyLog(limits: limits)
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: min(size, max(1, bytes.count))) {
            log.read(Array(bytes[start..<min(bytes.count, start + min(size, bytes.count))]))
        }
        log.endLine()
        return log
    }

    @Test("lines end as they like; comments, empty lines and case do not matter; pieces neither", arguments: [1, 7, 100, 10_000])
    func lines(_ size: Int) {
        let text =
            "# a comment\r\n\r\nCLIENT_RANDOM \(Self.random) \(Self.master)\r\n\n  SERVER_TRAFFIC_SECRET_0\t\(Self.random.uppercased())  "
            + String(repeating: "01", count: 32)
        let log = read(text, in: size)
        #expect(log.secretLines == 2 && log.strangeLines == 0 && log.otherLines == 0 && log.sessions.count == 1)
        #expect(log[Self.name]?.master == [UInt8](repeating: 0xbc, count: 48))
        #expect(log[Self.name]?.serverTraffic == [UInt8](repeating: 1, count: 32) && log[Self.name]?.clientTraffic == nil)
    }

    @Test("what is no secret is counted: garbage, wrong lengths, odd digits, other labels, endless lines")
    func garbage() {
        let lines = [
            "CLIENT_RANDOM \(Self.random)", "CLIENT_RANDOM \(Self.random) \(Self.master)00", "CLIENT_RANDOM \(Self.random) 0",
            "CLIENT_RANDOM \(Self.random.dropLast(2)) \(Self.master)", "client_random \(Self.random) \(Self.master)",
            "CLIENT_RANDOM \(Self.random) \(Self.master.dropLast(2))zz", "\u{0}\u{1}\u{2}", "hello",
            String(repeating: "x", count: 9_000),
        ]
        let log = read(lines.joined(separator: "\n"))
        #expect(log.isEmpty && log.strangeLines == lines.count && log.secretLines == 0)
    }

    @Test("secrets that follow from others or serve other ends are known and not used")
    func others() {
        let secret = String(repeating: "01", count: 32)
        let labels = ["EXPORTER_SECRET", "CLIENT_TRAFFIC_SECRET_1", "SERVER_TRAFFIC_SECRET_17", "RSA"]
        let log = read(labels.map { "\($0) \(Self.random) \(secret)\n" }.joined())
        #expect(log.isEmpty && log.otherLines == 4 && log.strangeLines == 0)
    }

    @Test("too much is left out, and counted")
    func limits() {
        let line = "CLIENT_RANDOM \(Self.random) \(Self.master)\n"
        let cut = read(line + line, limits: .init(octets: line.utf8.count))
        #expect(cut.secretLines == 1 && cut.omittedOctets == line.utf8.count)
        let other = "CLIENT_RANDOM \(String(repeating: "0b", count: 32)) \(Self.master)\n"
        let full = read(line + other + line, limits: .init(sessions: 1))
        #expect(full.sessions.count == 1 && full.omittedLines == 1 && full.secretLines == 2)
    }
}
