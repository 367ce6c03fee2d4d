import Testing

@testable import Capture

@Suite("Addresses that a page made links of")
struct LinkTests {
    @Test(
        "a link that repeats its text is its text; all else stays",
        arguments: [
            ("To: <[sip:a@b.example](sip:a@b.example)>", "To: <sip:a@b.example>"),
            ("[a@b](mailto:a@b) and [c@d](mailto:c@d)", "a@b and c@d"), ("[x](http://elsewhere)", "[x](http://elsewhere)"),
            ("[[a](a)", "[a"), ("[a](b [c](c)", "[a](b c"), ("[](a)", "[](a)"), ("](", "]("), ("[a](a", "[a](a"), ("", ""),
        ])
    func text(line: String, plain: String) {
        #expect(String(decoding: LogTypography.withoutLinks(Array(line.utf8)), as: UTF8.self) == plain)
    }

    @Test("a long line of nothing but beginnings is gone through once")
    func hostile() {
        for piece in ["[", "](", "[a](", "[[]("] {
            let line = Array(String(repeating: piece, count: 65_536 / piece.utf8.count).utf8) + Array("](".utf8)
            #expect(LogTypography.withoutLinks(line) == line)
        }
    }
}
