import Base
import Fixtures
import ShowText
import Testing

@Suite struct JSONValueTests {
    @Test("members keep their order, texts are escaped, numbers are valid JSON")
    func compact() {
        let value = JSONValue.object([
            ("zebra", 1), ("apple", .array([.null, true, .number(0.5), .number(3), .number(.nan)])),
            ("text", "a\"b\\c\n\t\u{1}\u{7f}é"), ("empty", .object([])), ("none", .array([])),
        ])
        #expect(
            value.text
                == #"{"zebra":1,"apple":[null,true,0.5,3,null],"text":"a\"b\\c\n\t\u0001\u007fé","empty":{},"none":[]}"#)
    }

    @Test("pretty text indents by two")
    func pretty() {
        let value = JSONValue.object([("a", .array([1, 2])), ("b", .object([]))])
        #expect(value.prettyText == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}")
    }
}

@Suite struct TextTableTests {
    @Test("columns are as wide as their widest cell; the last one has no trailing spaces")
    func plain() {
        #expect(
            textTable(["user", "port"], [["alice", "5060"], ["bo", "1"]])
                == "user   port\n-----  ----\nalice  5060\nbo     1")
    }

    @Test("numbers align to the right, wide characters count two")
    func alignment() {
        let table = TextTable([.init("n", .right), .init("name")], [["5", "日本"], ["55", "a"]])
        #expect(table.text() == " n  name\n--  ----\n 5  日本\n55  a\n")
    }

    @Test("what does not fit is wrapped in the widest column, never cut")
    func wrapping() {
        let table = TextTable(
            ["a", "b"].map { TextTable.Column($0) }, [["x", TextTable.Cell("one two three four five six seven eight nine")]])
        let text = table.text(ReportStyle(isUnicode: false, width: 40))
        #expect(text == "a  b\n-  -------------------------------------\nx  one two three four five six seven\n   eight nine\n")
        for line in text.split(separator: "\n") { #expect(displayWidth(String(line)) <= 40) }
    }

    @Test("a peer's escape sequences do not reach the terminal")
    func hostile() {
        let text = textTable(["agent"], [["\u{1b}[2Jevil\r\n\u{202e}"]])
        #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"))
        #expect(text.hasSuffix(#"\x1b[2Jevil\x0d\x0a\u{202e}"#))
    }

    @Test("colours surround texts and leave the layout as it is")
    func colours() {
        let table = TextTable([.init("a"), .init("b")], [[TextTable.Cell("x", .good), "y"]])
        let coloured = table.text(ReportStyle(isColoured: true, isUnicode: false))
        #expect(coloured.contains("\u{1b}[32mx\u{1b}[0m  y"))
        #expect(withoutColours(coloured) == table.text())
    }

    @Test("rows with too few or too many cells are no trouble")
    func ragged() {
        #expect(textTable(["a", "b"], [["1"], ["1", "2", "3"], []]) == "a  b\n-  -\n1\n1  2")
        #expect(TextTable([], [["1"]]).text() == "")
    }
}

@Suite struct LadderTests {
    private static let ladder = Ladder(
        ["phone", "router", "server"],
        [
            .init(.zero, .arrow(from: 0, to: 1, label: "REGISTER 1"), "no credentials"),
            .init(.milliseconds(1), .arrow(from: 1, to: 2, label: "REGISTER 1")),
            .init(.milliseconds(40), .arrow(from: 2, to: 1, label: "401")),
            .init(.milliseconds(41), .mark(at: 1), "held back"),
            .init(.seconds(3725), .lost(from: 0, to: 2, label: "OPTIONS")),
            .init(.seconds(3725), .heading("the end")),
        ])

