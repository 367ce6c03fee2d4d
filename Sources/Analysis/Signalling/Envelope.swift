import Base
import Capture

/// What is known of a message from outside: where, when, from whom, over what.
struct Envelope: Sendable {
    var place: EvidencePlace
    /// Nanoseconds, or `MessageRecord.unknownTime`.
    var time: Int64
    var source: PackedEndpoint
    var destination: PackedEndpoint
    var isStream = false
    var isSecureOrWeb = false
    var isTruncated = false
    var isFragmented = false
    /// A log shows it: lines may be left out, lengths mean nothing.
    var isLogged = false
    var ipID: UInt16 = 0
    /// Octets on the wire where more than the bytes at hand.
    var size: Int = 0
}
