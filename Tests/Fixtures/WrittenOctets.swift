/// Octets written down as lines of text. `|text` stands for the text and CRLF, `+text` for the text alone, `=6869` for octets in
/// hexadecimal; within text `\\` is a backslash and `\x0d` an octet. Text outside ASCII stands for its UTF-8.
public enum WrittenOctets {
    public struct Fault: Error, CustomStringConvertible {
        public var line: String
        public var description: String { "not a line of written octets: \(line)" }
    }

    public static func octets(of lines: some Sequence<Substring>) throws -> [UInt8] {
        var octets: [UInt8] = []
        for line in lines {
            switch line.first {
            case "|": octets += try unescaped(line.dropFirst()) + [0x0D, 0x0A]
            case "+": octets += try unescaped(line.dropFirst())
            case "=": octets += try hexadecimal(line.dropFirst())
            default: throw Fault(line: String(line))
            }
        }
        return octets
    }

    public static func hexadecimal(_ text: Substring) throws -> [UInt8] {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { throw Fault(line: String(text)) }
        return try stride(from: 0, to: digits.count, by: 2).map {
            guard let octet = UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16) else {
                throw Fault(line: String(text))
            }
            return octet
        }
    }

    private static func unescaped(_ text: Substring) throws -> [UInt8] {
        var octets: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let octet = rest.popFirst() {
            if octet != UInt8(ascii: "\\") {
                octets.append(octet)
            } else if rest.first == UInt8(ascii: "\\") {
                octets.append(rest.removeFirst())
            } else if rest.first == UInt8(ascii: "x"), rest.count >= 3 {
                octets += try hexadecimal(Substring(decoding: rest.dropFirst().prefix(2), as: UTF8.self))
                rest = rest.dropFirst(3)
            } else {
                throw Fault(line: String(text))
            }
        }
        return octets
    }
}
