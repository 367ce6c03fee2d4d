import Fixtures
import Foundation
import Lab
import ShowLab
import ShowText
import Testing

/// What the demo prints, to the byte: `Demo/short.txt` and `Demo/full.txt` beside this file. After a change that is meant, they are made anew by
///
///     LANG=C.UTF-8 COLUMNS=100 .build/debug/pinhole-demo > Tests/Show/LabTests/Demo/short.txt
///     LANG=C.UTF-8 COLUMNS=100 .build/debug/pinhole-demo --full > Tests/Show/LabTests/Demo/full.txt
@Suite struct DemoReportTests {
    private static let chapters = Story().play()
    private static let matrix = MatrixReport(Matrix(), MatrixCell.all.map { Matrix().run($0) })
    private static let conference = ConferenceReport(Conference().hold())
    private static let style = ReportStyle(isUnicode: true, width: 100)

    private func told(isFull: Bool, _ style: ReportStyle = style) -> String {
        let demo = DemoReport(isFull: isFull)
        return demo.story(Self.chapters, style) + demo.matrix(Self.matrix, style) + demo.conference(Self.conference, style)
    }

    private func expected(_ name: String) throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Demo/\(name).txt")
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// Line by line, so that a failure shows the line.
    private func compare(_ text: String, _ name: String) throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let wanted = try expected(name).split(separator: "\n", omittingEmptySubsequences: false)
        for (number, pair) in zip(lines, wanted).enumerated() where pair.0 != pair.1 {
            Issue.record("\(name).txt:\(number + 1): expected \"\(pair.1)\", found \"\(pair.0)\"")
            return
        }
        #expect(lines.count == wanted.count, "\(name).txt")
    }

    @Test("the demo prints the short story, the matrix, the conference and what comes next")
    func short() throws { try compare(told(isFull: false), "short") }

    @Test("in full the demo tells all, the 1,095 lines")
    func full() throws {
        let text = told(isFull: true)
        try compare(text, "full")
        #expect(text.count(where: { $0 == "\n" }) == 1_095)
    }

    @Test("each act's ladder has fewer than 40 lines and is followed by the panel", arguments: [80, 100, 120])
    func patience(width: Int) throws {
        let style = ReportStyle(isUnicode: true, width: width)
        var options = StoryReport.Options()
        options.isBrief = true
        options.showsRegisters = false
        for chapter in Self.chapters {
            var ladder = LabLadder.Options()
            ladder.isBrief = true
            let drawn = LabLadder(chapter.records, of: chapter.world, from: chapter.start, ladder).text(style)
            #expect(drawn.count(where: { $0 == "\n" }) < 40, "act \(chapter.act)")
            let told = StoryReport(Self.chapters, options).text(chapter, style)
            let after = try #require(told.range(of: drawn)?.upperBound)
            #expect(told[after...].hasPrefix("\n┌─ phone, at the act's end"), "act \(chapter.act)")
        }
    }

    @Test("a brief ladder shows each message once, from the phone to the server and back, when it arrives")
    func brief() throws {
        let chapter = Self.chapters[0]
        var options = LabLadder.Options()
        options.isBrief = true
        let ladder = LabLadder(chapter.records, of: chapter.world, from: chapter.start, options).ladder
        #expect(ladder.participants == ["phone", "router", "server", "stun"])
        let arrows = ladder.events.compactMap { event -> String? in
            guard case .arrow(let from, let to, let label) = event.kind else { return nil }
            return "\(event.at.wholeMilliseconds) \(from)\(to) \(label)"
        }
        #expect(
            arrows == [
                "20 02 REGISTER 1 :52899", "40 30 STUN :52898", "61 02 REGISTER 2 :52896", "240 20 401",
                "260 02 REGISTER 3 :52899",
                "281 20 401", "480 20 401",
            ])
    }

    @Test("colours change nothing but colours, and plain text holds no sign beyond ASCII")
    func plain() {
        let coloured = told(isFull: false, ReportStyle(isColoured: true, isUnicode: false, width: 100))
        let plain = told(isFull: false, ReportStyle(isUnicode: false, width: 100))
        #expect(withoutColours(coloured) == plain)
        #expect(coloured != plain)
        #expect(plain.utf8.allSatisfy { $0 < 0x80 })
    }
}
