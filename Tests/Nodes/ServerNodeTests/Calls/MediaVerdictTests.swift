import Base
import MediaControl
import RTP
import SIP
import ServerNode
import Testing

@Suite("Where media go, and what is said of them")
struct MediaVerdictTests {
    static func verdict(_ change: (inout MediaVerdict) -> Void = { _ in }) -> MediaVerdict {
        var verdict = MediaVerdict(
            signalled: Endpoint("192.168.1.10:16384"),
            source: MediaSource(endpoint: Endpoint("203.0.113.7:52011")!, means: .learnt, packet: 3))
        verdict.packetsReceived = 998
        verdict.packetsSent = 1_000
        verdict.lost = 2
        verdict.jitter = 3.8
        change(&verdict)
        return verdict
    }

    @Test("The sentence names what the SDP said, where RTP came from, when it was locked, loss and jitter")
    func sentence() {
        let text = Self.verdict().sentence(other: MediaVerdict())
        #expect(
            text == "SDP said 192.168.1.10:16384, RTP came from 203.0.113.7:52011, locked at packet 3, 0.2 % lost, 4 ms jitter")
    }

    @Test("One-way audio is named, on either side of it")
    func oneWay() {
        var silent = MediaVerdict(signalled: Endpoint("198.51.100.77:30000"))
        silent.packetsSent = 998
        let heard = Self.verdict { $0.packetsSent = 0 }
        #expect(heard.sentence(other: silent).hasSuffix("; nothing ever came back the other way"))
        #expect(silent.sentence(other: heard) == "SDP said 198.51.100.77:30000, no RTP ever came")
        silent.packetsSent = 0
        #expect(silent.sentence(other: heard).hasSuffix("; the other side's media had nowhere to go before it sent"))
        #expect(silent.sentence(other: silent).hasSuffix("; nothing came the other way either"))
    }

    @Test("ICE, a move, strangers, SRTP and a held party are told")
    func details() {
        let ice = Self.verdict { $0.source?.means = .ice }
        #expect(ice.sentence().contains("agreed by ICE"))
        let moved = Self.verdict {
            $0.source?.means = .moved
            $0.source?.packet = 700
            $0.strangers = 5
            $0.isSRTP = true
        }
        #expect(
            moved.sentence().contains("moved there at packet 700")
                && moved.sentence().contains("SRTP, 5 packets from elsewhere not taken"))
        var held = MediaVerdict(signalled: nil)
        held.shouldSend = false
        held.shouldReceive = false
        #expect(held.sentence() == "SDP named no address, as on hold, no RTP was due from there")
    }

    @Test("What was not taken is told with its number, also where nothing was")
    func notTaken() {
        var none = MediaVerdict(signalled: Endpoint("198.51.100.77:30000"))
        none.strangers = 1
        none.refused = 2
        #expect(
            none.sentence()
                == "SDP said 198.51.100.77:30000, no RTP ever came, 1 packet from elsewhere not taken, 2 packets not fit to be taken"
        )
    }

    @Test("Nothing came back from whom is muted or on hold: nobody is accused")
    func muted() {
        var muted = MediaVerdict(signalled: Endpoint("198.51.100.77:30000"))
        muted.shouldSend = false
        #expect(muted.sentence() == "SDP said 198.51.100.77:30000, no RTP was due from there")
        let heard = Self.verdict { $0.packetsSent = 0 }
        #expect(heard.sentence(other: muted).hasSuffix("4 ms jitter"))
    }

    @Test("A call that is refused, or given up while it rings, agreed on no media: nothing is missing", arguments: [true, false])
    func unanswered(isRefused: Bool) throws {
        let f = try CallFixture()
        f.h.closes = { _ in
            var verdict = MediaVerdict()
            (verdict.shouldSend, verdict.shouldReceive) = (false, false)
            return verdict
        }
        try f.ring()
        if isRefused { f.bob.respond(486) } else { f.alice.cancel() }
        #expect(
            f.h.records.flatMap { $0.parties.flatMap { $0.streams.map(\.text) } } == [
                "nothing was agreed on", "nothing was agreed on",
            ])
    }

    @Test("A verdict for each stream stands in the record and in the traces")
    func recorded() throws {
        let f = try CallFixture()
        f.h.closes = { id in
            id.value == 1 ? Self.verdict { $0.packetsSent = 0 } : MediaVerdict(signalled: Endpoint("198.51.100.77:30000"))
        }
        try f.talk()
        f.alice.send("BYE")
        let record = try #require(f.h.records.first)
        let text =
            "SDP said 192.168.1.10:16384, RTP came from 203.0.113.7:52011, locked at packet 3, 0.2 % lost, 4 ms jitter; nothing ever came back the other way"
        #expect(record.parties[0].streams.map(\.text) == [text])
        #expect(f.h.lastTexts.contains("call 1: audio of alice@pinhole: \(text)"))
        #expect(
            f.h.lastTexts.contains {
                $0.hasPrefix("call 1: audio of bob@pinhole: SDP said 198.51.100.77:30000, no RTP ever came")
            })
    }

    @Test("The media plane does not say in time: the record comes without; the port is free when it says so at last")
    func late() throws {
        let f = try CallFixture()
        f.h.closes = nil
        try f.talk()
        f.alice.send("BYE")
        #expect(f.h.records.isEmpty)
        f.h.advance(.seconds(5))
        #expect(f.h.records.map { $0.parties[0].streams.map(\.text) } == [["what became of it was not told in time"]])
        #expect(f.h.server.callUsage.ports == 2)
        for id in [1, 2] { f.h.input(.media(.closed(MediaLegID(UInt64(id)), MediaVerdict()))) }
        f.expectNothingLeft()
    }

    @Test("SDP that names a third party's address: told, and only where the phone's SIP comes from may be sent to unasked")
    func thirdParty() throws {
        let f = try CallFixture()
        try f.talk(body: UA.offer("192.0.2.200", 9))
        guard
            case .remote(_, let remote)? = f.h.media.first(where: { if case .remote = $0.command { true } else { false } })?
                .command
        else {
            return #expect(Bool(false), "no .remote")
        }
        #expect(remote.rtp == Endpoint("192.0.2.200:9"))
        #expect(remote.signallingSource == IPAddress("203.0.113.7"))
        #expect(
            f.h.lastTexts.contains(
                "call 1: the SDP of alice@pinhole names 192.0.2.200:9, its SIP comes from 203.0.113.7: media for it wait until it sends"
            )
        )
        #expect(f.h.server.counters.mediaElsewhere == 1)
    }

    @Test("For a stranger no address counts as his: whom nobody vouches for may aim at nobody")
    func strangerAims() throws {
        let f = try CallFixture({ $0.calls.anonymousCalls = true })
        let stranger = UA(f.h, "x", at: "192.0.2.66:5060")
        stranger.localURI = "sip:x@elsewhere.example"
        try stranger.invite("8000", body: UA.offer("192.0.2.66", 16_384), authenticates: false)
        let told = f.h.media.compactMap { if case .remote(_, let remote) = $0.command { remote } else { nil } }
        #expect(told.map(\.unheard) == [.nowhere])
        // Who he is does not matter to whom he is believed as: his own media are nobody else's.
        #expect(told.map(\.signallingSource) == [IPAddress("192.0.2.66")])
    }

    @Test("Direct media where both accounts wish it and nothing is translated between: SDP byte for byte, no port of ours")
    func direct() throws {
        for (wish, aliceAt, sdpAt, isDirect) in [
            (true, "198.51.100.70:5060", "198.51.100.70", true), (true, "203.0.113.7:40000", "192.168.1.10", false),
            (false, "198.51.100.70:5060", "198.51.100.70", false),
        ] {
            let f = try CallFixture(alice: aliceAt)
            f.h.input(
                .accounts([
                    Account(username: "alice", realm: "pinhole", password: "secret", wantsDirectMedia: true),
                    Account(username: "bob", realm: "pinhole", password: "word", wantsDirectMedia: wish),
                ]))
            let offer = UA.offer(sdpAt, 16_384)
            let ok = try f.talk(body: offer)
            #expect((f.invite?.sdp == offer) == isDirect)
            #expect((ok.sdp == UA.offer("198.51.100.77", 30_000, formats: "0 101")) == isDirect)
            #expect(f.h.media.isEmpty == isDirect)
            f.alice.send("BYE")
            #expect(f.h.records.map(\.isDirect) == [isDirect])
            f.expectNothingLeft()
        }
    }

    @Test("Direct media are relayed, and the log says why, where the phones may not reach each other; and not where they do")
    func notDirect() throws {
        for (aliceAt, bobAt, sdpAt, bobCallID, why) in [
            // Behind one router with a helper that names its outside address everywhere.
            (
                "203.0.113.7:40000", "203.0.113.7:40001", "203.0.113.7", "b",
                "both name the one public address they come from: "
                    + "their packets would have to turn round in their router"
            ),
            // Bob's helper left its trace in his Call-ID.
            (
                "198.51.100.70:5060", "203.0.113.9:40001", "198.51.100.70", "b@192.168.1.44",
                "a helper in a router (SIP ALG) changes what one of them says of itself"
            ),
            ("203.0.113.7:40000", "198.51.100.77:5070", "192.168.1.10", "b", "a NAT stands between them"),
            // Behind one NAT, nothing changed; two hosts with public addresses.
            ("203.0.113.7:40000", "203.0.113.7:40001", "192.168.1.10", "b", nil),
            ("198.51.100.70:5060", "198.51.100.77:5070", "198.51.100.70", "b@198.51.100.77", nil),
        ] as [(String, String, String, String, String?)] {
            let f = try CallFixture(alice: aliceAt, bob: "198.51.100.77:5999")
            f.h.input(
                .accounts(
                    [("alice", "secret"), ("carol", "word")].map {
                        Account(username: $0.0, realm: "pinhole", password: $0.1, wantsDirectMedia: true)
                    }))
            let carol = UA(f.h, "carol", at: bobAt)
            var register = Register(user: "carol")
            register.callID = bobCallID
            register.contact = carol.contact
            register.via = "\(carol.address):\(carol.flow.remote.port);rport"
            #expect(try f.h.register(register, password: "word", on: carol.flow).statusCode == 200)
            let offer = UA.offer(sdpAt, 16_384)
            let invite = try #require(try carol.mine(f.alice.invite("carol", body: offer)).first)
            #expect((invite.sdp == offer) == (why == nil), "\(aliceAt) \(bobAt)")
            let told = f.h.lastTexts.filter { $0.contains("direct media") }
            #expect(
                told
                    == (why.map { ["call 1: alice@pinhole and carol@pinhole wish direct media; they are relayed, because \($0)"] }
                        ?? []))
        }
    }

    @Test("IPv4 to IPv6: each side's SDP names our address of its family (RFC 5118, RFC 6157)")
    func families() throws {
        let f = try CallFixture()
        let six = UA(f.h, "carol", at: "[2001:db8::7]:5060")
        six.flow = FlowID(.udp, local: Endpoint("[2001:db8::1]:5060")!, remote: six.flow.remote)
        var register = Register(user: "carol")
        register.callID = "six"
        register.contact = "<sip:carol@[2001:db8::7]:5060>"
        register.via = "[2001:db8::7]:5060;rport"
        #expect(try f.h.register(register, password: "word", on: six.flow).statusCode == 200)
        let out = try f.alice.invite("carol")
        let invite = try #require(try six.mine(out).first)
        #expect(invite.sdp.contains("c=IN IP6 2001:db8::1\r\n") && !invite.sdp.contains("IP4"))
        #expect(try invite.topVia.host.description == "[2001:db8::1]")
        try six.called(by: invite)
        let answer = six.response(200, body: UA.offer("2001:db8::7", 30_000))
            .replacing("sip:carol@2001:db8::7:5060", with: "sip:carol@[2001:db8::7]:5060")
        let ok = try #require(try f.alice.mine(f.h.receive(answer, on: six.flow)).first)
        #expect(ok.statusCode == 200 && ok.sdp.contains("c=IN IP4 198.51.100.1\r\n") && !ok.sdp.contains("IP6"))
    }
}
