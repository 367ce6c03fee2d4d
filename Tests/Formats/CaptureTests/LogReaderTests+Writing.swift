import Base
import Capture
import Fixtures
import Testing

extension LogReaderTests {
    @Test("typographic quotes and dashes are put back where the framing shows that the log was pasted")
    func typography() {
        let items = read(
            "<— SIP read from <public-ip>:52899 —>\nREGISTER sip:a SIP/2.0\nAuthorization: Digest nonce=”3d58a314“,uri=”sip:a”\n\n<————>[Jul 11 12:01:48] NOTICE[1]: chan_sip.c:1 check_auth: Correct auth, but based on stale nonce received from ‘”x” ‘\n"
        )
        let found = messages(items)
        #expect(
            found.map(\.bytes) == [wire("REGISTER sip:a SIP/2.0\nAuthorization: Digest nonce=\"3d58a314\",uri=\"sip:a\"\n\n")])
        #expect(found[0].remote == LoggedPeer(host: "<public-ip>", port: 52_899) && found[0].remote?.endpoint == nil)
        #expect(found[0].defects == [.typography])
        #expect(remarks(items) == [.staleNonce(from: "\"x\"")] && items[1].time?.basis == .noYear)
    }

    @Test("in a log that was not pasted, such characters in a display name stay what they are")
    func realTypography() {
        let message = "OPTIONS sip:a SIP/2.0\nFrom: “O’Brien” <sip:a@b>\n\n"
        let items = read("<--- SIP read from UDP:192.0.2.7:5060 --->\n\(message)\n<------------->\n")
        #expect(messages(items).map(\.bytes) == [wire(message)] && messages(items)[0].defects.isEmpty)
    }

    @Test("HTML references are replaced")
    func html() {
        let items = read(
            "&lt;--- SIP read from 192.0.2.7:5060 ---&gt;\nOPTIONS sip:a SIP/2.0\nFrom: &quot;A&quot; &lt;sip:a@b&gt;\n\n&lt;-------------&gt;\n"
        )
        #expect(messages(items).map(\.bytes) == [wire("OPTIONS sip:a SIP/2.0\nFrom: \"A\" <sip:a@b>\n\n")])
        #expect(messages(items)[0].defects == [.htmlEntities])
    }

    @Test("lines left out, fields run together, a missing end: read as far as it goes, each defect told")
    func mutilated() {
        let items = read(
            "<— Transmitting (NAT) to <ip>:5 —>\nSIP/2.0 401 Unauthorized\n(…skip…)\n(… snip …) CSeq: 2 REGISTER\nAuthorization: Digest algorithm=md5Expires: 3600\nContact: <sip:a>;x=”y”(…skip…(…\nContent-Length: 0\n\nThen it went on.\n"
        )
        let found = messages(items)
        #expect(
            found.map(\.bytes) == [
                wire(
                    "SIP/2.0 401 Unauthorized\nCSeq: 2 REGISTER\nAuthorization: Digest algorithm=md5\nExpires: 3600\nContact: <sip:a>;x=\"y\"\nContent-Length: 0\n\n"
                )
            ])
        #expect(Set(found[0].defects) == [.typography, .skipped, .fragmentary, .unterminated])
        #expect(prose(items) == ["Then it went on."])
    }

    @Test("a Content-Length that contradicts the body is kept and told", arguments: [0, 30, 90])
    func contentLength(said: Int) {
        let text = Self.invite.replacingOccurrences(of: "Content-Length: 36", with: "Content-Length: \(said)")
        let found = messages(read("<--- SIP read from UDP:192.0.2.7:5060 --->\n\(text)\n<------------->\n"))
        #expect(found.map(\.defects) == [[.contentLength(said: said, found: 36)]])
        #expect(found[0].bytes == wire(text))
    }

    @Test("a new message, or the log's end, ends one whose end is missing")
    func unterminated() {
        let found = messages(
            read(
                "<--- SIP read from UDP:192.0.2.7:5060 --->\nOPTIONS sip:a SIP/2.0\nCSeq: 1 OPTIONS\n<--- SIP read from UDP:192.0.2.7:5060 --->\n\(Self.register)"
            ))
        #expect(found.count == 2 && found[1].bytes == wire(Self.register))
        #expect(Set(found[0].defects) == [.unterminated, .headersUnended])
    }

    @Test("threads of the program write into each other's messages")
    func interleaved() {
        let log =
            "<--- SIP read from UDP:192.0.2.7:5060 --->\nOPTIONS sip:a SIP/2.0\n[Jul 11 12:01:48] NOTICE[1]: x.c:1 f: Bad authentication received from 'y'\nCSeq: 1 OPTIONS\n\n<------------->\n"
        let items = read(log)
        #expect(messages(items).map(\.bytes) == [wire("OPTIONS sip:a SIP/2.0\nCSeq: 1 OPTIONS\n\n")])
        #expect(remarks(items) == [.badAuthentication(from: "y")])
    }

    @Test("UTF-16, as some editors save a paste", arguments: [true, false])
    func utf16(isBigEndian: Bool) {
        let text = "<--- SIP read from UDP:192.0.2.7:5060 --->\r\n\(Self.register)\r\n<------------->\r\n"
        var bytes: [UInt8] = isBigEndian ? [0xfe, 0xff] : [0xff, 0xfe]
        for unit in text.utf16 {
            bytes += isBigEndian ? [UInt8(unit >> 8), UInt8(unit & 255)] : [UInt8(unit & 255), UInt8(unit >> 8)]
        }
        for chunk in [7, 1 << 20] { #expect(messages(read(bytes, chunk: chunk)).map(\.bytes) == [wire(Self.register)]) }
    }

    @Test(
        "times",
        arguments: [
            ("2015-09-25 15:18:28", 1_443_194_308_000_000_000, LoggedTime.Basis.absolute, 1_000_000_000),
            ("2015/09/25 15:18:28.123456", 1_443_194_308_123_456_000, .absolute, 1_000),
            ("2015-09-25T15:18:28.5+02:00", 1_443_187_108_500_000_000, .absolute, 100_000_000),
            ("2015-09-25T15:18:28Z", 1_443_194_308_000_000_000, .absolute, 1_000_000_000),
            ("1443194308.25", 1_443_194_308_250_000_000, .absolute, 10_000_000),
            ("Jul 11 12:01:48", 79_704_108_000_000_000, .noYear, 1_000_000_000),
            ("12:01:48.123", 43_308_123_000_000, .timeOfDay, 1_000_000),
        ] as [(String, Int64, LoggedTime.Basis, Int64)])
    func times(text: String, nanoseconds: Int64, basis: LoggedTime.Basis, resolution: Int64) {
        #expect(LoggedTime(text) == LoggedTime(Instant(nanoseconds: nanoseconds), basis, resolution: resolution))
    }

    @Test(
        "what is no time",
        arguments: ["", "25:00:00", "2015-13-01 00:00:00", "2015-09-25", "Jul 11", "12:00", "tomorrow", "2015-09-25 15:18:28x"])
    func noTimes(text: String) { #expect(LoggedTime(text) == nil) }

    // MARK: Bounds

    @Test("a message without end is cut, a line without end in pieces; both are survived")
    func bounds() {
        let endless =
            "<--- SIP read from UDP:192.0.2.7:5060 --->\nOPTIONS sip:a SIP/2.0\n" + String(repeating: "X: y\n", count: 60_000)
        let found = messages(read(endless))
        #expect(found.count == 1 && found[0].bytes.count <= 131_072 && found[0].defects.contains(.tooLong))
        #expect(read([UInt8](repeating: 0x61, count: 300_000)).count <= 6)
    }

    @Test("any octet of a log may be any other: nothing traps")
    func hostile() {
        let good = Array(
            "[Jul 11 12:01:48] x\n<--- SIP read from UDP:192.0.2.7:5060 --->\n\(Self.invite)\n<------------->\nrecv 12 bytes from udp/[1.2.3.4]:5 at 1:2:3:\n&lt;— x\n====================\na: b\n~~~~~~~~~~~~~~~~~~~~\n"
                .utf8)
        var entropy = Entropy(seed: [UInt8](repeating: 6, count: 32))
        for _ in 0..<3_000 {
            var bad = good
            for _ in 0...Int(entropy.next() % 8) {
                bad[Int(entropy.next() % UInt64(bad.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            #expect(read(bad, chunk: 1 + Int(entropy.next() % 200)).count < 100)
        }
    }

    // MARK: Logs of a recorded talk

    @Test(
        "a console log holds, octet for octet, the messages of the capture made beside it",
        arguments: ["old-nonce-udp", "kept-nonce-udp", "register-udp"].flatMap { ["\($0)-plain", "\($0)-helper"] }, [false, true])
    func asteriskLogs(name: String, old: Bool) throws {
        let recording = try Recording(name)
        let items = read(try recording.asteriskLog(old: old))
        let recorded = try recording.messages(.outside)
        let found = messages(items)
        #expect(found.count == recorded.count && found.allSatisfy { $0.defects.isEmpty })
        #expect(
            found.map { String(decoding: $0.bytes, as: UTF8.self) } == recorded.map { String(decoding: $0.bytes, as: UTF8.self) })
        #expect(found.map(\.direction) == recorded.map { $0.destination.address == Recording.server ? .received : .sent })
        #expect(
            found.map { $0.remote?.endpoint }
                == recorded.map { $0.destination.address == Recording.server ? $0.source : $0.destination })
        let stale = remarks(items).filter { if case .staleNonce = $0 { true } else { false } }
        #expect(stale.count == (name.hasPrefix("old") ? 2 : name.hasPrefix("kept") ? 1 : 0))
    }
}
