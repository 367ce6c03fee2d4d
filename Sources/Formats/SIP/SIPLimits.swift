/// How much a parser takes before it refuses.
public struct SIPLimits: Sendable, Hashable {
    /// Bytes of a whole message, body included.
    public var messageBytes: Int
    /// Header fields (lines).
    public var headers: Int
    /// Bytes of one header field, folds included.
    public var headerBytes: Int

    public init(messageBytes: Int = 65_535, headers: Int = 256, headerBytes: Int = 16_384) {
        self.messageBytes = messageBytes
        self.headers = headers
        self.headerBytes = headerBytes
    }

    public static let `default` = SIPLimits()
}
