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
                .dialogDestroyed(callID: "abc@x", method: "REGISTER"), .keepalive, .says(.unreachable, about: "100"),
                .says(.noAnswer, about: "abc@x"), .says(.noAnswer, about: "def@x"), .notice,
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
            times.map(\.basis) == [.absolute, .absolute] && times[1].instant - times[0].instant == .nanoseconds(1_876_544_000))
        // The date comes from the line below them: 2019-08-20.
        #expect(times[1].instant == Instant(nanoseconds: 1_566_259_201_000_000_000))
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
}
