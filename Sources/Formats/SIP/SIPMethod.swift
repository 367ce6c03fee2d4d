/// A request method: a token compared with case (RFC 3261 7.1).
public struct SIPMethod: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var text: SIPText

    public init(_ text: SIPText) { self.text = text }

    public init(stringLiteral value: String) { text = SIPText(value) }

    public static let invite: SIPMethod = "INVITE"
    public static let ack: SIPMethod = "ACK"
    public static let bye: SIPMethod = "BYE"
    public static let cancel: SIPMethod = "CANCEL"
    public static let register: SIPMethod = "REGISTER"
    public static let options: SIPMethod = "OPTIONS"
    public static let prack: SIPMethod = "PRACK"
    public static let update: SIPMethod = "UPDATE"
    public static let info: SIPMethod = "INFO"
    public static let message: SIPMethod = "MESSAGE"
    public static let subscribe: SIPMethod = "SUBSCRIBE"
    public static let notify: SIPMethod = "NOTIFY"
    public static let refer: SIPMethod = "REFER"
    public static let publish: SIPMethod = "PUBLISH"

    public var description: String { text.string }
}
