import RTP
import Testing

@Suite("How losses are spread")
struct LossPatternTests {
    /// `.` came, `x` was lost.
    private func pattern(_ text: String) -> LossPattern {
        var pattern = LossPattern()
        for character in text { if character == "x" { pattern.noteLost() } else { pattern.noteReceived() } }
        return pattern
    }

    private func dots(_ count: Int) -> String { String(repeating: ".", count: count) }

    @Test("nothing lost: no bursts, ratio 1")
    func clean() {
        let clean = pattern(dots(100))
        #expect(clean.expected == 100)
        #expect(clean.lost == 0)
        #expect(clean.bursts == 0)
        #expect(clean.burstRatio == 1)
        #expect(clean.gapDensity == 0)
        #expect(clean.longestRun == 0)
    }

    @Test("RFC 3611 4.7.2: a single loss with 16 received on both sides belongs to the gap")
    func single() {
        let one = pattern(dots(16) + "x" + dots(16))
        #expect(one.bursts == 0)
        #expect(one.gapDensity == 1 / 33.0)
        #expect(one.burstDensity == 0)
    }

    @Test("RFC 3611 4.7.2: losses with fewer than 16 received between them are one burst", arguments: [0, 1, 15])
    func burst(between: Int) {
        let text = dots(20) + "x" + dots(between) + "x" + dots(20)
        let two = pattern(text)
        #expect(two.bursts == 1)
        #expect(two.burstLength == Double(between + 2))
        #expect(two.burstDensity == 2 / Double(between + 2))
        #expect(two.gapDensity == 0)
    }

    @Test("16 received between two losses: both belong to the gap")
    func apart() {
        let two = pattern(dots(20) + "x" + dots(16) + "x" + dots(20))
        #expect(two.bursts == 0)
        #expect(two.gapDensity == 2 / 58.0)
    }

    @Test("two bursts are counted apart, and a single loss between them is the gap's")
    func several() {
        let mixed = pattern(dots(16) + "xx.x" + dots(16) + "x" + dots(16) + "xxx" + dots(16))
        #expect(mixed.bursts == 2)
        #expect(mixed.burstLength == 3.5)
        #expect(mixed.burstDensity == 6 / 7.0)
        #expect(mixed.longestRun == 3)
        #expect(mixed.gapDensity == 1 / 65.0)
    }

    @Test("a burst under way is counted")
    func open() {
        #expect(pattern(dots(16) + "xx").bursts == 1)
    }

    @Test("G.107: the burst ratio is the mean run of losses over that of random loss")
    func ratio() {
        // 10 of 100 lost in two runs of five: 5 / (1 / (1 - 0.1)).
        let bursty = pattern(dots(40) + "xxxxx" + dots(40) + "xxxxx" + dots(10))
        #expect(abs(bursty.burstRatio - 4.5) < 1e-12)
        // Lost one by one it cannot be below 1.
        #expect(pattern(String(repeating: "x....", count: 20)).burstRatio == 1)
    }
}
