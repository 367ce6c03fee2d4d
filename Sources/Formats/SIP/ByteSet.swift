/// A set of ASCII characters of the grammar: one bit of the table that says of every byte to which sets it belongs.
struct ByteSet: Sendable {
    let bit: UInt16

    func contains(_ byte: UInt8) -> Bool { ByteSet.table[Int(byte)] & bit != 0 }

    /// `token` (RFC 3261 25.1).
    static var token: ByteSet { ByteSet(bit: 1 << 0) }
    /// `word`, the stuff of Call-ID.
    static var word: ByteSet { ByteSet(bit: 1 << 1) }
    /// `user` of a SIP URI, escapes apart.
    static var user: ByteSet { ByteSet(bit: 1 << 2) }
    /// `password` of a SIP URI, escapes apart.
    static var password: ByteSet { ByteSet(bit: 1 << 3) }
    /// `paramchar` of a SIP URI, escapes apart.
    static var uriParameter: ByteSet { ByteSet(bit: 1 << 4) }
    /// `hname` and `hvalue` of a SIP URI, escapes apart.
    static var uriHeader: ByteSet { ByteSet(bit: 1 << 5) }
    /// Reserved and unreserved characters of any URI, escapes apart.
    static var anyURI: ByteSet { ByteSet(bit: 1 << 6) }
    /// Letters of a host name. The underscore is no part of RFC 3261's grammar, but real names hold it.
    static var hostName: ByteSet { ByteSet(bit: 1 << 7) }
    /// The same without the dot.
    static var hostLabel: ByteSet { ByteSet(bit: 1 << 14) }
    /// `gen-value` without quotes: a token or a host (IPv6 reference included).
    static var parameterValue: ByteSet { ByteSet(bit: 1 << 8) }
    /// `phonedigit-hex` (RFC 3966).
    static var telDigit: ByteSet { ByteSet(bit: 1 << 9) }
    /// `scheme` of a URI.
    static var scheme: ByteSet { ByteSet(bit: 1 << 10) }
    /// `DIGIT`.
    static var digit: ByteSet { ByteSet(bit: 1 << 11) }
    /// Linear white space once folds are spaces.
    static var whitespace: ByteSet { ByteSet(bit: 1 << 12) }
    /// Where an addr-spec outside of angle brackets ends (RFC 3261 20: such a URI holds no comma, semicolon or question mark).
    static var uriEnd: ByteSet { ByteSet(bit: 1 << 13) }

    /// The characters of each set as 128 bits.
    private static let characters: [(set: ByteSet, low: UInt64, high: UInt64)] = [
        (.token, 0x03FF_6CA2_0000_0000, 0x47FF_FFFF_87FF_FFFE),
        (.word, 0xD7FF_EFA6_0000_0000, 0x6FFF_FFFF_BFFF_FFFE),
        (.user, 0xABFF_FFD2_0000_0000, 0x47FF_FFFE_87FF_FFFE),
        (.password, 0x23FF_7FD2_0000_0000, 0x47FF_FFFE_87FF_FFFE),
        (.uriParameter, 0x07FF_EFD2_0000_0000, 0x47FF_FFFE_AFFF_FFFE),
        (.uriHeader, 0x87FF_EF92_0000_0000, 0x47FF_FFFE_AFFF_FFFE),
        (.anyURI, 0xAFFF_FFD2_0000_0000, 0x47FF_FFFE_AFFF_FFFF),
        (.hostName, 0x03FF_6000_0000_0000, 0x07FF_FFFE_87FF_FFFE),
        (.hostLabel, 0x03FF_2000_0000_0000, 0x07FF_FFFE_87FF_FFFE),
        (.parameterValue, 0x07FF_6CA2_0000_0000, 0x47FF_FFFF_AFFF_FFFE),
        (.telDigit, 0x03FF_6708_0000_0000, 0x0000_007E_0000_007E),
        (.scheme, 0x03FF_6800_0000_0000, 0x07FF_FFFE_07FF_FFFE),
        (.digit, 0x03FF_0000_0000_0000, 0x0000_0000_0000_0000),
        (.whitespace, 0x0000_0001_0000_0200, 0x0000_0000_0000_0000),
        (.uriEnd, 0xC800_1001_0000_0200, 0x0000_0000_0000_0000),
    ]

    /// 256 entries, so that no byte leads outside of it.
    ///
    /// Invariant for `nonisolated(unsafe)`: filled before anybody sees it, never written to or freed afterwards.
    nonisolated(unsafe) static let table: UnsafePointer<UInt16> = {
        let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        table.initialize(repeating: 0, count: 256)
        for (set, low, high) in characters {
            for byte in 0..<64 {
                if low >> UInt64(byte) & 1 == 1 { table[byte] |= set.bit }
                if high >> UInt64(byte) & 1 == 1 { table[byte + 64] |= set.bit }
            }
        }
        return UnsafePointer(table)
    }()
}
