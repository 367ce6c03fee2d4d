import Base
import Lab
import ServerNode
import ShowText

/// What came of a scenario: each expectation met or not, with what was seen, and on demand the ladder.
public struct ScenarioReport: Sendable {
    public var result: ScenarioResult

    public init(_ result: ScenarioResult) { self.result = result }

    public func text(_ style: ReportStyle = .plain, showsLadder: Bool = false) -> String {
        var text = style.paint("Scenario: \(printable(result.name))", .strong) + "\n\n"
        if showsLadder { text += LabLadder(result.records, of: result.world, from: result.start).text(style) + "\n" }
        if !result.calls.isEmpty {
            text += CallReviewReport(result.calls, from: result.start).text(style) + "\n"
        }
        for outcome in result.outcomes {
            let mark = outcome.isMet ? style.glyph("✓", "ok  ") : style.glyph("✗", "FAIL")
            let tone: ReportTone = outcome.isMet ? .good : .bad
            let indent = displayWidth(mark) + 1
            for (index, line) in wrapped(printable("\(outcome.expectation)"), to: style.width - indent).enumerated() {
                text += (index == 0 ? style.paint(mark, tone) : String(repeating: " ", count: indent - 1)) + " " + line + "\n"
            }
            let seen = outcome.isMet ? outcome.seen : "\(outcome.seen) (expected at \(outcome.expectation.place))"
            for line in wrapped(printable(seen), to: style.width - indent - 2) {
                text += String(repeating: " ", count: indent + 2) + style.paint(line, outcome.isMet ? .dim : .bad) + "\n"
            }
        }
        let met = result.outcomes.count(where: \.isMet)
        let all = result.outcomes.count
        let summary =
            all == 0 ? "Nothing was expected; it ran to its end." : "\(met) of \(all) expectation\(all == 1 ? "" : "s") met."
        return text + "\n" + style.paint(summary, result.isSuccess ? .good : .bad) + "\n"
    }
}
