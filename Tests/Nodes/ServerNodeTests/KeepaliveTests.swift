import Base
import Foundation
import SIP
import ServerNode
import Testing

/// What a phone answers to a request of ours.
func response(to bytes: [UInt8], status: Int = 200) throws -> [UInt8] {
    let request = try SIPMessage(parsing: bytes)
    return SIPMessageBuilder.response(to: request, status: status, toTag: "phone").bytes
}

@Suite("Keepalive and probes")
struct KeepaliveTests {
    static let aor = AddressOfRecord("alice@pinhole")!

    @Test("OPTIONS over the flow, one interval after the REGISTER and up to an eighth earlier from then on")
    func timing() throws {
        let h = Harness()
        _ = try h.register()
        let start = h.now
        #expect(h.server.nextDeadline == start + .seconds(25))
        var last = start
        for round in 1...20 {
            let due = try #require(h.server.nextDeadline)
            let gap = due - last
            #expect(gap <= .seconds(25))
            #expect(gap >= (round == 1 ? .seconds(25) : .milliseconds(21_875)))
            let out = h.advance(due - h.now)
            #expect(out.map(\.flow) == [Harness.flow()])
            #expect(try SIPMessage(parsing: out[0].bytes).method == .options)
            #expect(try SIPMessage(parsing: out[0].bytes).requestURIText?.string == "sip:alice@192.168.1.10:5060")
            h.receive(try response(to: out[0].bytes, status: round % 2 == 0 ? 200 : 405))
            last = h.now
        }
        #expect(h.server.counters.keepalivesSent == 20)
        #expect(h.server.counters.keepalivesAnswered == 20)
        #expect(h.alice.first?.reach == .reachable)
    }

    @Test("So many unanswered in a row: the flow is dead, the binding stays until it expires; a probe sends nothing")
    func flowDead() throws {
        let h = Harness()
        _ = try h.register()
        let out = h.advance(.seconds(40))
        // 25 s, then again after 5 s, and again; 5 s later it is dead.
        #expect(out.count == 3)
        #expect(h.alice.first?.reach == .flowDead(since: Harness.start + .seconds(40)))
        #expect(h.server.counters.flowsDied == 1)
        #expect(h.lastTexts.contains { $0.hasPrefix("alice@pinhole cannot be reached any more: 3 OPTIONS in a row") })
        h.input(.probe(aor: Self.aor))
        #expect(h.probed.last?.outcomes.map(\.result) == [.unreachable])
        #expect(h.server.bindingCount == 1)
        h.advance(.seconds(3600))
        #expect(h.server.bindingCount == 0)
        #expect(h.server.counters.flowsDied == 1)
    }

    @Test("A dead flow is tried again now and then; an answer revives it, and so does a REGISTER")
    func revival() throws {
        let h = Harness()
        _ = try h.register()
        h.advance(.seconds(40))
        let again = h.advance(.seconds(120))
        #expect(again.count == 1)
        h.receive(try response(to: again[0].bytes))
        #expect(h.alice.first?.reach == .reachable)
        #expect(h.server.counters.flowsRevived == 1)
        h.advance(.seconds(60))
        #expect(h.alice.first?.reach != .reachable)
        _ = try h.register(Register(cseq: 9))
        #expect(h.alice.first?.reach == .reachable)
    }

    @Test("A lost answer is made good by the next one")
    func oneLost() throws {
        let h = Harness()
        _ = try h.register()
        _ = h.advance(.seconds(25))
        let second = h.advance(.seconds(5))
        h.receive(try response(to: second[0].bytes))
        h.advance(.seconds(20))
        #expect(h.alice.first?.reach == .reachable)
        #expect(h.server.counters.keepalivesUnanswered == 1)
    }

    @Test("Answers nobody asked for are dropped: wrong number, or too late")
    func forged() throws {
        let h = Harness()
        _ = try h.register()
        let out = h.advance(.seconds(25))
        let text = String(decoding: try response(to: out[0].bytes), as: UTF8.self)
        let branch = try #require(try SIPMessage(parsing: out[0].bytes).topVia.branch).string
        h.receive(text.replacing(branch, with: String(branch.dropLast(8)) + "deadbeef"))
        #expect(h.drops == [.strayResponse])
        h.receive(text)
        h.receive(text)
        #expect(h.drops == [.strayResponse, .strayResponse])
        #expect(h.server.counters.keepalivesAnswered == 1)
    }

    @Test("Keepalives are sent whatever the NAT verdict: a phone that seems to stand in the open gets them too")
    func whateverTheVerdict() throws {
        let h = Harness()
        _ = try h.register(Register(via: "203.0.113.7:40000;rport", contact: "<sip:alice@203.0.113.7:40000>"))
        #expect(h.alice.first?.verdict.isStraight == true)
        #expect(h.advance(.seconds(25)).count == 1)
    }

