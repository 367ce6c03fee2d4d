/// A few words of SVG 1.1, built as text. All text is escaped; colours come from the page's style sheet by class.
struct SVG {
    let width: Double
    let height: Double
    let title: String
    /// Its class.
    let kind: String
    /// How far it may shrink with its page before it is unreadable, as a share of `width`.
    let shrinks: Double
    private(set) var body = ""

    init(width: Double, height: Double, title: String, kind: String, shrinks: Double = 0.64) {
        self.width = width
        self.height = height
        self.title = title
        self.kind = kind
        self.shrinks = shrinks
    }

    /// The element, scaling with the page as long as it stays readable; below that its frame scrolls.
    var text: String {
        "<svg class=\"\(kind)\" viewBox=\"0 0 \(Self.number(width)) \(Self.number(height))\" role=\"img\" "
            + "aria-label=\"\(HTML.escaped(title))\" "
            + "style=\"max-width:\(Self.number(width * 1.15))px;min-width:\(Self.number(width * shrinks))px\">\(body)</svg>"
    }

    /// Draws another's marks upon this one.
    mutating func add(_ other: SVG) { body += other.body }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ kind: String) {
        body +=
            "<line class=\"\(kind)\" x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" x2=\"\(Self.number(x2))\" y2=\"\(Self.number(y2))\"/>"
    }

    mutating func text(_ x: Double, _ y: Double, _ text: String, _ kind: String, anchor: String = "start") {
        body +=
            "<text class=\"\(kind)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" text-anchor=\"\(anchor)\">\(HTML.escaped(text))</text>"
    }

    /// A line with a head at its end, and what a pointer shows when it rests there.
    mutating func arrow(_ x1: Double, _ x2: Double, _ y: Double, _ kind: String, hint: String) {
        let direction: Double = x2 > x1 ? 1 : -1
        let tip = "\(Self.number(x2)),\(Self.number(y))"
        let upper = "\(Self.number(x2 - 9 * direction)),\(Self.number(y - 4))"
        let lower = "\(Self.number(x2 - 9 * direction)),\(Self.number(y + 4))"
        body += "<g class=\"\(kind)\">" + (hint.isEmpty ? "" : "<title>\(HTML.escaped(hint))</title>")
        body +=
            "<line x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y))\" x2=\"\(Self.number(x2 - 8 * direction))\" y2=\"\(Self.number(y))\"/>"
        body += "<polygon points=\"\(tip) \(upper) \(lower)\"/></g>"
    }

    mutating func dot(_ x: Double, _ y: Double, _ radius: Double, _ kind: String, hint: String) {
        body +=
            "<circle class=\"\(kind)\" cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" r=\"\(Self.number(radius))\">"
            + "<title>\(HTML.escaped(hint))</title></circle>"
    }

    mutating func bar(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ kind: String, hint: String) {
        body +=
            "<rect class=\"\(kind)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(max(0, width)))\" "
            + "height=\"\(Self.number(max(0, height)))\"><title>\(HTML.escaped(hint))</title></rect>"
    }

    mutating func path(_ points: [(x: Double, y: Double)], _ kind: String) {
        guard let first = points.first else { return }
        var commands = "M\(Self.number(first.x)) \(Self.number(first.y))"
        for point in points.dropFirst() { commands += "L\(Self.number(point.x)) \(Self.number(point.y))" }
        body += "<path class=\"\(kind)\" d=\"\(commands)\"/>"
    }

    /// One decimal is enough for a screen.
    static func number(_ value: Double) -> String {
        let tenths = Int((value.isFinite ? value : 0) * 10)
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }
}

enum HTML {
    /// Text made safe between tags and in quoted attributes; control characters are made visible.
    static func escaped(_ text: String) -> String {
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\"": safe += "&quot;"
            case "\n", "\t": safe.unicodeScalars.append(scalar)
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f || (0x202a...0x202e).contains(scalar.value) {
                    safe += "\\x\(String(scalar.value, radix: 16))"
                } else {
                    safe.unicodeScalars.append(scalar)
                }
            }
        }
        return safe
    }

    static func element(_ name: String, _ kind: String? = nil, _ content: String) -> String {
        "<\(name)\(kind.map { " class=\"\($0)\"" } ?? "")>\(content)</\(name)>"
    }

    /// `values`: columns that hold values as they stand in messages.
    static func table(_ headings: [String], _ rows: [[String]], values: Set<Int> = []) -> String {
        var text = "<div class=\"wide\"><table><thead><tr>"
        for heading in headings { text += element("th", nil, escaped(heading)) }
        text += "</tr></thead><tbody>"
        for row in rows {
            text += "<tr>"
            for (column, cell) in row.enumerated() {
                // On a narrow screen each cell stands below the other, behind its heading.
                let heading = headings.indices.contains(column) ? headings[column] : ""
                text +=
                    "<td\(values.contains(column) ? " class=\"value\"" : "") data-of=\"\(escaped(heading))\">\(escaped(cell))</td>"
            }
            text += "</tr>"
        }
        return text + "</tbody></table></div>\n"
    }
}
