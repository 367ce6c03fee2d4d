/// Why bytes are not a WAV file we can play.
public struct WAVError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case notRIFF
        case noFormat
        case noData
        case formatTooShort
        /// The format's tag and bits a sample.
        case unsupported(tag: UInt16, bits: UInt16)
        case channels(UInt16)
        case sampleRate(UInt32)
    }

    public var reason: Reason
    /// Where in the file.
    public var offset: Int

    public init(reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let text =
            switch reason {
            case .notRIFF: "not a RIFF WAVE file"
            case .noFormat: "no format chunk before the samples"
            case .noData: "no samples"
            case .formatTooShort: "a format chunk of less than 16 octets"
            case .unsupported(let tag, let bits): "format \(tag) with \(bits) bits: only PCM (8, 16), A-law and mu-law are known"
            case .channels(let count): "\(count) channels: one or two are possible"
            case .sampleRate(let rate): "a sample rate of \(rate)"
            }
        return "\(text), at byte \(offset)"
    }
}

extension WAVFile {
    /// Unknown chunks are skipped; a data chunk that ends early, or one of length 0 or 2^32 - 1 as recorders leave behind when they
    /// are interrupted, extends to the end of the file.
    public init(parsing bytes: [UInt8]) throws(WAVError) {
        guard bytes.count >= 12, bytes[0..<4].elementsEqual("RIFF".utf8), bytes[8..<12].elementsEqual("WAVE".utf8) else {
            throw WAVError(reason: .notRIFF, offset: 0)
        }
        func uint16(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
        func uint32(_ at: Int) -> UInt32 { UInt32(uint16(at)) | UInt32(uint16(at + 2)) << 16 }
        var offset = 12
        var format: (encoding: Encoding, channels: Int, rate: Int)?
        while offset + 8 <= bytes.count {
            let length = Int(uint32(offset + 4))
            let start = offset + 8
            if bytes[offset..<(offset + 4)].elementsEqual("fmt ".utf8) {
                guard length >= 16, start + 16 <= bytes.count else { throw WAVError(reason: .formatTooShort, offset: offset) }
                var tag = uint16(start)
                let bits = uint16(start + 14)
                // WAVE_FORMAT_EXTENSIBLE: the real tag begins the sub-format.
                if tag == 0xfffe, length >= 26, start + 26 <= bytes.count { tag = uint16(start + 24) }
                guard let encoding = Encoding.allCases.first(where: { $0.tag == tag && $0.octets * 8 == Int(bits) }) else {
                    throw WAVError(reason: .unsupported(tag: tag, bits: bits), offset: start)
                }
                let channels = uint16(start + 2)
                guard channels == 1 || channels == 2 else { throw WAVError(reason: .channels(channels), offset: start + 2) }
                let rate = uint32(start + 4)
                guard rate > 0, rate <= 384_000 else { throw WAVError(reason: .sampleRate(rate), offset: start + 4) }
                format = (encoding, Int(channels), Int(rate))
            } else if bytes[offset..<(offset + 4)].elementsEqual("data".utf8) {
                guard let format else { throw WAVError(reason: .noFormat, offset: offset) }
                let isUnfinished = length == 0 || length == 0xffff_ffff
                let end = isUnfinished ? bytes.count : min(bytes.count, start + length)
                self.init(sampleRate: format.rate, channels: format.channels, encoding: format.encoding, samples: [])
                samples.reserveCapacity((end - start) / format.encoding.octets)
                switch format.encoding {
                case .pcm16:
                    var at = start
                    while at + 1 < end {
                        samples.append(Int16(bitPattern: uint16(at)))
                        at += 2
                    }
                case .pcm8: for octet in bytes[start..<end] { samples.append((Int16(octet) - 128) << 8) }
                case .aLaw: for octet in bytes[start..<end] { samples.append(G711.aLaw.decode(octet)) }
                case .muLaw: for octet in bytes[start..<end] { samples.append(G711.muLaw.decode(octet)) }
                }
                return
            }
            offset = start + length + length % 2
        }
        throw WAVError(reason: format == nil ? .noFormat : .noData, offset: min(offset, bytes.count))
    }
}
