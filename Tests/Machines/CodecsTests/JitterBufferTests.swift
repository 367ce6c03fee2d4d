import Base
import Codecs
import Testing

@Suite struct JitterBufferTests {
    /// A sender of 20 ms packets at 8 kHz whose payload is the packet's number.
    private final class Stream {
        var buffer = JitterBuffer(.init(clockRate: 8_000))
        let start = Instant(seconds: 1_000)

        @discardableResult
        func insert(_ number: Int, at milliseconds: Int, ssrc: UInt32 = 1, base: UInt16 = 65_530) -> JitterBuffer.Arrival {
            buffer.insert(
                ssrc: ssrc, sequence: base &+ UInt16(truncatingIfNeeded: number),
                timestamp: 0xffff_fc00 &+ UInt32(truncatingIfNeeded: number * 160), payloadType: 0,
                payload: [UInt8(truncatingIfNeeded: number)], at: start + .milliseconds(milliseconds))
        }

        /// The number of the packet played; -1: lost; nil: dry.
        func take(at milliseconds: Int) -> Int? {
            switch buffer.take(at: start + .milliseconds(milliseconds)) {
            case .packet(_, let payload, _): Int(payload[0])
            case .lost: -1
            case .dry: nil
            }
        }

        /// Packets arrive at the given times (nil: never); one is taken each 20 ms. What was played, dry ends left out.
        func run(_ arrivals: [Int?], takes: Int? = nil) -> [Int?] {
            let events = arrivals.enumerated().compactMap { number, at in at.map { (at: $0, number: number) } }
            let sorted = events.sorted { ($0.at, $0.number) < ($1.at, $1.number) }
            var next = 0
            var played: [Int?] = []
            for turn in 0..<(takes ?? arrivals.count + 10) {
                while next < sorted.count, sorted[next].at <= turn * 20 {
                    insert(sorted[next].number, at: sorted[next].at)
                    next += 1
                }
                played.append(take(at: turn * 20 + 1))
            }
            while let last = played.last, last == nil { played.removeLast() }
            return Array(played.drop { $0 == nil })
        }
    }

    @Test("A steady stream is played whole and in order after 40 ms, across both wraps")
    func steady() {
        let stream = Stream()
        #expect(stream.run((0..<100).map { $0 * 20 }) == Array(0..<100) + [-1, -1, -1])
        #expect(stream.buffer.counts.queued == 100 && stream.buffer.counts.late == 0)
        let second = Stream()
        #expect(second.insert(0, at: 0) == .restarted && second.take(at: 1) == nil)
        #expect(second.insert(1, at: 20) == .queued && second.take(at: 21) == 0)
    }

    @Test("Pairs that come in the wrong order are played in the right one")
    func reordered() {
        let stream = Stream()
        let arrivals = (0..<50).map { number -> Int? in number % 2 == 0 ? number * 20 + 21 : number * 20 - 1 }
        let played = stream.run(arrivals)
        #expect(played.compactMap { $0 }.filter { $0 >= 0 } == Array(0..<50))
        #expect(stream.buffer.counts.late == 0)
    }

    @Test("Every single loss is told where it was, and only there", arguments: 3..<40)
    func loss(lost: Int) {
        let stream = Stream()
        let played = stream.run((0..<50).map { $0 == lost ? nil : $0 * 20 })
        #expect(Array(played.prefix(50)) == (0..<50).map { $0 == lost ? -1 : $0 })
    }

    @Test("Duplicates are dropped, before and after their turn")
    func duplicates() {
        let stream = Stream()
        stream.insert(0, at: 0)
        #expect(stream.insert(0, at: 1) == .duplicate)
        stream.insert(1, at: 20)
        #expect(stream.take(at: 21) == 0)
        #expect(stream.insert(0, at: 22) == .late)
        #expect(stream.take(at: 41) == 1)
        #expect(stream.buffer.counts.duplicate == 1 && stream.buffer.counts.late == 1)
    }

    @Test("A packet that comes 60 ms late once is played after all; the delay it cost is given back within seconds")
    func spike() {
        let stream = Stream()
        let arrivals = (0..<1_000).map { number -> Int? in (100..<104).contains(number) ? 103 * 20 + 20 : number * 20 }
        let played = stream.run(arrivals, takes: 1_001)
        #expect(stream.buffer.counts.late == 0)
        // The window of 256 packets has forgotten the spike long since.
        #expect(stream.buffer.counts.shed >= 1)
        #expect(stream.buffer.depth <= 3)
        #expect(played.compactMap { $0 }.filter { $0 == -1 }.count <= 6)
    }

    @Test("Jitter of up to 50 ms loses nothing once it is known")
    func jitter() {
        var entropy = Entropy(labSeed: 3)
        let stream = Stream()
        var arrivals: [Int?] = []
        for number in 0..<1_000 { arrivals.append(number * 20 + Int(entropy.next() % 50)) }
        _ = stream.run(arrivals, takes: 1_000)
        let counts = stream.buffer.counts
        #expect(counts.late <= 2 && counts.lost <= 10)
        #expect(counts.late + counts.lost + counts.shed <= 20)
        #expect(stream.buffer.target >= .milliseconds(50) && stream.buffer.target <= .milliseconds(90))
    }