    @Test("plain ASCII: arrows with labels between lifelines, time left, remarks right, pauses told")
    func ascii() {
        #expect(
            Self.ladder.text(ReportStyle(isUnicode: false, width: 100)) == """
                             phone          router          server
                               |               |               |
                      0.000    |- REGISTER 1 ->|               |    no credentials
                      0.001    |               |- REGISTER 1 ->|
                      0.040    |               |<---- 401 -----|
                      0.041    |               *               |    held back
                               |               |               |    62 min 4 s later
                1:02:05.000    |----------- OPTIONS ----------x|
                -- 1:02:05.000 -- the end

                """)
    }

    @Test("where a label does not fit its short form is taken, and only then is it cut")
    func brief() {
        func drawn(_ brief: String?) -> Bool {
            let event = Ladder.Event(.zero, .arrow(from: 0, to: 1, label: String(repeating: "REGISTER ", count: 5)), brief: brief)
            return Ladder(["a", "b"], [event]).text(ReportStyle(isUnicode: false, width: 50)).contains("REG 1")
        }
        #expect(drawn("REG 1"))
        #expect(!drawn(nil))
    }

    @Test("Unicode and ASCII have the same shape")
    func unicode() {
        let unicode = Self.ladder.text(ReportStyle(isUnicode: true, width: 100))
        let ascii = Self.ladder.text(ReportStyle(isUnicode: false, width: 100))
        #expect(unicode.contains("│─ REGISTER 1 ─▶│") && unicode.contains("│◀──── 401 ─────│"))
        #expect(
            unicode.split(separator: "\n").map { displayWidth(String($0)) }
                == ascii.split(separator: "\n").map { displayWidth(String($0)) })
    }

    @Test("no line is wider than the style allows; long remarks wrap beside unbroken lifelines", arguments: [80, 100, 140])
    func widths(width: Int) {
        var ladder = Self.ladder
        ladder.events[0].remark = String(repeating: "many words that go on ", count: 8)
        ladder.events[1].kind = .arrow(from: 1, to: 2, label: String(repeating: "x", count: 90))
        let lines = ladder.text(ReportStyle(isUnicode: true, width: width)).split(separator: "\n").map(String.init)
        for line in lines { #expect(displayWidth(line) <= width, "\(line)") }
        #expect(lines.filter { $0.contains("many words") || $0.contains("go on") }.allSatisfy { $0.contains("│") })
    }

    @Test("participants that do not exist, hostile labels and empty ladders do no harm")
    func hostile() {
        let ladder = Ladder(
            ["a", "b"],
            [
                .init(.zero, .arrow(from: 0, to: 7, label: "x")), .init(.zero, .arrow(from: 1, to: 1, label: "x")),
                .init(.zero, .mark(at: -1)), .init(.seconds(-5), .arrow(from: 0, to: 1, label: "\u{1b}[31m")),
                .init(.zero, .arrow(from: 0, to: 1, label: "日本日本日本日本日本日本日本日本日本日本日本")),
            ])
        let text = ladder.text(ReportStyle(isUnicode: true, width: 60))
        #expect(!text.contains("\u{1b}"))
        #expect(text.split(separator: "\n").count == 5)
        #expect(Ladder([]).text() == "")
    }

    @Test("colours change nothing but colours")
    func colours() {
        var ladder = Self.ladder
        for index in ladder.events.indices { ladder.events[index].tone = .bad }
        let coloured = ladder.text(ReportStyle(isColoured: true, isUnicode: true))
        #expect(coloured.contains("\u{1b}[31m"))
        #expect(withoutColours(coloured) == ladder.text(ReportStyle(isColoured: false, isUnicode: true)))
    }
}

@Suite struct CalendarTimeTests {
    @Test(
        "instants read as dates, leap days and times before 1970 included",
        arguments: [
            (Instant(seconds: 0), "1970-01-01 00:00:00.000"),
            (Instant(seconds: 1_184_148_108), "2007-07-11 10:01:48.000"),
            (Instant(nanoseconds: 951_782_399_999_000_000), "2000-02-28 23:59:59.999"),
            (Instant(seconds: 951_782_400), "2000-02-29 00:00:00.000"),
            (Instant(seconds: 1_709_251_199), "2024-02-29 23:59:59.000"),
            (Instant(nanoseconds: -1_000_000), "1969-12-31 23:59:59.999"),
            (Instant(seconds: 4_102_444_800), "2100-01-01 00:00:00.000"),
        ])
    func dates(instant: Instant, text: String) {
        #expect(CalendarTime(instant).description == text)
    }
}
