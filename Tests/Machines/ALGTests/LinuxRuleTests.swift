import ALG
import Base
import Testing

@Suite("linux: header fields")
struct LinuxRuleTests {
    /// One field alone in a request of a method that opens nothing.
    private func field(_ line: String, transport: String = "UDP") -> String {
        lines("OPTIONS sip:x@example.net SIP/2.0", line, "CSeq: 1 OPTIONS", "Content-Length: 0", "")
    }

    @Test(
        "a value is rewritten only where address and port are the flow's own",
        arguments: [
            ("Via: SIP/2.0/UDP 192.168.1.100:5060;branch=z9hG4bK1", "Via: SIP/2.0/UDP 203.0.113.2:5060;branch=z9hG4bK1"),
            // A port appears where there was none.
            ("Via: SIP/2.0/UDP 192.168.1.100;branch=z9hG4bK1", "Via: SIP/2.0/UDP 203.0.113.2:5060;branch=z9hG4bK1"),
            ("v: SIP/2.0/UDP 192.168.1.100:5060", "v: SIP/2.0/UDP 203.0.113.2:5060"),
            ("Contact: <sip:100@192.168.1.100>", "Contact: <sip:100@203.0.113.2:5060>"),
            ("m: <sip:192.168.1.100;transport=udp>", "m: <sip:203.0.113.2:5060;transport=udp>"),
            ("From: <sip:100@192.168.1.100>;tag=a", "From: <sip:100@203.0.113.2:5060>;tag=a"),
            ("t: <sip:100@192.168.1.100:5060>", "t: <sip:100@203.0.113.2:5060>"),
            // Another port, another address, a host name, a value that STUN taught: untouched.
            ("Contact: <sip:100@192.168.1.100:5062>", "Contact: <sip:100@192.168.1.100:5062>"),
            ("Contact: <sip:100@192.168.1.101:5060>", "Contact: <sip:100@192.168.1.101:5060>"),
            ("Contact: <sip:100@phone.local:5060>", "Contact: <sip:100@phone.local:5060>"),
            ("Contact: <sip:100@203.0.113.2:5060>", "Contact: <sip:100@203.0.113.2:5060>"),
            ("From: <sips:100@192.168.1.100>", "From: <sips:100@192.168.1.100>"),
            // Never these.
            ("Call-ID: 1@192.168.1.100", "Call-ID: 1@192.168.1.100"),
            ("Route: <sip:192.168.1.100:5060;lr>", "Route: <sip:192.168.1.100:5060;lr>"),
            ("Record-Route: <sip:192.168.1.100:5060;lr>", "Record-Route: <sip:192.168.1.100:5060;lr>"),
            ("Authorization: Digest uri=\"sip:192.168.1.100:5060\"", "Authorization: Digest uri=\"sip:192.168.1.100:5060\""),
            // A Via of the other transport is not the helper's.
            ("Via: SIP/2.0/TCP 192.168.1.100:5060", "Via: SIP/2.0/TCP 192.168.1.100:5060"),
        ])
    func rows(before: String, after: String) {
        var bench = GatewayBench()
        #expect(bench.pass(field(before)) == field(after))
    }

    @Test("Request-URI: the flow's own destination inbound, its own source outbound")
    func requestURI() {
        var bench = GatewayBench()
        let inbound = lines("INFO sip:100@203.0.113.2:5060;transport=udp SIP/2.0", "CSeq: 1 INFO", "")
        #expect(bench.pass(inbound, .inbound) == inbound.replacing("203.0.113.2:5060", with: "192.168.1.100:5060"))
        let bare = lines("INFO sip:100@203.0.113.2 SIP/2.0", "CSeq: 1 INFO", "")
        #expect(bench.pass(bare, .inbound) == bare.replacing("203.0.113.2", with: "192.168.1.100:5060"))
        #expect(bench.pass(inbound, .outbound) == inbound)
    }