    @Test("A sender whose clock is 0.1 % fast or slow never overflows and never runs away", arguments: [19_980, 20_020])
    func drift(microseconds: Int) {
        var buffer = JitterBuffer(.init(clockRate: 8_000))
        let start = Instant(seconds: 5)
        var sent = 0
        var deepest = 0
        for turn in 0..<15_000 {
            let now = start + .milliseconds(turn * 20)
            while sent * microseconds <= turn * 20_000 {
                buffer.insert(
                    ssrc: 1, sequence: UInt16(truncatingIfNeeded: sent), timestamp: UInt32(sent * 160), payloadType: 0,
                    payload: [1],
                    at: start + .microseconds(sent * microseconds))
                sent += 1
            }
            _ = buffer.take(at: now + .milliseconds(1))
            if turn > 100 { deepest = max(deepest, buffer.depth) }
        }
        // Five minutes: 15 packets too many or too few.
        #expect(deepest <= 5)
        if microseconds < 20_000 {
            #expect((10...16).contains(buffer.counts.shed) && buffer.counts.lost <= 2)
        } else {
            #expect((10...17).contains(buffer.counts.lost) && buffer.counts.shed <= 2)
        }
    }

    @Test("After a pause of silence suppression the next talkspurt is held first and none of it is lost")
    func talkspurts() {
        let stream = Stream()
        var played: [Int?] = []
        var number = 0
        for turn in 0..<200 {
            if turn % 50 < 20 {
                stream.buffer.insert(
                    ssrc: 1, sequence: UInt16(number), timestamp: UInt32(turn * 160), payloadType: 0, payload: [UInt8(number)],
                    at: stream.start + .milliseconds(turn * 20))
                number += 1
            }
            played.append(stream.take(at: turn * 20 + 1))
        }
        #expect(played.compactMap { $0 }.filter { $0 >= 0 } == Array(0..<number))
    }

    @Test("Another source starts anew; one far number is a stray, its successor a new start (RFC 3550 A.1)")
    func restarts() {
        let stream = Stream()
        for number in 0..<3 { stream.insert(number, at: number * 20) }
        #expect(stream.insert(0, at: 61, ssrc: 2, base: 7) == .restarted && stream.buffer.depth == 1)
        #expect(stream.insert(0, at: 62, ssrc: 2, base: 30_000) == .strange)
        #expect(stream.insert(1, at: 63, ssrc: 2, base: 7) == .queued)
        #expect(stream.insert(0, at: 64, ssrc: 2, base: 40_000) == .strange)
        #expect(stream.insert(1, at: 65, ssrc: 2, base: 40_000) == .restarted && stream.buffer.depth == 1)
    }

    @Test("A flood is held to 400 ms: the oldest go, and what is played is in order")
    func flood() {
        let stream = Stream()
        for number in 0..<200 { stream.insert(number, at: 0) }
        #expect(stream.buffer.depth == 20 && stream.buffer.counts.shed == 180)
        #expect(stream.take(at: 50) == 180)
        stream.buffer.reset()
        #expect(stream.buffer.depth == 0 && stream.take(at: 100) == nil)
    }

    @Test("Arbitrary numbers, timestamps, sources and times never trap and never grow the buffer", arguments: [UInt64(1), 2, 3])
    func hostile(seed: UInt64) {
        var entropy = Entropy(labSeed: seed)
        var buffer = JitterBuffer(.init(clockRate: seed == 3 ? 1 : 48_000))
        var sequence: UInt16 = 0
        for _ in 0..<50_000 {
            let dice = entropy.next()
            sequence = dice % 8 == 0 ? UInt16(truncatingIfNeeded: dice >> 8) : sequence &+ 1
            buffer.insert(
                ssrc: dice % 97 == 0 ? 2 : 1, sequence: sequence, timestamp: UInt32(truncatingIfNeeded: entropy.next()),
                payloadType: UInt8(truncatingIfNeeded: dice >> 16) & 0x7f, payload: [],
                at: Instant(nanoseconds: Int64(bitPattern: entropy.next())))
            if dice % 3 != 0 { _ = buffer.take(at: Instant(nanoseconds: Int64(bitPattern: entropy.next()))) }
            #expect(buffer.depth <= 64)
        }
    }

    @Test("Packets of 10, 30 and 60 ms are known by their timestamps", arguments: [10, 30, 60])
    func packetTimes(milliseconds: Int) {
        var buffer = JitterBuffer(.init(clockRate: 8_000))
        for number in 0..<5 {
            buffer.insert(
                ssrc: 1, sequence: UInt16(number), timestamp: UInt32(number * 8 * milliseconds), payloadType: 0, payload: [],
                at: Instant(seconds: 1) + .milliseconds(number * milliseconds))
        }
        #expect(buffer.packetTime == .milliseconds(milliseconds))
        #expect(buffer.target == .milliseconds(max(40, milliseconds)))
    }
}
