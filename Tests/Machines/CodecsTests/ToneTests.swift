import Codecs
import Testing

@Suite struct ToneTests {
    @Test("The sine is exact to 1e-12 where its value is known, for any angle")
    func sines() {
        let known: [(Double, Double)] = [
            (0, 0), (0.25, 1), (0.5, 0), (0.75, -1), (1, 0), (1.0 / 12, 0.5), (5.0 / 12, 0.5), (-1.0 / 12, -0.5),
            (7.0 / 12, -0.5),
            (0.125, 0.5.squareRoot()), (1.0 / 6, 0.75.squareRoot()), (1_000_000.25, 1), (-3.75, 1),
        ]
        for (turns, value) in known { #expect(abs(sine(turns: turns) - value) < 1e-12, "\(turns)") }
        #expect(abs(cosine(turns: 1.0 / 6) - 0.5) < 1e-12)
        #expect(sine(turns: .infinity) == 0 && sine(turns: .nan) == 0)
    }

    @Test("A pure tone is all of its sound, and next to nothing of another's", arguments: [8_000, 16_000, 48_000])
    func share(rate: Int) {
        var generator = ToneGenerator(440, sampleRate: rate)
        let samples = generator.next(rate / 2)
        #expect(ToneMeter.share(of: 440, in: samples, sampleRate: rate) > 0.999)
        #expect(ToneMeter.share(of: 620, in: samples, sampleRate: rate) < 0.001)
        #expect(abs(ToneMeter.level(samples) - 8_000 * 0.5.squareRoot()) < 2)
    }

    @Test("Two tones of one level are half of the sound each")
    func two() {
        var generator = ToneGenerator([697, 1_209], sampleRate: 8_000, amplitude: 4_000)
        let samples = generator.next(4_000)
        for frequency in [697, 1_209] {
            #expect(abs(ToneMeter.share(of: frequency, in: samples, sampleRate: 8_000) - 0.5) < 0.01)
        }
    }

    @Test("A tone asked for in pieces is the tone asked for at once")
    func pieces() {
        var whole = ToneGenerator(350, sampleRate: 8_000)
        var pieces = ToneGenerator(350, sampleRate: 8_000)
        let parts = pieces.next(160) + pieces.next(1) + pieces.next(319)
        let all = whole.next(480)
        #expect(all == parts)
    }

    @Test("Silence and nothing have no share and no level")
    func nothing() {
        #expect(ToneMeter.share(of: 440, in: [Int16](repeating: 0, count: 160), sampleRate: 8_000) == 0)
        #expect(ToneMeter.share(of: 440, in: [Int16](), sampleRate: 8_000) == 0)
        #expect(ToneMeter.level([Int16]()) == 0)
    }
}