    @Test("None over streams, none when switched off")
    func off() throws {
        let h = Harness()
        let tcp = Harness.flow(Harness.phone, .tcp)
        _ = try h.register(on: tcp)
        #expect(h.advance(.seconds(600)).isEmpty)
        var settings = ServerSettings()
        settings.keepalive.interval = nil
        let quiet = Harness(settings)
        _ = try quiet.register()
        #expect(quiet.advance(.seconds(600)).isEmpty)
    }

    @Test("A closed connection leaves its bindings, unreachable, until the phone is back")
    func closed() throws {
        let h = Harness()
        let tcp = Harness.flow(Harness.phone, .tcp)
        _ = try h.register(on: tcp)
        h.input(.closed(tcp))
        #expect(h.alice.map(\.reach) == [.connectionLost(since: h.now)])
        let again = Harness.flow(Endpoint(Harness.phone.address, 40_001), .tcp)
        _ = try h.register(Register(cseq: 5), on: again)
        #expect(h.alice.map(\.reach) == [.reachable])
    }

    @Test("Keepalives of all flows together are capped; those beyond go out later, none is lost")
    func cap() throws {
        var settings = ServerSettings()
        settings.limits.keepalives = .init(perSecond: 1, burst: 1)
        let h = Harness(settings)
        _ = try h.register()
        _ = try h.register(Register(user: "bob", callID: "b", contact: "<sip:bob@10.0.0.1>"), password: "word")
        #expect(h.advance(.seconds(25)).count == 1)
        #expect(h.server.counters.keepalivesPostponed == 1)
        #expect(h.advance(.seconds(1)).count == 1)
    }

    @Test("A quiet hour of one phone: 3,600 s / 25 s at least, and hardly more, OPTIONS")
    func quietHour() throws {
        let h = Harness()
        _ = try h.register()
        var count = 0
        while h.now < Harness.start + .seconds(3599) {
            guard let due = h.server.nextDeadline, due < Harness.start + .seconds(3599) else { break }
            for message in h.advance(due - h.now) {
                count += 1
                h.receive(try response(to: message.bytes))
            }
        }
        #expect((143...166).contains(count))
    }

    @Test("RFC 3261 17.1.2: a probe is retransmitted at T1 doubling to T2 and given up after 64*T1")
    func probeTimes() throws {
        var settings = ServerSettings()
        settings.keepalive.interval = nil
        let h = Harness(settings)
        _ = try h.register()
        var times: [Duration] = []
        let start = h.now
        times += h.input(.probe(aor: Self.aor)).map { _ in h.now - start }
        while let due = h.server.nextDeadline, due < start + .seconds(60) {
            times += h.advance(due - h.now).map { _ in h.now - start }
        }
        #expect(times.map(\.wholeMilliseconds) == [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
        #expect(h.probed.map(\.outcomes).first?.map(\.result) == [.timedOut])
    }

    @Test("A probe's outcome: any final status is an answer; provisional ones are not; nobody registered gives an empty list")
    func probeOutcome() throws {
        let h = Harness()
        h.input(.probe(aor: Self.aor))
        #expect(h.probed.map(\.outcomes) == [[]])
        _ = try h.register(Register(contact: "<sip:alice@192.168.1.10>, <sip:alice@192.168.1.11>"))
        let out = h.input(.probe(aor: Self.aor))
        #expect(out.count == 2)
        h.now += .milliseconds(40)
        h.receive(try response(to: out[0].bytes, status: 180))
        h.receive(try response(to: out[0].bytes, status: 486))
        #expect(h.probed.count == 1)
        h.now += .milliseconds(10)
        h.receive(try response(to: out[1].bytes, status: 200))
        #expect(
            h.probed.last?.outcomes.map(\.result) == [
                .answered(status: 486, after: .milliseconds(40)), .answered(status: 200, after: .milliseconds(50)),
            ])
        h.receive(try response(to: out[1].bytes, status: 200))
        #expect(h.probed.count == 2)
    }

    @Test("More probes than allowed are refused at once")
    func probeCap() throws {
        var settings = ServerSettings()
        settings.limits.clientTransactions = 1
        let h = Harness(settings)
        _ = try h.register(Register(contact: "<sip:alice@192.168.1.10>, <sip:alice@192.168.1.11>"))
        #expect(h.input(.probe(aor: Self.aor)).count == 1)
        h.advance(.seconds(32))
        #expect(h.probed.last?.outcomes.map(\.result) == [.timedOut, .refused])
    }
}

