import ALG
import Base
import Testing

@Suite("linux: session descriptions and media pinholes")
struct LinuxSessionTests {
    private let head = ["INVITE sip:200@203.0.113.20 SIP/2.0", "CSeq: 1 INVITE", "Content-Type: application/sdp"]

    private func offer(_ media: [String], session: String? = "c=IN IP4 192.168.1.100") -> [String] {
        ["v=0", "o=- 1 1 IN IP4 192.168.1.100", "s=-"] + (session.map { [$0] } ?? []) + ["t=0 0"] + media
    }

    @Test("o= and c= get the external address, ports stay, the length is counted anew")
    func addresses() {
        var bench = GatewayBench()
        let before = message(
            head,
            offer([
                "m=audio 6000 RTP/AVP 0", "a=rtcp:6001 IN IP4 192.168.1.100", "a=candidate:1 1 UDP 1 192.168.1.100 6000 typ host",
            ]))
        let after = message(
            head,
            [
                "v=0", "o=- 1 1 IN IP4 203.0.113.2", "s=-", "c=IN IP4 203.0.113.2", "t=0 0", "m=audio 6000 RTP/AVP 0",
                "a=rtcp:6001 IN IP4 192.168.1.100", "a=candidate:1 1 UDP 1 192.168.1.100 6000 typ host",
            ])
        #expect(bench.pass(before) == after)
        #expect(bench.gateway.openPinholes.map(\.external.port) == [6000, 6001])
        #expect(
            bench.gateway.openPinholes.allSatisfy {
                $0.until == bench.now + .seconds(180) && $0.from == IPAddress("203.0.113.20")
            })
    }

    @Test("a collision moves the pair up by two and rewrites m=")
    func collision() {
        var bench = GatewayBench()
        bench.taken = [Endpoint("203.0.113.2:6001")!]
        let passed = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"])))
        #expect(passed?.contains("m=audio 6002 RTP/AVP 0") == true)
        #expect(bench.gateway.openPinholes.map(\.external.port) == [6002, 6003])
        #expect(bench.gateway.openPinholes.map(\.inside.port) == [6000, 6001])
    }

    @Test("the RTP base is even whatever m= says, and m= is left saying it")
    func even() {
        var bench = GatewayBench()
        #expect(bench.pass(message(head, offer(["m=audio 6001 RTP/AVP 0"])))?.contains("m=audio 6001 ") == true)
        #expect(bench.gateway.openPinholes.map(\.external.port) == [6000, 6001])
    }

    @Test("two flows with the same port outside, where media may come from anyone: the second one's moves")
    func twoFlows() {
        var profile = ALGProfile.linux
        profile.sessionDescription?.peers = .anyone
        var bench = GatewayBench(profile)
        _ = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"])))
        bench.flow.inside = Endpoint("192.168.1.101:5060")!
        bench.flow.mapped = Endpoint("203.0.113.2:5062")!
        let passed = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"]).map { $0.replacing("1.100", with: "1.101") }))
        #expect(passed?.contains("m=audio 6002 ") == true)
    }

    @Test("media-level c= is rewritten too; the session's o= and c= get the last medium's address")
    func lastMedium() {
        var bench = GatewayBench()
        let before = message(
            head,
            offer(["m=audio 6000 RTP/AVP 0", "c=IN IP4 192.168.1.100", "m=video 6002 RTP/AVP 31", "c=IN IP4 198.51.100.77"]))
        let after = message(
            head,
            [
                "v=0", "o=- 1 1 IN IP4 198.51.100.77", "s=-", "c=IN IP4 198.51.100.77", "t=0 0", "m=audio 6000 RTP/AVP 0",
                "c=IN IP4 203.0.113.2", "m=video 6002 RTP/AVP 31", "c=IN IP4 198.51.100.77",
            ])
        #expect(bench.pass(before) == after)
    }

    @Test("port 0, unknown media and an address that is not the sender's open nothing")
    func nothing() {
        var bench = GatewayBench()
        _ = bench.pass(message(head, offer(["m=audio 0 RTP/AVP 0", "m=application 9 x y"])))
        #expect(bench.gateway.openPinholes.isEmpty)
        let stun = message(head, offer(["m=audio 6000 RTP/AVP 0"], session: "c=IN IP4 203.0.113.2"))
        #expect(bench.pass(stun)?.contains("o=- 1 1 IN IP4 203.0.113.2") == true)
        #expect(bench.gateway.openPinholes.isEmpty)
    }

    @Test("an answer from outside opens the way to its media but asks nothing of the NAT")
    func inbound() {
        var bench = GatewayBench()
        let answer = message(
            ["SIP/2.0 200 OK", "CSeq: 1 INVITE"],
            ["v=0", "o=- 1 1 IN IP4 203.0.113.20", "s=-", "c=IN IP4 203.0.113.20", "t=0 0", "m=audio 10002 RTP/AVP 0"])
        #expect(bench.pass(answer, .inbound) == answer)
        #expect(bench.gateway.openPinholes.map(\.from) == [IPAddress("192.168.1.100"), IPAddress("192.168.1.100")])
        #expect(bench.requests().isEmpty)
    }

    @Test(
        "flushed by the next INVITE, by BYE, and by a final response from 300 to the INVITE",
        arguments: [
            (lines("BYE sip:x SIP/2.0", "CSeq: 2 BYE", ""), ALGDirection.outbound, 0),
            (lines("BYE sip:x SIP/2.0", "CSeq: 2 BYE", ""), .inbound, 0),
            (lines("INVITE sip:x SIP/2.0", "CSeq: 2 INVITE", ""), .outbound, 0),
            (lines("SIP/2.0 401 Unauthorized", "CSeq: 1 INVITE", ""), .inbound, 0),
            (lines("SIP/2.0 486 Busy", "CSeq: 1 INVITE", ""), .inbound, 0),
            (lines("SIP/2.0 486 Busy", "CSeq: 7 INVITE", ""), .inbound, 2),
            (lines("SIP/2.0 200 OK", "CSeq: 1 INVITE", ""), .inbound, 2),
            (lines("SIP/2.0 481 Gone", "CSeq: 1 BYE", ""), .inbound, 2),
        ])
    func flush(text: String, direction: ALGDirection, left: Int) {
        var bench = GatewayBench()
        _ = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"])))
        #expect(bench.requests().count == 2)
        _ = bench.pass(text, direction)
        #expect(bench.gateway.openPinholes.count == left)
        #expect(bench.requests().count == 2 - left)
    }

    @Test("a port at which the same peer's media are expected already: dropped; offered again on the same flow it is not")
    func expectedAlready() {
        var bench = GatewayBench()
        let one = message(head, offer(["m=audio 6000 RTP/AVP 0"]))
        #expect(bench.pass(one) != nil)
        #expect(bench.pass(one) != nil)
        var other = GatewayBench()
        other.gateway = bench.gateway
        other.flow.inside = Endpoint("192.168.1.101:5060")!
        other.flow.mapped = Endpoint("203.0.113.2:61000")!
        let wanted = ALGDropReason.alreadyExpected(Endpoint("203.0.113.2:6000")!)
        #expect(other.verdict(one.replacing("192.168.1.100", with: "192.168.1.101")) == .drop(wanted))
        // Another peer's are no obstacle.
        other.flow.remote = Endpoint("203.0.113.21:5060")!
        #expect(other.pass(one.replacing("192.168.1.100", with: "192.168.1.101")) != nil)
    }

    @Test("one port for audio and for video, or for the control port of the other: dropped", arguments: [6000, 6001])
    func expectedTwice(port: Int) {
        var bench = GatewayBench()
        let text = message(head, offer(["m=audio 6000 RTP/AVP 0", "m=video \(port) RTP/AVP 31"]))
        #expect(bench.verdict(text) == .drop(.alreadyExpected(Endpoint("203.0.113.2:6000")!)))
    }

    @Test("an unused pinhole closes after 180 s")
    func expiry() {
        var bench = GatewayBench()
        _ = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"])))
        #expect(bench.gateway.nextDeadline == bench.now + .seconds(180))
        bench.gateway.advance(to: bench.now + .milliseconds(179_999))
        #expect(bench.gateway.openPinholes.count == 2)
        bench.gateway.advance(to: bench.now + .seconds(180))
        #expect(bench.gateway.openPinholes.isEmpty)
    }

    @Test("at most four audio pinholes a flow; the oldest give way")
    func cap() {
        var bench = GatewayBench()
        for port in [6000, 6002, 6004] {
            _ = bench.pass(message(["UPDATE sip:x SIP/2.0", "CSeq: 1 UPDATE"], offer(["m=audio \(port) RTP/AVP 0"])))
        }
        #expect(bench.gateway.openPinholes.map(\.external.port) == [6002, 6003, 6004, 6005])
    }

    @Test("without sip_direct_media any offered address of ours counts and media may come from anyone")
    func anyone() {
        var profile = ALGProfile.linux
        profile.sessionDescription?.peers = .anyone
        var bench = GatewayBench(profile)
        _ = bench.pass(message(head, offer(["m=audio 6000 RTP/AVP 0"])))
        #expect(bench.gateway.openPinholes.map(\.from) == [nil, nil])
    }
}

