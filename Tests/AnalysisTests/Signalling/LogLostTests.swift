import Analysis
import Base
import Capture
import Testing

@Suite("Peers that a log says were lost, and what somebody hid in it")
struct LogLostTests {
    private static func findings(_ lines: [String]) -> [Finding] {
        LogTests.result(Array(lines.map { $0 + "\n" }.joined().utf8)).findings.filter { $0.name != .captureBlind }
    }

    private static func isAccusing(_ lines: [String]) -> Bool { findings(lines).contains { $0.severity.accuses } }

    private static func peer(_ name: String, _ clock: String, isLost: Bool) -> String {
        "[Sep 30 10:\(clock)] NOTICE[7] chan_sip.c: Peer '\(name)' is now \(isLost ? "UNREACHABLE!  Last qualify: 23" : "Reachable. (22ms / 2000ms)")"
    }

    private static let lost = ["201", "202", "trunk"].enumerated().map { peer($0.element, "00:0\($0.offset)", isLost: true) }

    @Test("all that a log names at once: what they share, with their return")
    func all() {
        #expect(
            Self.findings(Self.lost).map(\.summary) == [
                "The log says that all 3 peers it names were lost within 2 s: what they share failed, the server's own connection, or that of a "
                    + "site where all of them are."
            ])
        let back = ["201", "202", "trunk"].map { Self.peer($0, "03:00", isLost: false) }
        let found = Self.findings(Self.lost + back)
        #expect(found.map(\.severity) == [.risk] && found[0].summary.contains(" All came back within "))
    }

    @Test("two of them, one that stayed, and some hours between are nothing of the kind")
    func some() {
        #expect(!Self.isAccusing(Array(Self.lost.dropLast())))
        #expect(!Self.isAccusing(Self.lost + [Self.peer("203", "00:30", isLost: false)]))
        #expect(!Self.isAccusing(Array(Self.lost.dropLast()) + [Self.peer("trunk", "40:00", isLost: true)]))
    }

    @Test("Asterisk's contacts tell it in lines of any level; once is a note")
    func contacts() {
        let line = "VERBOSE[7] res_pjsip/pjsip_options.c: Contact 201/sip:201@198.51.100.7:4012 is now"
        let swing = [
            "[2026-09-30 10:00:01] \(line) Unreachable.  RTT: 0.000 msec",
            "[2026-09-30 10:03:01] \(line) Reachable.  RTT: 21.1 msec",
        ]
        #expect(Self.findings(swing).map(\.severity) == [.note])
        #expect(Self.findings(swing + [swing[0].replacing("10:00:01", with: "10:06:01")]).map(\.name) == [.natMappingExpired])
    }

    @Test(
        "OPTIONS or NOTIFY that nobody answered: a note, from the third on a risk", arguments: [(1, Severity.note), (3, .risk)])
    func aside(count: Int, severity: Severity) {
        let found = Self.findings(
            (0..<count).map {
                "[Sep 30 10:00:33] WARNING[7] chan_sip.c: Retransmission timeout reached on transmission a\($0)@b for seqno 102 (Non-critical Request) -- See"
            })
        #expect(found.map(\.name) == [.sipRetransmit] && found[0].severity == severity && found[0].count == count)
    }

    @Test("two lines about one call given up tell of one")
    func once() {
        let found = Self.findings([
            "[Sep 30 10:00:32] WARNING[7] chan_sip.c: Retransmission timeout reached on transmission a@b for seqno 1 (Critical Response) -- See",
            "[Sep 30 10:00:32] WARNING[7] chan_sip.c: Hanging up call a@b - no reply to our critical packet (see).",
        ])
        #expect(found.map(\.name) == [.sipNoACK] && found[0].count == 1 && found[0].summary.hasPrefix("The log says once that"))
    }

    @Test(
        "credentials that somebody took out of a log were given all the same; an empty nonce is none",
        arguments: [
            ("Authorization: <removed>", false), ("Authorization: ***", false),
            ("Authorization: Digest username=\"201\", nonce=\"\", response=\"\"", true),
        ])
    func hidden(field: String, isAccused: Bool) {
        func message(_ first: String, _ sequence: Int, _ more: [String]) -> [String] {
            [
                first, "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK\(sequence);rport", "From: <sip:201@pbx.example>;tag=f1",
                "To: <sip:201@pbx.example>", "Call-ID: h1@192.168.1.20", "CSeq: \(sequence) REGISTER",
            ] + more + ["Content-Length: 0", ""]
        }
        let read = "<--- SIP read from UDP:198.51.100.7:4012 --->"
        let sent = "<--- Transmitting (NAT) to 198.51.100.7:4012 --->"
        var lines: [String] = []
        for round in 0..<4 {
            let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\(round)\""
            lines += ["[2026-09-30 10:0\(round):00] VERBOSE[7] chan_sip.c: ", read]
            lines += message(
                "REGISTER sip:pbx.example SIP/2.0", round + 1,
                ["Contact: <sip:201@192.168.1.20:5060>"] + (round > 0 ? [field] : []))
            lines += ["<------------->", "[2026-09-30 10:0\(round):00] VERBOSE[7] chan_sip.c: ", sent]
            lines += message("SIP/2.0 401 Unauthorized", round + 1, [challenge]) + ["<------------>"]
        }
        #expect(Self.findings(lines).contains { $0.name == .authNoAnswer } == isAccused)
    }
}
