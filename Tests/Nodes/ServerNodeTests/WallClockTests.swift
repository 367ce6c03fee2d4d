import Base
import SIP
import ServerNode
import Testing

@Suite("The wall clock is set while the server runs")
struct WallClockTests {
    @Test("RFC 3261 20.17: Date follows at once, and what was granted lasts as long as it was granted")
    func date() throws {
        let h = Harness()
        #expect(try h.register().first(.date)?.value.string == "Fri, 15 Jan 2027 08:00:00 GMT")
        h.input(.wallClock(ahead: .seconds(3_600)))
        #expect(try h.register(Register(callID: "c2")).first(.date)?.value.string == "Fri, 15 Jan 2027 09:00:00 GMT")
        h.input(.wallClock(ahead: .seconds(-86_400)))
        #expect(try h.register(Register(callID: "c3")).first(.date)?.value.string == "Thu, 14 Jan 2027 08:00:00 GMT")
        #expect(h.alice.map(\.expires) == [Harness.start + .seconds(3_600)])
    }

    @Test("What is stored is moved to the wall clock's time, all of it by the same")
    func moved() throws {
        let h = Harness()
        _ = try h.register()
        var binding = try #require(h.alice.first)
        binding.reach = .flowDead(since: Harness.start)
        var lost = binding
        lost.reach = .connectionLost(since: Harness.start)
        lost.answered = Harness.start
        let aor = try #require(AddressOfRecord("alice@pinhole"))
        let change = RegistrarChange(aor: aor, bindings: [binding, lost], formerCount: 3)
        let moved = change.moved(by: .seconds(60))
        #expect(moved.aor == aor && moved.formerCount == 3)
        #expect(moved.bindings.map(\.expires) == Array(repeating: binding.expires + .seconds(60), count: 2))
        #expect(moved.bindings.map(\.updated) == Array(repeating: binding.updated + .seconds(60), count: 2))
        let later = Harness.start + .seconds(60)
        #expect(moved.bindings.map(\.reach) == [.flowDead(since: later), .connectionLost(since: later)])
        #expect(moved.bindings.map(\.answered) == [nil, later])
        #expect(change.moved(by: .zero) == change)
        let record = CallRecord(
            number: 1, callID: "c", from: "a", to: "b", start: Harness.start, answer: nil, end: Harness.start + .seconds(5),
            status: 200,
            reason: "", codec: "", isDirect: false, parties: [])
        let earlier = record.moved(by: .seconds(-5))
        #expect(earlier.start == Harness.start - .seconds(5) && earlier.answer == nil && earlier.end == Harness.start)
    }
}
