import Base
import Capture
import SIP

/// What is known of a message from outside: where, when, from whom, over what.
struct Envelope: Sendable {
    var place: EvidencePlace
    /// Nanoseconds as `known` gives them, or `MessageRecord.unknownTime`.
    var time: Int64
    var source: PackedEndpoint
    var destination: PackedEndpoint
    var isStream = false
    /// nil where a log does not say.
    var transport: SIPTransport?
    var isSecureOrWeb: Bool { transport.map { $0 != .udp && $0 != .tcp } ?? false }
    var isTruncated = false
    var isFragmented = false
    /// On a stream: Content-Length is not that of the body.
    var isMiscounted = false
    /// A log shows it: lines may be left out, lengths mean nothing.
    var isLogged = false
    var ipID: UInt16 = 0
    /// Octets on the wire where more than the bytes at hand.
    var size: Int = 0

    /// A time as the tables take it: whatever a log or a trace claims, any two can be subtracted, and seconds added.
    static func known(_ time: Instant?) -> Int64 {
        time.map { CaptureTime.bounded($0.nanoseconds) } ?? MessageRecord.unknownTime
    }
}

/// Nanoseconds from one moment to another; nil where a log tells no time of either.
func elapsed(_ from: Int64, _ to: Int64) -> Int64? {
    guard from != MessageRecord.unknownTime, to != MessageRecord.unknownTime else { return nil }
    return to - from
}
