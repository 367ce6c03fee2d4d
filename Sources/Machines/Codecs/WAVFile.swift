/// A RIFF WAVE file of one or two channels, 8 or 16 bit PCM, A-law or mu-law, at any rate.
public struct WAVFile: Hashable, Sendable {
    public enum Encoding: UInt8, Hashable, Sendable, CaseIterable {
        case pcm16, pcm8, aLaw, muLaw

        var tag: UInt16 {
            switch self {
            case .pcm16, .pcm8: 1
            case .aLaw: 6
            case .muLaw: 7
            }
        }

        var octets: Int { self == .pcm16 ? 2 : 1 }
    }

    /// Samples a second, 1 to 384,000.
    public var sampleRate: Int
    /// 1 or 2.
    public var channels: Int
    public var encoding: Encoding
    /// Interleaved where there are two channels.
    public var samples: [Int16]

    public init(sampleRate: Int, channels: Int = 1, encoding: Encoding = .pcm16, samples: [Int16]) {
        self.sampleRate = sampleRate
        self.channels = channels
        self.encoding = encoding
        self.samples = samples
    }

    /// One channel, the mean of two, at `rate`.
    public func mono(at rate: Int) -> [Int16] {
        var mono = samples
        if channels == 2 {
            mono = stride(from: 0, to: samples.count - 1, by: 2).map { left -> Int16 in
                let sum = Int(samples[left]) + Int(samples[left + 1])
                return Int16(sum / 2)
            }
        }
        guard rate != sampleRate else { return mono }
        var resampler = Resampler(from: sampleRate, to: rate)
        return resampler.process(mono)
    }

    public var bytes: [UInt8] {
        var bytes = Self.header(
            sampleRate: sampleRate, channels: channels, encoding: encoding, dataLength: samples.count * encoding.octets)
        bytes.reserveCapacity(bytes.count + samples.count * encoding.octets + 1)
        switch encoding {
        case .pcm16: bytes += Self.octets(of: samples)
        case .pcm8: for sample in samples { bytes.append(UInt8((Int(sample) + 32_768) >> 8)) }
        case .aLaw: for sample in samples { bytes.append(G711.aLaw.encode(sample)) }
        case .muLaw: for sample in samples { bytes.append(G711.muLaw.encode(sample)) }
        }
        // Chunks are padded to even lengths.
        if bytes.count % 2 == 1 { bytes.append(0) }
        return bytes
    }

    /// 16-bit samples as they stand in the file, for a recording that grows.
    public static func octets(of samples: [Int16]) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(samples.count * 2)
        for sample in samples {
            octets.append(UInt8(truncatingIfNeeded: sample))
            octets.append(UInt8(truncatingIfNeeded: sample >> 8))
        }
        return octets
    }

    /// What precedes the samples: 44 octets for PCM. A recording writes it with length 0 and again when it ends.
    public static func header(sampleRate: Int, channels: Int = 1, encoding: Encoding = .pcm16, dataLength: Int) -> [UInt8] {
        let frame = channels * encoding.octets
        var format: [UInt8] = []
        format.append(littleEndian: encoding.tag)
        format.append(littleEndian: UInt16(clamping: channels))
        format.append(littleEndian: UInt32(clamping: sampleRate))
        format.append(littleEndian: UInt32(clamping: sampleRate * frame))
        format.append(littleEndian: UInt16(clamping: frame))
        format.append(littleEndian: UInt16(clamping: encoding.octets * 8))
        // Formats other than PCM have an extension, here empty.
        if encoding.tag != 1 { format.append(littleEndian: 0 as UInt16) }
        var bytes = Array("RIFF".utf8)
        bytes.append(littleEndian: UInt32(clamping: 4 + 8 + format.count + 8 + dataLength + dataLength % 2))
        bytes += Array("WAVEfmt ".utf8)
        bytes.append(littleEndian: UInt32(clamping: format.count))
        bytes += format
        bytes += Array("data".utf8)
        bytes.append(littleEndian: UInt32(clamping: dataLength))
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value))
        append(UInt8(truncatingIfNeeded: value >> 8))
    }

    fileprivate mutating func append(littleEndian value: UInt32) {
        append(littleEndian: UInt16(truncatingIfNeeded: value))
        append(littleEndian: UInt16(truncatingIfNeeded: value >> 16))
    }
}
