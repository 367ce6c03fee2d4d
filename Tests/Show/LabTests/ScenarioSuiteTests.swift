import Base
import Foundation
import FoundationXML
import Lab
import ShowLab
import Testing

/// The elements of a JUnit file with their attributes, in order.
private final class Elements: NSObject, XMLParserDelegate {
    struct Element {
        var name: String
        var attributes: [String: String]
        var depth: Int
        var text = ""
    }

    var found: [Element] = []
    private var open: [Int] = []

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        found.append(Element(name: name, attributes: attributes, depth: open.count))
        open.append(found.count - 1)
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        if let index = open.last { found[index].text += string }
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }
}

@Suite("scenarios for build servers")
struct ScenarioSuiteTests {
    private static func outcome(
        _ line: Int, met: Bool = true, seconds: Int = 30, seen: String = "as wanted", status: String = "Registered"
    ) -> ScenarioResult.Outcome {
        ScenarioResult.Outcome(
            expectation: Scenario.Expectation(
                at: .seconds(seconds), claim: .status(phone: "desk", status),
                place: .file(name: "home.yaml", line: line, column: 5)), isMet: met, seen: seen)
    }

    private static func file(_ outcomes: [ScenarioResult.Outcome], captures: [String] = []) -> ScenarioSuite.File {
        ScenarioSuite.File("home.yaml", .ran(name: "home", seed: 5, length: .milliseconds(90_500), outcomes), captures: captures)
    }

    private static let missing = ScenarioSuite.File("gone.yaml", .unreadable("gone.yaml:3:1: what is this?", line: 3))
    private static let hostile = "a\"b<c>&'d]]>\u{1}\u{1b}[2J\u{ffff}\u{202e}\n--"

    @Test("the status tells apart: met, unmet, nothing expected, no scenario; the worst of several counts")
    func status() {
        let met = Self.file([Self.outcome(3)])
        let unmet = Self.file([Self.outcome(3), Self.outcome(4, met: false)])
        let nothing = Self.file([])
        #expect(ScenarioSuite([met, met]).status.rawValue == 0)
        #expect(ScenarioSuite([met, unmet]).status.rawValue == 1)
        #expect(ScenarioSuite([met, nothing]).status.rawValue == 2)
        #expect(ScenarioSuite([nothing, unmet]).status.rawValue == 1)
        #expect(ScenarioSuite([nothing, unmet, Self.missing]).status.rawValue == 64)
        #expect(ScenarioSuite([]).status.rawValue == 64)
    }

    private func elements(_ suite: ScenarioSuite) throws -> [Elements.Element] {
        let elements = Elements()
        let parser = XMLParser(data: Data(suite.junit.utf8))
        parser.delegate = elements
        try #require(parser.parse(), "\(suite.junit)")
        return elements.found
    }

    @Test("JUnit: counts that add up, virtual seconds, file and line, and the failure's text")
    func junit() throws {
        let suite = ScenarioSuite([
            Self.file(
                [Self.outcome(3), Self.outcome(9, met: false, seconds: 61, seen: "the panel says \"-\"")],
                captures: ["out/a.pcap"]),
            Self.missing, Self.file([]),
        ])
        let all = try elements(suite)
        let root = try #require(all.first)
        #expect(root.name == "testsuites")
        #expect(
            root.attributes == [
                "name": "pinhole lab", "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "181.000",
            ])
        let suites = all.filter { $0.name == "testsuite" }
        #expect(suites.map { $0.attributes["tests"] } == ["2", "1", "1"])
        #expect(suites.map { $0.attributes["time"] } == ["90.500", "0.000", "90.500"])
        let cases = all.filter { $0.name == "testcase" }
        #expect(cases.count == 4 && cases.allSatisfy { $0.depth == 2 })
        #expect(
            cases[1].attributes == [
                "name": "after 61 s: the panel of phone desk says \"Registered\"", "classname": "home", "file": "home.yaml",
                "line": "9",
                "time": "61.000",
            ])
        let failure = try #require(all.first { $0.name == "failure" })
        #expect(failure.attributes["message"] == "the panel says \"-\"" && failure.depth == 3)
        #expect(failure.text.hasPrefix("home.yaml:9: expected after 61 s: the panel"))
        #expect(all.filter { $0.name == "property" }.map { $0.attributes["value"] } == ["5", "out/a.pcap", "5"])
        #expect(all.first { $0.name == "error" }?.text == "gone.yaml:3:1: what is this?")
        #expect(all.filter { $0.name == "skipped" }.count == 1)
    }

    @Test("JUnit: whatever a text holds, the file stays one that can be read and says nothing else")
    func escaping() throws {
        let suite = ScenarioSuite([Self.file([Self.outcome(1, met: false, seen: Self.hostile, status: Self.hostile)])])
        let all = try elements(suite)
        #expect(all.map(\.name) == ["testsuites", "testsuite", "properties", "property", "testcase", "failure"])
        let shown = "a\"b<c>&'d]]>\\x01\\x1b[2J\u{fffd}\\u{202e}\n--"
        #expect(all[5].attributes["message"] == shown)
        #expect(all[5].text.hasSuffix("seen: \(shown)"))
    }

    @Test("TAP: the plan, a point an expectation with file and line, a block for what was seen")
    func tap() {
        let suite = ScenarioSuite([
            Self.file([Self.outcome(3), Self.outcome(9, met: false, seen: "no #1\n  ...", status: "#")], captures: ["a.pcap"]),
            Self.missing, Self.file([]),
        ])
        #expect(
            suite.tap == ##"""
                TAP version 14
                1..4
                ok 1 - home.yaml:3: after 30 s: the panel of phone desk says "Registered"
                not ok 2 - home.yaml:9: after 30 s: the panel of phone desk says "\#"
                  ---
                  expected: "after 30 s: the panel of phone desk says \"#\""
                  seen: "no #1\n  ..."
                  file: "home.yaml"
                  line: 9
                  captures: ["a.pcap"]
                  ...
                not ok 3 - gone.yaml: is a scenario
                  ---
                  error: "gone.yaml:3:1: what is this?"
                  file: "gone.yaml"
                  line: 3
                  ...
                ok 4 - home.yaml: expects something # SKIP nothing is expected

                """##)
    }

    @Test("JSON: each expectation with file and line, and where the captures are")
    func json() {
        let suite = ScenarioSuite([Self.file([Self.outcome(3)], captures: ["a.pcap"]), Self.missing])
        #expect(
            suite.json.text
                == #"{"status":64,"scenarios":[{"file":"home.yaml","scenario":"home","success":true,"seed":"5","seconds":90.5,"calls":[],"#
                + #""expectations":[{"expected":"after 30 s: the panel of phone desk says \"Registered\"","met":true,"seen":"as wanted","#
                + #""file":"home.yaml","line":3,"seconds":30}],"captures":["a.pcap"]},"#
                + #"{"file":"gone.yaml","success":false,"error":"gone.yaml:3:1: what is this?","line":3}]}"#)
    }
}
