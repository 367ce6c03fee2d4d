import Base
import SIP
import SIPStack
import Testing

@Suite("Transaction layer, server side")
struct TransactionLayerServerTests {
    @Test("RFC 3261 17.2.2: a REGISTER is given up once, its copies draw the stored answer for 32 s, then it is new")
    func register() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("REGISTER")
        #expect(bench.receive(request) == ["request REGISTER"])
        #expect(bench.receive(request) == [])
        try expectWords(bench.respond(bench.ids[0], 200, request), ["send 200 OK"])
        #expect(bench.layer.nextDeadline == bench.now + .seconds(32))
        #expect(bench.advance(31_999) == [])
        #expect(bench.receive(request) == ["send 200 OK"])
        #expect(bench.sent[0].bytes == bench.sent[1].bytes)
        #expect(bench.advance(1) == [])
        #expect(bench.layer.serverCount == 0)
        #expect(bench.layer.nextDeadline == nil)
        #expect(bench.receive(request) == ["request REGISTER"])
        #expect(bench.layer.counts.retransmissionsAbsorbed == 2)
    }

    @Test("RFC 4320 4.1: a user silent for 3.5 s makes the layer say 100")
    func trying() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("OPTIONS")
        _ = bench.receive(request)
        #expect(bench.advance(3_499) == [])
        #expect(bench.advance(1) == ["send 100 Trying"])
        #expect(bench.receive(request) == ["send 100 Trying"])
        try expectWords(bench.respond(bench.ids[0], 180, request), [])
        try expectWords(bench.respond(bench.ids[0], 408, request), [])
        #expect(bench.layer.counts.responsesRefused == 2)
        try expectWords(bench.respond(bench.ids[0], 200, request), ["send 200 OK"])
    }

    @Test("A refused INVITE: 100 after 200 ms, the refusal again and again until the ACK, which the user never sees")
    func refusedInvite() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE")
        #expect(bench.receive(invite) == ["request INVITE"])
        #expect(bench.advance(200) == ["send 100 Trying"])
        #expect(bench.receive(invite) == ["send 100 Trying"])
        try expectWords(bench.respond(bench.ids[0], 486, invite), ["send 486 Busy Here"])
        #expect(bench.advance(500) == ["send 486 Busy Here"])
        try expectWords(bench.receive(LayerBench.request("ACK", toTag: "t1")), [])
        #expect(bench.advance(4_999) == [])
        #expect(bench.layer.serverCount == 1)
        #expect(bench.advance(1) == [])
        #expect(bench.layer.serverCount == 0)
    }

    @Test("A refusal that nobody acknowledges is reported at 32 s")
    func unacknowledged() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE")
        _ = bench.receive(invite)
        _ = try bench.respond(bench.ids[0], 486, invite)
        var words: [String] = []
        while let next = bench.layer.nextDeadline {
            bench.now = next
            bench.layer.advance(to: next)
            words += bench.drain()
        }
        #expect(words == Array(repeating: "send 486 Busy Here", count: 10) + ["unacknowledged"])
        #expect(bench.now == Instant(seconds: 1_032))
    }

    @Test("RFC 6026: an accepted INVITE absorbs copies; its ACK, with a branch of its own, goes to the user")
    func acceptedInvite() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE")
        _ = bench.receive(invite)
        try expectWords(bench.respond(bench.ids[0], 200, invite), ["send 200 OK"])
        #expect(bench.receive(invite) == [])
        try expectWords(bench.receive(LayerBench.request("ACK", branch: "z9hG4bKother", toTag: "t1")), ["ack stray"])
        try expectWords(bench.receive(LayerBench.request("ACK", toTag: "t1")), ["ack known"])
        try expectWords(bench.respond(bench.ids[0], 200, invite), ["send 200 OK"])
        #expect(bench.advance(32_000) == [])
        #expect(bench.layer.serverCount == 0)
    }

    @Test("RFC 3261 9.2: a CANCEL is a transaction of its own and names its INVITE; one for nothing says so")
    func cancel() throws {
        var bench = LayerBench()
        _ = bench.receive(try LayerBench.request("INVITE"))
        let cancel = try LayerBench.request("CANCEL")
        #expect(bench.receive(cancel) == ["cancel 0"])
        #expect(bench.receive(cancel) == [])
        try expectWords(bench.respond(bench.ids[1], 200, cancel), ["send 200 OK"])
        try expectWords(bench.receive(LayerBench.request("CANCEL", branch: "z9hG4bKb", callID: "c2")), ["cancel nothing"])
    }

    @Test("RFC 3261 8.2.2.2: a request that came by another way gets 482; one after a challenge is no such copy")
    func merged() throws {
        var bench = LayerBench()
        let first = try LayerBench.request("OPTIONS")
        let second = try LayerBench.request("OPTIONS", branch: "z9hG4bKb", sentBy: "10.0.0.3")
        _ = bench.receive(first)
        #expect(bench.receive(second) == ["send 482 Loop Detected"])
        #expect(bench.receive(second) == ["send 482 Loop Detected"])
        #expect(bench.sent[0].bytes == bench.sent[1].bytes)
        #expect(bench.layer.counts.merged == 2)
        _ = try bench.respond(bench.ids[0], 401, first)
        #expect(bench.receive(second) == ["request OPTIONS"])
        var dialog = LayerBench()
        _ = dialog.receive(try LayerBench.request("BYE", toTag: "t"))
        try expectWords(dialog.receive(LayerBench.request("BYE", branch: "z9hG4bKb", toTag: "t")), ["request BYE"])
    }

    @Test("A copy whose Via a box rewrote, or that comes from another port, is absorbed and answered where it came from")
    func movedMapping() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("REGISTER")
        _ = bench.receive(request)
        _ = try bench.respond(bench.ids[0], 200, request)
        var jumped = bench.flow
        jumped.remote.port = 52_896
        #expect(bench.receive(request, over: jumped) == ["send 200 OK"])
        #expect(bench.sent.last?.flow == jumped)
        let rewritten = try LayerBench.request("REGISTER", sentBy: "203.0.113.5:1024")
        #expect(bench.receive(rewritten, over: bench.flow) == ["send 200 OK"])
        #expect(bench.layer.counts.merged == 0)
    }

    @Test("RFC 3261 17.2.3: without the magic cookie the whole request decides, an ACK included")
    func rfc2543() throws {
        var bench = LayerBench()
        let invite = try LayerBench.request("INVITE", branch: "1")
        _ = bench.receive(invite)
        #expect(bench.receive(invite) == [])
        _ = try bench.respond(bench.ids[0], 486, invite)
        try expectWords(bench.receive(LayerBench.request("ACK", branch: "1", toTag: "t1")), [])
        try expectWords(bench.receive(LayerBench.request("INVITE", branch: "1", callID: "c2")), ["request INVITE"])
    }

    @Test("RFC 3261 18.2.2, RFC 3581: responses follow the flow, or Via's port where so set and rport is absent")
    func responsePath() throws {
        for (path, via, port) in [
            (ResponsePath.flow, "", 52_899), (.flow, ";rport", 52_899), (.via, "", 5_060), (.via, ";rport", 52_899),
        ] as [(ResponsePath, String, UInt16)] {
            var bench = LayerBench(.init(responsePath: path))
            let request = try LayerBench.request("REGISTER", via: via)
            _ = bench.receive(request)
            _ = try bench.respond(bench.ids[0], 200, request)
            #expect(bench.sent[0].flow.remote.port == port)
            #expect(bench.sent[0].flow.remote.address == bench.flow.remote.address)
        }
    }

    @Test("A full table forgets answered requests first, then answers 503; both are counted")
    func full() throws {
        var bench = LayerBench(.init(serverCap: 2))
        let first = try LayerBench.request("OPTIONS", branch: "z9hG4bK1", callID: "1")
        _ = bench.receive(first)
        _ = bench.receive(try LayerBench.request("OPTIONS", branch: "z9hG4bK2", callID: "2"))
        let third = try LayerBench.request("OPTIONS", branch: "z9hG4bK3", callID: "3")
        #expect(bench.receive(third) == ["send 503 Service Unavailable"])
        #expect(bench.layer.counts.serversRefused == 1)
        _ = try bench.respond(bench.ids[0], 200, first)
        #expect(bench.receive(third) == ["request OPTIONS"])
        #expect(bench.layer.counts.forgottenEarly == 1)
        #expect(bench.layer.serverCount == 2)
        #expect(bench.receive(first) == ["send 503 Service Unavailable"])
    }

    @Test("What is over by itself leaves nothing behind, however much there was")
    func nothingPilesUp() throws {
        var servers = ServerTransactions<Int, Int>(timers: TransactionTimers())
        let flow = LayerBench().flow
        var now = Instant(seconds: 1_000)
        for number in 0..<2_000 {
            servers.open(number, number, isInvite: false, on: flow, at: now)
            #expect(servers.respond(number, 200, [1], at: now) == flow)
            now += .seconds(40)
            while servers.advanceOnce(to: now) {}
            while servers.nextOutput() != nil {}
        }
        #expect(servers.count == 0)
        #expect(servers.answeredCount <= 65)
    }

    @Test("RFC 3261 8.2.7: an answer that is not remembered leaves nothing behind")
    func stateless() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("REGISTER")
        _ = bench.receive(request)
        let answer = try LayerBench.response(401, to: request).bytes
        bench.layer.respond(bench.ids[0], status: 401, answer, isRemembered: false, at: bench.now)
        #expect(bench.drain() == ["send 401 Unauthorized"])
        #expect(bench.layer.serverCount == 0)
        #expect(bench.layer.nextDeadline == nil)
        #expect(bench.receive(request) == ["request REGISTER"])
    }

    @Test("A name outlives its transaction without meaning another")
    func staleName() throws {
        var bench = LayerBench()
        let request = try LayerBench.request("OPTIONS")
        _ = bench.receive(request)
        _ = try bench.respond(bench.ids[0], 200, request)
        _ = bench.advance(32_000)
        _ = bench.receive(try LayerBench.request("OPTIONS", branch: "z9hG4bKnew", callID: "new"))
        #expect(bench.ids[0] != bench.ids[1])
        try expectWords(bench.respond(bench.ids[0], 200, request), [])
        #expect(bench.layer.counts.responsesRefused == 1)
    }

    @Test("A flow that is gone is reported to an INVITE's user, whose transaction stays")
    func flowGone() throws {
        var bench = LayerBench()
        _ = bench.receive(try LayerBench.request("INVITE"))
        bench.layer.receive(.transportFailed(bench.flow), at: bench.now)
        #expect(bench.drain() == ["undeliverable"])
        #expect(bench.layer.serverCount == 1)
    }

    @Test("Messages without a readable Via are dropped, counted and traced")
    func malformed() throws {
        var bench = LayerBench()
        let noVia = try SIPMessage(parsing: Array("OPTIONS sip:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n".utf8))
        #expect(bench.receive(noVia) == [])
        let noCSeq = try SIPMessage(parsing: Array("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n\r\n".utf8))
        #expect(bench.receive(noCSeq) == [])
        #expect(bench.layer.counts.malformed == 2)
        guard case .malformed(let error, _) = bench.layer.nextTrace() else {
            Issue.record("a refusal is traced")
            return
        }
        #expect(error.reason == .missing(.via))
    }
}
