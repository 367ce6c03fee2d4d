/// Why bytes are not a STUN message, or an attribute not what its type says.
public struct STUNError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// Fewer than the 20 octets of the header.
        case shorterThanHeader
        /// The first two bits are not zero.
        case notSTUN
        /// The length field is not a multiple of four.
        case oddLength
        /// The length field does not say how many bytes follow the header.
        case wrongLength(says: Int, is: Int)
        /// An attribute reaches past the end.
        case attributePastEnd(STUNAttributeType)
        case tooManyAttributes
        /// The value does not have the shape its type asks for.
        case badValue(STUNAttributeType)
    }

    public var reason: Reason
    /// Bytes from the start of the message.
    public var offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String {
        let text =
            switch reason {
            case .shorterThanHeader: "shorter than the header of 20 bytes"
            case .notSTUN: "the first two bits are not zero"
            case .oddLength: "the length is no multiple of 4"
            case .wrongLength(let says, let actual): "the length field says \(says), but \(actual) bytes follow the header"
            case .attributePastEnd(let type): "\(type) reaches past the end"
            case .tooManyAttributes: "more than \(STUNMessage.mostAttributes) attributes"
            case .badValue(let type): "\(type) holds a value of the wrong shape"
            }
        return "\(text) (byte \(offset))"
    }
}
