/// What word processors and web pages make of a log: typographic quotes and dashes, HTML character references. Puts it back.
enum LogTypography {
    /// Whether a line holds a character that no program wrote so: a dash or quote beyond ASCII.
    static func isTypographic(_ line: [UInt8]) -> Bool {
        var at = 0
        while at < line.count {
            if line[at] >= 0x80, let (stand, length) = plain(line, at), !stand.isEmpty {
                _ = length
                return true
            }
            at += 1
        }
        return false
    }

    /// The line in ASCII where it is typographic; all else stays.
    static func plain(_ line: [UInt8]) -> [UInt8] {
        guard line.contains(where: { $0 >= 0x80 }) else { return line }
        var out: [UInt8] = []
        out.reserveCapacity(line.count + 8)
        var at = 0
        while at < line.count {
            if line[at] >= 0x80, let (stand, length) = plain(line, at) {
                out += stand
                at += length
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    /// What stands for the character at `at`, and its length in octets (UTF-8, or one of Windows-1252's).
    private static func plain(_ b: [UInt8], _ at: Int) -> (stand: [UInt8], length: Int)? {
        if b[at] == 0xe2, at + 2 < b.count {
            switch (b[at + 1], b[at + 2]) {
            case (0x80, 0x90), (0x80, 0x91): return ([0x2d], 3)
            // Two hyphens become an en dash, three an em dash.
            case (0x80, 0x92), (0x80, 0x93): return ([0x2d, 0x2d], 3)
            case (0x80, 0x94), (0x80, 0x95): return ([0x2d, 0x2d, 0x2d], 3)
            case (0x80, 0x98), (0x80, 0x99), (0x80, 0x9a), (0x80, 0x9b), (0x80, 0xb2): return ([0x27], 3)
            case (0x80, 0x9c), (0x80, 0x9d), (0x80, 0x9e), (0x80, 0x9f), (0x80, 0xb3): return ([0x22], 3)
            case (0x80, 0xa6): return ([0x2e, 0x2e, 0x2e], 3)
            case (0x88, 0x92): return ([0x2d], 3)
            case (0x80, 0x8b), (0x80, 0x8e), (0x80, 0x8f): return ([], 3)
            case (0x80, 0xaf), (0x80, 0x89): return ([0x20], 3)
            default: return nil
            }
        }
        if b[at] == 0xc2, at + 1 < b.count {
            switch b[at + 1] {
            case 0xa0: return ([0x20], 2)
            case 0xab, 0xbb: return ([0x22], 2)
            default: return nil
            }
        }
        if b[at] == 0xef, at + 2 < b.count, b[at + 1] == 0xbb, b[at + 2] == 0xbf { return ([], 3) }
        // Windows-1252 saved as it is: such octets stand alone, never after a UTF-8 lead.
        let isAlone = (at == 0 || b[at - 1] < 0x80) && (at + 1 == b.count || b[at + 1] < 0x80 || b[at + 1] == b[at])
        guard isAlone else { return nil }
        switch b[at] {
        case 0x91, 0x92: return ([0x27], 1)
        case 0x93, 0x94: return ([0x22], 1)
        case 0x96: return ([0x2d, 0x2d], 1)
        case 0x97: return ([0x2d, 0x2d, 0x2d], 1)
        case 0x85: return ([0x2e, 0x2e, 0x2e], 1)
        default: return nil
        }
    }

    /// Whether a line was copied from a page's source: `&lt;---`.
    static func hasEntities(_ line: [UInt8]) -> Bool {
        guard line.contains(text: "&") else { return false }
        return line.contains(text: "&lt;") || line.contains(text: "&gt;") || line.contains(text: "&quot;")
            || line.contains(text: "&#")
            || line.contains(text: "dash;")
    }

    /// The line with its character references replaced.
    static func withoutEntities(_ line: [UInt8]) -> [UInt8] {
        guard line.contains(0x26) else { return line }
        var out: [UInt8] = []
        out.reserveCapacity(line.count)
        var at = 0
        while at < line.count {
            if line[at] == 0x26, let end = line[at..<min(line.count, at + 12)].firstIndex(of: 0x3b),
                let stand = character(Array(line[(at + 1)..<end]))
            {
                out += stand
                at = end + 1
            } else {
                out.append(line[at])
                at += 1
            }
        }
        return out
    }

    private static func character(_ name: [UInt8]) -> [UInt8]? {
        switch String(decoding: name, as: UTF8.self) {
        case "lt": return [0x3c]
        case "gt": return [0x3e]
        case "amp": return [0x26]
        case "quot": return [0x22]
        case "apos": return [0x27]
        case "nbsp": return [0x20]
        case "ndash": return [0x2d, 0x2d]
        case "mdash": return [0x2d, 0x2d, 0x2d]
        case "ldquo", "rdquo", "bdquo": return [0x22]
        case "lsquo", "rsquo", "sbquo": return [0x27]
        case "hellip": return [0x2e, 0x2e, 0x2e]
        case let text:
            guard text.first == "#" else { return nil }
            let digits = text.dropFirst()
            let code = digits.first == "x" || digits.first == "X" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            guard let code, code >= 0x20, let scalar = Unicode.Scalar(code) else { return nil }
            return Array(String(Character(scalar)).utf8)
        }
    }

    /// `[sip:a@pbx.example](sip:a@pbx.example)` as pages make of an address: its text.
    static func withoutLinks(_ line: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        // Up to where all is in `out`.
        var done = 0
        while let middle = line.firstIndex(of: "](", from: done) {
            // Behind it the next seam is looked for, whatever this one is.
            var next = middle + 2
            if let open = line[done..<middle].lastIndex(of: 0x5b), open + 1 < middle,
                let close = line[next...].firstIndex(where: { $0 == 0x29 || $0 == 0x5b }), line[close] == 0x29
            {
                let (text, target) = (line[(open + 1)..<middle], line[next..<close])
                if target.count >= text.count, target.suffix(text.count).elementsEqual(text) {
                    out += line[done..<open]
                    out += text
                    (done, next) = (close + 1, close + 1)
                }
            }
            out += line[done..<next]
            done = next
        }
        return out + line[done...]
    }
}
