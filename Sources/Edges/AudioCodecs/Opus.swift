import CAudioCodecs
import Codecs
import RTP

/// Opus (RFC 6716, RFC 7587) by libopus. One channel inside; invariant for `@unchecked Sendable`: see `AudioEncoder`.
final class OpusEncoder: AudioEncoder, @unchecked Sendable {
    let sampleRate: Int
    private let encoder: OpaquePointer

    /// nil: there is no libopus, or no such rate.
    init?(sampleRate: Int, complexity: Int, _ parameters: OpusParameters) {
        // Beyond what the other side can play there is nothing to spend bits on; 24 kbit/s is what 48 kHz speech needs.
        let wanted = sampleRate > 16_000 ? 32_000 : 24_000
        let bitRate = max(6_000, min(wanted, parameters.maxAverageBitRate ?? wanted))
        guard
            let encoder = ca_opus_encoder_create(
                Int32(sampleRate), Int32(bitRate), Int32(complexity), parameters.usesInbandFEC, parameters.isConstantBitRate)
        else { return nil }
        self.sampleRate = sampleRate
        self.encoder = encoder
    }

    deinit { ca_opus_encoder_destroy(encoder) }

    func encode(_ samples: UnsafeBufferPointer<Int16>, into payload: UnsafeMutableRawBufferPointer) -> Int {
        guard let from = samples.baseAddress, let to = payload.baseAddress else { return 0 }
        return ca_opus_encode(encoder, from, samples.count, to.assumingMemoryBound(to: UInt8.self), payload.count)
    }
}

final class OpusDecoder: AudioDecoder, @unchecked Sendable {
    let sampleRate: Int
    private(set) var packetSamples: Int
    private let decoder: OpaquePointer

    init?(sampleRate: Int) {
        guard let decoder = ca_opus_decoder_create(Int32(sampleRate)) else { return nil }
        self.sampleRate = sampleRate
        self.decoder = decoder
        packetSamples = sampleRate / 50
    }

    deinit { ca_opus_decoder_destroy(decoder) }

    func decode(_ payload: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        guard let from = payload.baseAddress, let to = samples.baseAddress else { return 0 }
        let count = ca_opus_decode(decoder, from.assumingMemoryBound(to: UInt8.self), payload.count, to, samples.count)
        if count > 0 { packetSamples = count }
        return count
    }

    func conceal(into samples: UnsafeMutableBufferPointer<Int16>) {
        guard let to = samples.baseAddress, !ca_opus_conceal(decoder, to, samples.count) else { return }
        samples.update(repeating: 0)
    }
}

/// What an Opus `a=fmtp` says that matters to a sender (RFC 7587 6.1).
struct OpusParameters: Hashable, Sendable {
    var maxAverageBitRate: Int?
    var usesInbandFEC = false
    var isConstantBitRate = false

    init(_ text: String) {
        for part in text.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.drop { $0 == " " } }
            guard pair.count == 2 else { continue }
            let value = Int(pair[1].prefix { $0 != " " })
            switch pair[0].lowercased() {
            case "maxaveragebitrate": maxAverageBitRate = value
            case "useinbandfec": usesInbandFEC = value == 1
            case "cbr": isConstantBitRate = value == 1
            default: break
            }
        }
    }
}
