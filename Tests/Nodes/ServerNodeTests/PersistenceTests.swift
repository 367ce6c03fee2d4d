import Base
import SIP
import ServerNode
import Testing

@Suite("Durability: the 200 leaves after the commit")
struct PersistenceTests {
    static var settings: ServerSettings {
        var settings = ServerSettings()
        settings.isPersistent = true
        return settings
    }

    /// Challenge and answer; what was sent because of the answer.
    private func answer(_ h: Harness, _ request: Register = Register(), password: String = "secret") throws -> [(
        flow: FlowID, bytes: [UInt8]
    )] {
        let challenge = try h.ask(request.text)
        return h.receive(request.answering(challenge, password: password).text)
    }

    private func statuses(_ sent: [(flow: FlowID, bytes: [UInt8])]) -> [Int?] {
        sent.map { (try? SIPMessage(parsing: $0.bytes))?.statusCode }
    }

    @Test("Held until .persisted, then sent once")
    func held() throws {
        let h = Harness(Self.settings)
        #expect(try answer(h).isEmpty)
        #expect(h.changes.map(\.sequence) == [1])
        #expect(h.changes[0].change.aor.description == "alice@pinhole")
        #expect(h.changes[0].change.bindings == h.alice)
        #expect(h.server.pendingCommits == 1)
        #expect(statuses(h.input(.persisted(through: 1))) == [200])
        #expect(h.input(.persisted(through: 1)).isEmpty)
        #expect(h.server.pendingCommits == 0)
    }

    @Test("How long each REGISTER waited for its 200 is counted, challenges are not; refusals are counted by reason")
    func counted() throws {
        let h = Harness(Self.settings)
        _ = try answer(h)
        _ = h.advance(.milliseconds(30))
        _ = h.input(.persisted(through: 1))
        _ = try answer(h, Register(cseq: 5, expires: "600"))
        _ = h.input(.persisted(through: 2))
        var expected = DurationHistogram.waits
        expected.add(.milliseconds(30))
        expected.add(.zero)
        #expect(h.server.counters.registrationTimes == expected)
        _ = h.receive(Register(callID: "other", extra: "Require: teleport\r\n").text)
        #expect(h.server.counters[refused: .extensions] == 1)
        #expect(RefusalReason.allCases.map { h.server.counters[refused: $0] }.reduce(0, +) == 1)
    }

    @Test("A retransmission while the commit is awaited is absorbed; afterwards it draws the same 200")
    func retransmission() throws {
        let h = Harness(Self.settings)
        let challenge = try h.ask(Register().text)
        let text = Register().answering(challenge).text
        #expect(h.receive(text).isEmpty)
        #expect(h.receive(text).isEmpty)
        #expect(h.changes.count == 1)
        let ok = h.input(.persisted(through: 1))
        #expect(h.receive(text).map(\.bytes) == ok.map(\.bytes))
    }

    @Test("Answers leave in the order of their sequences, several by one commit")
    func order() throws {
        let h = Harness(Self.settings)
        _ = try answer(h)
        _ = try answer(h, Register(user: "bob", callID: "b", contact: "<sip:bob@10.0.0.1>"), password: "word")
        _ = try answer(h, Register(cseq: 3, expires: "600"))
        #expect(h.changes.map(\.sequence) == [1, 2, 3])
        let sent = h.input(.persisted(through: 2))
        #expect(try sent.map { try SIPMessage(parsing: $0.bytes).callID.string } == ["c1@192.168.1.10", "b"])
        #expect(statuses(h.input(.persisted(through: 9))) == [200])
    }

    private func contacts(_ sent: [(flow: FlowID, bytes: [UInt8])]) throws -> [[String]] {
        try sent.map { try SIPMessage(parsing: $0.bytes).all(.contact).map(\.value.string) }
    }

