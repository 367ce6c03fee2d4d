import Analysis
import Capture
import Fixtures
import ShowExplain
import Testing

@Suite("The report as JSON")
struct ExplainJSONTests {
    private static func faults(_ result: AnalysisResult) throws -> [String] {
        try SchemaCheck().faults(ExplainJSON(result).value.text)
    }

    @Test("It is what docs/explain.schema.json says, member by member")
    func documented() throws {
        for result in [Cases.stale(calls: 2), Cases.pasted(), Cases.healthy()] { #expect(try Self.faults(result) == []) }
    }

    @Test("Recordings of both sides too: streams, sides, fits", arguments: Recording.names)
    func real(_ name: String) throws { #expect(try Self.faults(Cases.sides(name)) == []) }

    @Test("Messages that prove an accusation are marked, others are not")
    func accused() {
        let text = ExplainJSON(Cases.stale()).value.text
        #expect(text.components(of: "\"accused\":true") > 2)
        #expect(!ExplainJSON(Cases.healthy()).value.text.contains("\"accused\":true"))
    }

    @Test("A source says what its times are good for", arguments: ["2026-11-29 12:00:00", "Nov 29 12:00:00", "12:00:00", ""])
    func clock(_ stamp: String) throws {
        let head = stamp.isEmpty ? "" : "[\(stamp)] VERBOSE[1] x.c: "
        var reader = LogReader()
        reader.read(
            Array(
                "\(head)<--- Received SIP request (99 bytes) from UDP:192.0.2.7:5060 --->\nOPTIONS sip:a@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n"
                    .utf8))
        reader.finish()
        var analyzer = Analyzer(sources: [SourceSummary(name: "a.log", kind: .log)])
        while let item = reader.nextItem() { analyzer.observe(item, file: 0) }
        let text = ExplainJSON(analyzer.finish()).value.text
        let expected = [
            "2026-11-29 12:00:00": "\"unzoned\"", "Nov 29 12:00:00": "\"noYear\"", "12:00:00": "\"noDate\"", "": "null",
        ]
        #expect(text.contains("\"clock\":\(expected[stamp]!)"))
    }

    @Test("Captures count moments")
    func captureClock() throws {
        #expect(ExplainJSON(try Cases.sides("call-in-udp-plain")).value.text.contains("\"clock\":\"utc\""))
    }

    @Test("The check itself finds a missing, a strange and a wrong member")
    func check() throws {
        let text = ExplainJSON(Cases.stale()).value.text
        for (from, to, fault) in [
            ("\"verdict\"", "\"verdikt\"", "$.verdict is missing"),
            ("\"severity\":\"fault\"", "\"severity\":\"awful\"", "$.findings[0].severity: \"awful\" is none of the values"),
            ("\"confidence\":", "\"weather\":1,\"confidence\":", "$.findings[0].weather is not documented"),
            ("\"accuses\":true", "\"accuses\":1", "$.accuses: is [\"integer\", \"number\"], not [\"boolean\"]"),
        ] {
            #expect(text.contains(from))
            #expect(try SchemaCheck().faults(text.replacing(from, with: to)).contains(fault), "\(fault)")
        }
    }

    @Test("The schema's name is the one in the output, and every finding's name is in it")
    func names() throws {
        let schema = try SchemaCheck().root
        #expect(schema["$id"] as? String == ExplainJSON.schema)
        let finding = (schema["$defs"] as? [String: Any])?["finding"] as? [String: Any]
        let name = (finding?["properties"] as? [String: Any])?["name"] as? [String: Any]
        #expect(name?["enum"] as? [String] == FindingName.allCases.map(\.rawValue))
    }
}
