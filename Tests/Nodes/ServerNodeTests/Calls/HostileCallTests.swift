import Base
import Foundation
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Calls with bad input: refused with the reason, counted, and nothing leaks")
struct HostileCallTests {
    @Test(
        "SDP that cannot be met: 488 with a Warning that names the reason, and no port stays taken",
        arguments: [
            (
                "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
                "301 198.51.100.1:5060 \"there is no c= line\""
            ),
            (UA.offer("224.2.1.1", 4000), "330 198.51.100.1:5060 \"multicast is not relayed here\""),
            (UA.offer("255.255.255.255", 4000), "301 198.51.100.1:5060 \"media to a broadcast address\""),
            (
                UA.offer("192.168.1.10", 70_000),
                "399 198.51.100.1:5060 \"the SDP cannot be read: a port that is no number from 0 to 65535 (line 6, byte 70)\""
            ),
            (
                UA.offer("192.168.1.10", -1),
                "399 198.51.100.1:5060 \"the SDP cannot be read: a port that is no number from 0 to 65535 (line 6, byte 70)\""
            ),
            (UA.offer("192.168.1.10", 4000, formats: "300 999"), "305 198.51.100.1:5060 \"no payload type is one\""),
            (
                UA.offer("192.168.1.10", 4000).replacingOccurrences(of: "RTP/AVP", with: "RTP/SAVP"),
                "302 198.51.100.1:5060 \"SRTP is not available here\""
            ),
            (
                UA.offer("192.168.1.10", 4000).replacingOccurrences(of: "RTP/AVP", with: "UDP/TLS/RTP/SAVPF"),
                "302 198.51.100.1:5060 \"DTLS-SRTP is not spoken here\""
            ),
            (
                "hello",
                "399 198.51.100.1:5060 \"the SDP cannot be read: a line that is not a letter, an equals sign and a value (line 1, byte 0)\""
            ),
            (
                "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n",
                "304 198.51.100.1:5060 \"there is no stream at all\""
            ),
        ])
    func refused(_ body: String, _ warning: String) throws {
        let f = try CallFixture()
        let answer = try #require(try f.alice.mine(f.alice.invite("bob", body: body)).first)
        #expect(answer.statusCode == 488)
        #expect(answer.first(.warning)?.value.string == warning)
        #expect(try f.bob.mine(f.h.sent).filter { $0.method == .invite }.isEmpty)
        f.expectNothingLeft()
    }

    @Test("Too many streams: 488; a body that is no SDP: 415; an oversize request: 513")
    func oversize() throws {
        let f = try CallFixture()
        let lines = String(repeating: "m=audio 4000 RTP/AVP 0\r\n", count: 9)
        #expect(try f.statuses(f.alice.invite("bob", body: UA.offer("192.168.1.10", 4000, extra: lines)), f.alice) == [488])
        let second = try CallFixture()
        #expect(
            try second.statuses(second.alice.invite("bob", body: "<x/>", extra: "Content-Type: text/xml\r\n"), second.alice) == [
                415
            ])
        let third = try CallFixture()
        let long = String(repeating: "a=x:0123456789\r\n", count: 1_200)
        let out = try third.alice.invite("bob", body: UA.offer("192.168.1.10", 4000, extra: long), authenticates: false)
        #expect(try third.statuses(out, third.alice) == [513])
        for fixture in [f, second, third] { fixture.expectNothingLeft() }
    }

    @Test("An answer that cannot be used: that phone is hung up with the reason, the caller gets 488")
    func badAnswer() throws {
        for body in [UA.offer("224.2.1.1", 4000), "hello", UA.offer("192.168.1.10", 70_000)] {
            let f = try CallFixture()
            try f.ring()
            let out = f.bob.respond(200, body: body)
            #expect(try f.methods(out, f.bob) == ["ACK", "BYE"])
            #expect(try f.bob.mine(out).last?.first(.reason)?.value.string.hasPrefix("SIP;cause=488;text=") == true)
            #expect(try f.statuses(out, f.alice) == [488])
            f.expectNothingLeft()
        }
    }

    @Test("One stream that cannot be relayed among others is refused alone")
    func partly() throws {
        let f = try CallFixture()
        let video = "m=video 17000 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n"
        let ok = try f.talk(body: UA.offer("192.168.1.10", 16_384, extra: video))
        #expect(f.invite!.sdp.contains("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"))
        #expect(ok.sdp.contains("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"))
        #expect(f.h.server.callUsage.ports == 2)
    }

    @Test("An answer with fewer or more lines than were offered does no harm")
    func otherLines() throws {
        let video = "m=video 17000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        for extra in ["", video + video + video] {
            let f = try CallFixture()
            try f.ring(body: UA.offer("192.168.1.10", 16_384, extra: video))
            let ok = try #require(
                try f.alice.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, extra: extra))).first)
            #expect(ok.statusCode == 200)
            #expect(ok.sdp.components(separatedBy: "m=").count == 3)
            try f.alice.take(ok)
            f.alice.ack()
            f.alice.send("BYE")
            f.expectNothingLeft()
        }
    }

    @Test("Tables are capped: calls in all, calls of an account, requests of ours, phones rung")
    func caps() throws {
        func second(_ f: CallFixture) throws -> [Int] {
            try f.ring()
            let other = UA(f.h, "alice", at: "203.0.113.7:40000")
            other.callID = "second"
            return try f.statuses(other.invite("bob"), other)
        }
        #expect(try second(CallFixture({ $0.limits.calls = 1 })) == [503])
        #expect(try second(CallFixture({ $0.limits.callsPerAccount = 1 })) == [503])
        let full = try CallFixture({ $0.limits.callTransactions = 0 })
        #expect(try full.statuses(full.alice.invite("bob"), full.alice).last == 480)
        full.expectNothingLeft()
        let few = try CallFixture({ $0.limits.forks = 1 })
        try UA(few.h, "bob", at: "198.51.100.78:5070").register()
        let out = try few.alice.invite("bob")
        #expect(out.filter { String(decoding: $0.bytes.prefix(6), as: UTF8.self) == "INVITE" }.count == 1)
    }

    @Test("Every prefix and every single changed byte of each message of a call is survived")
    func mutations() throws {
        let messages: [(CallFixture) throws -> (UA, [UInt8])] = [
            { f in (f.alice, Array(f.alice.lastInvite.utf8)) },
            { f in (f.bob, Array(f.bob.response(200, body: UA.offer("198.51.100.77", 30_000)).utf8)) },
            { f in
                (
                    f.alice,
                    Array(
                        f.alice.text("REFER", extra: "Refer-To: <sip:carol@pinhole?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n")
                            .utf8)
                )
            },
        ]
        for message in messages {
            let f = try CallFixture({ $0.limits = .trusted })
            try f.ring()
            f.h.keeps = false
            let (phone, bytes) = try message(f)
            for at in stride(from: 0, to: bytes.count, by: 3) {
                f.h.receive(Array(bytes[..<at]), on: phone.flow)
                var changed = bytes
                changed[at] ^= UInt8(truncatingIfNeeded: at * 37 | 1)
                f.h.receive(changed, on: phone.flow)
            }
            f.h.advance(.seconds(200))
            #expect(f.h.server.callUsage.ports == 0)
        }
    }
}
