import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Forking, flows and early media: RFC 3261 16.7, RFC 5626 5.3, RFC 3262")
struct ForkingTests {
    /// Bob's second phone, registered beside the first.
    func second(_ f: CallFixture, at place: String = "198.51.100.78:5070") throws -> UA {
        let phone = UA(f.h, "bob", at: place)
        phone.localTag = "second"
        try phone.register()
        return phone
    }

    @Test("All of a user's phones ring; the first answer wins, the other gets CANCEL with its reason")
    func parallel() throws {
        let f = try CallFixture()
        let other = try second(f)
        let out = try f.alice.invite("bob")
        let first = try #require(try f.bob.mine(out).first)
        let twin = try #require(try other.mine(out).first)
        try f.bob.called(by: first)
        try other.called(by: twin)
        #expect(try first.callID != twin.callID)
        #expect(try f.statuses(f.bob.respond(180), f.alice) == [180])
        // A second ring is no news.
        #expect(try f.statuses(other.respond(180), f.alice).isEmpty)
        let answered = other.respond(200, body: UA.offer("198.51.100.78", 31_000))
        #expect(try f.methods(answered, other) == ["ACK"])
        let cancel = try #require(try f.bob.mine(answered).first)
        #expect(cancel.method == .cancel)
        #expect(cancel.first(.reason)?.value.string == "SIP;cause=200;text=\"Call completed elsewhere\"")
        try f.alice.take(try #require(try f.alice.mine(answered).first))
        f.alice.ack()
        f.bob.respond(487)
        f.alice.send("BYE")
        #expect(f.h.records[0].parties.map(\.answered) == [true, false, true])
        f.expectNothingLeft()
    }

    @Test("Both answer at once: the later one is acknowledged and hung up")
    func bothAnswer() throws {
        let f = try CallFixture()
        let other = try second(f)
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try other.called(by: try #require(try other.mine(out).first))
        f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        let late = other.respond(200, body: UA.offer("198.51.100.78", 31_000))
        #expect(try f.methods(late, other) == ["ACK", "BYE"])
        #expect(try f.statuses(late, f.alice).isEmpty)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test(
        "Everybody refuses: the caller gets the best of it",
        arguments: [([486, 404], 486), ([480, 603], 603), ([404, 408], 404), ([488, 480], 488)])
    func best(_ statuses: [Int], _ told: Int) throws {
        let f = try CallFixture()
        let other = try second(f)
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try other.called(by: try #require(try other.mine(out).first))
        let first = f.bob.respond(statuses[0])
        #expect(try f.statuses(first, f.alice).isEmpty)
        #expect(try f.statuses(other.respond(statuses[1]), f.alice) == [told])
        f.expectNothingLeft()
    }

    @Test("A 603 ends the call at once, whoever else rings (RFC 3261 16.7 step 5)")
    func declineForAll() throws {
        let f = try CallFixture()
        let other = try second(f)
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try other.called(by: try #require(try other.mine(out).first))
        other.respond(180)
        let over = f.bob.respond(603)
        #expect(try f.methods(over, other) == ["CANCEL"])
        #expect(try f.statuses(over, f.alice) == [603])
        other.respond(487)
        f.expectNothingLeft()
    }

    @Test("One flow an instance is rung; the other only when the first is dead; both dead is 480, never 430 (RFC 5626 5.3)")
    func flows() throws {
        let f = try CallFixture()
        let phone = UA(f.h, "carol", at: "203.0.113.50:6000")
        try phone.register(instance: "AABBCCDDEE01", regID: 1)
        f.h.now = f.h.now + .seconds(1)
        let backup = UA(f.h, "carol", at: "203.0.113.50:6001")
        try backup.register(instance: "AABBCCDDEE01", regID: 2)
        let out = try f.alice.invite("carol")
        // The newest flow first.
        #expect(try phone.mine(out).isEmpty)
        try backup.called(by: try #require(try backup.mine(out).first))
        let next = backup.respond(430)
        #expect(try f.statuses(next, f.alice).isEmpty)
        let again = try #require(try phone.mine(next).first { $0.method == .invite })
        try phone.called(by: again)
        let gone = f.h.advance(.seconds(33))
        #expect(try f.statuses(gone, f.alice).first == 480)
        f.expectNothingLeft()
    }

    @Test("A stream that closes while its phone rings: its other flow is tried")
    func closedWhileRinging() throws {
        let f = try CallFixture()
        let phone = UA(f.h, "carol", at: "203.0.113.50:6000")
        try phone.register(instance: "AABBCCDDEE01", regID: 1)
        f.h.now = f.h.now + .seconds(1)
        let stream = UA(f.h, "carol", at: "203.0.113.50:6001", .tcp)
        try stream.register(instance: "AABBCCDDEE01", regID: 2)
        let out = try f.alice.invite("carol")
        #expect(try f.methods(out, stream) == ["INVITE"])
        let closed = f.h.input(.closed(stream.flow))
        #expect(try f.methods(closed, phone) == ["INVITE"])
        try phone.called(by: try phone.mine(closed)[0])
        let busy = phone.respond(486)
        #expect(try f.statuses(busy, f.alice) == [486])
        f.expectNothingLeft()
    }

    @Test("Early media: the 183's SDP reaches the caller with our address, and the media are bridged before the answer")
    func earlyMedia() throws {
        let f = try CallFixture()
        try f.ring()
        let progress = f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000))
        let told = try #require(try f.alice.mine(progress).first)
        #expect(told.statusCode == 183)
        #expect(told.sdp.contains("c=IN IP4 198.51.100.1\r\n") && told.sdp.contains("m=audio \(f.port(1)) "))
        #expect(f.commands.last == "bridge 1 2")
        // The same SDP in the 200: the caller's is byte for byte what it had.
        let answered = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.sdp == told.sdp)
        try f.alice.take(ok)
        f.alice.ack()
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("Early media of one phone, the answer of another in another codec: both agree anew after the ACK")
    func earlyFromAnother() throws {
        let f = try CallFixture()
        let other = try second(f)
        let out = try f.alice.invite("bob")
        try f.bob.called(by: try #require(try f.bob.mine(out).first))
        try other.called(by: try #require(try other.mine(out).first))
        f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000, formats: "0"))
        let answered = other.respond(200, body: UA.offer("198.51.100.78", 31_000, formats: "8"))
        let ok = try #require(try f.alice.mine(answered).first)
        #expect(ok.sdp.contains("RTP/AVP 8\r\n"))
        try f.alice.take(ok)
        let ask = try #require(try f.alice.mine(f.alice.ack()).first)
        #expect(ask.method == .invite && ask.body.isEmpty)
        let offered = f.alice.respond(200, to: ask, body: UA.offer("192.168.1.10", 16_384, formats: "0 8", version: 2))
        let relayed = try #require(try other.mine(offered).first)
        #expect(relayed.sdp.contains("RTP/AVP 0 8\r\n"))
        let agreed = other.respond(200, to: relayed, body: UA.offer("198.51.100.78", 31_000, formats: "8", version: 2))
        let ack = try #require(try f.alice.mine(agreed).first)
        #expect(ack.method == .ack && ack.sdp.contains("RTP/AVP 8\r\n"))
        f.bob.respond(487)
        f.alice.send("BYE")
        f.expectNothingLeft()
    }

    @Test("A 200 without SDP after a 183 with it stands on the early answer")
    func answerWithoutBody() throws {
        let f = try CallFixture()
        try f.ring()
        f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000))
        let ok = try #require(try f.alice.mine(f.bob.respond(200)).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("m=audio \(f.port(1)) "))
    }

    @Test("A 200 without any SDP to an offer: that phone is hung up, the caller gets 488")
    func noAnswerAtAll() throws {
        let f = try CallFixture()
        try f.ring()
        let out = f.bob.respond(200)
        #expect(try f.methods(out, f.bob) == ["ACK", "BYE"])
        #expect(try f.statuses(out, f.alice) == [488])
        f.expectNothingLeft()
    }

    // MARK: 100rel

    @Test("RFC 3262: a reliable 183 of the phone draws our PRACK, once for each RSeq")
    func prackToPhone() throws {
        let f = try CallFixture()
        let invite = try f.ring()
        #expect(try invite.supported.map(\.string).contains("100rel"))
        let reliable = f.bob.response(183, extra: "Require: 100rel\r\nRSeq: 77\r\n", body: UA.offer("198.51.100.77", 30_000))
        let out = f.h.receive(reliable, on: f.bob.flow)
        let prack = try #require(try f.bob.mine(out).first)
        #expect(prack.method == .prack)
        #expect(prack.first(.rack)?.value.string == "77 \(try invite.cseq)")
        #expect(try prack.to.tag?.string == f.bob.localTag)
        #expect(f.h.receive(reliable, on: f.bob.flow).isEmpty)
        f.bob.respond(200, to: prack)
        #expect(try f.statuses(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000)), f.alice) == [200])
    }

    @Test("RFC 3262: a caller that requires 100rel gets RSeq, repeats until its PRACK, one at a time")
    func prackFromCaller() throws {
        let f = try CallFixture()
        try f.ring(extra: "Require: 100rel\r\n")
        let ringing = try #require(try f.alice.mine(f.bob.respond(180)).first)
        #expect(try ringing.require.map(\.string) == ["100rel"])
        let rseq = try #require(ringing.first(.rseq)?.value.string)
        // The next one waits for the PRACK of this one.
        #expect(try f.alice.mine(f.bob.respond(183, body: UA.offer("198.51.100.77", 30_000))).isEmpty)
        #expect(try f.statuses(f.h.advance(.milliseconds(1600)), f.alice) == [180, 180])
        try f.alice.take(ringing)
        let wrong = f.alice.send("PRACK", extra: "RAck: 1 \(f.alice.inviteSequence) INVITE\r\n")
        #expect(try f.statuses(wrong, f.alice) == [481])
        let right = f.alice.send("PRACK", extra: "RAck: \(rseq) \(f.alice.inviteSequence) INVITE\r\n")
        #expect(try f.statuses(right, f.alice) == [200, 183])
    }

    @Test("RFC 3262 3: no PRACK for 32 s refuses the INVITE with 504, and the phones stop ringing")
    func noPRACK() throws {
        let f = try CallFixture()
        try f.ring(extra: "Require: 100rel\r\n")
        f.bob.respond(180)
        let out = f.h.advance(.seconds(33))
        #expect(try f.statuses(out, f.alice).filter { $0 >= 200 }.first == 504)
        #expect(try f.methods(out, f.bob).first == "CANCEL")
        f.bob.respond(487)
        f.expectNothingLeft()
    }

    @Test("Requests too large for one datagram stay on the phone's UDP flow, and that is told")
    func large() throws {
        let f = try CallFixture()
        let long = String(repeating: "a=x-filler:0123456789012345678901234567890123456789\r\n", count: 30)
        try f.ring(body: UA.offer("192.168.1.10", 16_384, extra: long))
        #expect(f.invite!.bytes.count > 1_300)
        #expect(f.h.traces.contains { if case .call(.largeRequest(f.bob.flow, _)) = $0 { true } else { false } })
    }

    @Test("A large INVITE that draws nothing from a phone whose keepalives are answered: fragments are lost, and that is told")
    func fragments() throws {
        for isLarge in [true, false] {
            let f = try CallFixture({ $0.keepalive.interval = .seconds(25) })
            let long = String(repeating: "a=x-filler:0123456789012345678901234567890123456789\r\n", count: 30)
            try f.ring(body: UA.offer("192.168.1.10", 16_384, extra: isLarge ? long : ""))
            for _ in 0..<34 {
                for options in try f.bob.mine(f.h.advance(.seconds(1))) where options.method == .options {
                    f.bob.respond(200, to: options)
                }
            }
            let told = f.h.traces.contains {
                if case .call(.fragmentsLost(1, "bob@pinhole", f.bob.flow, _)) = $0 { true } else { false }
            }
            #expect(told == isLarge)
        }
    }
}
