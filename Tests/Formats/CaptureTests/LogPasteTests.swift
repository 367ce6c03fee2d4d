import Base
import Capture
import Testing

@Suite("What was done to all lines of a log alike")
struct LogPasteTests {
    private static let invite = [
        "INVITE sip:202@pbx.example SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKp1;rport", "Max-Forwards: 70",
        "From: <sip:201@pbx.example>;tag=f1", "To: <sip:202@pbx.example>", "Call-ID: p1@192.168.1.20", "CSeq: 1 INVITE",
        "Contact: <sip:201@192.168.1.20:5060>", "Content-Type: application/sdp", "Content-Length: 93", "", "v=0",
        "o=- 1 1 IN IP4 192.168.1.20", "s=-", "c=IN IP4 192.168.1.20", "t=0 0", "m=audio 4000 RTP/AVP 8",
    ]
    private static let ringing = [
        "SIP/2.0 180 Ringing", "Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKp1;rport", "From: <sip:201@pbx.example>;tag=f1",
        "To: <sip:202@pbx.example>;tag=t1", "Call-ID: p1@192.168.1.20", "CSeq: 1 INVITE",
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, SUBSCRIBE, INFO, UPDATE, PRACK, MESSAGE", "Content-Length: 0",
        "",
    ]
    private static let plain =
        ["Sending message to 203.0.113.5:5060", ""] + invite + ["", "Received message from 203.0.113.5:5060", ""] + ringing
    private static let syslog = plain.map { "<134>Sep 30 10:00:00 sip [1014:1052]: SUA <6+info  > [000] " + $0 }

    private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    private static func read(_ text: String) -> (messages: [String], gaps: LogGaps, places: [Int]) {
        let found = LogFormsTests.items(text)
        let messages: [(String, Int)] = found.items.compactMap { item in
            if case .message(let message) = item.kind { (String(decoding: message.bytes, as: UTF8.self), item.line) } else { nil }
        }
        return (messages.map(\.0), found.gaps, messages.map(\.1))
    }

    private static let expected = [
        text(invite).replacingLineEnds(), text(ringing).replacingLineEnds(),
    ]

    @Test("an empty line behind each, also with one before the first and around what is no log", arguments: [false, true])
    func doubled(isBare: Bool) {
        let lines = isBare ? Self.plain : Self.syslog
        let once = Self.read(Self.text(lines))
        let twice = Self.read(lines.map { $0 + "\n\n" }.joined())
        #expect(once.messages == Self.expected && twice.messages == once.messages && twice.gaps == LogGaps())
        #expect(twice.places == once.places.map { 2 * $0 - 1 })
        let posted = Self.read("Hello,\nsee the log:\n\n" + lines.map { $0 + "\r\n \r\n" }.joined() + "\nRegards\n")
        #expect(posted.messages == Self.expected)
    }

    @Test("words wrapped by a mail at 76 columns are lines again")
    func wrapped() {
        let found = Self.read(Self.text(Self.syslog.flatMap { Self.wrap($0, 76) }))
        #expect(found.messages == Self.expected && found.gaps == LogGaps())
        let records = [Self.invite, Self.ringing].flatMap { Array(repeating: $0, count: 4) }.map { lines in
            "{\"@timestamp\": \"2026-09-30T10:00:00.000Z\", \"level\": \"debug\", \"direction\": \"in\", \"message\": \""
                + lines.joined(separator: "\\r\\n") + "\\r\\n\"}"
        }
        #expect(Self.read(Self.text(records)).messages.count == 8)
        #expect(Self.read(Self.text(records.flatMap { Self.wrap($0, 76) })).messages == Self.read(Self.text(records)).messages)
    }

    @Test("numbers of grep -n from anywhere; hours are none")
    func numbered() {
        let found = Self.read(Self.text(Self.plain.enumerated().map { "\(8123 + $0.offset):\($0.element)" }))
        #expect(found.messages == Self.expected)
        let hours = LogFormsTests.items(Self.text((0..<12).map { _ in "10:00 the phone registers" }))
        #expect(hours.items.count == 1 && hours.gaps == LogGaps())
    }

    @Test("a log whose own lines are short, with empty lines between messages, stays as it is")
    func plainLog() {
        let lines = Self.plain + [""] + Self.plain + [""] + Self.plain
        #expect(Self.read(Self.text(lines)).messages == Self.expected + Self.expected + Self.expected)
    }

