import Base
import SIP
import ServerNode
import Testing

@Suite("Loss sweep: a whole call with any one datagram, or any two in a row, lost")
struct LossSweepTests {
    struct Outcome: Equatable {
        var alice: AutoPhone.State
        var bob: AutoPhone.State
        var datagrams: Int
        var usage: CallUsage
        var reasons: [String]
    }

    /// One call from INVITE to BYE between two phones that act by themselves; `isLost` decides of each datagram by its number.
    func run(calleeHangsUp: Bool = false, _ isLost: (Int) -> Bool) throws -> Outcome {
        let f = try CallFixture()
        let alice = AutoPhone(f.alice, hangsUp: !calleeHangsUp, body: UA.offer("192.168.1.10", 16_384))
        let bob = AutoPhone(f.bob, hangsUp: false, body: UA.offer("198.51.100.77", 30_000))
        let phones = [alice, bob]
        var sent = 0
        func passes() -> Bool {
            sent += 1
            return !isLost(sent - 1)
        }
        func settle() {
            var isMoving = true
            while isMoving {
                isMoving = false
                for phone in phones {
                    for bytes in phone.takeOutbox() where passes() {
                        isMoving = true
                        toPhones(f.h.receive(bytes, on: phone.ua.flow))
                    }
                }
            }
        }
        func toPhones(_ out: [(flow: FlowID, bytes: [UInt8])]) {
            for (flow, bytes) in out where passes() {
                phones.first { $0.ua.flow == flow }?.receive(bytes, at: f.h.now)
            }
        }
        alice.call("bob", at: f.h.now)
        settle()
        let end = f.h.now + .seconds(400)
        while f.h.now < end {
            let next = ([f.h.server.nextDeadline, alice.nextDeadline, bob.nextDeadline].compactMap { $0 }.min() ?? end)
            guard next < end else { break }
            f.h.now = max(next, f.h.now)
            for phone in phones { phone.advance(to: f.h.now) }
            f.h.server.advance(to: f.h.now)
            toPhones(f.h.drain())
            settle()
        }
        f.h.advance(.seconds(2_000))
        return Outcome(
            alice: alice.state, bob: bob.state, datagrams: sent, usage: f.h.server.callUsage, reasons: f.h.records.map(\.reason))
    }

    @Test("Nothing lost: 16 datagrams, the caller hangs up")
    func whole() throws {
        let outcome = try run { _ in false }
        #expect(
            outcome
                == Outcome(
                    alice: .over("hung up"), bob: .over("was hung up"), datagrams: 16, usage: CallUsage(),
                    reasons: ["alice@pinhole hung up"]))
    }

    @Test("The n-th datagram is lost, for every n: the call completes all the same, and nothing is left")
    func one() throws {
        let whole = try run { _ in false }
        for lost in 0..<whole.datagrams {
            let outcome = try run { $0 == lost }
            #expect(
                outcome.alice == .over("hung up") && outcome.bob == .over("was hung up"), "without datagram \(lost): \(outcome)")
            #expect(outcome.reasons == ["alice@pinhole hung up"], "without datagram \(lost)")
            #expect(outcome.usage == CallUsage(), "without datagram \(lost)")
        }
    }

    @Test("The n-th and the one after are lost: completes")
    func two() throws {
        let whole = try run { _ in false }
        for lost in 0..<whole.datagrams {
            let outcome = try run { $0 == lost || $0 == lost + 1 }
            #expect(
                outcome.alice == .over("hung up") && outcome.bob == .over("was hung up"),
                "without \(lost) and the next: \(outcome)")
            #expect(outcome.usage == CallUsage())
        }
    }

    @Test("Everything from the n-th on is lost: each side ends by itself, and nothing is left")
    func rest() throws {
        let whole = try run { _ in false }
        for lost in 0..<whole.datagrams {
            let outcome = try run { $0 >= lost }
            #expect(outcome.reasons.count == (lost < 4 ? 0 : 1), "without all from datagram \(lost) on")
            #expect(outcome.usage == CallUsage(), "without all from datagram \(lost) on")
        }
    }

    @Test("Every third datagram is lost, at each offset: nothing is left, whatever became of the call")
    func many() throws {
        for offset in 0..<3 {
            let outcome = try run { $0 % 3 == offset }
            #expect(outcome.usage == CallUsage(), "offset \(offset): \(outcome)")
            #expect(outcome.alice == .over("hung up"), "offset \(offset): \(outcome)")
        }
    }
}