@Suite("linux: streams")
struct LinuxStreamTests {
    private let one = message(["OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/TCP 192.168.1.100:5060", "CSeq: 1 OPTIONS"])

    private func bench() -> GatewayBench {
        var bench = GatewayBench()
        bench.flow.transport = .tcp
        return bench
    }

    @Test("every message that is whole in a segment is rewritten")
    func several() {
        var bench = bench()
        #expect(bench.pass(one + one) == (one + one).replacing("192.168.1.100", with: "203.0.113.2"))
    }

    @Test("a message split over segments passes untouched, and so does its rest")
    func split() {
        var bench = bench()
        let first = String(one.prefix(60))
        let rest = String(one.dropFirst(60))
        #expect(bench.pass(one + first) == one.replacing("192.168.1.100", with: "203.0.113.2") + first)
        #expect(bench.traces().contains(.splitMessage(bench.flow, .outbound)))
        #expect(bench.pass(rest) == rest)
    }

    @Test("a body that goes on in the next segment leaves the whole message untouched")
    func body() {
        var bench = bench()
        let text =
            lines("OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/TCP 192.168.1.100:5060", "CSeq: 1 OPTIONS", "Content-Length: 10", "")
            + "123456789"
        #expect(bench.pass(text) == text)
        #expect(bench.pass(text + "0") == text.replacing("192.168.1.100", with: "203.0.113.2") + "0")
    }
}
