/// Base64 (RFC 4648 4), as keys in SDP are written.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// With padding.
    package static func text(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for at in stride(from: 0, to: bytes.count, by: 3) {
            let left = min(3, bytes.count - at)
            var word = UInt32(bytes[at]) << 16
            if left > 1 { word |= UInt32(bytes[at + 1]) << 8 }
            if left > 2 { word |= UInt32(bytes[at + 2]) }
            for place in 0..<4 {
                let isPadding = place > left
                result.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(word >> UInt32(18 - 6 * place) & 63)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// nil for anything that is no Base64. Padding may be missing, as some peers leave it out.
    package static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var word: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let digit = value(byte) else { return nil }
            word = word << 6 | digit
            digits += 1
            if digits % 4 == 0 {
                result.append(UInt8(truncatingIfNeeded: word >> 16))
                result.append(UInt8(truncatingIfNeeded: word >> 8))
                result.append(UInt8(truncatingIfNeeded: word))
                word = 0
            }
        }
        guard padding <= 2, padding == 0 || (digits + padding) % 4 == 0 else { return nil }
        switch digits % 4 {
        case 0: return result
        case 2: return result + [UInt8(truncatingIfNeeded: word >> 4)]
        case 3: return result + [UInt8(truncatingIfNeeded: word >> 10), UInt8(truncatingIfNeeded: word >> 2)]
        default: return nil
        }
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5a: UInt32(byte) - 0x41
        case 0x61...0x7a: UInt32(byte) - 0x61 + 26
        case 0x30...0x39: UInt32(byte) - 0x30 + 52
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }
}
