import RTP

/// ITU-T G.711: one octet a sample, 8,000 samples a second, in the American and the European law.
public enum G711: Sendable, Hashable, CaseIterable {
    case muLaw
    case aLaw

    /// What a quiet line sends.
    public var silence: UInt8 { self == .muLaw ? 0xff : 0xd5 }

    public func decode(_ octet: UInt8) -> Int16 { decoding[Int(octet)] }

    public func encode(_ sample: Int16) -> UInt8 {
        switch self {
        case .muLaw: muLawEncoding[Int(UInt16(bitPattern: sample) >> 2)]
        case .aLaw: aLawEncoding[Int(UInt16(bitPattern: sample) >> 3)]
        }
    }

    var decoding: [Int16] { self == .muLaw ? muLawDecoding : aLawDecoding }

    /// The same for a run. Both buffers must be `count` long.
    @inline(__always)
    public func decode(_ octets: UnsafePointer<UInt8>, _ count: Int, into samples: UnsafeMutablePointer<Int16>) {
        decoding.withUnsafeBufferPointer { table in
            let table = table.baseAddress!
            for index in 0..<count { samples[index] = table[Int(octets[index])] }
        }
    }

    public func encode(_ samples: UnsafePointer<Int16>, _ count: Int, into octets: UnsafeMutablePointer<UInt8>) {
        switch self {
        case .muLaw:
            muLawEncoding.withUnsafeBufferPointer { table in
                let table = table.baseAddress!
                for index in 0..<count { octets[index] = table[Int(UInt16(bitPattern: samples[index]) >> 2)] }
            }
        case .aLaw:
            aLawEncoding.withUnsafeBufferPointer { table in
                let table = table.baseAddress!
                for index in 0..<count { octets[index] = table[Int(UInt16(bitPattern: samples[index]) >> 3)] }
            }
        }
    }
}

/// Table 2a of G.711: bias 33 in 14 bits, that is 132 in 16.
private let muLawDecoding: [Int16] = (0..<256).map { octet in
    let inverted = ~octet & 0xff
    let magnitude = ((((inverted & 15) << 3) + 132) << ((inverted >> 4) & 7)) - 132
    return Int16(inverted & 0x80 != 0 ? -magnitude : magnitude)
}

/// Table 1a of G.711; even bits inverted.
private let aLawDecoding: [Int16] = (0..<256).map { octet in
    let plain = octet ^ 0x55
    let segment = (plain >> 4) & 7
    let step = (plain & 15) << 4
    let magnitude = segment == 0 ? step + 8 : (step + 264) << (segment - 1)
    return Int16(plain & 0x80 != 0 ? magnitude : -magnitude)
}

/// By the upper 14 bits of the sample as an unsigned number.
private let muLawEncoding: [UInt8] = (0..<16_384).map { index in
    let sample = Int(Int16(bitPattern: UInt16(index << 2)))
    let sign = sample < 0 ? 0x80 : 0
    // One's complement for the negative side keeps both halves alike.
    let magnitude = min((sample < 0 ? ~sample : sample) >> 2, 8_158) + 33
    var segment = 0
    while segment < 7, magnitude >> (segment + 6) != 0 { segment += 1 }
    let mantissa = (magnitude >> (segment + 1)) & 15
    return UInt8(~(sign | segment << 4 | mantissa) & 0xff)
}

/// By the upper 13 bits of the sample.
private let aLawEncoding: [UInt8] = (0..<8_192).map { index in
    let sample = Int(Int16(bitPattern: UInt16(index << 3)))
    let sign = sample < 0 ? 0 : 0x80
    let magnitude = (sample < 0 ? ~sample : sample) >> 4
    var segment = 0
    while segment < 7, magnitude >> (segment + 4) != 0 { segment += 1 }
    let mantissa = segment < 2 ? magnitude & 15 : magnitude >> (segment - 1) & 15
    return UInt8((sign | segment << 4 | mantissa) ^ 0x55)
}

/// Stateless but for the type.
public final class G711Encoder: AudioEncoder {
    public let law: G711
    public let sampleRate = 8_000

    public init(_ law: G711) { self.law = law }

    public func encode(_ samples: UnsafeBufferPointer<Int16>, into payload: UnsafeMutableRawBufferPointer) -> Int {
        guard let from = samples.baseAddress, let to = payload.baseAddress, payload.count >= samples.count else { return 0 }
        law.encode(from, samples.count, into: to.assumingMemoryBound(to: UInt8.self))
        return samples.count
    }
}

/// With the concealment of G.711 appendix I's kind. Invariant for `@unchecked Sendable`: see `AudioEncoder`.
public final class G711Decoder: AudioDecoder, @unchecked Sendable {
    public let law: G711
    public let sampleRate = 8_000
    public private(set) var packetSamples = 160
    private var concealment = PacketLossConcealment(sampleRate: 8_000)

    public init(_ law: G711) { self.law = law }

    public func decode(_ payload: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>) -> Int {
        let count = min(payload.count, samples.count)
        guard count > 0, let from = payload.baseAddress, let to = samples.baseAddress else { return 0 }
        law.decode(from.assumingMemoryBound(to: UInt8.self), count, into: to)
        packetSamples = count
        concealment.heard(UnsafeMutableBufferPointer(start: to, count: count))
        return count
    }

    public func conceal(into samples: UnsafeMutableBufferPointer<Int16>) { concealment.conceal(into: samples) }
}

extension AudioCodec {
    public static let pcmu = AudioCodec(
        encoding: "PCMU", clockRate: 8_000, sampleRate: 8_000, staticPayloadType: 0,
        makeEncoder: { _ in G711Encoder(.muLaw) }, makeDecoder: { _ in G711Decoder(.muLaw) })
    public static let pcma = AudioCodec(
        encoding: "PCMA", clockRate: 8_000, sampleRate: 8_000, staticPayloadType: 8,
        makeEncoder: { _ in G711Encoder(.aLaw) }, makeDecoder: { _ in G711Decoder(.aLaw) })
}
