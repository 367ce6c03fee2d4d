import Analysis
import ShowExplain
import Testing

@Suite("The report as a page")
struct ExplainPageTests {
    @Test("One page, no script, nothing fetched, ladder and time line drawn")
    func selfContained() {
        let html = ExplainPage(Cases.stale(), title: "case.pcap").html
        for needed in [
            "<!DOCTYPE html>", "name=\"viewport\"", "prefers-color-scheme:dark", "<svg class=\"ladder page\"",
            "<svg class=\"timeline\"", "What helps:",
        ] {
            #expect(html.contains(needed), "\(needed)")
        }
        for unwanted in ["<script", "http://", "https://", "url(", "@import", " src="] {
            #expect(!html.contains(unwanted), "\(unwanted)")
        }
    }

    @Test("A log without times has its ladder and its time line in the order of lines")
    func pasted() {
        let html = ExplainPage(Cases.pasted(), title: "story.txt").html
        #expect(html.contains("<svg class=\"ladder page\"") && html.contains("<svg class=\"timeline\""))
        #expect(html.contains(">this server</text>") && html.contains(">port 52899</text>"))
        #expect(!html.contains("[::]"))
    }

    @Test("Every element is closed, in order", arguments: [0, 1, 2])
    func nesting(_ which: Int) throws {
        let result = [Cases.stale(calls: 3), Cases.pasted(), Cases.healthy()][which]
        #expect(Self.firstUnclosed(ExplainPage(result, title: "x").html) == nil)
    }

    @Test("What a message smuggles in is text: tags, quotes, controls and turned writing")
    func hostile() {
        let evil = "\"><script>alert(1)</script><img src=x onerror=y>&amp;\u{202e}"
        let html = ExplainPage(Cases.stale(user: evil, display: evil), title: evil).html
        #expect(!html.contains("<script") && !html.contains("<img") && !html.contains("\u{202e}"))
        #expect(html.contains("&lt;script&gt;"))
        #expect(Self.firstUnclosed(html) == nil)
    }

    @Test("Both sides of a router field by field, streams with their plots")
    func sides() throws {
        let html = ExplainPage(try Cases.sides("call-out-udp-helper"), title: "x").html
        for needed in ["<th>Inside</th><th>Outside</th>", "<svg class=\"plot\"", "id=\"sides\"", "id=\"media\""] {
            #expect(html.contains(needed), "\(needed)")
        }
        #expect(Self.firstUnclosed(html) == nil)
    }

    /// The first tag that closes what is not open, or what is left open at the end.
    private static func firstUnclosed(_ html: String) -> String? {
        var open: [Substring] = []
        var rest = html[...]
        while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("!") || tag.hasSuffix("/") || tag.hasPrefix("meta") || tag.hasPrefix("link") { continue }
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return String(tag) }
            } else {
                open.append(tag.prefix { $0 != " " })
            }
        }
        return open.last.map(String.init)
    }
}
