import RTP
import Testing

@Suite("The E-model (ITU-T G.107)")
struct EModelTests {
    @Test("G.711 without loss or delay: R 93.2, MOS 4.41")
    func best() {
        let model = EModel(.pcmu, lossRate: 0)
        #expect(model.rating == 93.2)
        #expect(abs(model.meanOpinionScore - 4.409) < 0.001)
    }

    @Test(
        "Ie,eff = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl)",
        arguments: [
            (EModel.Impairment.pcmu, 0.01, 1.0, 3.639_8), (.pcmu, 0.05, 1.0, 15.780_7), (.pcmu, 0.05, 2.0, 17.210_1),
            (.g729, 0.0, 1.0, 11.0), (.g729, 0.02, 1.0, 19.0), (.g723, 0.03, 1.0, 27.565_4),
        ])
    func impairment(codec: EModel.Impairment, loss: Double, ratio: Double, expected: Double) {
        #expect(abs(EModel(codec, lossRate: loss, burstRatio: ratio).effectiveEquipment - expected) < 0.001)
    }

    @Test("delay costs little up to 177 ms, and much beyond")
    func delay() {
        #expect(abs(EModel(.pcmu, lossRate: 0, delay: 100).delayImpairment - 2.4) < 1e-9)
        #expect(abs(EModel(.pcmu, lossRate: 0, delay: 300).delayImpairment - (7.2 + 0.11 * 122.7)) < 1e-9)
    }

    @Test("more loss never sounds better, and bursts never better than random loss")
    func monotone() {
        for codec in EModel.Impairment.known {
            var before = 5.0
            for step in 0...100 {
                let random = EModel(codec, lossRate: Double(step) / 100).meanOpinionScore
                #expect(random <= before)
                #expect(EModel(codec, lossRate: Double(step) / 100, burstRatio: 3).meanOpinionScore <= random)
                before = random
            }
        }
    }

    @Test("MOS stays within 1 and 4.5 whatever is put in", arguments: [0, 0.5, 1, 7, -1, .nan, .infinity] as [Double])
    func range(value: Double) {
        let score = EModel(.gsm, lossRate: value, burstRatio: value, delay: value * 1e6).meanOpinionScore
        #expect(score >= 1 && score <= 4.5)
    }

    @Test("codecs are found by the name of rtpmap, without case; unknown ones have no value")
    func names() {
        #expect(EModel.Impairment.of("pcma") == .pcma)
        #expect(EModel.Impairment.of("OPUS") == .opus)
        #expect(EModel.Impairment.of("telephone-event") == nil)
    }
}
