import Base
import Packet
import TCP
import Testing

@Suite("TCP over lines that lose, repeat and overtake")
struct BadLineTests {
    /// A talk of several messages each way, and an orderly end; true where all arrived and both ends are gone.
    static func talk(_ wire: inout Wire, octets: Int, patience: Duration = .seconds(600)) -> Bool {
        wire.connect()
        wire.command(.send(Wire.id, pattern(octets)))
        let end = wire.now + patience
        var hasAnswered = false
        var hasClosed = false
        while wire.now < end {
            wire.run(.milliseconds(50))
            if !hasAnswered, wire.toHost.count == octets {
                hasAnswered = true
                wire.hostCommand(.send(wire.accepted, pattern(octets / 2, from: 7)))
                wire.hostCommand(.close(wire.accepted))
            }
            if !hasClosed, wire.clientEvents.contains(.ended(Wire.id)) {
                hasClosed = true
                wire.command(.close(Wire.id))
            }
            if wire.client.count == 0, wire.host.count == 0 { break }
        }
        return wire.toHost == pattern(octets) && wire.toClient == pattern(octets / 2, from: 7) && wire.client.count == 0
            && wire.host.count == 0
    }

    @Test("whichever single segment is lost, everything arrives in order and once, and both ends close")
    func lossSweep() {
        var whole = Wire()
        #expect(Self.talk(&whole, octets: 9_000))
        let count = whole.log.count
        #expect(count > 15)
        for lost in 1...count {
            var wire = Wire()
            wire.fate = { number, _ in number == lost ? .lose : .deliver }
            #expect(Self.talk(&wire, octets: 9_000), "segment \(lost)")
        }
    }

    @Test("whichever two neighbours are lost, or whichever segment comes twice or late, everything arrives in order and once")
    func worseSweep() {
        for number in 1...26 {
            for kind in 0..<4 {
                var wire = Wire()
                wire.fate = { ordinal, _ in
                    switch kind {
                    case 0: ordinal == number || ordinal == number + 1 ? .lose : .deliver
                    case 1: ordinal == number ? .twice : .deliver
                    case 2: ordinal == number ? .late(.milliseconds(35)) : .deliver
                    default: ordinal == number ? .late(.seconds(20)) : .deliver
                    }
                }
                #expect(Self.talk(&wire, octets: 9_000), "segment \(number), kind \(kind)")
            }
        }
    }

    @Test("200 lines that lose a tenth, repeat a tenth and delay a tenth: everything arrives in order and once on each")
    func randomLines() {
        for seed in 1...200 {
            var wire = Wire(seed: UInt64(seed))
            var entropy = Entropy(labSeed: UInt64(seed) + 1_000)
            var fates: [Wire.Fate] = []
            for _ in 0..<4_000 {
                switch entropy.next() % 10 {
                case 0: fates.append(.lose)
                case 1: fates.append(.twice)
                case 2: fates.append(.late(.milliseconds(Int64(entropy.next() % 300))))
                default: fates.append(.deliver)
                }
            }
            let drawn = fates
            wire.fate = { number, _ in number <= drawn.count ? drawn[number - 1] : .deliver }
            #expect(Self.talk(&wire, octets: 20_000), "seed \(seed)")
        }
    }

