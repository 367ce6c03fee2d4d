/// A payload type and what it means (`a=rtpmap`, `a=fmtp`; RFC 3551 for the static ones).
public struct MediaFormat: Hashable, Sendable {
    /// 0...127.
    public var payloadType: UInt8
    /// As in rtpmap: `PCMU`, `PCMA`, `G722`, `opus`, `telephone-event`, `CN`.
    public var encoding: String
    /// RTP clock in Hz (8,000 for G.722: RFC 3551 4.5.2).
    public var clockRate: Int
    public var channels: Int
    /// The text after the payload type in `a=fmtp`; empty: none.
    public var parameters: String

    public init(payloadType: UInt8, encoding: String, clockRate: Int, channels: Int = 1, parameters: String = "") {
        self.payloadType = payloadType
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
        self.parameters = parameters
    }
}
