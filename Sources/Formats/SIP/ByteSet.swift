/// A set of ASCII characters as 128 bits.
struct ByteSet: Sendable {
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let half = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && half >> UInt64(byte & 0x3F) & 1 == 1
    }

    /// `token` (RFC 3261 25.1).
    static var token: ByteSet { ByteSet(low: 0x03FF_6CA2_0000_0000, high: 0x47FF_FFFF_87FF_FFFE) }
    /// `word`, the stuff of Call-ID.
    static var word: ByteSet { ByteSet(low: 0xD7FF_EFA6_0000_0000, high: 0x6FFF_FFFF_BFFF_FFFE) }
    /// `user` of a SIP URI, escapes apart.
    static var user: ByteSet { ByteSet(low: 0xABFF_FFD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
    /// `password` of a SIP URI, escapes apart.
    static var password: ByteSet { ByteSet(low: 0x23FF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
    /// `paramchar` of a SIP URI, escapes apart.
    static var uriParameter: ByteSet { ByteSet(low: 0x07FF_EFD2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE) }
    /// `hname` and `hvalue` of a SIP URI, escapes apart.
    static var uriHeader: ByteSet { ByteSet(low: 0x87FF_EF92_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE) }
    /// Reserved and unreserved characters of any URI, escapes apart.
    static var anyURI: ByteSet { ByteSet(low: 0xAFFF_FFD2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFF) }
    /// Letters of a host name. The underscore is no part of RFC 3261's grammar, but real names hold it.
    static var hostName: ByteSet { ByteSet(low: 0x03FF_6000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE) }
    /// `gen-value` without quotes: a token or a host (IPv6 reference included).
    static var parameterValue: ByteSet { ByteSet(low: 0x07FF_6CA2_0000_0000, high: 0x47FF_FFFF_AFFF_FFFE) }
    /// `phonedigit-hex` (RFC 3966).
    static var telDigit: ByteSet { ByteSet(low: 0x03FF_6708_0000_0000, high: 0x0000_007E_0000_007E) }
    /// `scheme` of a URI.
    static var scheme: ByteSet { ByteSet(low: 0x03FF_6800_0000_0000, high: 0x07FF_FFFE_07FF_FFFE) }
    /// `DIGIT`.
    static var digit: ByteSet { ByteSet(low: 0x03FF_0000_0000_0000, high: 0x0000_0000_0000_0000) }
    /// Linear white space once folds are spaces.
    static var whitespace: ByteSet { ByteSet(low: 0x0000_0001_0000_0200, high: 0x0000_0000_0000_0000) }
    /// Where an addr-spec outside of angle brackets ends (RFC 3261 20: such a URI holds no comma, semicolon or question mark).
    static var uriEnd: ByteSet { ByteSet(low: 0xC800_1001_0000_0200, high: 0x0000_0000_0000_0000) }
}
