import AudioCodecs
import Base
import Codecs
import RTP
import Testing

@Suite struct AudioLibrariesTests {
    /// One encoder and one decoder, as SDP would agree on them.
    private func pair(_ codec: AudioCodec, _ parameters: String = "") throws -> (any AudioEncoder, any AudioDecoder) {
        var format = codec.format(payloadType: 107)
        format.parameters = parameters
        return (try #require(codec.makeEncoder(format)), try #require(codec.makeDecoder(format)))
    }

    @Test("The registry offers what is installed, best first, with the numbers of RFC 3551 and RFC 7587")
    func registry() throws {
        let registry = AudioLibraries.registry()
        let names = (AudioLibraries.hasOpus ? ["opus"] : []) + (AudioLibraries.hasG722 ? ["G722"] : []) + ["PCMA", "PCMU"]
        #expect(registry.codecs.map(\.encoding) == names)
        #expect(AudioLibraries.missing.count == 4 - names.count)
        if AudioLibraries.hasG722 {
            #expect(registry.choose(among: [.g722])?.codec.sampleRate == 16_000)
            #expect(registry.offer().contains(.g722))
        }
        if AudioLibraries.hasOpus {
            #expect(registry.choose(among: [.opus])?.codec.encoding == "opus")
            #expect(registry.offer()[0].channels == 2 && registry.offer()[0].clockRate == 48_000)
        }
    }

    @Test(
        "A tone comes through, at its frequency and level", .enabled(if: AudioLibraries.hasOpus && AudioLibraries.hasG722),
        arguments: [8_000, 16_000, 24_000, 48_000, 0])
    func tone(opusRate: Int) throws {
        let codec = opusRate == 0 ? AudioCodec.g722 : .opus(sampleRate: opusRate, complexity: 5)
        let (encoder, decoder) = try pair(codec)
        let rate = codec.sampleRate
        #expect(encoder.sampleRate == rate && decoder.sampleRate == rate && decoder.packetSamples == rate / 50)
        var tone = ToneGenerator(700, sampleRate: rate)
        var heard: [Int16] = []
        for _ in 0..<100 {
            let payload = encoder.encode(tone.next(rate / 50))
            #expect(opusRate == 0 ? payload.count == 160 : (1...400).contains(payload.count))
            let samples = decoder.decode(payload)
            #expect(samples.count == rate / 50)
            heard += samples
        }
        let settled = heard.suffix(rate)
        #expect(ToneMeter.share(of: 700, in: settled, sampleRate: rate) > 0.97)
        #expect(abs(ToneMeter.level(settled) / 5_657 - 1) < 0.1)
    }

    @Test(
        "RFC 7587 4.2: packets of every length a phone may ask for", .enabled(if: AudioLibraries.hasOpus),
        arguments: [10, 20, 30, 40, 50, 60, 120])
    func packetTimes(milliseconds: Int) throws {
        let (encoder, decoder) = try pair(.opus(sampleRate: 48_000, complexity: 5))
        var tone = ToneGenerator(700, sampleRate: 48_000)
        for _ in 0..<10 {
            let payload = encoder.encode(tone.next(48 * milliseconds))
            #expect(decoder.decode(payload).count == 48 * milliseconds)
        }
        #expect(decoder.packetSamples == 48 * milliseconds)
        #expect(encoder.encode([Int16](repeating: 0, count: 47)).isEmpty && encoder.encode([Int16]()).isEmpty)
        #expect(encoder.encode([Int16](repeating: 0, count: 48 * 130)).isEmpty)
    }

    @Test(
        "A lost packet is bridged with more of the same sound", .enabled(if: AudioLibraries.hasOpus && AudioLibraries.hasG722),
        arguments: [0, 48_000])
    func concealment(opusRate: Int) throws {
        let codec = opusRate == 0 ? AudioCodec.g722 : .opus(sampleRate: opusRate, complexity: 5)
        let (encoder, decoder) = try pair(codec)
        var tone = ToneGenerator(200, sampleRate: codec.sampleRate)
        for _ in 0..<50 { _ = decoder.decode(encoder.encode(tone.next(codec.sampleRate / 50))) }
        let concealed = decoder.decode(nil)
        #expect(concealed.count == codec.sampleRate / 50)
        // How libopus bridges is its own affair; ours is to ask for it.
        #expect(ToneMeter.level(concealed) > 1_000)
        if opusRate == 0 { #expect(ToneMeter.share(of: 200, in: concealed, sampleRate: 16_000) > 0.9) }
        for _ in 0..<100 { _ = decoder.decode(nil) }
        #expect(ToneMeter.level(decoder.decode(nil)) < 200)
    }

    @Test(
        "Bytes that are no Opus are no sound; any bytes are G.722; nothing traps or overruns",
        .enabled(if: AudioLibraries.hasOpus && AudioLibraries.hasG722))
    func hostile() throws {
        var entropy = Entropy(labSeed: 4)
        let (_, opus) = try pair(.opus(sampleRate: 48_000, complexity: 0))
        let (_, g722) = try pair(.g722)
        var sounds = 0
        for _ in 0..<5_000 {
            let payload = entropy.bytes(Int(entropy.next() % 200))
            let samples = opus.decode(payload)
            sounds += samples.isEmpty ? 0 : 1
            #expect(samples.count <= AudioLimits.samples)
            #expect(g722.decode(payload).count == 2 * payload.count)
            if entropy.next() % 4 == 0 { _ = opus.decode(nil) }
        }
        // RFC 6716 3.4: about half of the random headers are well-formed.
        #expect(sounds > 500 && sounds < 5_000)
        #expect(opus.decode([]).isEmpty && g722.decode([]).isEmpty)
        #expect(g722.decode([UInt8](repeating: 0x55, count: 9_000)).count == AudioLimits.samples)
        // A packet of 120 ms does not fit into 20: it is refused, not cut in the middle of the codec's state.
        withUnsafeTemporaryAllocation(of: Int16.self, capacity: 960) { buffer in
            let long: [UInt8] = [0x1b, 0x02, 0, 0]
            #expect(long.withUnsafeBytes { opus.decode($0, into: buffer) } == 0)
        }
    }

    @Test("The bit rate a phone asks for is kept", .enabled(if: AudioLibraries.hasOpus))
    func bitRate() throws {
        func octets(_ parameters: String) throws -> Int {
            let (encoder, _) = try pair(.opus(sampleRate: 48_000, complexity: 5), parameters)
            var entropy = Entropy(labSeed: 2)
            return (0..<100).reduce(0) { sum, _ in
                sum + encoder.encode((0..<960).map { _ in Int16(truncatingIfNeeded: entropy.next()) / 4 }).count
            }
        }
        let usual = try octets("minptime=10; useinbandfec=1")
        let narrow = try octets("maxaveragebitrate=12000;stereo=0")
        // 100 packets of 20 ms are two seconds: 8,000 and 3,000 octets.
        #expect((5_000...10_000).contains(usual) && (1_500...4_200).contains(narrow))
        #expect(try octets("maxaveragebitrate=oops; ;=;cbr=1") > 5_000)
        #expect(try octets("maxaveragebitrate=-5") > 500)
    }
}
