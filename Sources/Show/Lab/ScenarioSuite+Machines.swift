import Base
import Lab
import ShowText

/// The two formats that build servers read.
extension ScenarioSuite {
    // MARK: JUnit

    /// JUnit's XML: a `testsuite` a file, a `testcase` an expectation; times are virtual seconds. What is no scenario is an `error`, and
    /// a file that expects nothing holds one skipped case.
    public var junit: String {
        let tests = files.map { max(1, $0.outcomes.count) }.reduce(0, +)
        let failures = files.map { $0.outcomes.count { !$0.isMet } }.reduce(0, +)
        let errors = files.count(where: \.isUnreadable)
        let skipped = files.count(where: \.expectsNothing)
        let time = files.map(Self.length).reduce(.zero, +)
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        text +=
            "<testsuites name=\"pinhole lab\" tests=\"\(tests)\" failures=\"\(failures)\" errors=\"\(errors)\" skipped=\"\(skipped)\""
        text += " time=\"\(Self.time(time))\">\n"
        for file in files { text += Self.suite(file) }
        return text + "</testsuites>\n"
    }

    private static func length(_ file: File) -> Duration {
        switch file.outcome {
        case .ran(_, _, let length, _): length
        case .unreadable: .zero
        }
    }

    private static func suite(_ file: File) -> String {
        var name = file.path
        var properties: [(String, String)] = []
        if case .ran(let title, let seed, _, _) = file.outcome {
            name = title
            properties.append(("seed", "\(seed)"))
        }
        properties += file.captures.map { ("capture", $0) }
        let tests = max(1, file.outcomes.count)
        let failures = file.outcomes.count { !$0.isMet }
        var text = "  <testsuite name=\"\(xml(name))\" file=\"\(xml(file.path))\" tests=\"\(tests)\" failures=\"\(failures)\""
        text +=
            " errors=\"\(file.isUnreadable ? 1 : 0)\" skipped=\"\(file.expectsNothing ? 1 : 0)\" time=\"\(time(length(file)))\">\n"
        if !properties.isEmpty {
            let all = properties.map { "      <property name=\"\($0.0)\" value=\"\(xml($0.1))\"/>\n" }.joined()
            text += "    <properties>\n\(all)    </properties>\n"
        }
        switch file.outcome {
        case .unreadable(let why, let line):
            text += testcase(
                "is a scenario", name, file.path, line, .zero,
                "<error message=\"\(xml(why))\" type=\"unreadable\">\(xml(why))</error>")
        case .ran(_, _, _, let outcomes) where outcomes.isEmpty:
            text += testcase("expects something", name, file.path, nil, .zero, "<skipped message=\"nothing is expected\"/>")
        case .ran(_, _, _, let outcomes):
            for outcome in outcomes { text += testcase(outcome, name, file.path) }
        }
        return text + "  </testsuite>\n"
    }

    private static func testcase(_ outcome: ScenarioResult.Outcome, _ suite: String, _ path: String) -> String {
        var failure: String?
        if !outcome.isMet {
            let place = outcome.line.map { "\(outcome.file ?? path):\($0)" } ?? path
            let told = "\(place): expected \(outcome.expectation)\nseen: \(outcome.seen)"
            failure = "<failure message=\"\(xml(outcome.seen))\" type=\"unmet\">\(xml(told))</failure>"
        }
        return testcase("\(outcome.expectation)", suite, outcome.file ?? path, outcome.line, outcome.expectation.at, failure)
    }

    private static func testcase(
        _ name: String, _ suite: String, _ path: String, _ line: Int?, _ at: Duration, _ inside: String?
    ) -> String {
        var text = "    <testcase name=\"\(xml(name))\" classname=\"\(xml(suite))\" file=\"\(xml(path))\""
        if let line { text += " line=\"\(line)\"" }
        text += " time=\"\(time(at))\""
        return text + (inside.map { ">\n      \($0)\n    </testcase>\n" } ?? "/>\n")
    }

    /// Seconds with three decimals.
    private static func time(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        let rest = String(milliseconds % 1_000)
        return "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// `text` as it may stand in an attribute or element. What XML 1.0 cannot hold at all (2.2) is shown as `printable` shows it.
    static func xml(_ text: String) -> String {
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": safe += "&amp;"
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "\"": safe += "&quot;"
            case "'": safe += "&apos;"
            case "\n": safe += "&#10;"
            case "\u{fffe}", "\u{ffff}": safe += "\u{fffd}"
            default: safe += printable(String(scalar))
            }
        }
        return safe
    }

    // MARK: TAP

    /// The Test Anything Protocol, version 14: a point an expectation; what was seen follows one that was not met.
    public var tap: String {
        var points: [String] = []
        for file in files { append(file, to: &points) }
        return "TAP version 14\n1..\(points.count)\n" + points.joined()
    }

    private func append(_ file: File, to points: inout [String]) {
        if case .unreadable(let why, let line) = file.outcome {
            points.append(unreadable(why, line, file.path, points.count))
            return
        }
        let outcomes = file.outcomes
        if outcomes.isEmpty {
            points.append(point(true, points.count, file.path + ": expects something") + " # SKIP nothing is expected\n")
        }
        for outcome in outcomes { points.append(point(of: outcome, file, points.count)) }
    }

    private func unreadable(_ why: String, _ line: Int?, _ path: String, _ before: Int) -> String {
        let text = "  error: " + JSONValue.string(why).text + "\n"
        return point(false, before, path + ": is a scenario") + block(text, path, line, [])
    }

    private func point(of outcome: ScenarioResult.Outcome, _ file: File, _ before: Int) -> String {
        let path = outcome.file ?? file.path
        let place = outcome.line.map { path + ":" + String($0) } ?? path
        let head = point(outcome.isMet, before, place + ": " + outcome.expectation.description)
        return head + (outcome.isMet ? "\n" : missed(outcome, path, file.captures))
    }

    private func missed(_ outcome: ScenarioResult.Outcome, _ path: String, _ captures: [String]) -> String {
        let expected = JSONValue.string("\(outcome.expectation)").text
        let seen = JSONValue.string(outcome.seen).text
        return block("  expected: \(expected)\n  seen: \(seen)\n", path, outcome.line, captures)
    }

    private func point(_ isMet: Bool, _ before: Int, _ text: String) -> String {
        let safe = printable(text).replacing("\\", with: "\\\\").replacing("#", with: "\\#")
        return "\(isMet ? "ok" : "not ok") \(before + 1) - \(safe)"
    }

    /// A YAML block, its texts quoted as JSON quotes them.
    private func block(_ what: String, _ file: String, _ line: Int?, _ captures: [String]) -> String {
        var text = "\n  ---\n" + what
        text += "  file: \(JSONValue.string(file).text)\n"
        if let line { text += "  line: \(line)\n" }
        if !captures.isEmpty { text += "  captures: \(JSONValue.array(captures.map { .string($0) }).text)\n" }
        return text + "  ...\n"
    }
}
