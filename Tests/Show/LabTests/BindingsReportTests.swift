import Base
import ServerNode
import ShowLab
import ShowText
import Testing

@Suite("What is registered, as it is shown")
struct BindingsReportTests {
    static let now = Instant(seconds: 1_800_000_000)

    func stored(
        _ aor: String, from remote: String, _ transport: SIPTransport = .udp, reach: Binding.Reach = .reachable,
        updated: Int64, answered: Int64? = nil, verdict: PathVerdict = [], userAgent: String = "phone/1"
    ) throws -> StoredBinding {
        let flow = FlowID(
            transport, local: try #require(Endpoint("198.51.100.1:5060")), remote: try #require(Endpoint(remote)))
        let binding = try #require(
            Binding(
                contact: "sip:100@192.168.1.10:5060".utf8, parameters: "".utf8, callID: "c".utf8, instance: "".utf8,
                path: "".utf8, userAgent: userAgent.utf8, cseq: 1, expires: Self.now + .seconds(3_489),
                updated: Self.now - .seconds(updated), flow: flow, verdict: verdict, reach: reach,
                answered: answered.map { Self.now - .seconds($0) }))
        return StoredBinding(aor: try #require(AddressOfRecord(aor)), binding: binding)
    }

    @Test("Phones of one address stand together; who cannot be reached is told as such, with when and by what it was last heard")
    func grouped() throws {
        let report = BindingsReport([
            try stored(
                "102@pinhole", from: "203.0.113.7:40001", reach: .flowDead(since: Self.now - .seconds(720)), updated: 1_111),
            try stored(
                "100@pinhole", from: "192.0.2.9:5060", .tls, reach: .connectionLost(since: Self.now - .seconds(30)), updated: 60),
            try stored("101@pinhole", from: "203.0.113.7:40000", updated: 800, answered: 40, verdict: [.proxied]),
        ])
        #expect(
            report.text(at: Self.now) == """
                192.0.2.9
                  100@pinhole: not reachable until it comes back, its connection ended 30 s
                    ago; heard 60 s ago (REGISTER)
                    sip:100@192.168.1.10:5060 over TLS from port 5060 to 198.51.100.1:5060,
                    expires in 58 min
                    phone/1
                203.0.113.7
                  101@pinhole: reachable; heard 40 s ago (keepalive answered)
                    sip:100@192.168.1.10:5060 over UDP from port 40000 to 198.51.100.1:5060,
                    expires in 58 min
                    phone/1
                    a proxy stands between
                  102@pinhole: not reachable for 12 min, it answers no keepalive; heard 18 min
                    ago (REGISTER)
                    sip:100@192.168.1.10:5060 over UDP from port 40001 to 198.51.100.1:5060,
                    expires in 58 min
                    phone/1
                Answers to keepalives are stored every five minutes or so: these phones may have
                been heard later.

                """)
    }

    @Test("However long its names, a line has 80 columns; what strangers wrote reaches no terminal raw", arguments: [80, 200])
    func width(columns: Int) throws {
        let report = BindingsReport([
            try stored(
                String(repeating: "n", count: 90) + "@pinhole", from: "[2001:db8:1234:5678:9abc:def0:1234:5678]:40001",
                updated: 1,
                verdict: PathVerdict(rawValue: 0x7ff), userAgent: "\u{1b}[2J" + String(repeating: "phone ", count: 30))
        ])
        let text = report.text(ReportStyle(width: columns), at: Self.now)
        #expect(text.split(separator: "\n").allSatisfy { displayWidth(String($0)) <= 80 })
        #expect(!text.contains("\u{1b}"))
    }

    @Test("For machines: reachable, since when not, last heard and by what")
    func json() throws {
        let dead = Self.now - .seconds(720)
        let text = BindingsReport([
            try stored("102@pinhole", from: "203.0.113.7:40001", reach: .flowDead(since: dead), updated: 1_111, answered: 800)
        ]).json(at: Self.now).text
        #expect(text.contains("\"reachable\":false,\"unreachableSince\":\"\(CalendarTime(dead))\""))
        #expect(text.contains("\"lastHeard\":\"\(CalendarTime(Self.now - .seconds(800)))\",\"heardBy\":\"keepalive\""))
    }

    @Test("Its owner is told that a password was guessed at")
    func guessed() throws {
        let report = BindingsReport(
            [try stored("100@pinhole", from: "203.0.113.7:40001", updated: 1)],
            guesses: ["100": .init(last: Self.now - .seconds(7_200), address: "192.0.2.66")])
        #expect(report.text(at: Self.now).contains("    its password was guessed at 2 h ago, from 192.0.2.66\n"))
    }
}
