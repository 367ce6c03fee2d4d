import Base
import Lab
import ShowText

/// What `make demo` shows a newcomer: the story, one short ladder and the panel an act; how 288 combinations fare; a conference. Or all of it.
public struct DemoReport: Sendable {
    /// Every event, every message, every REGISTER.
    public var isFull: Bool

    public init(isFull: Bool = false) { self.isFull = isFull }

    /// The acts, and at last all side by side.
    public func story(_ chapters: [Story.Chapter], _ style: ReportStyle = .plain) -> String {
        var options = StoryReport.Options()
        options.showsMessages = isFull
        options.showsRegisters = isFull
        options.isBrief = !isFull
        return (isFull ? "" : opening(style)) + StoryReport(chapters, options).text(style) + "\n"
    }

    public func matrix(_ report: MatrixReport, _ style: ReportStyle = .plain) -> String {
        let heading = isFull ? "" : heading("\(report.results.count) networks, one hour each", Self.matrixSetting, style) + "\n"
        return heading + report.text(style) + "\n"
    }

    public func conference(_ report: ConferenceReport, _ style: ReportStyle = .plain) -> String {
        report.text(style) + (isFull ? "" : closing(style))
    }

    private static let matrixSetting =
        "The same phone, router and server in every combination: STUN and the SIP helper (ALG) on and off, two servers, NATs that"
        + " map and filter in each of RFC 4787's ways. Is the phone registered, and does a call reach it after some silence?"

    private func opening(_ style: ReportStyle) -> String {
        let text =
            "A phone, a router and a server, each the code that also runs for real, on a network of this program's own, in virtual"
            + " time. Nothing is scripted but who stands where. Why does the phone not register, though its password is right?"
        return wrapped(text, to: style.width).joined(separator: "\n") + "\n\n"
    }

    private func closing(_ style: ReportStyle) -> String {
        let commands = [
            ("make demo FULL=1", "all of it: every event, message and REGISTER"),
            ("docs/story.md", "the story, explained message by message"),
            ("docs/scenarios.md", "a network of your own"),
            ("make explain", "builds the analyser for your own captures and logs"),
        ]
        let width = commands.map { displayWidth($0.0) }.max() ?? 0
        return "\n" + style.paint("Next", .strong) + "\n"
            + commands.map { "  \(style.paint(padded($0.0, to: width), .accent))  \($0.1)\n" }.joined()
    }

    private func heading(_ title: String, _ setting: String, _ style: ReportStyle) -> String {
        let rule = String(repeating: style.glyph("═", "="), count: style.width)
        let lines = wrapped(setting, to: style.width).map { $0 + "\n" }.joined()
        return style.paint("\(rule)\n\(title)\n\(rule)", .strong) + "\n" + lines
    }
}
