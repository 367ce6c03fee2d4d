extension MediaFormat {
    /// What a static payload type means without `a=rtpmap` (RFC 3551 6); nil for dynamic and reserved ones.
    public init?(staticPayloadType type: UInt8) {
        let (encoding, rate, channels): (String, Int, Int)
        switch type {
        case 0: (encoding, rate, channels) = ("PCMU", 8_000, 1)
        case 3: (encoding, rate, channels) = ("GSM", 8_000, 1)
        case 4: (encoding, rate, channels) = ("G723", 8_000, 1)
        case 5: (encoding, rate, channels) = ("DVI4", 8_000, 1)
        case 6: (encoding, rate, channels) = ("DVI4", 16_000, 1)
        case 7: (encoding, rate, channels) = ("LPC", 8_000, 1)
        case 8: (encoding, rate, channels) = ("PCMA", 8_000, 1)
        case 9: (encoding, rate, channels) = ("G722", 8_000, 1)
        case 10: (encoding, rate, channels) = ("L16", 44_100, 2)
        case 11: (encoding, rate, channels) = ("L16", 44_100, 1)
        case 12: (encoding, rate, channels) = ("QCELP", 8_000, 1)
        case 13: (encoding, rate, channels) = ("CN", 8_000, 1)
        case 14: (encoding, rate, channels) = ("MPA", 90_000, 1)
        case 15: (encoding, rate, channels) = ("G728", 8_000, 1)
        case 16: (encoding, rate, channels) = ("DVI4", 11_025, 1)
        case 17: (encoding, rate, channels) = ("DVI4", 22_050, 1)
        case 18: (encoding, rate, channels) = ("G729", 8_000, 1)
        case 25: (encoding, rate, channels) = ("CelB", 90_000, 1)
        case 26: (encoding, rate, channels) = ("JPEG", 90_000, 1)
        case 28: (encoding, rate, channels) = ("nv", 90_000, 1)
        case 31: (encoding, rate, channels) = ("H261", 90_000, 1)
        case 32: (encoding, rate, channels) = ("MPV", 90_000, 1)
        case 33: (encoding, rate, channels) = ("MP2T", 90_000, 1)
        case 34: (encoding, rate, channels) = ("H263", 90_000, 1)
        default: return nil
        }
        self.init(payloadType: type, encoding: encoding, clockRate: rate, channels: channels)
    }

    /// Whether it carries no sound of its own: digits (RFC 4733), comfort noise (RFC 3389), redundancy (RFC 2198).
    public var isAuxiliary: Bool { isTelephoneEvent || ["cn", "red", "tone"].contains(encoding.lowercased()) }

    /// RFC 4733.
    public var isTelephoneEvent: Bool { encoding.lowercased() == "telephone-event" }

    /// Whether both are the same codec: name without case, clock, channels, and parameters that change the bytes
    /// (G.729 is compatible with and without annex B; `mode` of iLBC may differ, the smaller bit rate counts).
    public func isSameCodec(as other: MediaFormat) -> Bool {
        encoding.lowercased() == other.encoding.lowercased() && clockRate == other.clockRate && channels == other.channels
    }

    public static let pcmu = MediaFormat(payloadType: 0, encoding: "PCMU", clockRate: 8_000)
    public static let pcma = MediaFormat(payloadType: 8, encoding: "PCMA", clockRate: 8_000)
    public static let g722 = MediaFormat(payloadType: 9, encoding: "G722", clockRate: 8_000)
    public static let comfortNoise = MediaFormat(payloadType: 13, encoding: "CN", clockRate: 8_000)
    /// RFC 7587: always 48,000 Hz and two channels in SDP.
    public static let opus = MediaFormat(payloadType: 107, encoding: "opus", clockRate: 48_000, channels: 2)
    /// Digits 0 to 9, `*`, `#`, A to D and flash.
    public static let telephoneEvent = MediaFormat(
        payloadType: 101, encoding: "telephone-event", clockRate: 8_000, parameters: "0-16")
}
