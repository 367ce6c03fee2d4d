import Analysis
import ShowExplain
import ShowText
import Testing

@Suite("The report on a terminal")
struct ExplainTextTests {
    private static func text(_ result: AnalysisResult, width: Int = 100, _ options: ExplainText.Options = .init()) -> String {
        ExplainText(result, options).text(ReportStyle(isColoured: false, isUnicode: true, width: width))
    }

    @Test("Verdict and cure come first, then the source, the findings and the ladder")
    func order() throws {
        let text = Self.text(Cases.stale())
        let parts = [
            "The phone of alice@pbx.example.org sent a second REGISTER", "What helps: ", "case.pcap: 6 frames",
            "6 SIP messages, 1 dialog",
            "✗ fault  auth.stale-out-of-order", "✗ fault  nat.port-jump", "Registration of alice@pbx.example.org: ",
            "How alice@pbx.example.org registered",
        ]
        var at = text.startIndex
        for part in parts {
            let found = try #require(text[at...].firstRange(of: part), "\(part) is missing after \(text[..<at].suffix(80))")
            at = found.upperBound
        }
        #expect(text.hasPrefix(parts[0]))
    }

    @Test("Who and how sure is said in words")
    func words() {
        let text = Self.text(Cases.stale())
        #expect(text.contains("  Who   Something between 198.51.100.7:52899 and 203.0.113.10:5060."))
        #expect(text.contains("  Sure  "))
        #expect(!text.contains("not proved; proved"))
    }

    @Test("A pasted log: the phone stands left, this server right, the line numbers in place of times")
    func pasted() throws {
        let lines = Self.text(Cases.pasted()).split(separator: "\n").map(String.init)
        let heading = try #require(lines.first { $0.contains("this server") })
        #expect(
            heading.contains("phone")
                && heading.firstRange(of: "phone")!.lowerBound < heading.firstRange(of: "this server")!.lowerBound)
        #expect(
            lines.contains { $0.contains("line 3") && $0.contains("│◀") && $0.contains("401") && $0.contains("to port 52899") })
        #expect(
            lines.contains {
                $0.contains("line 15") && $0.contains("▶│") && $0.contains("REGISTER 3") && $0.contains("from port 52899")
            })
        #expect(lines.contains("How the phone registered"))
        for hidden in ["::", "0.0.0.0", "not proved; proved", " ? "] {
            #expect(!lines.contains { $0.contains(hidden) }, "\(hidden)")
        }
    }

    @Test("What a source does not show stands with it, in one place")
    func blind() {
        let text = Self.text(Cases.pasted())
        #expect(text.components(of: "capture.blind") == 0 || !text.contains("note  capture.blind"))
        #expect(text.components(of: "without a time") == 1)
    }

    @Test("Whatever the width, no line is longer", arguments: [60, 72, 80, 100, 140, 200])
    func width(_ width: Int) {
        for result in [Cases.stale(calls: 3), Cases.pasted(), Cases.healthy()] {
            for line in Self.text(result, width: width).split(separator: "\n") {
                #expect(displayWidth(String(line)) <= width, "\(line)")
            }
        }
    }

    @Test("Plain text has neither colours nor letters beyond ASCII of its own; a coloured one ends every colour")
    func plain() {
        let plain = ExplainText(Cases.stale()).text(.plain)
        #expect(plain.utf8.allSatisfy { $0 < 0x80 && ($0 >= 0x20 || $0 == 0x0a) })
        let coloured = ExplainText(Cases.stale()).text(ReportStyle(isColoured: true))
        #expect(coloured.components(of: "\u{1b}[0m") * 2 == coloured.components(of: "\u{1b}["))
        #expect(coloured.components(of: "\u{1b}[31m") > 3)
    }

    @Test("More dialogs than are drawn are told, with the way to see them")
    func limits() {
        let text = Self.text(Cases.stale(calls: 8))
        #expect(text.components(of: "Registration of ") == 3)
        #expect(text.contains("5 more dialogs with findings: --ladders 8 draws them"))
        var options = ExplainText.Options()
        options.mostLadders = 8
        #expect(Self.text(Cases.stale(calls: 8), options).components(of: "Registration of ") == 8)
    }

    @Test("Where all is well, the report is short, and healthy dialogs are drawn on demand")
    func healthy() {
        let text = Self.text(Cases.healthy())
        #expect(text.hasPrefix("Nothing is wrong with the one dialog seen.\n"))
        #expect(text.split(separator: "\n").count <= 5)
        var options = ExplainText.Options()
        options.showsHealthy = true
        #expect(Self.text(Cases.healthy(), options).contains("200 OK (1 OPTIONS)"))
    }

    @Test("Both sides of a router are one drawing with the router in the middle")
    func sides() throws {
        let text = Self.text(try Cases.sides("register-udp-helper"))
        #expect(text.components(of: "Registration of anna@pbx.example") == 1)
        #expect(text.contains("router 203.0.113.2"))
        #expect(text.contains("rewritten: Via, Contact"))
    }

    private static func text(_ result: AnalysisResult, _ options: ExplainText.Options) -> String {
        text(result, width: 100, options)
    }
}

extension String {
    func components(of part: String) -> Int { ranges(of: part).count }
}
