import Base
import Foundation
import SIP
import ServerNode
import Testing

@Suite("Bad input")
struct BadInputTests {
    static let good = Register().text

    /// (what, from, to, status)
    @Test(
        "Malformed or unsupported requests get their status",
        arguments: [
            ("Max-Forwards 0", "Max-Forwards: 70", "Max-Forwards: 0", 483),
            ("Max-Forwards no number", "Max-Forwards: 70", "Max-Forwards: many", 400),
            ("Max-Forwards too large", "Max-Forwards: 70", "Max-Forwards: 256", 400),
            ("CSeq of another method", "CSeq: 1 REGISTER", "CSeq: 1 INVITE", 400),
            ("CSeq no number", "CSeq: 1 REGISTER", "CSeq: one REGISTER", 400),
            ("CSeq beyond 2^31", "CSeq: 1 REGISTER", "CSeq: 2147483648 REGISTER", 400),
            ("two CSeq", "CSeq: 1 REGISTER", "CSeq: 1 REGISTER\r\nCSeq: 2 REGISTER", 400),
            ("two From", "Max-Forwards: 70", "f: <sip:eve@pinhole>;tag=2\r\nMax-Forwards: 70", 400),
            ("two Call-ID", "Max-Forwards: 70", "i: again\r\nMax-Forwards: 70", 400),
            ("no Call-ID", "Call-ID: c1@192.168.1.10\r\n", "", 400),
            ("no From", "From: <sip:alice@pinhole>;tag=f1\r\n", "", 400),
            ("no To", "To: <sip:alice@pinhole>\r\n", "", 400),
            ("From unreadable", "From: <sip:alice@pinhole>", "From: <sip:alice@pinhole", 400),
            ("a line that is no field", "Max-Forwards: 70", "Max-Forwards: 70\r\nnonsense", 400),
            ("body shorter than Content-Length", "Content-Length: 0", "Content-Length: 9", 400),
            ("negative Content-Length", "Content-Length: 0", "Content-Length: -1", 400),
            ("Request-URI unreadable", "REGISTER sip:pinhole", "REGISTER sip:pin:hole:x", 400),
            ("Request-URI scheme unknown", "REGISTER sip:pinhole", "REGISTER nobody:knows", 416),
            ("Request-URI tel", "REGISTER sip:pinhole", "REGISTER tel:+31201234567", 416),
            ("version", "SIP/2.0\r\nVia", "SIP/7.0\r\nVia", 505),
            ("extension", "Max-Forwards: 70", "Require: teleport\r\nMax-Forwards: 70", 420),
            ("proxy extension", "Max-Forwards: 70", "Proxy-Require: teleport\r\nMax-Forwards: 70", 420),
            ("content encoding", "Max-Forwards: 70", "Content-Encoding: gzip\r\nMax-Forwards: 70", 415),
            ("our own Via again", "192.168.1.10:5060;rport", "198.51.100.1:5060;rport", 482),
            (
                "our own Via below", "Max-Forwards: 70",
                "Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKold\r\nMax-Forwards: 70", 482
            ),
        ] as [(String, String, String, Int)])
    func statuses(what: String, from: String, to: String, status: Int) throws {
        let h = Harness()
        let text = Self.good.replacing(from, with: to)
        try #require(text != Self.good)
        let answer = try h.ask(text)
        #expect(answer.statusCode == status)
        #expect(h.refusals.map(\.status) == [status])
        #expect(h.server.bindingCount == 0)
        if status == 400 { #expect(answer.reason?.string.hasPrefix("Bad Request (") == true) }
    }

    @Test("OPTIONS with Max-Forwards 0 is a ping (RFC 3261 11): 200")
    func ping() throws {
        let h = Harness()
        let text = Self.good.replacing("REGISTER sip:pinhole", with: "OPTIONS sip:100@pinhole").replacing(
            "1 REGISTER", with: "1 OPTIONS")
        let answer = try h.ask(text.replacing("Max-Forwards: 70", with: "Max-Forwards: 0"))
        #expect(answer.statusCode == 200 && answer.first(.accept)?.value.string == "application/sdp, multipart/mixed")
    }

    @Test(
        "A header beyond what is taken draws 513, and more fields than are taken 400: over UDP and over streams, a line in the log each",
        arguments: [SIPTransport.udp, .tcp])
    func largeHeaders(transport: SIPTransport) throws {
        for (extra, status) in [
            ("X-L: \(String(repeating: "y", count: 17_000))\r\n", 513),
            ("X-L: \(String(repeating: "y", count: 64_000))\r\n", 513),
            (String(repeating: "X: y\r\n", count: 300), 400),
        ] {
            let h = Harness()
            let text = Self.good.replacing("Max-Forwards: 70\r\n", with: "Max-Forwards: 70\r\n" + extra)
            let answer = try h.ask(text, on: Harness.flow(Harness.phone, transport))
            #expect(answer.statusCode == status && answer.bytes.count < 500)
            #expect(h.refusals.map(\.status) == [status] && h.drops.isEmpty)
        }
    }

    @Test("400 says what and where: in the reason phrase and in the trace")
    func reasonAndOffset() throws {
        let h = Harness()
        let text = Self.good.replacing("CSeq: 1 REGISTER", with: "CSeq: one REGISTER")
        let offset = text.utf8.distance(from: text.startIndex, to: text.range(of: "one REGISTER")!.lowerBound)
        #expect(try h.ask(text).reason?.string == "Bad Request (number at byte \(offset))")
        #expect(h.refusals.map(\.refusal) == [.malformed(SIPParseError(.number, at: offset))])
    }

    @Test("420 names what is not supported, and only that")
    func unsupported() throws {
        let answer = try Harness().ask(
            Self.good.replacing("Max-Forwards: 70", with: "Require: path, teleport\r\nRequire: x\r\nMax-Forwards: 70"))
        #expect(try answer.unsupported.map(\.string) == ["teleport", "x"])
    }

    @Test(
        "Methods: known ones that are not for us 405, unknown ones 501, both with Allow",
        arguments: [("PUBLISH", 405), ("NEWMETHOD", 501), ("register", 501)])
    func methods(method: String, status: Int) throws {
        let answer = try Harness().ask(Self.good.replacing("REGISTER", with: method))
        #expect(answer.statusCode == status)
        #expect(try answer.allow.contains(.register))
    }

    @Test(
        "Outside of any dialog: what needs one is 481, REFER 403, what may start something is challenged",
        arguments: [
            ("BYE", 481), ("PRACK", 481), ("UPDATE", 481), ("INFO", 481), ("NOTIFY", 481), ("REFER", 403), ("SUBSCRIBE", 401),
            ("MESSAGE", 401), ("INVITE", 401), ("CANCEL", 481),
        ])
    func outside(method: String, status: Int) throws {
        #expect(try Harness().ask(Self.good.replacing("REGISTER", with: method)).statusCode == status)
    }

    @Test(
        "As chan_sip there are no calls: what they need is 405", arguments: ["SUBSCRIBE", "MESSAGE", "NOTIFY", "REFER", "INFO"])
    func chanSIPMethods(method: String) throws {
        #expect(try Harness(.chanSIP(natHandling: true)).ask(Self.good.replacing("REGISTER", with: method)).statusCode == 405)
    }

    @Test("OPTIONS is answered 200 with what we take", arguments: [("sip:pinhole", 200), ("sip:alice@pinhole", 200)])
    func options(uri: String, status: Int) throws {
        let h = Harness()
        let answer = try h.ask(
            Self.good.replacing("REGISTER sip:pinhole", with: "OPTIONS \(uri)").replacing("1 REGISTER", with: "1 OPTIONS"))
        #expect(answer.statusCode == status)
        #expect(
            try answer.allow.map(\.description) == [
                "REGISTER", "OPTIONS", "INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER",
                "SUBSCRIBE", "NOTIFY",
            ])
        #expect(answer.first(.accept)?.value.string == "application/sdp, multipart/mixed")
    }

