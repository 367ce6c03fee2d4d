import Base
import Capture
import Foundation
import Testing

@Suite("Text logs")
struct LogReaderTests {
    func read(_ text: String, chunk: Int = 1 << 20) -> [LoggedItem] { read(Array(text.utf8), chunk: chunk) }

    func read(_ bytes: [UInt8], chunk: Int = 1 << 20) -> [LoggedItem] {
        var reader = LogReader()
        var items: [LoggedItem] = []
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            reader.read(Array(bytes[start..<min(bytes.count, start + chunk)]))
            while let item = reader.nextItem() { items.append(item) }
        }
        reader.finish()
        while let item = reader.nextItem() { items.append(item) }
        return items
    }

    func messages(_ items: [LoggedItem]) -> [LoggedMessage] {
        items.compactMap { if case .message(let message) = $0.kind { message } else { nil } }
    }

    func remarks(_ items: [LoggedItem]) -> [LoggedRemark.Meaning] {
        items.compactMap { if case .remark(let remark) = $0.kind { remark.meaning } else { nil } }
    }

    func prose(_ items: [LoggedItem]) -> [String] {
        items.compactMap { if case .prose(let text) = $0.kind { text } else { nil } }
    }

    /// With CR LF.
    func wire(_ text: String) -> [UInt8] { Array(text.replacingOccurrences(of: "\n", with: "\r\n").utf8) }

    static let register = """
        REGISTER sip:example.com SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1
        Call-ID: a@example.com
        CSeq: 1 REGISTER
        Content-Length: 0


        """
    static let invite = """
        INVITE sip:200@example.com SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK2
        Call-ID: b@example.com
        CSeq: 1 INVITE
        Content-Type: application/sdp
        Content-Length: 36

        v=0
        o=- 1 1 IN IP4 192.0.2.7
        s=-

        """

    // MARK: Asterisk

    @Test("chan_sip: received, sent, retransmitted, with and without a transport", arguments: [1, 17, 1 << 20])
    func chanSIP(chunk: Int) {
        let log = """
            [Jul 11 12:01:48] VERBOSE[123] chan_sip.c:
            <--- SIP read from UDP:192.0.2.7:5060 --->
            \(Self.register)
            <------------->
            --- (6 headers 0 lines) ---
            Reliably Transmitting (NAT) to 192.0.2.7:5060:
            \(Self.invite)
            ---
            Retransmitting #4 (no NAT) to 192.0.2.7:5060:
            \(Self.invite)
            ---
            <--- SIP read from 192.0.2.7:5060 --->
            \(Self.invite)
            <------------->

            <--- Reliably Transmitting (NAT) to [2001:db8::7]:5060 --->
            SIP/2.0 200 OK
            Content-Length: 0


            <------------>
            """
        let items = read(log, chunk: chunk)
        let found = messages(items)
        #expect(
            found.map(\.bytes)
                == [Self.register, Self.invite, Self.invite, Self.invite, "SIP/2.0 200 OK\nContent-Length: 0\n\n"].map(wire))
        #expect(found.map(\.direction) == [.received, .sent, .retransmitted(4), .received, .sent])
        #expect(found.map(\.natConfigured) == [nil, true, false, nil, true])
        #expect(found.map(\.transport) == [.udp, nil, nil, nil, nil])
        #expect(
            found[0].remote?.endpoint == Endpoint("192.0.2.7:5060") && found[4].remote?.endpoint == Endpoint("[2001:db8::7]:5060")
        )
        #expect(found.allSatisfy { $0.defects.isEmpty && $0.local == nil })
        #expect(items.allSatisfy { $0.format == .chanSIP || $0.format == nil })
        // The time stands on a line of its own: what is printed begins with a line end.
        #expect(items[0].time?.basis == .noYear && items[1].time == nil)
        #expect(items.first { if case .message = $0.kind { true } else { false } }?.line == 2)
    }

    @Test("chan_sip in the full log: time and level before the framing lines")
    func fullLog() {
        let log = """
            [2015-09-25 15:18:28] VERBOSE[20691][C-00000001] chan_sip.c: <--- SIP read from TCP:192.0.2.7:41000 --->
            \(Self.register)
            <------------->
            [2015-09-25 15:18:28.250] NOTICE[20691]: chan_sip.c:17140 check_auth: Correct auth, but based on stale nonce received from '"Ann" <sip:100@example.com>;tag=1'
            """
        let items = read(log)
        #expect(messages(items).map(\.bytes) == [wire(Self.register)] && messages(items)[0].transport == .tcp)
        #expect(items[0].time == LoggedTime(Instant(seconds: 1_443_194_308), .absolute, resolution: 1_000_000_000))
        #expect(remarks(items) == [.staleNonce(from: "\"Ann\" <sip:100@example.com>;tag=1")])
        #expect(items[1].time == LoggedTime(Instant(nanoseconds: 1_443_194_308_250_000_000), .absolute, resolution: 1_000_000))
    }

    @Test("what Asterisk says about requests")
    func asteriskRemarks() {
        let log = """
            [Sep 25 15:18:28] NOTICE[1]: chan_sip.c:1 handle: Registration from '"x" <sip:100@example.com>' failed for '192.0.2.7:5060' - Wrong password
            [Sep 25 15:18:28] NOTICE[1] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:100@example.com>' failed for '192.0.2.7:5060' (callid: abc@x) - No matching endpoint found
            [Sep 25 15:18:28] NOTICE[1]: chan_sip.c:1 check_auth: Bad authentication received from '<sip:100@example.com>;tag=2'
            [Sep 25 15:18:28] NOTICE[1]: chan_sip.c:1 check_auth: Duplicate authentication received from '<sip:100@example.com>;tag=3'
            Really destroying SIP dialog 'abc@x' Method: REGISTER
            --- (0 headers 0 lines) Nat keepalive ---
            [Sep 25 15:18:28] NOTICE[1]: chan_sip.c:1 sip_poke_noanswer: Peer '100' is now UNREACHABLE!  Last qualify: 12
            [Sep 25 15:18:28] WARNING[1]: chan_sip.c:1 retrans_pkt: Retransmission timeout reached on transmission abc@x for seqno 102 (Critical Request)
            [Sep 25 15:18:28] WARNING[1]: chan_sip.c:1 retrans_pkt: Maximum retries exceeded on transmission def@x for seqno 102 (Critical Request)
            [Sep 25 15:18:28] WARNING[1]: pbx.c:1 run: Something else
            [Sep 25 15:18:28] VERBOSE[1] pbx.c: of no interest
            """
        let remote = LoggedPeer(host: "192.0.2.7", port: 5060)
        #expect(
            remarks(read(log)) == [
                .requestFailed(
                    method: "REGISTER", from: "\"x\" <sip:100@example.com>", remote: remote, callID: nil, reason: "Wrong password"
                ),
                .requestFailed(
                    method: "REGISTER", from: "<sip:100@example.com>", remote: remote, callID: "abc@x",
                    reason: "No matching endpoint found"),
                .badAuthentication(from: "<sip:100@example.com>;tag=2"),
                .duplicateAuthentication(from: "<sip:100@example.com>;tag=3"),
                .dialogDestroyed(callID: "abc@x", method: "REGISTER"), .keepalive, .peerState(peer: "100", state: "UNREACHABLE"),
                .retransmissionTimeout(callID: "abc@x"), .retransmissionTimeout(callID: "def@x"), .notice,
            ])
    }

    @Test("a blank datagram that chan_sip shows is a keepalive")
    func blank() {
        let items = read(
            "<--- SIP read from UDP:192.0.2.7:5060 --->\n\n\n<------------->\n--- (0 headers 0 lines) Nat keepalive ---\n")
        #expect(messages(items).map(\.bytes) == [[13, 10, 13, 10]] && remarks(items) == [.keepalive])
    }

    @Test("pjsip: the length it names ends the message")
    func pjsip() {
        let count = wire(Self.invite).count
        let log = """
            <--- Received SIP request (\(count) bytes) from UDP:192.0.2.7:5060 --->
            \(Self.invite)
            <--- Transmitting SIP response (42 bytes) to TLS:[2001:db8::7]:5061 --->
            SIP/2.0 100 Trying
            Content-Length: 0


            [Sep 25 15:18:28] VERBOSE[1] pbx.c: of no interest
            """
        let found = messages(read(log))
        #expect(found.map(\.bytes) == [wire(Self.invite), wire("SIP/2.0 100 Trying\nContent-Length: 0\n\n")])
        #expect(found.map(\.transport) == [.udp, .tls] && found.map(\.direction) == [.received, .sent])
        #expect(found[1].remote?.endpoint == Endpoint("[2001:db8::7]:5061"))
    }

    // MARK: Others

    @Test("FreeSWITCH's sofia, as it wrote before 2019 and since", arguments: [true, false])
    func sofia(isIndented: Bool) {
        let rule = "   ------------------------------------------------------------------------"
        let count = wire(Self.invite).count
        let body =
            isIndented
            ? Self.invite.split(separator: "\n", omittingEmptySubsequences: false).map { "   \($0)" }.joined(separator: "\n")
            : Self.invite
        let log = """
            recv \(count) bytes from udp/[192.0.2.7]:5060 at 23:59:59.123456:
            \(rule)
            \(body)\(isIndented ? "\n" + rule : "")
            send \(count) bytes to tcp/[2001:db8::7]:5061 at 00:00:01.000000:
            \(rule)
            \(body)\(isIndented ? "\n" + rule : "")
            2019-08-20 16:15:26.123456 [DEBUG] sofia.c:7301 Channel entering state [calling][0]
            nothing more
            """
        let items = read(log)
        let found = messages(items)
        #expect(found.map(\.bytes) == [wire(Self.invite), wire(Self.invite)])
        #expect(found.map(\.direction) == [.received, .sent] && found.map(\.transport) == [.udp, .tcp])
        #expect(found[1].remote?.endpoint == Endpoint("[2001:db8::7]:5061") && found.allSatisfy(\.defects.isEmpty))
        #expect(prose(items) == ["nothing more"])
        // Midnight passed between.
        let times = items.compactMap(\.time)
        #expect(
            times.map(\.basis) == [.timeOfDay, .timeOfDay] && times[1].instant - times[0].instant == .nanoseconds(1_876_544_000))
    }

    @Test("Kamailio's sipdump")
    func kamailio() {
        let log = """
            ====================
            tag: rcv
            pid: 4711
            process: 2
            time: 1692547726.123456
            date: Sun Aug 20 16:08:46 2023
            proto: udp ipv4
            srcip: 192.0.2.7
            srcport: 5060
            dstip: 192.0.2.1
            dstport: 5070
            ~~~~~~~~~~~~~~~~~~~~
            \(Self.invite)
            ||||||||||||||||||||
            ====================
            tag: snd
            time: 1692547726.223456
            proto: tcp ipv6
            srcip: 2001:db8::1
            srcport: 5070
            dstip: 2001:db8::7
            dstport: 5060
            ~~~~~~~~~~~~~~~~~~~~
            \(Self.register)
            ||||||||||||||||||||
            """
        let items = read(log)
        let found = messages(items)
        #expect(found.map(\.bytes) == [wire(Self.invite), wire(Self.register)])
        #expect(found[0].remote?.endpoint == Endpoint("192.0.2.7:5060") && found[0].local?.endpoint == Endpoint("192.0.2.1:5070"))
        #expect(
            found[1].remote?.endpoint == Endpoint("[2001:db8::7]:5060") && found[1].direction == .sent
                && found[1].transport == .tcp)
        #expect(items[0].time?.instant == Instant(nanoseconds: 1_692_547_726_123_456_000) && items[0].format == .kamailio)
    }

    @Test("OpenSIPS' tracer and sngrep's text: both ends named, ended by the message's own length")
    func arrows() {
        let log = """
            in udp 2026-08-20 16:15:26 192.0.2.7:5060 -> 192.0.2.1:5070
            \(Self.invite)
            out tcp 2026-08-20 16:15:27 192.0.2.1:5070 -> 192.0.2.7:5060
            \(Self.register)
            2026/08/20 16:15:28.123456 [2001:db8::7]:5060 -> [2001:db8::1]:5060
            \(Self.invite)
            2026/08/20 16:15:29.123456 192.0.2.7:5060 -> 192.0.2.1:5060
            \(Self.register)
            """
        let items = read(log)
        let found = messages(items)
        #expect(found.map(\.bytes) == [Self.invite, Self.register, Self.invite, Self.register].map(wire))
        #expect(items.map(\.format) == [.openSIPS, .openSIPS, .sngrep, .sngrep])
        #expect(found[0].remote?.port == 5060 && found[0].local?.port == 5070 && found[1].remote?.port == 5060)
        #expect(found[2].direction == .passing && found[2].local?.endpoint == Endpoint("[2001:db8::7]:5060"))
        #expect(items[0].time?.instant == Instant(seconds: 1_787_242_526) && found.allSatisfy(\.defects.isEmpty))
    }

    @Test("messages that stand alone, in a text, quoted or indented", arguments: ["", "> ", "    "])
    func bare(margin: String) {
        let text =
            "My phone says:\n\n"
            + (Self.invite + "\nand then\n\n" + Self.register).split(separator: "\n", omittingEmptySubsequences: false).map {
                margin + $0
            }
            .joined(separator: "\n")
        let items = read(text)
        #expect(messages(items).map(\.bytes) == [wire(Self.invite), wire(Self.register)])
        #expect(prose(items).first == "My phone says:" && prose(items).count == 2)
    }

    // MARK: What people do to logs

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
            ("Jul 11 12:01:48", 16_545_708_000_000_000, .noYear, 1_000_000_000),
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

    // MARK: Real logs

    @Test(
        "the seed's text, pasted from a web page, gives its three messages, the notice and the prose",
        .enabled(if: sharedFolder != nil, "the shared folder is not beside this checkout"))
    func seed() throws {
        let bytes = Array(try Data(contentsOf: try #require(sharedFolder).appendingPathComponent("seed/nat-too-smart.txt")))
        let items = read(bytes)
        let found = messages(items)
        #expect(found.map(\.remote?.port) == [52_899, 52_896, 52_899])
        #expect(found.map(\.direction) == [.sent, .sent, .received])
        let texts = found.map { String(decoding: $0.bytes, as: UTF8.self) }
        #expect(texts[0].contains("CSeq: 1 REGISTER\r\n") && texts[0].contains("nonce=\"3d58a314"))
        #expect(texts[1].contains("CSeq: 2 REGISTER\r\n") && texts[1].contains("nonce=\"1aa0547a\""))
        #expect(
            texts[2].contains("CSeq: 3 REGISTER\r\n") && texts[2].contains("nonce=\"3d58a314\"")
                && texts[2].contains("\r\nExpires: 3600\r\n"))
        #expect(remarks(items) == [.staleNonce(from: "\"username\"")])
        #expect(
            prose(items).contains { $0.contains("Speedtouch 780") } && prose(items).contains { $0.contains("SIP_ALG=disabled") })
    }

    @Test(
        "Asterisk's own logs hold, octet for octet, the messages of the capture made beside them",
        .enabled(if: sharedFolder != nil, "the shared folder is not beside this checkout"),
        arguments: [
            "stale-cached-forcerport-alg-off", "stale-cached-forcerport-alg-on", "stale-oldnonce-forcerport-alg-off",
            "stale-oldnonce-forcerport-alg-on",
        ])
    func asteriskLogs(name: String) throws {
        let folder = try #require(sharedFolder).appendingPathComponent("captures")
        let items = read(Array(try Data(contentsOf: folder.appendingPathComponent("\(name).asterisk.log"))))
        let captured = decode(Array(try Data(contentsOf: folder.appendingPathComponent("\(name).outside.pcap"))))
        let sip = captured.seen.filter { $0.content == .sip }
        let found = messages(items)
        #expect(found.count >= 8 && found.count == sip.count)
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == sip.map { String(decoding: $0.bytes, as: UTF8.self) })
        #expect(
            found.map { $0.direction == .received ? $0.remote?.endpoint : nil }
                == sip.map {
                    $0.destination.port == 5060 && $0.destination.address == IPAddress("203.0.113.20") ? $0.source : nil
                })
        #expect(
            found.allSatisfy { $0.defects.isEmpty }
                && remarks(items).contains { if case .staleNonce = $0 { true } else { false } })
    }
}
