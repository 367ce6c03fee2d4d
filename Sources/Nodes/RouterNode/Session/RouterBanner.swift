/// Texts of a session that are no answers.
enum RouterBanner {
    /// Names the product, in characters that every terminal has.
    static func text(_ product: String) -> String {
        let name = String(product.unicodeScalars.prefix(40).map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
        let inner = max(40, name.count + 8)
        func row(_ text: String) -> String { "  |" + text + String(repeating: " ", count: inner - text.count) + "|\n" }
        let rule = "  +" + String(repeating: "-", count: inner) + "+\n"
        return "\n" + rule + row("      .--.      .--.") + row("  ---(lan )--->( wan)---") + row("      '--'      '--'") + row("")
            + row("    " + name) + rule + "\n"
    }

    /// Words in columns as wide as the widest, read downwards line by line.
    static func columns(_ words: [String], _ width: Int) -> String {
        let words = words.map { $0.hasSuffix(" ") ? String($0.dropLast()) : $0 }
        guard let widest = words.map(\.utf8.count).max() else { return "" }
        let across = max(1, width / (widest + 2))
        var text = ""
        for (index, word) in words.enumerated() {
            let isLast = index % across == across - 1 || index == words.count - 1
            text += isLast ? word + "\n" : cell(word, widest + 2)
        }
        return text
    }
}