    @Test(
        "Nothing can be stored: whoever waits is answered 200 for 120 s at most, and so is who comes; what was stored before keeps its time"
    )
    func failure() throws {
        let h = Harness(Self.settings)
        _ = try answer(h, Register(expires: "3600"))
        h.input(.persisted(through: 1))
        h.now += .seconds(1)
        _ = try answer(h, Register(callID: "second", contact: "<sip:alice@192.168.1.99>", expires: "3600"))
        _ = try answer(h, Register(user: "bob", callID: "b", contact: "<sip:bob@10.0.0.1>", expires: "90"), password: "word")
        h.now += .seconds(2)
        let out = h.input(.persistFailed(reason: "disk full"))
        #expect(statuses(out) == [200, 200])
        #expect(
            try contacts(out) == [
                ["<sip:alice@192.168.1.10:5060>;expires=3597", "<sip:alice@192.168.1.99>;expires=120"],
                ["<sip:bob@10.0.0.1>;expires=88"],
            ])
        #expect(h.alice.map(\.expires) == [Harness.start + .seconds(3_600), h.now + .seconds(120)])
        #expect(h.server.counters.commitsFailed == 2 && h.server.counters.registeredUnstored == 2)
        #expect(h.server.pendingCommits == 0)
        #expect(
            h.lastTexts.contains(
                "nothing can be stored (disk full): registrations, 2 of them waiting, are kept in memory for a short time"))
        // What storage is to know once it works again: alice as she is now. Bob's change it has already.
        #expect(h.changes.map(\.change.aor.user) == ["alice", "alice", "bob", "alice"])
        #expect(h.changes.last?.change.bindings == h.alice)
        // Who comes now is answered at once.
        let refresh = try answer(h, Register(cseq: 3, expires: "3600"))
        #expect(
            try contacts(refresh) == [["<sip:alice@192.168.1.10:5060>;expires=120", "<sip:alice@192.168.1.99>;expires=120"]])
        #expect(h.changes.last?.change.bindings == h.alice && h.server.pendingCommits == 0)
        // 120 s later nobody is there who did not refresh.
        h.advance(.seconds(120))
        #expect(h.alice.isEmpty)
        #expect(h.changes.last?.change.bindings == [])
    }

    @Test("Storage works again: from the next REGISTER on a 200 is held until its commit, and promises what was asked for")
    func recovery() throws {
        let h = Harness(Self.settings)
        h.input(.persistFailed(reason: "disk full"))
        #expect(try contacts(try answer(h, Register(expires: "3600"))) == [["<sip:alice@192.168.1.10:5060>;expires=120"]])
        h.input(.persisted(through: 1))
        #expect(h.lastTexts.last == "what is registered can be stored again")
        #expect(try answer(h, Register(cseq: 3, expires: "3600")).isEmpty)
        #expect(
            try contacts(h.input(.persisted(through: 2))) == [["<sip:alice@192.168.1.10:5060>;expires=3600"]])
        #expect(h.server.counters.registeredUnstored == 1)
    }

    @Test("A retransmission of what was answered while storage failed draws the same 200")
    func retransmissionUnstored() throws {
        let h = Harness(Self.settings)
        let challenge = try h.ask(Register().text)
        let text = Register().answering(challenge).text
        #expect(h.receive(text).isEmpty)
        let ok = h.input(.persistFailed(reason: "disk full"))
        #expect(statuses(ok) == [200])
        #expect(h.receive(text).map(\.bytes) == ok.map(\.bytes))
    }

    @Test("A fetch changes nothing and is answered at once")
    func fetch() throws {
        let h = Harness(Self.settings)
        #expect(statuses(try answer(h, Register(contact: nil))) == [200])
        #expect(h.changes.isEmpty)
    }

    @Test("More awaited commits than allowed: 503")
    func cap() throws {
        var settings = Self.settings
        settings.limits.pendingCommits = 1
        let h = Harness(settings)
        _ = try answer(h)
        #expect(statuses(try answer(h, Register(user: "bob", callID: "b"), password: "word")) == [503])
    }

    @Test("An expiry is stored as well; that it cannot be brings nothing back")
    func expiry() throws {
        let h = Harness(Self.settings)
        _ = try answer(h, Register(expires: "60"))
        h.input(.persisted(through: 1))
        h.advance(.seconds(60))
        #expect(h.changes.last?.change.bindings == [])
        h.input(.persistFailed(reason: "disk full"))
        #expect(h.alice.isEmpty)
        #expect(h.server.nextDeadline == nil)
    }

    @Test(
        "Storage is told when a phone falls silent and when it answers again, at once; that it answers still, every five minutes; never at each keepalive"
    )
    func heard() throws {
        let h = Harness(Self.settings)
        _ = try answer(h)
        h.input(.persisted(through: 1))
        func answerNext() throws {
            let due = try #require(h.server.nextDeadline)
            for message in h.advance(due - h.now) { h.receive(try response(to: message.bytes)) }
        }
        while h.now < Harness.start + .seconds(300) { try answerNext() }
        #expect(h.changes.count == 2)
        #expect(h.changes[1].change.bindings.map(\.answered) == [h.now])
        #expect(h.changes[1].change.formerCount == 1)
        let noted = h.now
        while h.now < noted + .seconds(299) { try answerNext() }
        #expect(h.changes.count <= 3)
        let before = h.changes.count
        // Silence: three unanswered, and it is told.
        h.advance(.seconds(60))
        #expect(h.changes.count == before + 1)
        guard case .flowDead? = h.changes.last?.change.bindings.first?.reach else {
            Issue.record("storage was not told")
            return
        }
        // It answers the next try.
        try answerNext()
        #expect(h.changes.count == before + 2)
        #expect(h.changes.last?.change.bindings.map(\.reach) == [.reachable])
    }

    @Test("How often storage is told that phones answer is capped for all together")
    func heardCap() throws {
        var settings = Self.settings
        settings.limits.heardNotes = .init(perMinute: 1, burst: 1)
        let h = Harness(settings)
        _ = try answer(h)
        _ = try answer(h, Register(user: "bob", callID: "b", contact: "<sip:bob@10.0.0.1>"), password: "word")
        h.input(.persisted(through: 2))
        while h.now < Harness.start + .seconds(330) {
            let due = try #require(h.server.nextDeadline)
            for message in h.advance(due - h.now) { h.receive(try response(to: message.bytes)) }
        }
        #expect(h.changes.count == 3)
    }

    @Test("A connection that ends is told to storage; a UDP flow that was dead before a restart is tried, not taken to live")
    func reachStored() throws {
        let h = Harness(Self.settings)
        let tcp = Harness.flow(Harness.phone, .tcp)
        let challenge = try h.ask(Register().text, on: tcp)
        h.receive(Register().answering(challenge).text, on: tcp)
        h.input(.persisted(through: 1))
        h.now += .seconds(9)
        h.input(.closed(tcp))
        #expect(h.changes.last?.change.bindings.map(\.reach) == [.connectionLost(since: h.now)])

        var stored = h.server.allBindings()[0]
        stored.binding.flow = Harness.flow()
        stored.binding.reach = .flowDead(since: h.now)
        let after = Harness(Self.settings)
        after.now = h.now
        after.input(.restore([stored]))
        #expect(after.alice.map(\.reach) == [.flowDead(since: h.now)])
        let due = try #require(after.server.nextDeadline)
        for message in after.advance(due - after.now) { after.receive(try response(to: message.bytes)) }
        #expect(after.alice.map(\.reach) == [.reachable])
        #expect(after.changes.last?.change.bindings.map(\.reach) == [.reachable])
    }

    @Test("After a restart UDP bindings live and are kept alive; those on streams wait for their phone; expired ones are deleted")
    func restore() throws {
        let h = Harness(Self.settings)
        _ = try answer(h)
        h.input(.persisted(through: 1))
        let tcp = Harness.flow(Harness.phone, .tcp)
        let challenge = try h.ask(Register(callID: "t").text, on: tcp)
        h.receive(Register(callID: "t", contact: "<sip:alice@10.0.0.2;transport=tcp>").answering(challenge).text, on: tcp)
        h.input(.persisted(through: 2))
        var stored = h.server.allBindings()
        #expect(stored.count == 2)
        var old = stored[0]
        old.aor = AddressOfRecord("bob@pinhole")!
        old.binding.expires = h.now
        stored.append(old)

        let after = Harness(Self.settings)
        after.input(.restore(stored))
        #expect(after.alice.map(\.reach) == [.reachable, .connectionLost(since: after.now)])
        #expect(after.changes.map(\.change) == [RegistrarChange(aor: old.aor, bindings: [])])
        #expect(
            after.lastTexts.last == "restored 2 bindings, 1 of them not reachable until their phones come back; 1 had expired")
        // Within one interval the UDP phone is asked, the lost connection is not.
        let kept = after.advance(.seconds(25))
        #expect(!kept.isEmpty && kept.allSatisfy { $0.flow.transport == .udp })
        after.input(.probe(aor: AddressOfRecord("alice@pinhole")!))
        #expect(after.probed.isEmpty)
        after.advance(.seconds(32))
        #expect(after.probed[0].outcomes.map(\.result) == [.timedOut, .unreachable])
        // The binding still orders REGISTERs after the restart.
        #expect(after.alice[0].cseq == 2)
    }
}