    @Test(
        "As chan_sip INVITE is authenticated, then 404 for nobody, 480 for nobody registered, 501 for somebody; in a dialog 481"
    )
    func calls() throws {
        let h = Harness(.chanSIP(natHandling: true))
        func invite(_ target: String, _ callID: String, to: String = "") throws -> Int? {
            func text(_ authorization: String, _ cseq: Int) -> String {
                """
                INVITE sip:\(target) SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.10;branch=z9hG4bK\(callID)\(cseq);rport\r
                From: <sip:alice@pinhole>;tag=1\r\nTo: <sip:\(target)>\(to)\r\nCall-ID: \(callID)\r\nCSeq: \(cseq) INVITE\r
                Max-Forwards: 70\r\n\(authorization)Content-Length: 0\r\n\r\n
                """
            }
            let first = try h.ask(text("", 1))
            guard first.statusCode == 401 else { return first.statusCode }
            let credentials = Credentials(challenge: first.first(.wwwAuthenticate)!.value.string)
                .header(username: "alice", password: "secret", method: "INVITE", uri: "sip:\(target)")
            return try h.ask(text("Authorization: \(credentials)\r\n", 2)).statusCode
        }
        #expect(try invite("mabel@pinhole", "i1") == 404)
        #expect(try invite("bob@pinhole", "i2") == 480)
        _ = try h.register(Register(user: "bob", callID: "b"), password: "word")
        #expect(try invite("bob@pinhole", "i3") == 501)
        #expect(try invite("bob@pinhole", "i4", to: ";tag=2") == 481)
    }

