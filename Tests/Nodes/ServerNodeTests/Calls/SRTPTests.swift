import Base
import SIP
import ServerNode
import Testing

@Suite("SRTP between phones: whom it is offered, what a refusal leads to")
struct SRTPTests {
    static let key = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
    static let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key)\r\n"
    static let secret = UA.offer("192.168.1.10", 16_384, extra: crypto).replacing("RTP/AVP", with: "RTP/SAVP")
    static let plain = UA.offer("192.168.1.10", 16_384)

    private func fixture(_ wish: Account.SRTP? = nil, alice: Account.SRTP? = nil, available: Bool = true) throws -> CallFixture {
        let f = try CallFixture({ $0.calls.srtpAvailable = available })
        f.h.input(
            .accounts([
                Account(username: "alice", realm: "pinhole", password: "secret", srtp: alice),
                Account(username: "bob", realm: "pinhole", password: "word", srtp: wish),
                Account(username: "carol", realm: "pinhole", password: "word", srtp: wish),
            ]))
        return f
    }

    private func isSecret(_ invite: SIPMessage) -> Bool {
        let says = invite.sdp.contains("RTP/SAVP ")
        #expect(says == invite.sdp.contains("a=crypto:1 ") && says != invite.sdp.contains("RTP/AVP "))
        return says
    }

    /// Bob refuses what he is offered; the INVITE he gets then.
    private func refuse(_ f: CallFixture, _ status: Int) throws -> SIPMessage? {
        let again = try f.bob.mine(f.bob.respond(status)).first { $0.isRequest && $0.method == .invite }
        if let again { try f.bob.called(by: again) }
        return again
    }

    /// Bob takes the INVITE he got last: the statuses Alice gets.
    private func take(_ f: CallFixture) throws -> [Int] {
        let isSecret = f.bob.request!.sdp.contains("RTP/SAVP ")
        let answer = UA.offer("198.51.100.77", 30_000, formats: "0 101", extra: isSecret ? Self.crypto : "")
        return try f.statuses(
            f.bob.respond(200, body: isSecret ? answer.replacing("RTP/AVP", with: "RTP/SAVP") : answer), f.alice)
    }

    private func hints(_ f: CallFixture) -> [String] { f.h.lastTexts.filter { $0.contains("pinhole account srtp") } }

    @Test("Kept where the caller offers it, each side with keys of its own; a phone that refuses is asked again without")
    func keptAndRefused() throws {
        let f = try fixture()
        let invite = try f.ring(body: Self.secret)
        #expect(isSecret(invite) && !invite.sdp.contains(Self.key))
        let again = try #require(try refuse(f, 488))
        #expect(!isSecret(again))
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: Self.plain)).first)
        #expect(ok.sdp.contains("RTP/SAVP ") && ok.sdp.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"))
        #expect(!ok.sdp.contains(Self.key))
        let keys = f.h.media.compactMap { if case .remote(_, let remote) = $0.command { remote.srtp } else { nil } }
        #expect(keys.count == 1 && keys[0].remoteKey.count == 30 && keys[0].localKey.count == 30)
        #expect(
            hints(f) == [
                "call 1: bob@pinhole at 198.51.100.77:5070 refused SRTP and took plain RTP; if it never takes SRTP: "
                    + "pinhole account srtp bob off"
            ])
        // Over UDP keys are in clear anyway: what it took is kept.
        f.bob.send("BYE")
        f.alice.callID = "second"
        f.alice.remoteTag = nil
        #expect(!isSecret(try f.ring(body: Self.secret)))
    }

    @Test("Both sides of one call with SRTP over UDP")
    func both() throws {
        let f = try fixture()
        try f.ring(body: Self.secret)
        #expect(try take(f) == [200])
        let keys = f.h.media.compactMap { if case .remote(_, let remote) = $0.command { remote.srtp } else { nil } }
        #expect(keys.count == 2 && keys[0].localKey != keys[1].localKey)
        #expect(hints(f).isEmpty)
    }

    @Test("A phone that insists is asked a second time with SRTP, and first with it from then on, across its refreshes")
    func insists() throws {
        let f = try fixture()
        #expect(!isSecret(try f.ring()))
        #expect(isSecret(try #require(try refuse(f, 488))))
        #expect(try take(f) == [200])
        #expect(
            hints(f) == [
                "call 1: bob@pinhole at 198.51.100.77:5070 refused plain RTP and took SRTP, and is offered that from now on; "
                    + "to settle it: pinhole account srtp bob required"
            ])
        f.bob.send("BYE")
        var refresh = Register(user: "bob")
        refresh.callID = "reg-bob-5070-198.51.100.77"
        refresh.cseq = 10
        refresh.contact = f.bob.contact
        refresh.via = "198.51.100.77:5070;rport"
        #expect(try f.h.register(refresh, password: "word", on: f.bob.flow).statusCode == 200)
        f.alice.callID = "second"
        f.alice.remoteTag = nil
        #expect(isSecret(try f.ring()))
        // It took plain RTP again: what was kept is forgotten.
        #expect(!isSecret(try #require(try refuse(f, 488))))
        #expect(try take(f) == [200])
        f.alice.send("BYE")
        f.alice.callID = "third"
        f.alice.remoteTag = nil
        #expect(!isSecret(try f.ring()))
    }

    @Test(
        "A phone that answers and takes no stream of plain RTP is offered SRTP from the next call on; no call without sound comes of it"
    )
    func takesNothing() throws {
        let f = try fixture()
        try f.ring()
        let nothing = UA.offer("198.51.100.77", 0, formats: "0")
        let out = f.bob.respond(200, body: nothing)
        #expect(try f.statuses(out, f.alice) == [488] && f.methods(out, f.bob) == ["ACK", "BYE"])
        #expect(
            hints(f) == [
                "call 1: bob@pinhole at 198.51.100.77:5070 answers and takes no stream of plain RTP; the next call offers SRTP; "
                    + "to settle it: pinhole account srtp bob required"
            ])
        f.alice.callID = "second"
        f.alice.remoteTag = nil
        #expect(isSecret(try f.ring()))
        #expect(try take(f) == [200])
        f.bob.send("BYE")
        #expect(f.h.records.last?.parties.map(\.streams.count) == [1, 1])
    }

    @Test("Of what a phone refused there is no verdict")
    func oneVerdict() throws {
        let f = try fixture()
        try f.ring()
        #expect(try refuse(f, 488) != nil)
        let ok = UA.offer("198.51.100.77", 30_000, extra: Self.crypto).replacing("RTP/AVP", with: "RTP/SAVP")
        try f.alice.take(try #require(try f.alice.mine(f.bob.respond(200, body: ok)).first))
        f.alice.ack()
        f.alice.send("BYE")
        #expect(f.h.records.map { $0.parties.map(\.streams.count) } == [[1, 1]])
        f.bob.respond(200, to: try f.bob.mine(f.h.sent).last)
        f.expectNothingLeft()
    }

    @Test("A phone that refuses both is asked twice, no more, and the caller hears of it; it may have meant the codecs")
    func refusesBoth() throws {
        let f = try fixture()
        try f.ring()
        #expect(try refuse(f, 488) != nil)
        #expect(try f.statuses(f.bob.respond(488), f.alice) == [488])
        #expect(hints(f).isEmpty)
        f.alice.callID = "second"
        f.alice.remoteTag = nil
        #expect(!isSecret(try f.ring()))
    }

    @Test("Refusals that say nothing of the media draw no second try", arguments: [486, 480, 415, 603])
    func otherRefusals(status: Int) throws {
        let f = try fixture()
        try f.ring()
        #expect(try refuse(f, status) == nil)
    }

    @Test("Without SRTP here a refusal is a refusal")
    func unavailable() throws {
        let f = try fixture(available: false)
        try f.ring()
        #expect(try refuse(f, 488) == nil)
    }

    @Test("A TLS phone is offered SRTP unasked; refusing it with 488 it is asked again without")
    func overTLS() throws {
        let f = try CallFixture({ $0.calls.srtpAvailable = true })
        let phone = UA(f.h, "carol", at: "203.0.113.50:6001", .tls)
        try phone.register()
        let invite = try #require(try phone.mine(f.alice.invite("carol")).first)
        #expect(isSecret(invite) && invite.sdp.contains("a=crypto:2 "))
        try phone.called(by: invite)
        let again = try #require(try phone.mine(phone.respond(488)).first { $0.isRequest && $0.method == .invite })
        #expect(!isSecret(again))
        try phone.called(by: again)
        #expect(try f.statuses(phone.respond(200, body: UA.offer("192.168.7.7", 40_000)), f.alice) == [200])
        // That it refused is not kept: whoever once could make it say so would have all its calls in clear.
        phone.send("BYE")
        f.alice.callID = "second"
        f.alice.remoteTag = nil
        #expect(isSecret(try #require(try phone.mine(f.alice.invite("carol")).first)))
    }

    @Test("By account: what is offered first, and whether the other is tried")
    func byAccount() throws {
        for (wish, offer, first, second) in [
            (Account.SRTP.required, Self.plain, true, false), (.required, Self.secret, true, false),
            (.offered, Self.plain, true, true),
            (.off, Self.plain, false, false), (.off, Self.secret, false, false),
        ] {
            let f = try fixture(wish)
            #expect(isSecret(try f.ring(body: offer)) == first)
            #expect((try refuse(f, 488) != nil) == second, "\(wish)")
        }
    }

    @Test("Off counts over TLS too; required without SRTP here is no call")
    func byAccountOverTLS() throws {
        let f = try fixture(.off)
        let phone = UA(f.h, "carol", at: "203.0.113.50:6001", .tls)
        try phone.register()
        #expect(!isSecret(try #require(try phone.mine(f.alice.invite("carol")).first)))
        let g = try fixture(.required, available: false)
        let out = try g.alice.invite("bob")
        #expect(try g.methods(out, g.bob).isEmpty && g.statuses(out, g.alice) == [100, 480])
    }

    @Test("A caller's offer is held against its account, at phones and at services alike", arguments: ["bob", "601", "600"])
    func callers(callee: String) throws {
        for (wish, offer, warning) in [
            (Account.SRTP.required, Self.plain, "302"), (.off, Self.secret, "302"), (.required, Self.secret, nil),
            (.off, Self.plain, nil), (.offered, Self.plain, nil),
        ] {
            let f = try fixture(alice: wish)
            let out = try f.alice.mine(f.alice.invite(callee, body: offer))
            let refused = out.first { $0.statusCode == 488 }
            #expect((refused != nil) == (warning != nil), "\(wish) \(callee)")
            if let warning { #expect(refused?.first(.warning)?.value.string.hasPrefix(warning) == true) }
        }
    }

    @Test("Required counts in a session that is changed, too")
    func changed() throws {
        let f = try fixture(alice: .required)
        try f.ring(body: Self.secret)
        let answer = UA.offer("198.51.100.77", 30_000, formats: "0 101", extra: Self.crypto)
        let ok = try #require(
            try f.alice.mine(f.bob.respond(200, body: answer.replacing("RTP/AVP", with: "RTP/SAVP"))).first)
        try f.alice.take(ok)
        f.alice.ack()
        let out = f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384, direction: "sendonly", version: 2))
        #expect(try f.statuses(out, f.alice).last == 488 && f.methods(out, f.bob).isEmpty)
    }
}
