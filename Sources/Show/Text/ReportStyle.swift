/// How a report may look: colours, line drawing and room.
public struct ReportStyle: Hashable, Sendable {
    /// ANSI escape sequences (ECMA-48 8.3.117) for colours.
    public var isColoured: Bool
    /// Box drawing and symbols beyond ASCII.
    public var isUnicode: Bool
    /// Columns to fill; at least 40.
    public var width: Int

    public init(isColoured: Bool = false, isUnicode: Bool = true, width: Int = 100) {
        self.isColoured = isColoured
        self.isUnicode = isUnicode
        self.width = max(40, width)
    }

    /// For files and pipes.
    public static let plain = ReportStyle(isColoured: false, isUnicode: false)
}

/// What a piece of text stands for, which gives it its colour.
public enum ReportTone: Hashable, Sendable {
    case good, bad, warning, accent, dim, strong

    /// Select Graphic Rendition parameters.
    var code: String {
        switch self {
        case .good: "32"
        case .bad: "31"
        case .warning: "33"
        case .accent: "36"
        case .dim: "2"
        case .strong: "1"
        }
    }
}

extension ReportStyle {
    /// `text` in the colour of `tone`, or as it is where there are no colours.
    public func paint(_ text: String, _ tone: ReportTone?) -> String {
        guard isColoured, let tone, !text.isEmpty else { return text }
        return "\u{1b}[\(tone.code)m\(text)\u{1b}[0m"
    }

    /// The Unicode form, or its ASCII stand-in.
    package func glyph(_ unicode: String, _ ascii: String) -> String { isUnicode ? unicode : ascii }
}
