import Codecs
import Testing

@Suite struct G711Tests {
    /// Decision values of Table 2a/G.711 in 14-bit units: 0, 1, then steps of 2 up to 31, then sixteen steps a segment, doubling.
    static let muDecisions: [Int] = {
        var values = [0, 1]
        for _ in 0..<15 { values.append(values.last! + 2) }
        for segment in 2...8 { for _ in 0..<16 { values.append(values.last! + 1 << segment) } }
        return values
    }()

    /// Decision values of Table 1a/G.711 in 13-bit units: 32 steps of 2, then sixteen steps a segment, doubling.
    static let aDecisions: [Int] = {
        var values = [0]
        for _ in 0..<32 { values.append(values.last! + 2) }
        for segment in 2...7 { for _ in 0..<16 { values.append(values.last! + 1 << segment) } }
        return values
    }()

    @Test("G.711 Table 2a: every mu-law code word decodes to the middle between its decision values")
    func muLawDecoding() {
        #expect(Self.muDecisions.count == 129 && Self.muDecisions.last == 8_159)
        for number in 0..<128 {
            let value = number == 0 ? 0 : (Self.muDecisions[number] + Self.muDecisions[number + 1]) / 2
            #expect(G711.muLaw.decode(UInt8(0xff - number)) == Int16(4 * value))
            #expect(G711.muLaw.decode(UInt8(0x7f - number)) == Int16(-4 * value))
        }
    }

    @Test("G.711 Table 1a: every A-law code word decodes to the middle between its decision values")
    func aLawDecoding() {
        #expect(Self.aDecisions.count == 129 && Self.aDecisions.last == 4_096)
        for number in 0..<128 {
            let value = (Self.aDecisions[number] + Self.aDecisions[number + 1]) / 2
            #expect(G711.aLaw.decode(UInt8(number | 0x80) ^ 0x55) == Int16(8 * value))
            #expect(G711.aLaw.decode(UInt8(number) ^ 0x55) == Int16(-8 * value))
        }
    }

    @Test("G.711: every 16-bit sample is encoded by the decision values, both halves alike", arguments: G711.allCases)
    func encoding(law: G711) {
        let decisions = law == .muLaw ? Self.muDecisions : Self.aDecisions
        let shift = law == .muLaw ? 2 : 3
        var number = 0
        var wrong = 0
        for sample in 0...32_767 {
            while number < 127, sample >> shift >= decisions[number + 1] { number += 1 }
            let positive = law == .muLaw ? UInt8(0xff - number) : UInt8(number | 0x80) ^ 0x55
            let negative = positive ^ 0x80
            if law.encode(Int16(sample)) != positive { wrong += 1 }
            if law.encode(~Int16(sample)) != negative { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test("Code words survive decoding and encoding, but for mu-law's negative zero", arguments: G711.allCases)
    func roundTrip(law: G711) {
        let changed = (0...255).map(UInt8.init).filter { law.encode(law.decode($0)) != $0 }
        #expect(changed == (law == .muLaw ? [0x7f] : []))
    }

    @Test("A run is encoded and decoded as its samples are", arguments: G711.allCases)
    func runs(law: G711) throws {
        let samples = (0..<480).map { Int16(truncatingIfNeeded: $0 * 137 - 32_768) }
        let codec: AudioCodec = law == .muLaw ? .pcmu : .pcma
        let format = codec.format(payloadType: 0)
        let payload = try #require(codec.makeEncoder(format)).encode(samples)
        #expect(payload == samples.map(law.encode))
        let decoder = try #require(codec.makeDecoder(format))
        #expect(decoder.decode(payload) == payload.map(law.decode))
        #expect(decoder.packetSamples == 480)
        #expect(decoder.decode([UInt8]()).isEmpty)
    }

    @Test("A payload that has no room is not encoded; one longer than 120 ms at 48 kHz is cut off when decoded")
    func bounds() {
        let encoder = G711Encoder(.aLaw)
        let samples = [Int16](repeating: 1, count: 160)
        withUnsafeTemporaryAllocation(byteCount: 159, alignment: 1) { buffer in
            #expect(samples.withUnsafeBufferPointer { encoder.encode($0, into: buffer) } == 0)
        }
        #expect(G711Decoder(.aLaw).decode([UInt8](repeating: 0xd5, count: 9_000)).count == AudioLimits.samples)
    }

    @Test("Silence is the word for the least positive sample")
    func silence() {
        #expect(G711.muLaw.encode(0) == G711.muLaw.silence && G711.aLaw.encode(0) == G711.aLaw.silence)
        #expect(G711.muLaw.decode(0xff) == 0 && G711.aLaw.decode(0xd5) == 8)
    }
}
