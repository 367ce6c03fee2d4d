/// Why bytes are no SIP, and where: the offset counts from the first byte given to the parser.
public struct SIPParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Reason: Hashable, Sendable {
        /// Nothing but line ends.
        case empty
        /// More bytes, header fields or bytes in one field than the limits allow.
        case messageTooLarge, tooManyHeaders, headerTooLarge
        /// The first line is neither a request line nor a status line.
        case startLine
        /// White space where the start line has none, or more than one space.
        case startLineSpacing
        /// Neither SIP/2.0 nor another `SIP/x.y`.
        case version
        /// No status code of three digits from 100 to 699.
        case statusCode
        /// A line without a colon, or a field name that is no token.
        case headerLine
        /// CR or LF alone.
        case lineEnd
        /// The bytes stop before the empty line that ends the header.
        case headerTruncated
        /// Fewer body bytes than Content-Length says.
        case bodyTruncated
        /// A stream message has no Content-Length (RFC 3261 20.14).
        case lengthMissing
        /// The field must be there and is not.
        case missing(HeaderName)
        /// The field may stand once only and stands again at the offset.
        case repeated(HeaderName)
        /// The method in CSeq is not that of the request line.
        case methodMismatch
        case scheme, uri, uriHeaders, userInfo, host, port, escape, parameter, number, numberTooLarge
        case token, quote, angleBracket, displayName, method, date, word
        /// Something follows where the value should have ended, or something is missing.
        case unexpected
        /// A start-line form that this element does not understand, by its own limits.
        case unsupportedVersion, unsupportedScheme, unsupportedMethod, unsupportedExtension, unsupportedMediaType
        case maxForwardsExhausted
        /// A response whose topmost Via is not ours, or one with several (RFC 3261 18.1.2).
        case foreignVia
    }

    public var reason: Reason
    /// Bytes from the start of the message.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        switch reason {
        case .missing(let name): "\(name) is missing"
        case .repeated(let name): "\(name) stands again at byte \(offset)"
        default: "\(reason) at byte \(offset)"
        }
    }
}
