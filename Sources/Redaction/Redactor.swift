import Base

/// Puts a stand-in of the same kind and length in place of all that is not known to be harmless.
///
/// The one law of everything that leaves redacted, report or packets: an allow-list. What protocols and programs define stays (method
/// and header names, statuses, codecs, numbers of protocol meaning, the words of our own sentences); all else becomes a stand-in,
/// the same one for the same word in one run: digits for digits, letters for letters, hexadecimal for hexadecimal, an address of the
/// same class and subnet for an address. What an attacker already knows to be in a capture is not hidden.
public struct Redactor: Sendable {
    let disguise: Disguise
    /// Stand-ins made so far; emptied when full, as they can be made again.
    private var words: [[UInt8]: [UInt8]] = [:]
    var addresses: [IPAddress: IPAddress] = [:]
    var cycles: [UInt64: [UInt8]] = [:]

    static let mostRemembered = 20_000

    /// Other randomness, other stand-ins.
    public init(entropy: Entropy) { disguise = Disguise(entropy) }

    // MARK: Words

    /// A run of letters and digits. Case and kind of each stay, and what compares equal without case does so afterwards.
    mutating func standIn(word: [UInt8]) -> [UInt8] {
        if let known = words[word] { return known }
        let lower = word.map { Self.lowered($0) }
        let isHex = Self.isHexWord(lower)
        let radices: [UInt8] = lower.map { $0 <= 0x39 ? 10 : isHex ? 6 : 26 }
        var values = lower.map { $0 <= 0x39 ? $0 - 0x30 : $0 - 0x61 }
        var result: [UInt8] = []
        // Hexadecimal and other words must not meet in one stand-in: walk on along the cycle.
        for _ in 0..<64 {
            values = disguise.permuted(values, radices: radices, tweak: isHex ? 1 : 0)
            result = zip(values, lower).map { $1 <= 0x39 ? $0 + 0x30 : $0 + 0x61 }
            if Self.isHexWord(result) == isHex { break }
        }
        for index in word.indices where (0x41...0x5a).contains(word[index]) { result[index] &-= 0x20 }
        if words.count >= Self.mostRemembered { words.removeAll(keepingCapacity: true) }
        words[word] = result
        return result
    }

    /// Eight hexadecimal digits or more, both kinds: a hash, a key, a hardware address.
    static func isHexWord(_ lower: [UInt8]) -> Bool {
        guard lower.count >= 8 else { return false }
        var (digits, letters) = (false, false)
        for byte in lower {
            switch byte {
            case 0x30...0x39: digits = true
            case 0x61...0x66: letters = true
            default: return false
            }
        }
        return digits && letters
    }

    // MARK: Text that nothing is known of

    /// Every address, word and number replaced; punctuation and blanks stay, octets beyond ASCII do not.
    func isCovered(_ byte: UInt8) -> Bool { Self.isAlphanumeric(byte) || byte >= 0x80 }

    /// The same for user names, host names, tokens, titles: who they belong to is told apart by place alone.
    mutating func cover(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        var isAfterEscape = false
        while at < bytes.count {
            let byte = bytes[at]
            if let (length, stand) = address(in: bytes, at: at, isAfterEscape: isAfterEscape) {
                out += stand
                at += length
            } else if byte == UInt8(ascii: "%"), at + 2 < bytes.count, let high = hexDigit(bytes[at + 1]),
                let low = hexDigit(bytes[at + 2])
            {
                // An escape stays one; of what it stands for only punctuation does.
                let plain = high << 4 | low
                out += isCovered(plain) ? Array("%78".utf8) : Array(bytes[at..<(at + 3)])
                at += 3
                isAfterEscape = true
                continue
            } else if Self.isAlphanumeric(byte) {
                var end = at
                while end < bytes.count, Self.isAlphanumeric(bytes[end]) { end += 1 }
                let word = Array(bytes[at..<end])
                // The cookie of RFC 3261 8.1.1.7 tells what generation an implementation is of.
                let cookie = Self.lower(word.prefix(7)) == "z9hg4bk" ? 7 : 0
                out += word[..<cookie]
                out +=
                    isPlainHost(word, in: bytes, at, end)
                    ? word : cookie < word.count ? standIn(word: Array(word[cookie...])) : []
                at = end
            } else if byte >= 0x80 {
                let quote = Self.typographicQuote(bytes, at)
                out += quote > 0 ? Array(bytes[at..<(at + quote)]) : [UInt8(ascii: "x")]
                at += max(1, quote)
            } else {
                out.append(byte)
                at += 1
            }
            isAfterEscape = false
        }
        return out
    }

    /// The last label of a name under a domain that nobody owns or everybody does, and names that say nobody.
    private func isPlainHost(_ word: [UInt8], in bytes: [UInt8], _ start: Int, _ end: Int) -> Bool {
        let follows = end < bytes.count ? bytes[end] : 0x20
        guard follows != UInt8(ascii: "."), follows != UInt8(ascii: "-"), follows != UInt8(ascii: "_") else { return false }
        let text = String(decoding: word, as: UTF8.self).lowercased()
        if start > 0, bytes[start - 1] == UInt8(ascii: ".") { return Harmless.domains.contains(text) }
        guard start == 0 || !(Self.isAlphanumeric(bytes[start - 1]) || [0x2d, 0x5f].contains(bytes[start - 1])) else {
            return false
        }
        return Harmless.nobody.contains(text)
    }

    /// Nothing of it stays but line ends and blanks.
    static func blank(_ bytes: some Collection<UInt8>) -> [UInt8] {
        bytes.map { [0x0d, 0x0a, 0x20].contains($0) ? $0 : UInt8(ascii: "x") }
    }

    // MARK: Octets

    /// Typographic double quotes are mistakes that findings tell of: U+201C ... U+201F, U+2033.
    static func typographicQuote(_ bytes: [UInt8], _ at: Int) -> Int {
        guard at + 3 <= bytes.count, bytes[at] == 0xe2, bytes[at + 1] == 0x80 else { return 0 }
        return (0x9c...0x9f).contains(bytes[at + 2]) || bytes[at + 2] == 0xb3 ? 3 : 0
    }

    static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// RFC 3261 25.1 token.
    static func isToken(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || [0x21, 0x25, 0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5f, 0x60, 0x7e].contains(byte)
    }

    static func lower(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes.map { lowered($0) }, as: UTF8.self) }
}
