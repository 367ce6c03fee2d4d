import Base
import MediaControl
import RTP
import SIP
import ServerNode
import Testing

@Suite("Rooms, echo, tone, address: calls the server answers itself")
struct ServiceTests {
    func call(_ f: CallFixture, _ number: String, body: String = UA.offer("192.168.1.10", 16_384)) throws -> SIPMessage {
        let out = try f.alice.invite(number, body: body)
        let final = try #require(try f.alice.mine(out).last)
        try f.alice.take(final)
        return final
    }

    func service(_ f: CallFixture) -> MediaService? {
        f.h.media.lazy.compactMap { if case .serve(_, let service) = $0.command { service } else { nil } }.first
    }

    @Test(
        "Each number is served",
        arguments: [
            ("600", MediaService.echo), ("601", .tone(440)), ("602", .announcement("203.0.113.7:40000")),
            ("8000", .room(RoomEntry(room: "8000", party: "alice@pinhole", account: "alice"))),
            ("8099", .room(RoomEntry(room: "8099", party: "alice@pinhole", account: "alice"))),
            ("team", .room(RoomEntry(room: "team", party: "alice@pinhole", account: "alice", pin: "4711", records: true))),
            ("mine", .room(RoomEntry(room: "mine", party: "alice@pinhole", account: "alice", isOwner: true))),
        ])
    func served(_ number: String, _ expected: MediaService) throws {
        let f = try CallFixture({
            $0.calls.rooms = [
                .init(name: "team", pin: "4711", owner: "bob", records: true), .init(name: "mine", pin: "1", owner: "alice"),
            ]
        })
        let ok = try call(f, number)
        #expect(ok.statusCode == 200)
        #expect(ok.sdp.contains("c=IN IP4 198.51.100.1\r\n") && ok.sdp.contains("m=audio \(f.port(1)) RTP/AVP 0 8 101\r\n"))
        f.alice.ack()
        #expect(service(f) == expected)
        #expect(f.commands.prefix(2) == ["open 1 port \(f.port(1))", "remote 1 192.168.1.10:16384"])
        #expect(try f.statuses(f.alice.send("BYE"), f.alice) == [200])
        #expect(f.h.records[0].parties.count == 2 && f.h.records[0].codec == "PCMU")
        f.expectNothingLeft()
    }

