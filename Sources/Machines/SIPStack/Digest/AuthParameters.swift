import Base

/// Why a challenge or credentials could not be read.
public struct DigestSyntaxError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The scheme is not `Digest`.
        case otherScheme
        /// A name without value, a quote without end, or bytes that no token may hold.
        case malformedParameter
        /// The same parameter twice.
        case repeated(String)
        /// A parameter that must be there is not.
        case missing(String)
        case unknownAlgorithm
        /// None of the offered qualities of protection, or the one used, is known.
        case unknownQOP
        /// `response` is not as many hexadecimal digits as the algorithm yields.
        case malformedResponse
        /// `nc` is not eight hexadecimal digits.
        case malformedCount
        /// More than 32 parameters.
        case tooManyParameters
    }

    public var reason: Reason
    /// Bytes from the start of the header field's value.
    public var offset: Int

    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

/// The comma-separated `name=value` pairs behind a scheme (RFC 3261 25.1: challenge, credentials), read one by one.
///
/// A value is given without its quotes but with its backslashes: digests cover it that way (RFC 7616 3.4: unq).
struct AuthParameters {
    private let bytes: ArraySlice<UInt8>
    private var place: Int
    private var read = 0

    /// Positions behind the scheme, which must be `Digest`.
    init(_ value: ArraySlice<UInt8>) throws(DigestSyntaxError) {
        bytes = value
        place = value.startIndex
        skipBlank()
        let start = place
        while place < bytes.endIndex, isTokenByte(bytes[place]) { place += 1 }
        guard equalsIgnoringCase(bytes[start..<place], "Digest") else { throw error(.otherScheme, at: start) }
        guard place == bytes.endIndex || isBlank(bytes[place]) else { throw error(.malformedParameter, at: place) }
    }

    mutating func next() throws(DigestSyntaxError) -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        // Empty list elements are let pass: boxes on the way are known to leave a comma behind.
        while place < bytes.endIndex, isBlank(bytes[place]) || bytes[place] == UInt8(ascii: ",") { place += 1 }
        guard place < bytes.endIndex else { return nil }
        read += 1
        guard read <= 32 else { throw error(.tooManyParameters, at: place) }
        let start = place
        while place < bytes.endIndex, isTokenByte(bytes[place]) { place += 1 }
        let name = bytes[start..<place]
        skipBlank()
        guard !name.isEmpty, place < bytes.endIndex, bytes[place] == UInt8(ascii: "=") else {
            throw error(.malformedParameter, at: place)
        }
        place += 1
        skipBlank()
        let value = try readValue()
        skipBlank()
        guard place == bytes.endIndex || bytes[place] == UInt8(ascii: ",") else { throw error(.malformedParameter, at: place) }
        return (name, value)
    }

    @inline(__always)
    private mutating func readValue() throws(DigestSyntaxError) -> ArraySlice<UInt8> {
        guard place < bytes.endIndex, bytes[place] == UInt8(ascii: "\"") else {
            let start = place
            // Wider than a token: URIs and base64 have been seen without quotes.
            while place < bytes.endIndex, !isBlank(bytes[place]), bytes[place] != UInt8(ascii: ","),
                bytes[place] != UInt8(ascii: "\"")
            {
                place += 1
            }
            guard place > start else { throw error(.malformedParameter, at: start) }
            return bytes[start..<place]
        }
        place += 1
        let start = place
        while place < bytes.endIndex {
            switch bytes[place] {
            case UInt8(ascii: "\\"): place += 2
            case UInt8(ascii: "\""):
                place += 1
                return bytes[start..<(place - 1)]
            default: place += 1
            }
        }
        throw error(.malformedParameter, at: start - 1)
    }

    private mutating func skipBlank() {
        while place < bytes.endIndex, isBlank(bytes[place]) { place += 1 }
    }

    func offset(of slice: ArraySlice<UInt8>) -> Int { slice.startIndex - bytes.startIndex }

    private func error(_ reason: DigestSyntaxError.Reason, at index: Int) -> DigestSyntaxError {
        DigestSyntaxError(reason, offset: min(index, bytes.endIndex) - bytes.startIndex)
    }
}

func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }

/// `token` of RFC 3261 25.1.
func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "%"), UInt8(ascii: "*"), UInt8(ascii: "_"),
        UInt8(ascii: "+"), UInt8(ascii: "`"), UInt8(ascii: "'"), UInt8(ascii: "~"):
        true
    default: false
    }
}

/// A quoted string's value with its backslashes taken out; the slice itself where there are none.
func unescaped(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard value.contains(UInt8(ascii: "\\")) else { return value }
    var result: [UInt8] = []
    var isEscaped = false
    for byte in value {
        if byte == UInt8(ascii: "\\"), !isEscaped {
            isEscaped = true
        } else {
            result.append(byte)
            isEscaped = false
        }
    }
    return result[...]
}

extension [UInt8] {
    /// Appends literal text without going through `String`.
    mutating func append(literal text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    /// Appends lower-case hexadecimal, 32 or 64 digits.
    mutating func append(hex value: HashValue) {
        appendHex(value.words.0, digits: 16, to: &self)
        appendHex(value.words.1, digits: 16, to: &self)
        guard value.count > 16 else { return }
        appendHex(value.words.2, digits: 16, to: &self)
        appendHex(value.words.3, digits: 16, to: &self)
    }
}

/// `text` between quotes, with `"` and `\` escaped.
func appendQuoted(_ text: ArraySlice<UInt8>, to result: inout [UInt8]) {
    result.append(UInt8(ascii: "\""))
    for byte in text {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { result.append(UInt8(ascii: "\\")) }
        // A line break inside a header value would begin a header of the sender's choosing.
        result.append(byte == 0x0d || byte == 0x0a || byte == 0 ? 0x20 : byte)
    }
    result.append(UInt8(ascii: "\""))
}
