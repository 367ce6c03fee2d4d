import Base
import MediaControl
import SIP
import ServerNode
import Testing

@Suite("Calls as people read of them")
struct CallTraceTests {
    static let flow = FlowID(.udp, local: Endpoint("198.51.100.1:5060")!, remote: Endpoint("203.0.113.7:40000")!)
    static let other = FlowID(.udp, local: Endpoint("198.51.100.1:5060")!, remote: Endpoint("203.0.113.7:41000")!)
    static let place = Endpoint("203.0.113.7:52011")!

    @Test(
        "Each trace is one plain line",
        arguments: [
            (CallTrace.started(call: 1, from: "a@x", to: "b@x", instances: 2), "call 1: a@x calls b@x, 2 phones rung"),
            (.started(call: 1, from: "a@x", to: "room 8000", instances: 0), "call 1: a@x calls room 8000"),
            (.ringing(call: 1, party: "b@x", flow, status: 180), "call 1: b@x at 203.0.113.7:40000 rings (180)"),
            (.ringing(call: 1, party: "b@x", flow, status: 183), "call 1: b@x at 203.0.113.7:40000 plays early media (183)"),
            (.answered(call: 1, party: "b@x", flow), "call 1: b@x at 203.0.113.7:40000 answers"),
            (.forwarded(call: 1, by: "b@x", to: "c@x"), "call 1: b@x forwards to c@x"),
            (
                .notForwarded(call: 1, by: "b@x", to: "sip:1@y", .elsewhere),
                "call 1: b@x forwards to sip:1@y: not followed, that is not an address of this server"
            ),
            (
                .notForwarded(call: 1, by: "b@x", to: "", .unreadable),
                "call 1: b@x forwards: not followed, its answer names no SIP address"
            ),
            (
                .declined(call: 1, party: "b@x", flow, status: 486, .refused),
                "call 1: b@x at 203.0.113.7:40000 refuses: 486 Busy Here"
            ),
            (
                .declined(call: 1, party: "b@x", flow, status: 408, .timedOut),
                "call 1: b@x at 203.0.113.7:40000 does not answer at all"
            ),
            (
                .declined(call: 1, party: "b@x", flow, status: 480, .flowDead),
                "call 1: b@x at 203.0.113.7:40000 cannot be reached over its flow"
            ),
            (
                .declined(call: 1, party: "b@x", flow, status: 488, .session(SessionRefusal(301, "no address"))),
                "call 1: b@x at 203.0.113.7:40000 sent an SDP that cannot be used: no address"
            ),
            (
                .declined(call: 1, party: "b@x", flow, status: 487, .cancelled),
                "call 1: b@x at 203.0.113.7:40000 is not rung any more"
            ),
            (.nextFlow(call: 1, party: "b@x", flow), "call 1: tries another flow of b@x, 203.0.113.7:40000"),
            (
                .challengedUs(call: 1, party: "b@x", flow),
                "call 1: b@x at 203.0.113.7:40000 asks us for a password; nobody's is given away"
            ),
            (
                .renegotiated(call: 1, by: "a@x", status: 488),
                "call 1: a@x would change the session, and may not: 488 Not Acceptable Here"
            ),
            (.renegotiated(call: 1, by: "a@x", status: 200), "call 1: a@x changes the session: 200 OK"),
            (
                .moved(call: 1, party: "a@x", from: flow, to: other),
                "call 1: a@x now comes from 203.0.113.7:41000 instead of 203.0.113.7:40000"
            ),
            (.transferring(call: 1, by: "a@x", to: "c@x"), "call 1: a@x transfers to c@x"),
            (.transferred(call: 1, by: "a@x", to: "c@x", status: 200), "call 1: the transfer by a@x to c@x ends: 200 OK"),
            (
                .mediaFrom(call: 1, party: "a@x", MediaSource(endpoint: place, means: .learnt, packet: 3)),
                "call 1: media of a@x come from 203.0.113.7:52011 (learnt, packet 3)"
            ),
            (
                .mediaDisbelieved(call: 1, party: "a@x", place),
                "call 1: RTP for a@x comes from 203.0.113.7:52011, which is neither where its SIP comes from nor what its SDP says: not taken; "
                    + "if it is the phone's, SRTP, ICE or media.source: any lets it in"
            ),
            (.silent(call: 1, party: "a@x", seconds: 5), "call 1: nothing heard from a@x for 5 s"),
            (.media(call: 1, party: "a@x", kind: "audio", "fine"), "call 1: audio of a@x: fine"),
            (.ended(call: 1, reason: "a@x hung up"), "call 1 ends: a@x hung up"),
            (.verdictMissing(call: 1, streams: 1), "call 1: what became of 1 media stream was not told in time"),
            (.subscribed("b@x", event: "dialog", by: flow, seconds: 600), "203.0.113.7:40000 watches dialog of b@x for 600 s"),
            (.unsubscribed("b@x", event: "dialog", reason: "it expired"), "the watch on dialog of b@x ends: it expired"),
            (
                .largeRequest(flow, bytes: 1_500),
                "a request of 1500 bytes stays on the UDP flow to 203.0.113.7:40000 and may be fragmented"
            ),
            (
                .fragmentsLost(call: 1, party: "b@x", flow, bytes: 1_500),
                "call 1: an INVITE of 1500 bytes to b@x at 203.0.113.7:40000 drew no answer, though its keepalives are answered: the way may drop fragments"
            ),
        ] as [(CallTrace, String)])
    func texts(_ trace: CallTrace, _ text: String) {
        #expect(trace.text == text)
        #expect(ServerTrace.call(trace).text == text)
    }

    @Test("A call from beginning to end, as it is told")
    func story() throws {
        let f = try CallFixture()
        f.h.traces = []
        try f.ring()
        f.bob.respond(180)
        let ok = try #require(try f.alice.mine(f.bob.respond(200, body: UA.offer("198.51.100.77", 30_000))).last)
        try f.alice.take(ok)
        f.alice.ack()
        f.h.input(.media(.locked(MediaLegID(1), MediaSource(endpoint: Self.place, means: .learnt, packet: 3))))
        f.h.input(.media(.silent(MediaLegID(2), seconds: 5)))
        f.h.advance(.seconds(10))
        f.alice.send("BYE")
        let told = f.h.traces.compactMap { if case .call(let call) = $0 { call.text } else { nil } }
        #expect(
            told == [
                "call 1: alice@pinhole calls bob@pinhole, 1 phone rung", "call 1: bob@pinhole at 198.51.100.77:5070 rings (180)",
                "call 1: bob@pinhole at 198.51.100.77:5070 answers",
                "call 1: the SDP of alice@pinhole names 192.168.1.10:16384, its SIP comes from 203.0.113.7: media for it wait until it sends",
                "call 1: media of alice@pinhole come from 203.0.113.7:52011 (learnt, packet 3)",
                "call 1: nothing heard from bob@pinhole for 5 s", "call 1 ends: alice@pinhole hung up",
                "call 1: audio of alice@pinhole: SDP said 192.168.1.10:16384, no RTP ever came; nothing came the other way either",
                "call 1: audio of bob@pinhole: SDP said 198.51.100.77:30000, no RTP ever came; nothing came the other way either",
            ])
        #expect(f.h.records.map(\.text) == ["alice@pinhole to bob@pinhole: talked 10 s in PCMU; alice@pinhole hung up"])
    }
}