    @Test(
        "Neighbours of the numbers are nobody",
        arguments: ["7999", "8100", "08000", "80000", "603", "8000x", "99999999999999999999"])
    func none(_ number: String) throws { #expect(try call(CallFixture(), number).statusCode == 404) }

    @Test("A user's name goes before a room's")
    func user() throws {
        let f = try CallFixture({ $0.calls.rooms = [.init(name: "bob")] })
        #expect(try f.methods(f.alice.invite("bob"), f.bob) == ["INVITE"])
    }

    @Test("No codec in common: 488 with a Warning that names what was offered; no port stays taken")
    func noCodec() throws {
        let f = try CallFixture()
        let g729 = try call(f, "8000", body: UA.offer("192.168.1.10", 16_384, formats: "18"))
        #expect(g729.statusCode == 488)
        #expect(g729.first(.warning)?.value.string == "305 198.51.100.1:5060 \"no codec in common, offered were G729/8000\"")
        f.expectNothingLeft()
    }

    @Test("The echo takes any codec; of audio and video it takes the audio")
    func echo() throws {
        let f = try CallFixture()
        let video = "m=video 17000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        let ok = try call(f, "600", body: UA.offer("192.168.1.10", 16_384, formats: "18", extra: video))
        #expect(ok.sdp.contains("m=audio \(f.port(1)) RTP/AVP 18\r\n") && ok.sdp.contains("m=video 0 RTP/AVP 96"))
    }

    @Test("An INVITE without SDP gets the server's offer; the ACK's answer starts the service")
    func delayed() throws {
        let f = try CallFixture()
        let ok = try call(f, "8000", body: "")
        #expect(ok.sdp.contains("m=audio \(f.port(1)) RTP/AVP 0 8 101\r\n"))
        #expect(service(f) == nil)
        f.alice.ack(body: UA.offer("192.168.1.10", 16_384, formats: "8 101"))
        #expect(service(f) != nil)
        f.alice.send("BYE")
        #expect(f.h.records[0].codec == "PCMA")
        f.expectNothingLeft()
    }

    @Test("Hold and resume in a room: the media plane hears of each, the port stays")
    func hold() throws {
        let f = try CallFixture()
        _ = try call(f, "8000")
        f.alice.ack()
        let held = try #require(
            try f.alice.mine(f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384, direction: "sendonly", version: 2)))
                .last)
        #expect(held.statusCode == 200 && held.sdp.contains("a=recvonly") && held.sdp.contains("m=audio \(f.port(1)) "))
        f.alice.ack()
        guard case .remote(_, let remote)? = f.h.media.last?.command else { return #expect(Bool(false), "no .remote") }
        #expect(!remote.receives && remote.sends && remote.epoch == 3)
    }

    @Test("The room shows a party out: BYE with the reason", arguments: [MediaEnd.wrongPIN, .kicked, .locked, .full, .announced])
    func finished(_ reason: MediaEnd) throws {
        let f = try CallFixture()
        _ = try call(f, "8000")
        f.alice.ack()
        let out = f.h.input(.media(.finished(MediaLegID(1), reason: reason)))
        let bye = try #require(try f.alice.mine(out).first)
        #expect(bye.method == .bye && bye.first(.reason)?.value.string == "Q.850;cause=16;text=\"\(reason.rawValue)\"")
        #expect(f.h.records.map(\.reason) == ["the server: \(reason.rawValue)"])
        f.expectNothingLeft()
    }

    @Test(
        "Digits by INFO reach the service; anything else is answered and means nothing",
        arguments: [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "digit 1 5"),
            ("application/dtmf-relay", "signal= *\n", "digit 1 *"),
            ("application/dtmf", "#", "digit 1 #"), ("application/dtmf", "d\r\n", "digit 1 D"), ("application/dtmf", "12", nil),
            ("application/dtmf-relay", "Signal=\r\n", nil), ("application/dtmf-relay", "Signal=E\r\n", nil),
            ("text/plain", "5", nil),
        ] as [(String, String, String?)])
    func digits(_ type: String, _ body: String, _ command: String?) throws {
        let f = try CallFixture()
        _ = try call(f, "8000")
        f.alice.ack()
        f.h.media = []
        let out = f.alice.send("INFO", extra: "Content-Type: \(type)\r\n", body: body)
        #expect(try f.statuses(out, f.alice) == [200])
        #expect(f.commands == (command.map { [$0] } ?? []))
    }

    @Test("No port is free: 503, and the caller may try again later")
    func noPorts() throws {
        let f = try CallFixture(ports: [[]])
        let out = try call(f, "8000")
        #expect(out.statusCode == 503 && out.contains(.retryAfter))
        #expect(f.h.server.counters.callsWithoutPort == 1)
        f.expectNothingLeft()
    }

    @Test("Media loops: each call takes the idlest, all its legs share it")
    func loops() throws {
        let f = try CallFixture(ports: [[20_000, 20_002, 20_004], [21_000, 21_002, 21_004, 21_006]])
        try f.talk()
        #expect(Set(f.h.media.map(\.loop)) == [1])
        f.h.media = []
        let second = UA(f.h, "bob", at: "198.51.100.77:5070")
        second.callID = "second"
        _ = try second.invite("8000")
        #expect(Set(f.h.media.map(\.loop)) == [0])
    }

    @Test("The port of a call tells nothing of the next one's, and one that was freed rests while others can be had")
    func ports() throws {
        let f = try CallFixture()
        for number in 0..<50 {
            f.alice.callID = "call\(number)"
            f.alice.localTag = "tag\(number)"
            f.alice.remoteTag = nil
            _ = try call(f, "600")
            f.alice.ack()
            _ = f.alice.send("BYE")
        }
        let taken = (1...50).map { f.port($0) }
        #expect(Set(taken).count == 50)
        let steps = zip(taken, taken.dropFirst()).map { Int($1) - Int($0) }
        #expect(Set(steps).count > 25)
    }

    @Test("All of a room is in one media loop, however many calls that one has")
    func loopOfRoom() throws {
        let f = try CallFixture(ports: [20_000, 21_000].map { Array(stride(from: $0, to: $0 + 40, by: 2)) })
        for number in 0..<5 {
            let phone = UA(f.h, "bob", at: "198.51.100.77:5070")
            phone.callID = "call\(number)"
            _ = try phone.invite("8000")
        }
        #expect(Set(f.h.media.map(\.loop)).count == 1)
    }
}
