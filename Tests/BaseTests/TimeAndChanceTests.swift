import Base
import Testing

@Suite("Instants, deadlines, queues, randomness")
struct TimeAndChanceTests {
    @Test("An instant saturates at its ends instead of trapping")
    func saturation() {
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant(nanoseconds: .min) - .seconds(1) == Instant(nanoseconds: .min))
        #expect(Instant(seconds: 5) - Instant(seconds: 3) == .seconds(2))
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Instant(nanoseconds: -1).description == "-1.999999999")
    }

    @Test("A duration in nanoseconds is rounded towards zero and saturated")
    func wholeNanoseconds() {
        #expect(Duration.zero.wholeNanoseconds == 0)
        #expect(Duration.nanoseconds(-1).wholeNanoseconds == -1)
        #expect(Duration.seconds(3_600).wholeNanoseconds == 3_600_000_000_000)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999).wholeNanoseconds == 1)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: -1_999_999_999).wholeNanoseconds == -1)
        let most = Duration.nanoseconds(Int64.max)
        #expect(most.wholeNanoseconds == .max)
        #expect((most + .nanoseconds(1)).wholeNanoseconds == .max)
        #expect(Duration.nanoseconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
    }

    @Test("Deadlines that move up, down and away come out in time order, whatever came before")
    func movedDeadlines() {
        var queue = DeadlineQueue<Int>()
        var expected: [Int: Instant] = [:]
        var entropy = Entropy(labSeed: 3)
        for _ in 0..<5_000 {
            let key = Int(entropy.next() % 200)
            let deadline = entropy.next() % 10 == 0 ? nil : Instant(nanoseconds: Int64(entropy.next() % 1_000))
            queue.set(key, to: deadline)
            expected[key] = deadline
            #expect(queue.nextDeadline == expected.values.min())
        }
        #expect(queue.count == expected.count)
        var last = Instant(nanoseconds: .min)
        while let key = queue.popDue(at: .distantFuture) {
            let deadline = expected.removeValue(forKey: key)
            #expect(deadline != nil && deadline! >= last)
            last = deadline ?? last
        }
        #expect(expected.isEmpty)
    }

    @Test("Deadlines come out in time order; equal ones in the order in which they were set")
    func deadlineOrder() {
        var queue = DeadlineQueue<Int>()
        queue.set(1, to: Instant(seconds: 3))
        queue.set(2, to: Instant(seconds: 1))
        queue.set(3, to: Instant(seconds: 3))
        queue.set(4, to: Instant(seconds: 2))
        queue.set(2, to: Instant(seconds: 3))
        queue.set(4, to: nil)
        #expect(queue.nextDeadline == Instant(seconds: 3))
        #expect(queue.popDue(at: Instant(seconds: 2)) == nil)
        #expect([queue.popDue(at: Instant(seconds: 3)), queue.popDue(at: Instant(seconds: 3))] == [1, 3])
        #expect(queue.popDue(at: Instant(seconds: 3)) == 2)
        #expect(queue.isEmpty)
    }

    @Test("A thousand random operations agree with a sorted list, whatever remembers where each deadline stands")
    func deadlineModel() {
        agreesWithModel(DeadlineQueue<Int>()) { $0 }
        // The first slot and some that lie apart: those between have no deadline.
        agreesWithModel(DeadlineHeap<SlotPlaces>()) { UInt32($0 * 3) }
    }

    private func agreesWithModel<Places: DeadlinePlaces>(_ empty: DeadlineHeap<Places>, _ name: (Int) -> Places.Key) {
        var entropy = Entropy(labSeed: 7)
        var queue = empty
        var model: [Int: (at: Int64, order: Int)] = [:]
        for step in 0..<1_000 {
            let key = Int.random(in: 0..<50, using: &entropy)
            if Int.random(in: 0..<4, using: &entropy) == 0 {
                queue.set(name(key), to: nil)
                model[key] = nil
            } else {
                let at = Int64.random(in: 0..<100, using: &entropy)
                queue.set(name(key), to: Instant(nanoseconds: at))
                if model[key]?.at != at { model[key] = (at, step) }
            }
            #expect(queue.count == model.count)
            #expect(queue[name(key)]?.nanoseconds == model[key]?.at)
            #expect(queue.nextDeadline?.nanoseconds == model.values.map(\.at).min())
        }
        let sorted = model.sorted { ($0.value.at, $0.value.order) < ($1.value.at, $1.value.order) }.map { name($0.key) }
        var popped: [Places.Key] = []
        while let key = queue.popDue(at: .distantFuture) { popped.append(key) }
        #expect(popped == sorted)
    }

    @Test("RFC 8439 2.3.2: the generator is the ChaCha20 key stream")
    func chacha() {
        // Key 00..1f, counter and nonce zero: checked against RFC 8439's block function with the same inputs in A.1 for the zero key.
        var zero = Entropy(seed: [UInt8](repeating: 0, count: 32))
        #expect(hexText(zero.bytes(64)).hasPrefix("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"))
        #expect(hexText(zero.bytes(32)) == "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed")
    }

    @Test("The same lab seed gives the same numbers, another seed others")
    func reproducible() {
        var a = Entropy(labSeed: 1)
        var b = Entropy(labSeed: 1)
        var c = Entropy(labSeed: 2)
        let first = a.hex(15)
        #expect(first.count == 15)
        #expect(first == b.hex(15))
        #expect(first != c.hex(15))
    }

    @Test("A masked trace is not even built; an unfetched one is counted when the box is full")
    func traces() {
        var built = 0
        func make() -> Int {
            built += 1
            return built
        }
        var off = TraceBox<Int>(isOn: false)
        off.note(make())
        #expect(built == 0)
        var small = TraceBox<Int>(cap: 2)
        for _ in 0..<3 { small.note(make()) }
        #expect(small.lost == 1)
        #expect([small.next(), small.next(), small.next()] == [1, 2, nil])
    }
}
