import Codecs
import RTP

/// One encoding of a room's mix for all who hear the same: everyone who speaks, or nobody at all.
struct SharedEncoder: Sendable {
    /// The two mixes have an encoder each, as codecs remember what they encoded before.
    private struct Half: Sendable {
        var encoder: (any AudioEncoder)?
        var payload = [UInt8](repeating: 0, count: AudioLimits.payload)
        var length = 0
        /// In this tick.
        var isDone = false

        mutating func encode(_ samples: UnsafeBufferPointer<Int16>) {
            isDone = true
            length = payload.withUnsafeMutableBytes { encoder?.encode(samples, into: $0) ?? 0 }
        }
    }

    private let format: MediaFormat
    private let sampleRate: Int
    private var whole: Half
    private var quiet: Half

    init(_ format: MediaFormat, _ codec: AudioCodec) {
        self.format = format
        sampleRate = codec.sampleRate
        whole = Half(encoder: codec.makeEncoder(format))
        quiet = Half(encoder: codec.makeEncoder(format))
    }

    /// Everything must agree but the payload type, which is each party's own.
    func serves(_ other: MediaFormat, _ codec: AudioCodec) -> Bool {
        format.isSameCodec(as: other) && format.parameters == other.parameters && sampleRate == codec.sampleRate
    }

    mutating func begin() {
        whole.isDone = false
        quiet.isDone = false
    }

    func isDone(isQuiet: Bool) -> Bool { isQuiet ? quiet.isDone : whole.isDone }

    mutating func encode(_ samples: UnsafeBufferPointer<Int16>, isQuiet: Bool) {
        if isQuiet { quiet.encode(samples) } else { whole.encode(samples) }
    }

    /// Empty: the codec could not.
    func withPayload<Result>(isQuiet: Bool, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let length = isQuiet ? quiet.length : whole.length
        return (isQuiet ? quiet.payload : whole.payload).withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    }
}