    @Test("FreeSWITCH's trace behind a head on each line: the first message, too")
    func journal() {
        let lines =
            ["recv 400 bytes from udp/[198.51.100.7]:4012 at 10:00:00.000000:", "   " + String(repeating: "-", count: 72)]
            + Self.ringing.map { "   " + $0 } + ["   " + String(repeating: "-", count: 72)]
        for head in ["Sep 30 10:00:00 pbx freeswitch[812]: ", "2026-09-30T10:00:00.000000000Z "] {
            let found = Self.read(Self.text((lines + lines).map { head + $0 }))
            #expect(found.messages == [Self.expected[1], Self.expected[1]] && found.gaps == LogGaps())
        }
    }

    @Test("ngrep -W byline behind heads, and with names in place of addresses")
    func ngrep() {
        let dotted = ["#", "U 2026/09/30 10:00:00.000000 x.x.x.x:22011 -> pbx.hidden:5060 #1"] + Self.ringing.map { $0 + "." }
        for head in [
            "", "full-20260930:", "<134>1 2026-09-30T10:00:00Z pbx fs 812 - - ", "Sep 30 10:00:00 pbx fs[812]: ", "2\tINFO\t",
        ] {
            let found = Self.read(Self.text((dotted + [""] + dotted).map { head + $0 }))
            #expect(found.messages == [Self.expected[1], Self.expected[1]] && found.gaps == LogGaps(), "\(head)")
        }
    }

    @Test("rows of a dumped table: text, ends and moment, several rows in a line, a protocol's name in a column")
    func rows() {
        let sip = Self.ringing.joined(separator: "\\r\\n") + "\\r\\n"
        let row = "(7,'2026-09-30 10:00:00','SIP/2.0','198.51.100.7',4012,'203.0.113.5',5060,'O''Hara','\(sip)')"
        let found = LogFormsTests.items(
            "INSERT INTO `sip_capture` VALUES \(row),\(row);\nINSERT INTO sip_capture VALUES \(row);\n")
        let messages = found.items.compactMap { if case .message(let message) = $0.kind { message } else { nil } }
        #expect(messages.count == 3 && found.gaps == LogGaps())
        for message in messages {
            #expect(String(decoding: message.bytes, as: UTF8.self) == Self.expected[1])
            #expect(message.local == LoggedPeer(host: "198.51.100.7", port: 4012))
            #expect(message.remote == LoggedPeer(host: "203.0.113.5", port: 5060))
        }
        #expect(found.items.allSatisfy { $0.time?.basis == .absolute })
        let long = "INSERT INTO sip_capture VALUES " + Array(repeating: row, count: 400).joined(separator: ",") + ";\n"
        #expect(
            long.utf8.count > 2 * LogReader.mostLine && Self.read(long).messages == Array(repeating: Self.expected[1], count: 400)
        )
    }

    @Test("fields of messages outside any are counted; those printed beside the messages are not")
    func strays() {
        let torn = Self.ringing.dropFirst().map { "trace|\($0)|more" } + [""]
        let found = Self.read(Self.text(torn + torn))
        #expect(found.gaps.strays == 2 && found.gaps.firstStray == 5)
        let chatty = Self.text(Self.ringing + ["", "Header 5: CSeq: 1 INVITE (15)", ""])
        #expect(Self.read(chatty).gaps == LogGaps())
    }

    @Test("columns that tshark was asked for are a list, not messages")
    func columns() {
        let rows = (1...3).map {
            "1790762400.0\($0)\t203.0.113.5\t5060\t198.51.100.7\t4012\t\tSIP/2.0 180 Ringing\tp1@x\t1 INVITE"
        }
        let found = Self.read(
            Self.text(rows + ["1790762401.0\t198.51.100.7\t4012\t203.0.113.5\t5060\tBYE sip:a@b SIP/2.0\t\tp1@x"]))
        #expect(found.messages.isEmpty && found.gaps.listed.map(\.what) == ["180", "BYE"] && found.gaps.listed[0].count == 3)
    }

    @Test("a text whose messages were all made shorter does not stop in the middle of the last")
    func shortened() {
        let short = Self.invite.map { $0.replacing("Content-Length: 93", with: "Content-Length: 130") }
        let lines =
            [
                "[2026-09-30 10:00:00] VERBOSE[7] res_pjsip_logger.c: <--- Received SIP request (700 bytes) from UDP:198.51.100.7:4012 --->"
            ]
            + short + [""]
        #expect(LogFormsTests.items(Self.text(lines)).gaps.endsInside == 1)
        #expect(LogFormsTests.items(Self.text(lines + lines)).gaps == LogGaps())
    }

    private static func wrap(_ line: String, _ width: Int) -> [String] {
        var lines: [String] = []
        for word in line.split(separator: " ", omittingEmptySubsequences: false) {
            if let last = lines.last, last.utf8.count + 1 + word.utf8.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}

extension String {
    fileprivate func replacingLineEnds() -> String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }
}