    @Test("RFC 3261 8.2.2.2: the same request by another way is 482 once it is being processed")
    func merged() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let answer = Register().answering(challenge)
        #expect(try h.ask(answer.text).statusCode == 200)
        var twin = answer
        twin.branch = "z9hG4bKother"
        #expect(try h.ask(twin.text).statusCode == 482)
        #expect(h.refusals.last?.refusal == .merged)
    }

    @Test("A copy whose Via a helper rewrote, or wrote anew, is a copy: it draws the same answer and has no second effect")
    func rewrittenCopy() throws {
        let h = Harness()
        let challenge = try h.ask(Register().text)
        let answer = Register().answering(challenge)
        #expect(try h.ask(answer.text).statusCode == 200)
        let rewritten = answer.text.replacing("Via: SIP/2.0/UDP 192.168.1.10:5060", with: "Via: SIP/2.0/UDP 198.51.100.77:1024")
        #expect(rewritten != answer.text)
        #expect(try h.ask(rewritten).statusCode == 200)
        #expect(h.server.counters.retransmissionsAbsorbed == 1)
        #expect(h.server.counters.bound == 1 && h.server.counters.refreshed == 0)
        // Another request with the same branch is none.
        let other = rewritten.replacing("response=\"", with: "response=\"0")
        #expect(try h.ask(other).statusCode == 482)
    }

    @Test("Oversize: 513 for a request, silence for a response")
    func oversize() throws {
        var settings = ServerSettings()
        settings.limits.messageBytes = 1_000
        let h = Harness(settings)
        let text = Self.good.replacing("Max-Forwards: 70", with: "Max-Forwards: 70\r\nX: \(String(repeating: "x", count: 1_000))")
        #expect(try h.ask(text).statusCode == 513)
        #expect(h.receive("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nX: \(String(repeating: "x", count: 1_000))\r\n\r\n").isEmpty)
        #expect(h.drops == [.oversizeResponse])
    }

    @Test(
        "Silence, with the reason counted and traced",
        arguments: [
            ([], .empty, .udp),
            ([0x0d, 0x0a, 0x0d, 0x0a], .crlfOverUDP, .udp),
            (Array("\0\u{1}\u{2}".utf8), .junk, .udp),
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), .junk, .udp),
            ([0xff, 0xfe, 0xfd], .junk, .udp),
            (Array("REGISTER sip:pinhole SIP/2.0\r\n".utf8), .unanswerable, .udp),
            (Array("REGISTER sip:pinhole SIP/2.0\r\nFrom: x\r\n\r\n".utf8), .unanswerable, .udp),
            (Array("REGISTER sip:pinhole SIP/2.0\r\nVia: nonsense\r\nFrom: x\r\n\r\n".utf8), .unanswerable, .udp),
            (Array("ACK sip:pinhole SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n".utf8), .malformedACK, .udp),
            (Array(good.replacing("REGISTER", with: "ACK").utf8), .strayACK, .udp),
            (Array("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKk0000000000000000\r\n\r\n".utf8), .strayResponse, .udp),
            (Array("SIP/2.0 200 OK\r\n\r\n".utf8), .malformedResponse, .udp),
        ] as [([UInt8], DropReason, SIPTransport)])
    func silence(bytes: [UInt8], reason: DropReason, transport: SIPTransport) {
        let h = Harness()
        #expect(h.receive(bytes, on: Harness.flow(Harness.phone, transport)).isEmpty)
        #expect(h.drops == [reason])
        #expect(h.server.counters[dropped: reason] == 1)
    }

    @Test("RFC 5626 4.4.1: a double CRLF over a stream draws a single one")
    func pingPong() {
        let h = Harness()
        #expect(h.receive([0x0d, 0x0a, 0x0d, 0x0a], on: Harness.flow(Harness.phone, .tcp)).map(\.bytes) == [[0x0d, 0x0a]])
        #expect(h.receive([0x0d, 0x0a], on: Harness.flow(Harness.phone, .tcp)).isEmpty)
    }

    @Test("STUN is answered on the SIP port, from the address that received; switched off it is not")
    func stun() {
        let request: [UInt8] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] + Array(1...12)
        let h = Harness()
        let out = h.receive(request)
        #expect(out.map(\.flow) == [Harness.flow()])
        #expect(out[0].bytes.prefix(2) == [1, 1])
        #expect(h.server.counters.stunRequests == 1)
        var settings = ServerSettings()
        settings.answersSTUN = false
        let off = Harness(settings)
        #expect(off.receive(request).isEmpty)
        #expect(off.drops == [.stunOff])
    }

    @Test("Every prefix and every single flipped byte of a REGISTER is survived, and answered at most once")
    func damage() {
        let h = Harness(
            {
                var settings = ServerSettings()
                settings.limits = .trusted
                return settings
            }())
        let bytes = Array(Self.good.utf8)
        for length in 0...bytes.count { #expect(h.receive(Array(bytes[..<length])).count <= 1) }
        for place in bytes.indices {
            for flip in [0x01, 0x20, 0x80, 0xff] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= flip
                #expect(h.receive(damaged).count <= 1)
            }
        }
        #expect(h.server.bindingCount == 0)
    }
}

