import Base

/// What programs call themselves.
extension Redactor {
    /// Known products keep their name, and behind one the numbers of models and versions; addresses, serial numbers and comments go.
    mutating func program(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var isKnown = false
        var at = 0
        while at < bytes.count {
            if let (length, stand) = hardwareAddress(in: bytes, at: at) ?? address(in: bytes, at: at) {
                out += stand
                at += length
                continue
            }
            guard Self.isAlphanumeric(bytes[at]) else {
                out += cover(bytes[at...at])
                at += 1
                continue
            }
            var end = at
            while end < bytes.count, Self.isAlphanumeric(bytes[end]) { end += 1 }
            let word = Array(bytes[at..<end])
            // `snom300`: a product and its model in one.
            let letters = word.prefix { !Self.isDigit($0) }
            let isProduct =
                Harmless.products.contains(Self.lower(word))
                || (letters.count >= 3 && word.count - letters.count <= 4 && Harmless.products.contains(Self.lower(letters)))
            isKnown = isKnown || isProduct
            out += isProduct || (isKnown && Self.isModel(word)) ? word : standIn(word: word)
            at = end
        }
        return out
    }

    /// `T46S`, `GXP2170`, `780`, `16`, `rc1`, `v2`, `6b`: short, with a digit, and no hash.
    private static func isModel(_ word: [UInt8]) -> Bool {
        let digits = word.filter(isDigit).count
        guard digits > 0, word.count <= 8, digits <= 5, digits == word.count || digits <= 4 else { return false }
        let letters = word.filter { !isDigit($0) }
        return letters.allSatisfy { (0x41...0x5a).contains($0) } || letters.count == 1
            || ["rc", "beta", "alpha", "rel"].contains(lower(letters))
    }

    /// Twelve hexadecimal digits in a row, or in pairs with colons or dashes.
    private mutating func hardwareAddress(in bytes: [UInt8], at start: Int) -> (length: Int, stand: [UInt8])? {
        guard hexDigit(bytes[start]) != nil, start == 0 || !Self.isAlphanumeric(bytes[start - 1]) else { return nil }
        var end = start
        var digits = 0
        while end < bytes.count, digits < 13,
            hexDigit(bytes[end]) != nil || ([0x2d, 0x3a].contains(bytes[end]) && digits > 0 && digits % 2 == 0)
        {
            if hexDigit(bytes[end]) != nil { digits += 1 }
            end += 1
        }
        while end > start, hexDigit(bytes[end - 1]) == nil { end -= 1 }
        guard digits == 12, end == bytes.count || !Self.isAlphanumeric(bytes[end]) else { return nil }
        return (end - start, cover(bytes[start..<end]))
    }
}
