import CAudioCodecs
import Codecs
import RTP

/// The codecs of this machine: G.711 always, G.722 and Opus where their libraries are installed.
public enum AudioLibraries {
    public static var hasOpus: Bool { ca_opus_available() }
    public static var hasG722: Bool { ca_g722_available() }

    /// Best first: Opus, G.722, A-law, mu-law.
    ///
    /// `opusRate`: samples a second that Opus is encoded from and decoded to, 8,000, 16,000, 24,000 or 48,000. Lower rates cost less
    /// CPU and are understood by every Opus phone, as the rate is no part of the agreement (RFC 7587 4.1). `complexity`: 0 to 10.
    public static func registry(opusRate: Int = 48_000, complexity: Int = 5) -> CodecRegistry {
        var registry = CodecRegistry()
        if hasG722 { registry.add(.g722) }
        if hasOpus { registry.add(.opus(sampleRate: opusRate, complexity: complexity)) }
        return registry
    }

    /// What is missing here, as a message: the codec and the Debian package that brings it.
    public static var missing: [(codec: String, package: String)] {
        (hasOpus ? [] : [("Opus", "libopus0")]) + (hasG722 ? [] : [("G.722", "libspandsp2")])
    }
}

extension AudioCodec {
    /// Its makers give nil where libspandsp is missing.
    public static let g722 = AudioCodec(
        encoding: "G722", clockRate: 8_000, sampleRate: 16_000, staticPayloadType: 9, makeEncoder: { _ in G722Encoder() },
        makeDecoder: { _ in G722Decoder() })

    /// Its makers give nil where libopus is missing.
    public static func opus(sampleRate: Int, complexity: Int) -> AudioCodec {
        AudioCodec(
            encoding: "opus", clockRate: 48_000, channels: 2, sampleRate: sampleRate,
            makeEncoder: { OpusEncoder(sampleRate: sampleRate, complexity: complexity, OpusParameters($0.parameters)) },
            makeDecoder: { _ in OpusDecoder(sampleRate: sampleRate) })
    }
}
