import CAudioCodecs
import Codecs

/// ITU-T G.722 at 64 kbit/s by libspandsp: 16,000 samples a second under an RTP clock of 8,000 (RFC 3551 4.5.2).
/// Invariant for `@unchecked Sendable`: see `AudioEncoder`.
final class G722Encoder: AudioEncoder, @unchecked Sendable {
    let sampleRate = 16_000
    private let encoder: OpaquePointer

    /// nil: there is no libspandsp.
    init?() {
        guard let encoder = ca_g722_encoder_create() else { return nil }
        self.encoder = encoder
    }

    deinit { ca_g722_encoder_destroy(encoder) }

    func encode(_ samples: UnsafeBufferPointer<Int16>, into payload: UnsafeMutableRawBufferPointer) -> Int {
        guard let from = samples.baseAddress, let to = payload.baseAddress, samples.count % 2 == 0,
            payload.count >= samples.count / 2
        else { return 0 }
        return ca_g722_encode(encoder, from, samples.count, to.assumingMemoryBound(to: UInt8.self))
    }
}

final class G722Decoder: AudioDecoder, @unchecked Sendable {
    let sampleRate = 16_000
    private(set) var packetSamples = 320
    private let decoder: OpaquePointer
    private var concealment = PacketLossConcealment(sampleRate: 16_000)

    init?() {
        guard let decoder = ca_g722_decoder_create() else { return nil }
        self.decoder = decoder
    }

    deinit { ca_g722_decoder_destroy(decoder) }

    func decode(_ payload: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        let length = min(payload.count, samples.count / 2)
        guard length > 0, let from = payload.baseAddress, let to = samples.baseAddress else { return 0 }
        let count = ca_g722_decode(decoder, from.assumingMemoryBound(to: UInt8.self), length, to)
        packetSamples = count
        concealment.heard(UnsafeMutableBufferPointer(start: to, count: count))
        return count
    }

    func conceal(into samples: UnsafeMutableBufferPointer<Int16>) { concealment.conceal(into: samples) }
}
