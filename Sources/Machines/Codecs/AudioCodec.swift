import RTP

/// Turns samples into payloads of one codec. One object serves one stream in one direction.
///
/// Classes, as codec libraries keep state behind a pointer. An encoder belongs to one data path and is called by that alone: this is
/// the invariant behind every conformer's `@unchecked Sendable`.
public protocol AudioEncoder: AnyObject, Sendable {
    /// Samples a second it takes; not always the RTP clock (G.722: RFC 3551 4.5.2).
    var sampleRate: Int { get }
    /// Encodes whole frames (20 ms: `sampleRate / 50` samples; libraries take 10, 40 and 60 ms as well). Returns the payload's length;
    /// 0: cannot.
    func encode(_ samples: UnsafeBufferPointer<Int16>, into payload: UnsafeMutableRawBufferPointer) -> Int
}

/// Turns payloads of one codec into samples, and bridges what was lost. The invariant of `AudioEncoder` holds here too.
public protocol AudioDecoder: AnyObject, Sendable {
    var sampleRate: Int { get }
    /// How many samples the latest packet held; 20 ms before the first. A concealed packet is taken to be as long.
    var packetSamples: Int { get }
    /// Returns how many samples it wrote; 0: not a payload of this codec. What does not fit is cut off.
    func decode(_ payload: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>) -> Int
    /// Fills `samples` with what may have been in a lost packet: the last sound, fading.
    func conceal(into samples: UnsafeMutableBufferPointer<Int16>)
}

/// Bounds that hold for every codec.
public enum AudioLimits {
    /// Samples of the longest packet: 120 ms at 48 kHz.
    public static let samples = 5_760
    /// Octets of the longest payload we make.
    public static let payload = 1_500
}

extension AudioEncoder {
    /// The payload of whole frames of samples; empty: cannot.
    public func encode(_ samples: [Int16]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: max(AudioLimits.payload, samples.count)) { buffer, count in
            count = samples.withUnsafeBufferPointer { encode($0, into: UnsafeMutableRawBufferPointer(buffer)) }
        }
    }
}

extension AudioDecoder {
    /// The samples of a payload; nil conceals a lost packet as long as the last.
    public func decode(_ payload: [UInt8]?) -> [Int16] {
        guard let payload else {
            let length = min(packetSamples, AudioLimits.samples)
            return [Int16](unsafeUninitializedCapacity: length) { buffer, count in
                buffer.initialize(repeating: 0)
                conceal(into: UnsafeMutableBufferPointer(rebasing: buffer[0..<length]))
                count = length
            }
        }
        return [Int16](unsafeUninitializedCapacity: AudioLimits.samples) { buffer, count in
            count = payload.withUnsafeBytes { decode($0, into: buffer) }
        }
    }
}

/// A codec as SDP knows it, and how to make its two halves.
public struct AudioCodec: Sendable {
    /// As in rtpmap; compared without case.
    public var encoding: String
    /// RTP timestamp units a second.
    public var clockRate: Int
    /// As in rtpmap; Opus says 2 whatever is inside (RFC 7587 7).
    public var channels: Int
    /// Samples a second its encoder takes and its decoder gives; one channel.
    public var sampleRate: Int
    /// RFC 3551 6; nil: dynamic.
    public var staticPayloadType: UInt8?
    /// What to put into fmtp.
    public var parameters: String
    /// The agreed format in, with the other side's fmtp; nil: the library is missing or the parameters cannot be met.
    public var makeEncoder: @Sendable (MediaFormat) -> (any AudioEncoder)?
    public var makeDecoder: @Sendable (MediaFormat) -> (any AudioDecoder)?

    public init(
        encoding: String, clockRate: Int, channels: Int = 1, sampleRate: Int, staticPayloadType: UInt8? = nil,
        parameters: String = "",
        makeEncoder: @escaping @Sendable (MediaFormat) -> (any AudioEncoder)?,
        makeDecoder: @escaping @Sendable (MediaFormat) -> (any AudioDecoder)?
    ) {
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
        self.sampleRate = sampleRate
        self.staticPayloadType = staticPayloadType
        self.parameters = parameters
        self.makeEncoder = makeEncoder
        self.makeDecoder = makeDecoder
    }

    /// With its static payload type, or else `payloadType`.
    public func format(payloadType: UInt8) -> MediaFormat {
        MediaFormat(
            payloadType: staticPayloadType ?? payloadType, encoding: encoding, clockRate: clockRate, channels: channels,
            parameters: parameters)
    }

    func fits(_ format: MediaFormat) -> Bool {
        format.clockRate == clockRate && format.channels == channels && hasSameName(format.encoding, encoding)
    }
}

/// Encoding names are ASCII and compared without case (RFC 8866 6.6).
func hasSameName(_ a: String, _ b: String) -> Bool {
    func lower(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
    return a.utf8.count == b.utf8.count && zip(a.utf8, b.utf8).allSatisfy { lower($0) == lower($1) }
}

extension MediaFormat {
    /// RFC 3389.
    public var isComfortNoise: Bool { hasSameName(encoding, "CN") }
}
