import Foundation
import ShowText

/// What the terminal on the other end can show.
public enum Terminal {
    /// Colour and Unicode only where they will be seen: a terminal, no `NO_COLOR`, a UTF-8 locale. A pipe gets plain text.
    ///
    /// `noColor`: the user's own wish. The width is the window's, or `COLUMNS`, or 100.
    public static func style(noColor: Bool = false, output: Int32 = STDOUT_FILENO) -> ReportStyle {
        let environment = ProcessInfo.processInfo.environment
        let isTerminal = isatty(output) != 0
        let forced = environment["CLICOLOR_FORCE"].map { $0 != "0" } ?? false
        let isColoured = !noColor && environment["NO_COLOR"] == nil && (forced || (isTerminal && environment["TERM"] != "dumb"))
        let locale = environment["LC_ALL"] ?? environment["LC_CTYPE"] ?? environment["LANG"] ?? ""
        let isUnicode = locale.uppercased().replacingOccurrences(of: "-", with: "").contains("UTF8")
        return ReportStyle(isColoured: isColoured, isUnicode: isUnicode, width: width(output, environment))
    }

    private static func width(_ output: Int32, _ environment: [String: String]) -> Int {
        var size = winsize()
        if ioctl(output, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return min(max(Int(size.ws_col), 60), 200) }
        return environment["COLUMNS"].flatMap { Int($0) }.map { min(max($0, 60), 200) } ?? 100
    }

    /// A bar on standard error while `done` of `total` are done; nothing where standard error is no terminal.
    public static func progress(_ what: String, _ done: Int, of total: Int) {
        guard isatty(STDERR_FILENO) != 0, total > 0 else { return }
        let cells = 30
        let filled = done * cells / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: cells - filled)
        let text = done == total ? "\r\u{1b}[K" : "\r\(what) [\(bar)] \(done)/\(total)"
        OutputPort.error.write(text)
    }
}
