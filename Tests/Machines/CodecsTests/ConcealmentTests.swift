import Codecs
import Testing

@Suite struct ConcealmentTests {
    private func heard(_ plc: inout PacketLossConcealment, _ samples: [Int16]) -> [Int16] {
        var samples = samples
        samples.withUnsafeMutableBufferPointer { plc.heard($0) }
        return samples
    }

    private func conceal(_ plc: inout PacketLossConcealment, _ count: Int) -> [Int16] {
        var samples = [Int16](repeating: -1, count: count)
        samples.withUnsafeMutableBufferPointer { plc.conceal(into: $0) }
        return samples
    }

    @Test("A lost packet of a periodic sound sounds on: same frequency, same level, no step", arguments: [8_000, 16_000, 48_000])
    func tone(rate: Int) {
        // 125 Hz and its octave: a period of 8 ms, within the range of pitch.
        var generator = ToneGenerator([125, 250], sampleRate: rate, amplitude: 6_000)
        var plc = PacketLossConcealment(sampleRate: rate)
        var before: [Int16] = []
        for _ in 0..<5 { before = heard(&plc, generator.next(rate / 50)) }
        let truth = generator.next(rate / 100)
        let gap = conceal(&plc, rate / 50)
        let worst = zip(truth, gap).map { abs(Int($0) - Int($1)) }.max()!
        #expect(worst < 600)
        #expect(abs(Int(gap[0]) - Int(before.last!)) < 12_000 * 250 * 7 / rate)
    }

    @Test("It fades from 10 to 60 ms and is silent from then on, however long the gap")
    func fading() {
        var generator = ToneGenerator(200, sampleRate: 8_000)
        var plc = PacketLossConcealment(sampleRate: 8_000)
        for _ in 0..<5 { _ = heard(&plc, generator.next(160)) }
        let levels = (0..<200).map { _ in ToneMeter.level(conceal(&plc, 160)) }
        #expect(levels[0] > levels[1] && levels[1] > levels[2] && levels[2] > 0)
        #expect(levels[3...].allSatisfy { $0 == 0 })
    }

    @Test("The first sound after a gap is blended in over 4 ms and untouched after them")
    func rejoining() {
        var plc = PacketLossConcealment(sampleRate: 8_000)
        let flat = [Int16](repeating: 10_000, count: 160)
        for _ in 0..<3 { _ = heard(&plc, flat) }
        _ = conceal(&plc, 160)
        let back = heard(&plc, [Int16](repeating: -10_000, count: 160))
        #expect(back[0] > 5_000 && back[31] < -8_000 && back[32...].allSatisfy { $0 == -10_000 })
        #expect(heard(&plc, flat) == flat)
    }

    @Test("Before any sound, and after silence, a gap is silent")
    func silence() {
        var plc = PacketLossConcealment(sampleRate: 8_000)
        #expect(conceal(&plc, 160) == [Int16](repeating: 0, count: 160))
        for _ in 0..<3 { _ = heard(&plc, [Int16](repeating: 0, count: 160)) }
        #expect(conceal(&plc, 160) == [Int16](repeating: 0, count: 160))
    }

    @Test("Full scale, odd lengths and empty buffers do not trap")
    func extremes() {
        var plc = PacketLossConcealment(sampleRate: 8_000)
        for length in [0, 1, 7, 160, 383, 384, 385, 5_760] {
            _ = heard(&plc, [Int16](repeating: length % 2 == 0 ? .min : .max, count: length))
            _ = conceal(&plc, length)
        }
        #expect(conceal(&plc, 0).isEmpty)
    }

    @Test("A decoder conceals as long a packet as the last one was")
    func decoder() {
        let decoder = G711Decoder(.muLaw)
        #expect(decoder.decode(nil).count == 160)
        var generator = ToneGenerator(100, sampleRate: 8_000)
        for _ in 0..<3 { _ = decoder.decode(G711Encoder(.muLaw).encode(generator.next(240))) }
        let concealed = decoder.decode(nil)
        #expect(concealed.count == 240 && ToneMeter.level(concealed) > 2_000)
    }
}

@Suite struct ComfortNoiseTests {
    @Test("RFC 3389 3.1: the first octet is the level in -dBov, and the noise made is as loud", arguments: [10, 30, 45, 60])
    func level(decibels: Int) {
        var noise = ComfortNoise(seed: 7)
        let isKnown = noise.update([UInt8(decibels)])
        #expect(isKnown)
        let level = ToneMeter.level(noise.next(16_000))
        #expect(abs(level / noise.level - 1) < 0.05)
        let payload = ComfortNoise.payload(for: noise.next(16_000))
        #expect(payload.count == 1 && abs(Int(payload[0]) - decibels) <= 1)
    }

    @Test("RFC 3389 3.2: reflection coefficients colour the noise and leave its level")
    func colour() {
        var white = ComfortNoise(seed: 7)
        white.update([30])
        var coloured = ComfortNoise(seed: 7)
        coloured.update([30, 20])
        let (flat, dark) = (white.next(16_000), coloured.next(16_000))
        #expect(abs(ToneMeter.level(dark) / ToneMeter.level(flat) - 1) < 0.1)
        func neighbours(_ samples: [Int16]) -> Double {
            let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
            return zip(samples, samples.dropFirst()).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / power
        }
        // The coefficient is (20 - 127) / 128: each sample resembles its neighbour by as much.
        #expect(abs(neighbours(flat)) < 0.05)
        #expect(abs(abs(neighbours(dark)) - 107.0 / 128) < 0.05)
    }

    @Test("Any coefficients are stable and cheap; reserved levels are no payload; before one there is silence")
    func hostile() {
        var noise = ComfortNoise()
        func isKnown(_ payload: [UInt8]) -> Bool { noise.update(payload) }
        func level() -> Double { ToneMeter.level(noise.next(8_000)) }
        #expect(level() == 0)
        #expect(!isKnown([]) && !isKnown([128]))
        for fill in [UInt8(0), 255, 254, 1] {
            #expect(isKnown([20] + [UInt8](repeating: fill, count: 1_400)))
            #expect(level() > 300)
        }
        #expect(ComfortNoise.payload(for: [Int16](repeating: 0, count: 160)) == [127])
        #expect(ComfortNoise.payload(for: [Int16](repeating: .min, count: 160)) == [0])
    }
}