@Suite("What the path does, and how it is told")
struct PathTests {
    /// (Via, Contact, source, Call-ID, verdict)
    @Test(
        "Via, Contact, source and Call-ID compared",
        arguments: [
            ("203.0.113.7:40000;rport", "sip:alice@203.0.113.7:40000", "c@x", []),
            (
                "192.168.1.10:5060;rport", "sip:alice@192.168.1.10:5060", "c@192.168.1.10",
                [.translated, .privateVia, .privateContact, .contactElsewhere]
            ),
            ("192.168.1.10:5060", "sip:alice@203.0.113.7:40000", "c@x", [.translated, .privateVia, .withoutRport]),
            ("203.0.113.7:40000;rport", "sip:alice@203.0.113.7:40000", "c@192.168.1.10", [.rewrittenSuspected]),
            ("203.0.113.7:5060;rport", "sip:alice@203.0.113.7:40000", "c@x", [.translated, .viaContactDisagree]),
            ("phone.example;rport", "sip:alice@phone.example", "c@x", []),
        ] as [(String, String, String, PathVerdict)])
    func verdicts(via: String, contact: String, callID: String, verdict: PathVerdict) throws {
        let h = Harness()
        _ = try h.register(Register(callID: callID, via: via, contact: "<\(contact)>"))
        #expect(h.alice.first?.verdict == verdict)
    }

    @Test("Port jumps of a Call-ID are told with their ports, in order")
    func jumps() throws {
        let h = Harness()
        for (index, port) in [52_899, 52_896, 52_899].enumerated() {
            h.receive(Register(cseq: UInt32(index + 1)).text, on: Harness.flow(Endpoint(Harness.phone.address, UInt16(port))))
        }
        #expect(
            h.lastTexts.contains(
                "Call-ID c1@192.168.1.10 came from 203.0.113.7:52899, then 203.0.113.7:52896, then 203.0.113.7:52899"))
    }

    @Test("Each message is told once in each direction, in order, with its meaning")
    func story() throws {
        let h = Harness()
        _ = try h.register()
        let lines = h.lastTexts.filter { $0.hasPrefix("<-") || $0.hasPrefix("->") }
        #expect(
            lines == [
                "<- 203.0.113.7:40000: REGISTER without credentials", "-> 203.0.113.7:40000: challenge 1",
                "<- 203.0.113.7:40000: answers challenge 1 of 1; accepted", "-> 203.0.113.7:40000: registered; 1 binding",
            ])
    }

    @Test("Traces that are switched off are not made")
    func noTraces() throws {
        let h = Harness()
        h.server.traces.isOn = false
        h.traces = []
        _ = try h.register()
        #expect(h.traces.isEmpty)
        #expect(h.server.bindingCount == 1)
    }

    @Test("The book of attempts is bounded")
    func bounded() throws {
        var settings = ServerSettings()
        settings.limits.attempts = 2
        let h = Harness(settings)
        let first = try h.ask(Register(callID: "a").text)
        _ = try h.ask(Register(callID: "b").text)
        _ = try h.ask(Register(callID: "c").text)
        // Forgotten for diagnosis, still good.
        #expect(try h.ask(Register(callID: "a").answering(first).text).statusCode == 200)
        #expect(h.lastTexts.contains { $0.contains("a nonce not outstanding here; accepted") })
    }

    @Test("Texts that are built from every case are one line each")
    func oneLine() throws {
        let h = Harness(.chanSIP(natHandling: true))
        _ = try h.register()
        h.receive([0])
        #expect(h.lastTexts.allSatisfy { !$0.isEmpty && !$0.contains("\n") })
    }
}

@Suite("Tables are bounded")
struct BoundTests {
    @Test("Transactions give way, the oldest first; the source table turns over; both are counted")
    func evictions() throws {
        var settings = ServerSettings()
        settings.limits.serverTransactions = 1
        settings.limits.sources = 4
        let h = Harness(settings)
        for index in 1...5 {
            let flow = Harness.flow(Endpoint("203.0.113.\(index):5060")!)
            _ = try h.register(Register(callID: "t\(index)", contact: "<sip:alice@10.0.0.1>"), on: flow)
        }
        #expect(h.server.counters.transactionsEvicted == 4)
        #expect(h.server.counters.sourceTablesTurned == 2)
    }

    @Test("A thousand keepalives due at once leave at the allowed rate, each postponed a few times at most")
    func herd() throws {
        var settings = ServerSettings()
        settings.limits = .trusted
        settings.limits.keepalives = .init(perSecond: 100, burst: 10)
        let h = Harness(settings)
        let stored = (0..<1000).map { index in
            StoredBinding(
                aor: AddressOfRecord("u\(index)@pinhole")!,
                binding: Binding(
                    contact: Array("sip:u\(index)@10.0.0.1".utf8), parameters: [UInt8](), callID: [1], instance: [UInt8](),
                    path: [UInt8](),
                    userAgent: [UInt8](), cseq: 1, expires: h.now + .seconds(3600), updated: h.now, flow: Harness.flow())!)
        }
        h.input(.restore(stored))
        h.server.traces.isOn = false
        // The driver slept: everything is due together.
        h.now += .seconds(25)
        h.server.advance(to: h.now)
        #expect(h.drain().count == 10)
        let sent = h.advance(.seconds(4)).count
        #expect((390...400).contains(sent))
        #expect(h.server.counters.keepalivesPostponed < 2_000)
    }
}
