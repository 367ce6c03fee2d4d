import Codecs
import RTP
import Testing

@Suite struct CodecRegistryTests {
    private func wide(_ name: String = "L16", clock: Int = 16_000) -> AudioCodec {
        AudioCodec(encoding: name, clockRate: clock, sampleRate: clock, makeEncoder: { _ in nil }, makeDecoder: { _ in nil })
    }

    @Test("The first format of the agreement that we have a codec for is chosen; names are compared without case")
    func choice() throws {
        let formats = [
            MediaFormat(payloadType: 98, encoding: "speex", clockRate: 8_000),
            MediaFormat(payloadType: 101, encoding: "telephone-event", clockRate: 8_000),
            MediaFormat(payloadType: 96, encoding: "pcmU", clockRate: 8_000), .pcma,
        ]
        let choice = try #require(CodecRegistry.g711.choose(among: formats))
        #expect(choice.format.payloadType == 96 && choice.codec.encoding == "PCMU")
        #expect(CodecRegistry.g711.choose(among: [formats[0], formats[1]]) == nil)
        #expect(CodecRegistry.g711.codec(for: MediaFormat(payloadType: 0, encoding: "PCMU", clockRate: 16_000)) == nil)
    }

    @Test("A codec that is added goes first and replaces one of its name and clock")
    func adding() {
        var registry = CodecRegistry()
        registry.add(wide())
        registry.add(wide("l16"))
        #expect(registry.codecs.map(\.encoding) == ["l16", "PCMA", "PCMU"])
        registry.add(wide("L16", clock: 48_000))
        #expect(registry.codecs.map(\.clockRate) == [48_000, 16_000, 8_000, 8_000])
    }

    @Test("An offer names each codec once, digits for each clock and comfort noise, no payload type twice")
    func offer() {
        var registry = CodecRegistry()
        registry.add(wide())
        let offer = registry.offer()
        #expect(offer.map(\.payloadType) == [96, 8, 0, 101, 97, 13])
        #expect(offer.map(\.encoding) == ["L16", "PCMA", "PCMU", "telephone-event", "telephone-event", "CN"])
        #expect(offer.filter(\.isTelephoneEvent).map(\.clockRate) == [8_000, 16_000])
        for number in 0..<14 { registry.add(wide("X\(number)", clock: 8_000 + 100 * number)) }
        let types = registry.offer().map(\.payloadType)
        #expect(Set(types).count == types.count)
    }
}
