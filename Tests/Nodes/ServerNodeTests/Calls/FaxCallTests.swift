import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Fax in calls: T.38 re-INVITEs")
struct FaxCallTests {
    static func image(_ address: String, _ port: Int, version: Int = 2, before: String = "") -> String {
        "v=0\r\no=- 77 \(version) IN IP4 \(address)\r\ns=-\r\nc=IN IP4 \(address)\r\nt=0 0\r\n\(before)m=image \(port) udptl t38\r\n"
            + "a=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    }

    private func remotes(_ f: CallFixture) -> [(id: UInt64, remote: MediaRemote)] {
        f.h.media.compactMap { if case .remote(let id, let remote) = $0.command { (id.value, remote) } else { nil } }
    }

    /// Alice offers fax: the INVITE that Bob gets.
    private func offerFax(_ f: CallFixture, _ body: String = image("192.168.1.10", 16_384)) throws -> SIPMessage {
        let invite = try #require(try f.bob.mine(f.alice.send("INVITE", body: body)).first { $0.isRequest })
        f.bob.request = invite
        return invite
    }

    @Test("In one line: protocol, format and attributes pass, the ports stay, and both sides are told")
    func oneLine() throws {
        let f = try CallFixture()
        try f.talk()
        f.h.closes = { _ in MediaVerdict() }
        let invite = try offerFax(f)
        #expect(
            invite.sdp.hasSuffix(
                "c=IN IP4 198.51.100.1\r\nt=0 0\r\nm=image \(f.port(2)) udptl t38\r\na=T38FaxVersion:0\r\n"
                    + "a=T38FaxUdpEC:t38UDPRedundancy\r\n"))
        let ok = try #require(
            try f.alice.mine(f.bob.respond(200, body: Self.image("198.51.100.77", 30_002))).first { $0.statusCode == 200 })
        #expect(ok.sdp.contains("m=image \(f.port(1)) udptl t38\r\n"))
        f.alice.ack()
        let told = remotes(f).suffix(2)
        #expect(told.map(\.id) == [1, 2] && told.allSatisfy { $0.remote.carriesUDPTL && $0.remote.rtcp == nil })
        #expect(told.last?.remote.rtp == Endpoint("198.51.100.77:30002"))
        // And back, asked by the other side.
        let back = try #require(
            try f.alice.mine(f.bob.send("INVITE", body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 3))).first {
                $0.isRequest
            })
        #expect(back.sdp.contains("m=audio \(f.port(1)) RTP/AVP 0\r\n"))
        f.alice.request = back
        f.alice.respond(200, body: UA.offer("192.168.1.10", 16_384, formats: "0", version: 3))
        #expect(remotes(f).suffix(2).allSatisfy { !$0.remote.carriesUDPTL && $0.remote.rtcp != nil })
        f.bob.ack()
        f.alice.send("BYE")
        #expect(f.h.records.map(\.codec) == ["PCMU, T.38 (fax)"])
        f.expectNothingLeft()
    }

    @Test("In a line of its own: the sound's is closed when it is agreed on")
    func twoLines() throws {
        let f = try CallFixture()
        try f.talk()
        let invite = try offerFax(f, Self.image("192.168.1.10", 16_390, before: "m=audio 0 RTP/AVP 0\r\n"))
        #expect(invite.sdp.contains("m=audio 0 RTP/AVP 0\r\nm=image \(f.port(4)) udptl t38\r\n"))
        let answer = Self.image("198.51.100.77", 30_002, before: "m=audio 0 RTP/AVP 0\r\n")
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: answer)).first { $0.statusCode == 200 })
        #expect(ok.sdp.contains("m=audio 0 RTP/AVP 0\r\nm=image \(f.port(3)) udptl t38\r\n"))
        #expect(f.commands.suffix(5).contains("bridge 3 4") && f.commands.contains("close 1") && f.commands.contains("close 2"))
        #expect(remotes(f).suffix(2).allSatisfy { $0.remote.carriesUDPTL })
    }

    @Test("Refused, the sound goes on untouched and the gateway that asked hears 488", arguments: [488, 415, 606])
    func refused(status: Int) throws {
        let f = try CallFixture()
        let ok = try f.talk()
        let count = f.h.media.count
        _ = try offerFax(f)
        #expect(try f.statuses(f.bob.respond(status), f.alice) == [488])
        #expect(f.h.media.count == count)
        // The session is what it was: a refresh with the same SDP is answered by the same.
        let out = try f.alice.mine(f.alice.send("INVITE", body: UA.offer("192.168.1.10", 16_384)))
        #expect(out.last?.statusCode == 200 && out.last?.sdp == ok.sdp)
        #expect(remotes(f).suffix(2).allSatisfy { !$0.remote.carriesUDPTL })
        f.alice.send("BYE")
        #expect(f.h.records.map(\.codec) == ["PCMU"])
    }

    @Test("Refused by an answer of sound: the same")
    func answeredBySound() throws {
        let f = try CallFixture()
        try f.talk()
        _ = try offerFax(f)
        let out = f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, formats: "0", version: 2))
        #expect(try f.statuses(out, f.alice) == [488] && f.methods(out, f.bob) == ["ACK"])
    }

    @Test("Rooms and services have no fax: 488, and the sound goes on", arguments: ["600", "601", "8000"])
    func services(number: String) throws {
        let f = try CallFixture()
        let ok = try #require(try f.alice.mine(f.alice.invite(number)).last)
        try f.alice.take(ok)
        f.alice.ack()
        let count = f.h.media.count
        for body in [Self.image("192.168.1.10", 16_384), Self.image("192.168.1.10", 16_390, before: "m=audio 0 RTP/AVP 0\r\n")] {
            let out = try f.alice.mine(f.alice.send("INVITE", body: body))
            #expect(out.last?.statusCode == 488 && out.last?.first(.warning) != nil)
        }
        #expect(f.h.media.count == count)
    }

    @Test("A call that is fax from the beginning")
    func fromTheBeginning() throws {
        let f = try CallFixture()
        let invite = try f.ring(body: Self.image("192.168.1.10", 16_384))
        #expect(invite.sdp.contains("m=image \(f.port(2)) udptl t38\r\n"))
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: Self.image("198.51.100.77", 30_002))).first)
        try f.alice.take(ok)
        f.alice.ack()
        #expect(remotes(f).allSatisfy { $0.remote.carriesUDPTL } && remotes(f).count == 2)
        f.bob.send("BYE")
        #expect(f.h.records.map(\.codec) == ["T.38 (fax)"])
        #expect(f.h.records.first?.parties.first?.streams.map(\.kind) == ["image"])
    }

    @Test("From SRTP and back to it: fax has no keys, and what comes after it has new ones")
    func secret() throws {
        let f = try CallFixture({ $0.calls.srtpAvailable = true })
        let offer = UA.offer("192.168.1.10", 16_384, extra: SRTPTests.crypto).replacing("RTP/AVP", with: "RTP/SAVP")
        let answer = UA.offer("198.51.100.77", 30_000, formats: "0", extra: SRTPTests.crypto).replacing(
            "RTP/AVP", with: "RTP/SAVP")
        try f.ring(body: offer)
        let first = f.invite!.sdp
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: answer)).first)
        try f.alice.take(ok)
        f.alice.ack()
        let invite = try offerFax(f)
        #expect(invite.sdp.contains("m=image \(f.port(2)) udptl t38\r\n") && !invite.sdp.contains("crypto"))
        f.bob.respond(200, body: Self.image("198.51.100.77", 30_002))
        f.alice.ack()
        #expect(remotes(f).suffix(2).allSatisfy { $0.remote.srtp == nil && $0.remote.carriesUDPTL })
        let back = try offerFax(f, offer.replacing("o=- 77 1", with: "o=- 77 3"))
        #expect(back.sdp.contains("RTP/SAVP ") && back.sdp.contains("a=crypto:1 "))
        let keys = { (sdp: String) in sdp.split(separator: "\r\n").filter { $0.hasPrefix("a=crypto") } }
        #expect(Set(keys(first)).isDisjoint(with: keys(back.sdp)))
    }

    @Test("An account whose media is SRTP or none has no fax")
    func required() throws {
        for (alice, bob) in [(Account.SRTP.required, nil), (nil, Account.SRTP.required)] as [(Account.SRTP?, Account.SRTP?)] {
            let f = try CallFixture({ $0.calls.srtpAvailable = true })
            f.h.input(
                .accounts([
                    Account(username: "alice", realm: "pinhole", password: "secret", srtp: alice),
                    Account(username: "bob", realm: "pinhole", password: "word", srtp: bob),
                ]))
            let offer = UA.offer("192.168.1.10", 16_384, extra: SRTPTests.crypto).replacing("RTP/AVP", with: "RTP/SAVP")
            let answer = UA.offer("198.51.100.77", 30_000, extra: SRTPTests.crypto).replacing("RTP/AVP", with: "RTP/SAVP")
            try f.ring(body: offer)
            let ok = try #require(try f.alice.mine(f.bob.respond(200, body: answer)).first)
            try f.alice.take(ok)
            f.alice.ack()
            let out = f.alice.send("INVITE", body: Self.image("192.168.1.10", 16_384))
            #expect(try f.statuses(out, f.alice).last == 488 && f.methods(out, f.bob).isEmpty)
        }
    }

    @Test("What the verdict says of a fax")
    func words() {
        var verdict = MediaVerdict(
            signalled: Endpoint("192.0.2.1:4000"),
            source: MediaSource(endpoint: Endpoint("192.0.2.1:4000")!, means: .signalled, packet: 1))
        verdict.packetsReceived = 300
        verdict.packetsSent = 280
        verdict.fax = .init(received: 300, sent: 280)
        #expect(
            verdict.sentence()
                == "SDP said 192.0.2.1:4000, UDPTL came from there, 0 % lost, fax (T.38): 300 packets came, 0 were missing, 280 went to it"
        )
        verdict.packetsReceived = 900
        verdict.jitter = 3
        #expect(
            verdict.sentence()
                == "SDP said 192.0.2.1:4000, RTP came from there, 0 % lost, 3 ms jitter, fax (T.38): 300 packets came, 0 were missing, "
                + "280 went to it")
    }

    @Test("ICE is offered to a phone that registered +sip.ice, whatever its transport (RFC 5768)")
    func ice() throws {
        for (parameter, speaks) in [
            (";+sip.ice", true), (";+sip.ice;q=0.5", true), (";+SIP.ICE", true), ("", false), (";+sip.iceberg", false),
        ] {
            let f = try CallFixture()
            let phone = UA(f.h, "carol", at: "203.0.113.50:6001")
            var register = Register(user: "carol")
            register.callID = "ice"
            register.contact = phone.contact + parameter
            register.via = "203.0.113.50:6001;rport"
            #expect(try f.h.register(register, password: "word", on: phone.flow).statusCode == 200)
            let invite = try #require(try phone.mine(f.alice.invite("carol")).first)
            #expect(
                invite.sdp.contains("a=ice-lite\r\n") == speaks && invite.sdp.contains("a=ice-ufrag:") == speaks, "\(parameter)")
            #expect(invite.sdp.contains("a=candidate:1 1 UDP") == speaks || invite.sdp.contains("a=candidate:1 1 udp") == speaks)
        }
    }

    @Test("The hash of a ZRTP Hello passes between phones, and not across keys of ours")
    func zrtp() throws {
        let hash = "a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df\r\n"
        let f = try CallFixture({ $0.calls.srtpAvailable = true })
        try f.ring(body: UA.offer("192.168.1.10", 16_384, extra: hash))
        #expect(f.invite!.sdp.contains(hash))
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000, extra: hash))).first)
        #expect(ok.sdp.contains(hash))
        let g = try CallFixture({ $0.calls.srtpAvailable = true })
        try g.ring(body: UA.offer("192.168.1.10", 16_384, extra: hash + SRTPTests.crypto).replacing("RTP/AVP", with: "RTP/SAVP"))
        #expect(!g.invite!.sdp.contains("zrtp-hash"))
    }
}