    @Test("RFC 5681 3.2: three duplicate acknowledgments bring back a lost segment long before the timer would")
    func fastRetransmit() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        // A wide window first.
        wire.command(.send(Wire.id, pattern(30_000)))
        wire.run(.seconds(1))
        let before = wire.log.count
        wire.fate = { number, _ in number == before + 2 ? .lose : .deliver }
        wire.command(.send(Wire.id, pattern(14_600)))
        wire.run(.milliseconds(70))
        #expect(wire.toHost == pattern(30_000) + pattern(14_600))
        var isFast = false
        while let trace = wire.client.nextTrace() {
            if case .fastRetransmitted = trace { isFast = true }
            if case .retransmitted = trace { Issue.record("the timer ran out") }
        }
        #expect(isFast)
    }

    @Test("RFC 6582: several losses in one window are repaired one a round trip, without the timer")
    func partialAcknowledgments() {
        var wire = Wire()
        wire.connect()
        wire.command(.send(Wire.id, pattern(60_000)))
        wire.run(.seconds(2))
        let before = wire.log.count
        wire.fate = { number, _ in [before + 2, before + 4, before + 6].contains(number) ? .lose : .deliver }
        wire.command(.send(Wire.id, pattern(29_200)))
        wire.run(.milliseconds(150))
        #expect(wire.toHost.count == 89_200)
    }

    @Test("RFC 5681: the first burst is three segments; the window opens by one for each acknowledgment")
    func slowStart() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.command(.send(Wire.id, pattern(40_000)))
        let sent = { (wire: Wire) in wire.log.filter { $0.isToServer && !$0.segment.payload.isEmpty }.count }
        #expect(sent(wire) == 3)
        wire.run(.milliseconds(21))
        // One acknowledgment for the first two segments; the third's is delayed.
        #expect(sent(wire) == 3 + 3)
        wire.run(.seconds(2))
        #expect(wire.toHost.count == 40_000)
    }

    @Test("RFC 6298: the timeout follows the round trip, doubles while nothing comes, and Karn's rule keeps doubtful samples out")
    func timeouts() {
        var settings = TCPSettings()
        settings.shortestTimeout = .milliseconds(10)
        var wire = Wire(client: settings)
        wire.latency = .milliseconds(100)
        wire.connect()
        wire.run(.seconds(1))
        // One sample of 200 ms: SRTT 200, RTTVAR 100, RTO 600.
        wire.fate = { _, _ in .lose }
        let before = wire.now
        wire.command(.send(Wire.id, [1]))
        wire.run(.milliseconds(8_900))
        let times = wire.log.filter { $0.at >= before }.map { ($0.at - before).wholeMilliseconds }
        #expect(times == [0, 600, 1_800, 4_200])
        wire.fate = { _, _ in .deliver }
        wire.run(.seconds(30))
        #expect(wire.toHost == [1])
        // The sample of a segment that was sent five times counts for nothing: the timeout is what it was.
        let after = wire.now
        wire.fate = { _, segment in segment.payload.isEmpty ? .deliver : .lose }
        wire.command(.send(Wire.id, [2]))
        wire.run(.seconds(1))
        #expect(wire.log.filter { $0.at >= after }.map { ($0.at - after).wholeMilliseconds } == [0, 600])
    }

    @Test("a reader that stands still closes the window; it is asked again and again, and nothing is lost when it goes on")
    func zeroWindow() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.hostCommand(.hold(wire.accepted))
        wire.command(.send(Wire.id, pattern(100_000)))
        wire.command(.close(Wire.id))
        wire.run(.seconds(600))
        #expect(wire.toHost.isEmpty && wire.clientEnd == nil)
        #expect(wire.log.last!.segment.window == 0)
        let probes = wire.log.filter { $0.isToServer && $0.segment.payload.count == 1 }
        #expect(probes.count >= 10 && probes.last!.at - probes[probes.count - 2].at == .seconds(60))
        wire.hostCommand(.release(wire.accepted))
        wire.run(.seconds(5))
        #expect(wire.toHost == pattern(100_000) && wire.hostEvents.last == .ended(wire.accepted))
    }

    @Test("RFC 9293 3.8.6.1: where the word that the window is open again is lost, the probe finds out")
    func lostUpdate() {
        var wire = Wire()
        wire.connect()
        wire.run(.milliseconds(50))
        wire.hostCommand(.hold(wire.accepted))
        wire.command(.send(Wire.id, pattern(80_000)))
        wire.run(.seconds(30))
        let before = wire.log.count
        wire.fate = { number, _ in number == before + 1 ? .lose : .deliver }
        wire.hostCommand(.release(wire.accepted))
        #expect(wire.log.count == before + 1 && wire.log.last!.segment.window == 65_535)
        wire.run(.seconds(70))
        #expect(wire.toHost == pattern(80_000))
    }
}
