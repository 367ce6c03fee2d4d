import RTP

/// The codecs at hand, best first. G.711 is always there; the edges add those that live in libraries.
public struct CodecRegistry: Sendable {
    public private(set) var codecs: [AudioCodec]

    /// G.711 A-law and mu-law, in pure Swift.
    public static let g711 = CodecRegistry([.pcma, .pcmu])

    public init(_ codecs: [AudioCodec] = [.pcma, .pcmu]) { self.codecs = codecs }

    /// Adds a codec ahead of those that are there; one of the same name and clock is replaced.
    public mutating func add(_ codec: AudioCodec) {
        codecs.removeAll { $0.clockRate == codec.clockRate && hasSameName($0.encoding, codec.encoding) }
        codecs.insert(codec, at: 0)
    }

    public func codec(for format: MediaFormat) -> AudioCodec? { codecs.first { $0.fits(format) } }

    /// The first of the agreed formats we have a codec for, in the agreement's order.
    public func choose(among formats: [MediaFormat]) -> (format: MediaFormat, codec: AudioCodec)? {
        for format in formats {
            if let codec = codec(for: format) { return (format, codec) }
        }
        return nil
    }

    /// What an offer says of us: every codec, then telephone events for each clock and comfort noise. Dynamic payload types from 96.
    public func offer() -> [MediaFormat] {
        var next: UInt8 = 96
        func dynamic() -> UInt8 {
            // 101 means digits to so many phones that nothing else should be called so.
            defer { next = min(127, next == 100 ? 102 : next + 1) }
            return next
        }
        var formats = codecs.prefix(16).map { $0.format(payloadType: $0.staticPayloadType ?? dynamic()) }
        var clocks: [Int] = []
        for codec in codecs where !clocks.contains(codec.clockRate) { clocks.append(codec.clockRate) }
        for clock in clocks.sorted().prefix(4) {
            let type = clock == 8_000 ? 101 : dynamic()
            formats.append(MediaFormat(payloadType: type, encoding: "telephone-event", clockRate: clock, parameters: "0-16"))
        }
        formats.append(MediaFormat(payloadType: 13, encoding: "CN", clockRate: 8_000))
        return formats
    }
}