    @Test("topmost Via only; of a request when it is the sender's, of a response when it is the receiver's")
    func topVia() {
        var bench = GatewayBench()
        let two = lines(
            "OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "Via: SIP/2.0/UDP 192.168.1.100:5060",
            "CSeq: 1 OPTIONS", "")
        let once = lines(
            "OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 203.0.113.2:5060", "Via: SIP/2.0/UDP 192.168.1.100:5060",
            "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(two) == once)
        let response = lines(
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 203.0.113.2:5060;received=203.0.113.2;rport=5060", "CSeq: 1 OPTIONS", "")
        let inside = lines(
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.168.1.100:5060;received=192.168.1.100;rport=5060", "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(response, .inbound) == inside)
        #expect(bench.pass(inside, .outbound) == inside)
    }

    @Test("Via's parameters: maddr of the sender, received and rport of the receiver, and none of a Via that is another's")
    func viaParameters() {
        var bench = GatewayBench()
        bench.flow.mapped = Endpoint("203.0.113.2:61000")!
        let maddr = lines(
            "OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060;maddr=192.168.1.100;ttl=1", "CSeq: 1 OPTIONS", "")
        #expect(
            bench.pass(maddr)
                == lines(
                    "OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 203.0.113.2:61000;maddr=203.0.113.2;ttl=1", "CSeq: 1 OPTIONS", ""))
        let response = lines(
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 203.0.113.2:61000;received=203.0.113.2;rport=61000", "CSeq: 1 OPTIONS", "")
        #expect(
            bench.pass(response, .inbound)
                == lines(
                    "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.168.1.100:5060;received=192.168.1.100;rport=5060", "CSeq: 1 OPTIONS",
                    ""))
        let other = lines(
            "SIP/2.0 200 OK", "Via: SIP/2.0/UDP 203.0.113.9:61000;received=203.0.113.2;rport=61000", "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(other, .inbound) == other)
    }

    @Test("every Contact, in one field and in several")
    func contacts() {
        var bench = GatewayBench()
        let before = lines(
            "OPTIONS sip:x SIP/2.0", "Contact: \"A\" <sip:a@192.168.1.100:5060>;q=0.5, <sip:b@192.168.1.100:5060>",
            "Contact: <sip:c@192.168.1.100>", "CSeq: 1 OPTIONS", "")
        let after = lines(
            "OPTIONS sip:x SIP/2.0", "Contact: \"A\" <sip:a@203.0.113.2:5060>;q=0.5, <sip:b@203.0.113.2:5060>",
            "Contact: <sip:c@203.0.113.2:5060>", "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(before) == after)
    }

    @Test("the comma close behind a value that became shorter is missed, as in the kernel")
    func missedComma() {
        var bench = GatewayBench()
        let before = lines(
            "OPTIONS sip:x SIP/2.0", "Contact: <sip:192.168.1.100:5060>,<sip:192.168.1.100:5060>", "CSeq: 1 OPTIONS", "")
        let after = lines(
            "OPTIONS sip:x SIP/2.0", "Contact: <sip:203.0.113.2:5060>,<sip:192.168.1.100:5060>", "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(before) == after)
    }

    @Test("folded fields are read across their lines")
    func folding() {
        var bench = GatewayBench()
        let before = "OPTIONS sip:x SIP/2.0\r\nContact:\r\n <sip:192.168.1.100:5060>\r\nCSeq: 1 OPTIONS\r\n\r\n"
        #expect(bench.pass(before) == before.replacing("192.168.1.100", with: "203.0.113.2"))
    }

    @Test("a flow that is not translated is not rewritten")
    func untranslated() {
        var bench = GatewayBench()
        bench.flow.mapped = bench.flow.inside
        let text = field("Contact: <sip:100@192.168.1.100>")
        #expect(bench.pass(text) == text)
    }

    @Test("a phone that sends from another port than its Via's gets responses at the Via's port")
    func viaPort() {
        var bench = GatewayBench()
        bench.flow.inside = Endpoint("192.168.1.100:49152")!
        bench.flow.mapped = Endpoint("203.0.113.2:49152")!
        let request = lines("OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/UDP 192.168.1.100:5060", "CSeq: 1 OPTIONS", "")
        #expect(bench.pass(request) == request)
        let response = lines("SIP/2.0 200 OK", "Via: SIP/2.0/UDP 192.168.1.100:5060;rport=49152", "CSeq: 1 OPTIONS", "")
        guard case .pass(let passage) = bench.verdict(response, .inbound) else {
            Issue.record("dropped")
            return
        }
        #expect(passage.destination == Endpoint("192.168.1.100:5060"))
        #expect(passage.rewrites.isEmpty)
    }

    @Test(
        "dropped: what the helper cannot read or repair",
        arguments: [
            (lines("INVITE sip:x SIP/2.0", ""), ALGDropReason.rule(.unreadableCSeq, offset: 0)),
            (lines("REGISTER sip:x SIP/2.0", "CSeq: zero REGISTER", ""), .rule(.unreadableCSeq, offset: 0)),
            (lines("BYE sip:x SIP/2.0", "CSeq: 4294967296 BYE", ""), .rule(.unreadableCSeq, offset: 0)),
            (lines("SIP/2.0 OK OK", "CSeq: 1 BYE", ""), .rule(.unreadableStatus, offset: 8)),
            (lines("SIP/2.0 4294967496 OK", "CSeq: 1 BYE", ""), .rule(.unreadableStatus, offset: 8)),
            (lines("SIP/2.0 200 OK", "Via: x", ""), .rule(.unreadableCSeq, offset: 0)),
            (
                message(
                    ["INVITE sip:x SIP/2.0", "CSeq: 1 INVITE"], ["v=0", "c=IN IP4 192.168.1.100", "m=audio 1023 RTP/AVP 0"]),
                .rule(.lowMediaPort, offset: 97)
            ),
            (
                message(["INVITE sip:x SIP/2.0", "CSeq: 1 INVITE"], ["v=0", "m=audio 6000 RTP/AVP 0"]),
                .rule(.mediaWithoutConnection, offset: 67)
            ),
            (
                message(
                    ["INVITE sip:x SIP/2.0", "CSeq: 1 INVITE"], ["v=0", "c=IN IP4 192.168.1.100", "m=audio 6000 RTP/AVP 0"]),
                .nothingToRewrite(.sdpOrigin)
            ),
            (
                lines(
                    "INVITE sip:x SIP/2.0", "CSeq: 1 INVITE", "", "v=0", "o=a 1 1 IN IP4 192.168.1.100", "c=IN IP4 192.168.1.100",
                    "m=audio 6000 RTP/AVP 0"),
                .nothingToRewrite(.contentLength)
            ),
        ])
    func drops(text: String, reason: ALGDropReason) {
        var bench = GatewayBench()
        #expect(bench.verdict(text) == .drop(reason))
        #expect(bench.traces().contains(.dropped(reason, bench.flow, .outbound)))
    }

    @Test("0 is a CSeq number, and so is the largest of 32 bits", arguments: ["0", "00000000001", "4294967295"])
    func numbers(cseq: String) {
        var bench = GatewayBench()
        for text in [lines("BYE sip:x SIP/2.0", "CSeq: \(cseq) BYE", ""), lines("SIP/2.0 200 OK", "CSeq: \(cseq) INVITE", "")] {
            #expect(bench.pass(text) == text)
        }
    }

    @Test("an address with a port that no phone has is no address", arguments: ["0", "80", "1023", "65536", "050600", "", "-1"])
    func impossiblePort(port: String) {
        var bench = GatewayBench()
        let text = lines(
            "REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER", "Contact: <sip:a@192.168.1.100:\(port)>", "Expires: 60", "")
        #expect(bench.pass(text) == text)
        #expect(bench.gateway.openPinholes.isEmpty)
        // As after a host name, nothing further of the same field is looked at.
        let next = field("Contact: <sip:a@192.168.1.100:\(port)>, <sip:b@192.168.1.100:5060>")
        #expect(bench.pass(next) == next)
        let zeros = field("Contact: <sip:a@192.168.1.100:05060>")
        #expect(bench.pass(zeros) == zeros.replacing("192.168.1.100:05060", with: "203.0.113.2:5060"))
    }

    @Test("a request's method has a space after it and a letter after that; of a response's CSeq the beginning is enough")
    func methods() {
        let body = ["v=0", "o=- 1 1 IN IP4 192.168.1.100", "c=IN IP4 192.168.1.100", "m=audio 6000 RTP/AVP 0"]
        for (head, opens) in [
            ("INVITE sip:x SIP/2.0", true), ("invite sip:x SIP/2.0", true), ("INVITED sip:x SIP/2.0", false),
            ("INVITE  sip:x SIP/2.0", false), ("INVITE", false), ("FOO sip:x SIP/2.0", false),
        ] {
            var bench = GatewayBench()
            _ = bench.pass(message([head, "CSeq: 1 INVITE"], body))
            #expect(bench.gateway.openPinholes.isEmpty != opens, "\(head)")
        }
        var bench = GatewayBench()
        _ = bench.pass(message(["SIP/2.0 200 OK", "CSeq: 1 INVITEX"], body))
        #expect(bench.gateway.openPinholes.count == 2)
    }

    @Test("methods that open nothing need no CSeq; short datagrams are no messages")
    func notFollowed() {
        var bench = GatewayBench()
        #expect(bench.pass(lines("OPTIONS sip:x SIP/2.0", "")) != nil)
        #expect(bench.pass("\r\n\r\n") == "\r\n\r\n")
        #expect(bench.pass("") == "")
    }
}
