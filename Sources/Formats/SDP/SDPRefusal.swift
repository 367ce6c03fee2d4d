/// Why an offer cannot be met, or an answer not used: what a 488 says in its Warning header (RFC 3261 20.43).
public struct SDPRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// No `m=` line at all.
        case noMedia
        /// None of these kinds is dealt with here.
        case mediaTypes([String])
        /// The codecs that were offered, none of which is known here.
        case formats([String])
        /// A protocol other than RTP, or RTP in a profile that is not spoken.
        case transport(String)
        /// SRTP is asked for, and we do not speak it, or not one of its suites.
        case encryptionUnavailable
        /// SRTP is demanded here, and the other side offers plain RTP.
        case encryptionRequired
        /// The network type is not `IN`, or an address of a family that is not reached from here.
        case addressType(String)
        case multicast
        /// The answer has another number, order or kind of `m=` lines than the offer (RFC 3264 6).
        case linesDiffer
        /// The answer refuses every stream.
        case allRejected
        /// The description itself cannot be read.
        case malformed(SDPError)
    }

    public var reason: Reason

    public init(_ reason: Reason) { self.reason = reason }

    /// The warn-code: 300...399.
    public var warningCode: Int {
        switch reason {
        case .noMedia, .mediaTypes: 304
        case .formats: 305
        case .transport, .encryptionUnavailable, .encryptionRequired: 302
        case .addressType: 301
        case .multicast: 330
        case .linesDiffer, .allRejected, .malformed: 399
        }
    }

    /// The warn-text, without quotes, ASCII.
    public var description: String {
        switch reason {
        case .noMedia: "the description has no media line"
        case .mediaTypes(let kinds): "media type not available: \(Self.list(kinds))"
        case .formats(let names): "no codec in common, offered were \(Self.list(names))"
        case .transport(let name): "transport protocol \(Self.clean(name)) is not spoken here"
        case .encryptionUnavailable: "SRTP with the suites offered is not available here"
        case .encryptionRequired: "plain RTP is not accepted here, SRTP with SDES keys is"
        case .addressType(let name): "network address format \(Self.clean(name)) cannot be reached from here"
        case .multicast: "multicast is not available"
        case .linesDiffer: "the answer has other media lines than the offer"
        case .allRejected: "the answer refuses every stream"
        case .malformed(let error): "\(error)"
        }
    }

    /// The value of a Warning header. `agent`: host or pseudonym of the one who says it.
    public func warning(agent: String) -> String { "\(warningCode) \(agent) \"\(description)\"" }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.prefix(8).map(clean).joined(separator: ", ")
    }

    /// What the other side wrote, fit for a quoted string.
    private static func clean(_ text: String) -> String {
        String(decoding: text.utf8.prefix(40).filter { $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }, as: UTF8.self)
    }
}
