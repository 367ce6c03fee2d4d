/// `text` made safe for a terminal: control characters, escape sequences included, become `\xNN`. Texts of peers pass here.
public func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
    var safe = ""
    for scalar in text.unicodeScalars {
        if isUnsafe(scalar) {
            let digits = String(scalar.value, radix: 16)
            safe += scalar.value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
        } else {
            safe.unicodeScalars.append(scalar)
        }
    }
    return safe
}

/// Controls, and the marks that turn the direction of writing.
private func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f...0x9f, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
}

/// How many columns `text` takes on a terminal: East Asian wide characters take two, combining marks none of their own.
public func displayWidth(_ text: String) -> Int {
    var width = 0
    for character in text { width += columns(character) }
    return width
}

private func columns(_ character: Character) -> Int {
    guard let first = character.unicodeScalars.first?.value else { return 0 }
    switch first {
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
        0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
        return 2
    case 0x300...0x36f, 0x200b, 0xfe00...0xfe0f: return 0
    default: return 1
    }
}

/// `text` filled up with spaces to `width` columns; longer texts stay as they are.
package func padded(_ text: String, to width: Int, onTheLeft: Bool = false) -> String {
    let missing = width - displayWidth(text)
    guard missing > 0 else { return text }
    let space = String(repeating: " ", count: missing)
    return onTheLeft ? space + text : text + space
}

/// `text` cut to `width` columns, the cut marked.
package func truncated(_ text: String, to width: Int, isUnicode: Bool) -> String {
    guard displayWidth(text) > width else { return text }
    let mark = isUnicode ? "…" : "~"
    guard width > 1 else { return width == 1 ? mark : "" }
    var kept = ""
    var used = 0
    for character in text {
        guard used + columns(character) <= width - 1 else { break }
        kept.append(character)
        used += columns(character)
    }
    return kept + mark
}

/// `text` in lines of at most `width` columns, broken at spaces, or inside words that are longer than a line.
package func wrapped(_ text: String, to width: Int) -> [String] {
    let width = max(1, width)
    var lines: [String] = []
    for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
        // What fits keeps its spaces: it may be a table of its own.
        if displayWidth(String(paragraph)) <= width {
            lines.append(String(paragraph))
            continue
        }
        var line = ""
        var used = 0
        for word in paragraph.split(separator: " ") {
            let length = displayWidth(String(word))
            if used > 0, used + 1 + length <= width {
                line += " " + word
                used += 1 + length
                continue
            }
            if used > 0 { lines.append(line) }
            line = ""
            used = 0
            for character in word {
                if used + columns(character) > width, used > 0 {
                    lines.append(line)
                    line = ""
                    used = 0
                }
                line.append(character)
                used += columns(character)
            }
        }
        lines.append(line)
    }
    return lines
}
