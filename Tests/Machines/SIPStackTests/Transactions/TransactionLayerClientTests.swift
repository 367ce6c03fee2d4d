import Base
import SIP
import SIPStack
import Testing

@Suite("Transaction layer, client side")
struct TransactionLayerClientTests {
    private func send(_ bench: inout LayerBench, _ request: SIPMessage) throws -> ClientTransactionID {
        let id = try bench.layer.send(request, over: bench.flow, at: bench.now)
        #expect(bench.drain().count == 1)
        return id
    }

    @Test("A lost REGISTER is sent again at 0.5, 1.5, 3.5 s; its answer ends that, copies of the answer are absorbed for 5 s")
    func register() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("REGISTER")
        let id = try send(&bench, request)
        #expect(bench.advance(499) == [])
        #expect(bench.advance(1) == ["send REGISTER sip:b@x"])
        #expect(bench.advance(1_000) == ["send REGISTER sip:b@x"])
        let answer = try LayerBench.response(200, to: request)
        #expect(bench.receive(answer) == ["response 200"])
        #expect(bench.clientIDs == [id])
        #expect(bench.layer.nextDeadline == bench.now + .seconds(5))
        #expect(bench.receive(answer) == [])
        #expect(bench.advance(5_000) == [])
        #expect(bench.layer.clientCount == 0)
        #expect(bench.receive(answer) == [])
        #expect(bench.layer.counts.strayResponses == 1)
        #expect(bench.layer.counts.responsesAbsorbed == 1)
    }

    @Test("Nobody answers: a timeout at 32 s")
    func timeout() throws {
        var bench = LayerBench()
        _ = try send(&bench, try LayerBench.request("OPTIONS"))
        var words: [String] = []
        while let next = bench.layer.nextDeadline {
            bench.now = next
            bench.layer.advance(to: next)
            words += bench.drain()
        }
        #expect(words.count == 11)
        #expect(words.last == "timeout")
        #expect(bench.now == Instant(seconds: 1_032))
        #expect(bench.layer.clientCount == 0)
    }

    @Test("RFC 3261 17.1.1.3: a refused INVITE draws an ACK of its own top Via, Route and CSeq number, and the refusal's To")
    func ack() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE", cseq: 7, extra: "Route: <sip:p;lr>\r\n")
        _ = try send(&bench, invite)
        let refusal = try LayerBench.response(486, to: invite, toTag: "t9")
        #expect(bench.receive(refusal) == ["send ACK sip:b@x", "response 486"])
        #expect(bench.receive(refusal) == ["send ACK sip:b@x"])
        let ack = try SIPMessage(parsing: try #require(bench.sent.last).bytes)
        #expect(try ack.topVia.branch == "z9hG4bKa")
        #expect(try ack.vias.count == 1)
        #expect(try ack.cseq == CSeq(7, .ack))
        #expect(try ack.to.tag == "t9")
        #expect(try ack.routes.count == 1)
        #expect(ack.first(.callID)?.value == "c1")
        #expect(bench.advance(32_000) == [])
        #expect(bench.layer.clientCount == 0)
    }

    @Test("RFC 6026: every 2xx of a fork reaches the user while the transaction lasts, and as a stray one after")
    func fork() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE")
        _ = try send(&bench, invite)
        try expectWords(bench.receive(LayerBench.response(180, to: invite)), ["response 180"])
        #expect(bench.layer.nextDeadline == nil)
        try expectWords(bench.receive(LayerBench.response(200, to: invite)), ["response 200"])
        try expectWords(bench.receive(LayerBench.response(200, to: invite, toTag: "t2")), ["response 200"])
        #expect(bench.advance(32_000) == [])
        try expectWords(bench.receive(LayerBench.response(200, to: invite)), ["stray 200"])
    }

    @Test("A response matches by branch and method: a CANCEL's is not its INVITE's")
    func cancel() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE")
        let cancel = try LayerBench.request("CANCEL")
        let first = try send(&bench, invite)
        let second = try send(&bench, cancel)
        _ = bench.receive(try LayerBench.response(200, to: cancel))
        _ = bench.receive(try LayerBench.response(487, to: invite))
        #expect(bench.clientIDs == [second, first])
    }

    @Test("A flow that is gone fails its transactions, and only those")
    func flowGone() throws {
        var bench = LayerBench()
        _ = try send(&bench, try LayerBench.request("OPTIONS", branch: "z9hG4bK1"))
        _ = try send(&bench, try LayerBench.request("OPTIONS", branch: "z9hG4bK2"))
        var other = bench.flow
        other.remote.port = 1
        _ = try bench.layer.send(try LayerBench.request("OPTIONS", branch: "z9hG4bK3"), over: other, at: bench.now)
        _ = bench.drain()
        bench.layer.receive(.transportFailed(bench.flow), at: bench.now)
        #expect(bench.drain() == ["transport error", "transport error"])
        #expect(bench.layer.clientCount == 1)
    }

    @Test("Over a stream nothing is sent again and nothing is remembered after the answer")
    func stream() throws {
        var bench = LayerBench()
        let tcp = FlowID(.tcp, local: bench.flow.local, remote: bench.flow.remote, connection: 3)
        let request = try LayerBench.request("OPTIONS")
        _ = try bench.layer.send(request, over: tcp, at: bench.now)
        _ = bench.drain()
        #expect(bench.layer.nextDeadline == bench.now + .seconds(32))
        try expectWords(bench.receive(LayerBench.response(200, to: request), over: tcp), ["response 200"])
        #expect(bench.layer.clientCount == 0)
        let incoming = try LayerBench.request("OPTIONS", branch: "z9hG4bKin", callID: "in")
        _ = bench.receive(incoming, over: tcp)
        try expectWords(bench.respond(bench.ids[0], 200, incoming), ["send 200 OK"])
        #expect(bench.layer.serverCount == 0)
        #expect(bench.layer.nextDeadline == nil)
    }

    @Test("What cannot be sent is refused with its reason: no request, no branch, a branch in use, a full table, an ACK")
    func refusals() throws {
        var bench = LayerBench(.init(clientCap: 1))
        let request = try LayerBench.request("OPTIONS")
        let flow = bench.flow
        bench.layer.receive(.send(try LayerBench.response(200, to: request), flow), at: bench.now)
        bench.layer.receive(.send(try LayerBench.request("ACK"), flow), at: bench.now)
        #expect(bench.drain() == ["refused malformed", "refused malformed"])
        bench.layer.receive(.send(request, flow), at: bench.now)
        #expect(bench.drain() == ["started", "send OPTIONS sip:b@x"])
        bench.layer.receive(.send(request, flow), at: bench.now)
        bench.layer.receive(.send(try LayerBench.request("OPTIONS", branch: "z9hG4bKz"), flow), at: bench.now)
        #expect(bench.drain() == ["refused branchInUse", "refused tableFull"])
        #expect(bench.layer.counts.clientsRefused == 1)
    }

    @Test("An abandoned transaction is silent, and its late answer a stray one")
    func abandon() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("OPTIONS")
        let id = try send(&bench, request)
        bench.layer.abandon(id)
        bench.layer.abandon(id)
        #expect(bench.layer.nextDeadline == nil)
        #expect(bench.advance(40_000) == [])
        try expectWords(bench.receive(LayerBench.response(200, to: request)), [])
    }
}
