import Base
import RTP
import Testing

@Suite("What a receiver learns from RTP headers (RFC 3550)")
struct StatisticsTests {
    /// Packets at their number times 20 ms, timestamps in step with the numbers.
    private func feed(_ statistics: inout ReceptionStatistics, _ numbers: [Int], ssrc: UInt32 = 7, start: Int64 = 1_000) {
        for (place, number) in numbers.enumerated() {
            statistics.receive(
                ssrc: ssrc, sequence: UInt16(truncatingIfNeeded: number), timestamp: UInt32(truncatingIfNeeded: number * 160),
                at: Instant(nanoseconds: start + Int64(place) * 20_000_000))
        }
    }

    @Test("A.1: one packet is not believed, two in sequence are")
    func probation() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [10])
        #expect(statistics.ssrc == nil)
        #expect(statistics.expected == 0)
        feed(&statistics, [11])
        #expect(statistics.ssrc == 7)
        #expect(statistics.expected == 2)
        #expect(statistics.totalReceived == 2)
    }

    @Test("A.3: lost is expected less received")
    func loss() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 3, 6, 7, 10])
        #expect(statistics.expected == 10)
        #expect(statistics.lost == 4)
        #expect(statistics.lossRate == 0.4)
        #expect(statistics.lossPattern.longestRun == 2)
        #expect(statistics.lossPattern.runs == 2)
        #expect(statistics.lossPattern.lost == 4)
        #expect(statistics.lossPattern.expected == 10)
    }

    @Test("numbers wrap at 65,536 without loss")
    func wrap() {
        var statistics = ReceptionStatistics()
        feed(&statistics, Array(65_500...65_600))
        #expect(statistics.expected == 101)
        #expect(statistics.lost == 0)
        #expect(statistics.restarts == 0)
    }

    @Test("a packet that comes late is out of order, not lost; a second copy is a duplicate")
    func order() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 4, 3, 3, 5, 5])
        #expect(statistics.lost == 0)
        #expect(statistics.outOfOrder == 1)
        #expect(statistics.duplicates == 2)
        #expect(statistics.received == 5)
        #expect(statistics.lossPattern.lost == 0)
    }

    @Test("a packet from before the first that was seen widens what is expected")
    func early() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [5, 6, 4, 7])
        #expect(statistics.expected == 4)
        #expect(statistics.lost == 0)
    }

    @Test("later than 64 packets: counted as received, and as late")
    func late() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2] + Array(4...90) + [3])
        #expect(statistics.late == 1)
        #expect(statistics.lost == 0)
        #expect(statistics.lossPattern.lost == 1)
    }

    @Test("A.1: a jump of 3,000 and more is a new numbering after two in sequence, and what was counted before is kept")
    func jump() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 3, 5])
        feed(&statistics, [40_000, 40_001, 40_002], start: 500_000_000)
        #expect(statistics.restarts == 1)
        #expect(statistics.totalExpected == 8)
        #expect(statistics.lost == 1)
    }

    @Test("a single stray number changes nothing")
    func stray() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 30_000, 3, 4])
        #expect(statistics.restarts == 0)
        #expect(statistics.expected == 4)
        #expect(statistics.lost == 0)
    }

    @Test("another source takes over after two packets in sequence")
    func source() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 3])
        feed(&statistics, [900, 901], ssrc: 8, start: 100_000_000)
        #expect(statistics.ssrc == 8)
        #expect(statistics.totalReceived == 5)
        #expect(statistics.lost == 0)
    }

    @Test("A.8: jitter is the running mean of changes in transit")
    func jitter() {
        // Every other packet comes 5 ms (40 units) late.
        var statistics = ReceptionStatistics()
        var expected = 0.0
        for number in 0..<400 {
            let late: Int64 = number % 2 == 1 ? 5_000_000 : 0
            statistics.receive(
                ssrc: 1, sequence: UInt16(number), timestamp: UInt32(number * 160),
                at: Instant(nanoseconds: 7_000_000_000 + Int64(number) * 20_000_000 + late))
            // The first packet only proves the source.
            if number >= 2 { expected += (40 - expected) / 16 }
        }
        #expect(abs(Double(statistics.jitter) - expected) <= 1)
        #expect(abs(statistics.jitterMilliseconds - 5) < 0.1)
        #expect(abs(statistics.maximumJitterMilliseconds - 5) < 0.1)
    }

    @Test("steady packets have no jitter, whatever the clock rate and the start", arguments: [8_000, 44_100, 48_000, 90_000])
    func steady(rate: UInt32) {
        var statistics = ReceptionStatistics(clockRate: rate)
        for number in 0..<1_000 {
            statistics.receive(
                ssrc: 1, sequence: UInt16(number), timestamp: UInt32(truncatingIfNeeded: 4_294_960_000 + number * Int(rate) / 50),
                at: Instant(nanoseconds: 1_700_000_000_000_000_123 + Int64(number) * 20_000_000))
        }
        #expect(statistics.jitterMilliseconds < 0.05)
    }

    @Test("no jitter is counted across a seam in the sender's clock")
    func seam() {
        var statistics = ReceptionStatistics()
        feed(&statistics, Array(1...50))
        statistics.restartTiming()
        for number in 51...100 {
            statistics.receive(
                ssrc: 7, sequence: UInt16(number), timestamp: UInt32(number * 160) &+ 1_000_000,
                at: Instant(nanoseconds: 1_000 + Int64(number - 1) * 20_000_000))
        }
        #expect(statistics.jitter == 0)
    }

    @Test("A.3: a report tells the loss since the one before, and the 24 bits hold")
    func report() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 3, 4])
        #expect(statistics.report()?.fractionLost == 0)
        feed(&statistics, [7, 8], start: 100_000_000)
        let block = statistics.report()
        #expect(block?.packetsLost == 2)
        #expect(block?.fractionLost == 128)
        #expect(block?.highestSequence == 8)
        #expect(statistics.report()?.fractionLost == 0)
        var fresh = ReceptionStatistics()
        #expect(fresh.report() == nil)
    }

    @Test("the longest silence lies between two packets")
    func silence() {
        var statistics = ReceptionStatistics()
        feed(&statistics, [1, 2, 3])
        feed(&statistics, [4, 5], start: 1_000_000_000)
        #expect(statistics.longestSilence == .nanoseconds(1_000_000_000 - 40_001_000))
    }
}
