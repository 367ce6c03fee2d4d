/// A run of message text: a range over a shared byte buffer, equal and hashed by content.
///
/// Texts taken from a message share its bytes and know their place there (`range`). A text that outlives its message, such
/// as a table's key, should be `detached` lest it keep the whole message alive.
public struct SIPText: Sendable, Hashable, Comparable, ExpressibleByStringInterpolation, CustomStringConvertible {
    @usableFromInline let storage: [UInt8]
    @usableFromInline let lower: UInt32
    @usableFromInline let upper: UInt32

    @inlinable
    init(unchecked storage: [UInt8], _ lower: Int, _ upper: Int) {
        self.storage = storage
        self.lower = UInt32(truncatingIfNeeded: lower)
        self.upper = UInt32(truncatingIfNeeded: upper)
    }

    /// The empty text.
    public init() { self.init(unchecked: [], 0, 0) }

    public init(_ bytes: [UInt8]) { self.init(unchecked: bytes, 0, bytes.count) }

    public init(_ string: String) { self.init(Array(string.utf8)) }

    public init(_ slice: ArraySlice<UInt8>) { self.init(Array(slice)) }

    /// `range` must lie within `bytes`.
    public init(_ bytes: [UInt8], in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range outside the bytes")
        self.init(unchecked: bytes, range.lowerBound, range.upperBound)
    }

    public init(stringLiteral value: String) { self.init(value) }

    /// Where the text stands in the bytes it was taken from: for texts of a message, offsets in `SIPMessage.bytes`.
    @inlinable public var range: Range<Int> { Int(lower)..<Int(upper) }

    @inlinable public var count: Int { Int(upper &- lower) }

    @inlinable public var isEmpty: Bool { lower == upper }

    @inlinable public var bytes: ArraySlice<UInt8> { storage[range] }

    /// The byte at `index`, counted from the start of this text; nil past either end.
    @inlinable
    public subscript(index: Int) -> UInt8? { index >= 0 && index < count ? storage[Int(lower) + index] : nil }

    /// The part between two places counted from the start of this text, clamped to it.
    public func part(_ range: Range<Int>) -> SIPText {
        let inside = range.clamped(to: 0..<count)
        return SIPText(unchecked: storage, Int(lower) + inside.lowerBound, Int(lower) + inside.upperBound)
    }

    /// The same text in bytes of its own.
    public var detached: SIPText { count == storage.count ? self : SIPText(Array(bytes)) }

    /// As UTF-8; what is none is repaired.
    public var string: String { String(decoding: bytes, as: UTF8.self) }

    public var description: String { string }

    /// ASCII letters in lower case, in bytes of its own.
    public var lowercased: SIPText { SIPText(bytes.map(asciiLowercased)) }

    /// The decimal number that is the whole text; nil where it is none or above `UInt32.max`.
    public var decimal: UInt32? {
        guard count > 0, count <= 20 else { return nil }
        return reading { cursor in
            var value: UInt64 = 0
            while !cursor.isAtEnd {
                guard cursor.peek &- 0x30 <= 9 else { return nil }
                value = value &* 10 &+ UInt64(cursor.peek &- 0x30)
                guard value <= UInt64(UInt32.max) else { return nil }
                cursor.at &+= 1
            }
            return UInt32(truncatingIfNeeded: value)
        }
    }

    /// The text without surrounding quotes and with `\x` resolved; a text without quotes stays as it is.
    public var unquoted: SIPText {
        guard count >= 2, self[0] == UInt8(ascii: "\""), self[count - 1] == UInt8(ascii: "\"") else { return self }
        return part(1..<(count - 1)).withoutBackslashes
    }

    /// Every `\x` replaced by `x` (RFC 3261 25.1 quoted-pair).
    public var withoutBackslashes: SIPText {
        guard reading({ $0.place(of: UInt8(ascii: "\\")) }) != nil else { return self }
        var plain: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
            } else {
                plain.append(byte)
                isEscaped = false
            }
        }
        return SIPText(plain)
    }

    /// The text as a quoted-string, quotes included.
    public var quoted: SIPText {
        var result: [UInt8] = [UInt8(ascii: "\"")]
        for byte in bytes {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { result.append(UInt8(ascii: "\\")) }
            result.append(byte)
        }
        result.append(UInt8(ascii: "\""))
        return SIPText(result)
    }

    /// Byte order.
    public static func < (a: SIPText, b: SIPText) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

extension [UInt8] {
    public mutating func append(_ text: SIPText) { append(contentsOf: text.bytes) }

    /// The decimal digits of `number`.
    public mutating func append(decimal number: UInt64) {
        if number >= 10 { append(decimal: number / 10) }
        append(0x30 &+ UInt8(truncatingIfNeeded: number % 10))
    }

    mutating func append(ascii text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }
}

@inline(__always)
func asciiLowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
