import Base
import Capture
import Testing

@Suite("When a log's messages were, and where their lines end")
struct LogMomentTests {
    private static let message = [
        "OPTIONS sip:pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "Call-ID: c1", "CSeq: 1 OPTIONS",
        "Content-Length: 0", "", "",
    ]

    private static func items(_ lines: [String]) -> [LoggedItem] {
        var reader = LogReader()
        reader.read(Array(lines.map { $0 + "\n" }.joined().utf8))
        reader.finish()
        var items: [LoggedItem] = []
        while let item = reader.nextItem() { items.append(item) }
        return items.filter { if case .message = $0.kind { true } else { false } }
    }

    /// A message by each line before it.
    private static func times(_ heads: [String]) -> [LoggedTime?] { items(heads.flatMap { [$0] + message }).map(\.time) }

    private static func bytes(_ lines: [String]) -> [[UInt8]] {
        items(lines).map { if case .message(let message) = $0.kind { message.bytes } else { [] } }
    }

    @Test("a time of day of before the log's first date is of that day, or of the day before where midnight lies between")
    func undated() {
        let same = Self.times(["10:00:00.000 received", "2024-05-03 10:00:01.000 sent", "10:00:02.000 received"])
        #expect(same.allSatisfy { $0?.basis == .absolute })
        #expect(same.map { $0!.instant - same[0]!.instant } == [.zero, .seconds(1), .seconds(2)])
        let midnight = Self.times(["23:59:59.000 received", "2024-05-03 00:00:01.000 sent"])
        #expect(midnight[1]!.instant - midnight[0]!.instant == .seconds(2) && midnight[0]!.basis == .absolute)
    }

    @Test("a log without any date keeps its times of day")
    func dateless() {
        #expect(Self.times(["10:00:00.000 received", "10:00:01.000 sent"]).allSatisfy { $0?.basis == .timeOfDay })
    }

    @Test("clocks that are set back an hour early on a Sunday go on; any other step back stays one")
    func setBack() {
        let autumn = Self.times([
            "2024/10/27 02:59:58.000 received", "2024/10/27 02:00:38.000 sent", "2024/10/27 02:00:39.000 sent",
        ])
        #expect(autumn.map { $0!.instant - autumn[0]!.instant } == [.zero, .seconds(40), .seconds(41)])
        let weekday = Self.times(["2024/10/28 02:59:58.000 received", "2024/10/28 02:00:38.000 sent"])
        #expect(weekday[1]!.instant - weekday[0]!.instant == .seconds(-3_560))
        let zoned = Self.times(["2024/10/27 02:59:58.000 +0200 received", "2024/10/27 02:00:38.000 +0100 sent"])
        #expect(zoned[1]!.instant - zoned[0]!.instant == .seconds(40))
    }

    private static func dump(_ times: [String]) -> [Duration] {
        let found = Self.times(times.map { "\($0) IP 192.0.2.1.5060 > 192.0.2.2.5060: SIP" }).compactMap { $0 }
        return found.map { $0.instant - found[0].instant }
    }

    @Test("tcpdump -ttt: times that fall count from the packet before; -ttttt, which rise, from the first; others are of the day")
    func gaps() {
        #expect(
            Self.dump(["00:00:00.000000", "00:00:00.500000", "00:00:01.000000", "00:00:01.000000", "00:00:00.250000"])
                == [.zero, .milliseconds(500), .milliseconds(1_500), .milliseconds(2_500), .milliseconds(2_750)])
        #expect(
            Self.dump(["00:00:00.000000", "00:00:00.500000", "00:00:01.500000"])
                == [.zero, .milliseconds(500), .milliseconds(1_500)])
        #expect(Self.dump(["12:00:00.000001", "12:00:00.500001", "12:00:00.400001"])[2] == .milliseconds(400))
    }

    // MARK: Lines

    private static let wide = [
        "SIP/2.0 401 Unauthorized",
        "Via: SIP/2.0/UDP 192.168.77.41:5060;branch=z9hG4bK3fb762a4;received=198.51.100.61;rport=1061",
        "WWW-Authenticate: Digest realm=\"pbx.example\",nonce=\"f1df2476f1df2476f1df24760\",algorithm=MD5", "Content-Length: 0",
        "", "",
    ]

    @Test("header fields that were broken at 80 columns are whole again")
    func broken() {
        let broken = Self.wide.flatMap { line in
            line.isEmpty
                ? [""] : stride(from: 0, to: line.count, by: 80).map { String(line.dropFirst($0).prefix(80)) }
        }
        #expect(broken.count > Self.wide.count && Self.bytes(broken) == Self.bytes(Self.wide))
    }

    @Test("what follows a short line, or one that is not the longest, is no piece of it")
    func whole() {
        let log = Self.message.dropLast(2) + ["a sentence that says nothing of the kind", "", ""]
        #expect(Self.bytes(Array(log)).allSatisfy { !String(decoding: $0, as: UTF8.self).contains("sentence") })
    }

    @Test("a link that a page made of an address is its text")
    func links() {
        let linked = Self.wide.map { $0.replacing("pbx.example", with: "[pbx.example](http://pbx.example)") }
        #expect(Self.bytes(linked) == Self.bytes(Self.wide))
    }

    @Test("ngrep's lines with blanks behind, or indented")
    func ngrep() {
        let dotted = ["U 2024/05/03 10:11:12.250000 192.0.2.1:5060 -> 192.0.2.2:5060"] + Self.wide.dropLast().map { $0 + "." }
        let plain = Self.bytes(dotted + [""])
        #expect(plain == Self.bytes(Self.wide))
        #expect(
            Self.bytes((dotted + [""]).map { $0 + "   " }) == plain && Self.bytes((dotted + [""]).map { "    " + $0 }) == plain)
    }

    @Test("a description that addresses were shortened in ends where the next message begins")
    func shortened() {
        let invite =
            Self.message.prefix(4) + [
                "Content-Type: application/sdp", "Content-Length: 60", "", "v=0", "c=IN IP4 203.0.xx.20", "m=audio 1 RTP/AVP 0",
            ]
        #expect(Self.bytes(Array(invite) + Self.wide).count == 2)
    }

    @Test("a followed stream's rows count on in each direction: packets end with a short row, the other margin, or their length")
    func followed() {
        let (request, answer) = (Self.bytes(Self.message)[0], Self.bytes(Self.wide)[0])
        var offsets = [0, 0]
        func rows(_ bytes: [UInt8], _ side: Int) -> [String] {
            defer { offsets[side] += bytes.count }
            return stride(from: 0, to: bytes.count, by: 16).map { at in
                let row = bytes[at..<min(at + 16, bytes.count)]
                let hex = row.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
                let offset = String(offsets[side] + at, radix: 16)
                let text = hex.prefix(8).joined(separator: " ") + "  " + hex.dropFirst(8).joined(separator: " ")
                return (side == 1 ? "    " : "") + String(repeating: "0", count: 8 - offset.count) + offset + "  " + text + "   ."
            }
        }
        let log = rows(request, 0) + rows(answer, 1) + rows(answer, 1) + rows(request, 0)
        #expect(Self.bytes(log) == [request, answer, answer, request])
    }

    @Test("grep's context of a log: a colon where it found something, a dash around it")
    func grep() {
        let lines = (["<--- SIP read from UDP:192.0.2.1:5060 --->"] + Self.message + ["<------------->"]).enumerated().map {
            "/var/log/full.1\($0 == 1 ? ":" : "-")\($0 + 1)\($0 == 1 ? ":" : "-")\($1)"
        }
        #expect(Self.bytes(lines) == Self.bytes(Self.message))
    }
}
