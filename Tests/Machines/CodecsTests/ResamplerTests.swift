import Codecs
import Testing

@Suite struct ResamplerTests {
    @Test(
        "A tone keeps its frequency and its level, in whole blocks of 20 ms",
        arguments: [8_000, 16_000, 24_000, 32_000, 48_000], [8_000, 16_000, 24_000, 32_000, 48_000])
    func tone(from: Int, to: Int) {
        var generator = ToneGenerator(1_000, sampleRate: from)
        var resampler = Resampler(from: from, to: to)
        var output: [Int16] = []
        for _ in 0..<50 {
            let block = resampler.process(generator.next(from / 50))
            #expect(block.count == to / 50)
            output += block
        }
        let settled = Array(output.dropFirst(to / 10))
        #expect(ToneMeter.share(of: 1_000, in: settled, sampleRate: to) > 0.9999)
        #expect(abs(ToneMeter.level(settled) / (8_000 * 0.5.squareRoot()) - 1) < 0.01)
    }

    @Test("What the lower rate cannot carry is taken out before it folds back", arguments: [16_000, 48_000])
    func aliases(from: Int) {
        var generator = ToneGenerator(5_000, sampleRate: from)
        var resampler = Resampler(from: from, to: 8_000)
        let output = Array(resampler.process(generator.next(from)).dropFirst(800))
        // 5,000 Hz would come back as 3,000 Hz; 40 dB below is inaudible.
        #expect(ToneMeter.level(output) < 57)
    }

    @Test("No image of a narrow tone appears above the old half rate")
    func images() {
        var generator = ToneGenerator(3_000, sampleRate: 8_000)
        var resampler = Resampler(from: 8_000, to: 48_000)
        let output = Array(resampler.process(generator.next(8_000)).dropFirst(4_800))
        for image in [5_000, 11_000, 13_000] { #expect(ToneMeter.share(of: image, in: output, sampleRate: 48_000) < 1e-4) }
    }

    @Test("44.1 kHz becomes 8 kHz over a second without a sample too many or too few")
    func oddRates() {
        var generator = ToneGenerator(440, sampleRate: 44_100)
        var resampler = Resampler(from: 44_100, to: 8_000)
        var output: [Int16] = []
        for _ in 0..<100 { output += resampler.process(generator.next(441)) }
        #expect(output.count == 8_000)
        #expect(ToneMeter.share(of: 440, in: Array(output.dropFirst(100)), sampleRate: 8_000) > 0.999)
    }

    @Test("Equal rates pass samples unchanged; blocks of any size give the same stream")
    func blocks() {
        var same = Resampler(from: 8_000, to: 8_000)
        let unchanged = same.process([1, -2, 3])
        #expect(unchanged == [1, -2, 3])
        var generator = ToneGenerator(700, sampleRate: 16_000)
        let input = generator.next(3_200)
        var whole = Resampler(from: 16_000, to: 48_000)
        var pieces = Resampler(from: 16_000, to: 48_000)
        var output: [Int16] = []
        var at = 0
        for size in [1, 7, 320, 100, 1_000, 3, 1_769] {
            output += pieces.process(Array(input[at..<(at + size)]))
            at += size
        }
        let expected = whole.process(input)
        #expect(at == 3_200 && output == expected)
        let nothing = whole.process([Int16]())
        #expect(nothing.isEmpty)
    }

    @Test("Full scale stays within 16 bits")
    func fullScale() {
        var resampler = Resampler(from: 8_000, to: 16_000)
        let square = (0..<800).map { $0 / 8 % 2 == 0 ? Int16.max : Int16.min }
        let output = resampler.process(square)
        #expect(output.contains(.max) && output.contains(.min) && output.count == 1_600)
    }

    @Test("Output that has no room is lost, not written")
    func room() {
        var resampler = Resampler(from: 8_000, to: 48_000)
        let input = [Int16](repeating: 1_000, count: 160)
        withUnsafeTemporaryAllocation(of: Int16.self, capacity: 100) { buffer in
            let written = input.withUnsafeBufferPointer { resampler.process($0, into: buffer) }
            #expect(written == 100)
        }
        let next = resampler.process(input)
        #expect(next.count == 960)
    }
}