@Suite("Floods")
struct FloodTests {
    @Test("Messages of one source beyond its rate are dropped unread; other sources are not touched; it recovers")
    func messages() {
        var settings = ServerSettings()
        settings.limits.messagesPerSource = .init(perSecond: 10, burst: 5)
        settings.limits.newcomer = nil
        let h = Harness(settings)
        for index in 1...8 { h.receive(Register(cseq: UInt32(index)).text) }
        #expect(h.sent.count == 5)
        #expect(h.server.counters[dropped: .sourceFlooding] == 3)
        #expect(h.receive(Register().text, on: Harness.flow(Endpoint("203.0.113.8:1")!)).count == 1)
        h.now += .milliseconds(100)
        #expect(h.receive(Register(cseq: 20).text).count == 1)
    }

    @Test("A source draws so many unproved replies a second, whatever they are: no amplifier")
    func reflection() {
        var settings = ServerSettings()
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 10, burst: 4)
        settings.limits.newcomer = nil
        let h = Harness(settings)
        for index in 1...10 { h.receive(Register(callID: "x\(index)").text) }
        h.receive(Register().text.replacing("REGISTER", with: "NEWMETHOD"))
        h.receive(Register().text.replacing("CSeq: 1", with: "CSeq: x"))
        #expect(h.sent.count == 4)
        #expect(h.server.counters[dropped: .unprovedRepliesOfSource] == 8)
    }

    @Test("Phones that answer their challenges never meet that limit, however many share an address")
    func vouched() throws {
        var settings = ServerSettings()
        settings.limits.unprovedRepliesPerSource = .init(perSecond: 1, burst: 2)
        let h = Harness(settings)
        for index in 1...50 {
            #expect(try h.register(Register(callID: "n\(index)", contact: "<sip:alice@10.0.0.1>")).statusCode == 200)
        }
    }

    @Test("Unproved replies are capped for all sources together")
    func total() {
        var settings = ServerSettings()
        settings.limits.unprovedReplies = .init(perSecond: 10, burst: 3)
        let h = Harness(settings)
        for index in 1...5 { h.receive(Register().text, on: Harness.flow(Endpoint("203.0.113.\(index):1")!)) }
        #expect(h.sent.count == 3)
        #expect(h.server.counters[dropped: .unprovedRepliesInAll] == 2)
    }

    @Test("The table of sources is bounded, and IPv6 sources count by their /64")
    func sources() {
        var settings = ServerSettings()
        settings.limits.messagesPerSource = .init(perSecond: 1, burst: 1)
        settings.limits.newcomer = nil
        let h = Harness(settings)
        func flow(_ text: String) -> FlowID { FlowID(.udp, local: Endpoint("[2001:db8:ffff::1]:5060")!, remote: Endpoint(text)!) }
        #expect(h.receive(Register().text, on: flow("[2001:db8::1]:1")).count == 1)
        #expect(h.receive(Register().text, on: flow("[2001:db8::2]:1")).isEmpty)
        #expect(h.receive(Register().text, on: flow("[2001:db8:0:1::1]:1")).count == 1)
    }
}
