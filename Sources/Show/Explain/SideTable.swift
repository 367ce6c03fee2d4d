import Analysis
import Base
import ShowText

/// What the box between two captures changed, field by field.
struct SideTable {
    static let mostMessages = 20

    let result: AnalysisResult

    init(_ result: AnalysisResult) { self.result = result }

    // MARK: Terminal

    func text(_ style: ReportStyle) -> String { result.sides.map { text($0, style) }.joined() }

    private func text(_ side: SideComparison, _ style: ReportStyle) -> String {
        var text = ""
        for line in wrapped(printable(heading(side)), to: style.width) { text += style.paint(line, .strong) + "\n" }
        for line in wrapped(printable(facts(side)), to: style.width) { text += line + "\n" }
        if !side.fields.isEmpty {
            let rows = side.fields.map { field in
                [
                    TextTable.Cell(printable("\(field.field)")),
                    TextTable.Cell("\(field.count)", side.box == .helper ? .warning : nil),
                    TextTable.Cell("\(field.untouched)"), TextTable.Cell(printable(field.inside)),
                    TextTable.Cell(printable(field.outside)),
                ]
            }
            text += TextTable(
                [.init("field"), .init("changed", .right), .init("untouched", .right), .init("inside"), .init("outside")], rows
            ).text(style)
        }
        for fit in side.fits.prefix(3) { text += printable(Self.fit(fit)) + "\n" }
        return text + "\n"
    }

    private func name(_ vantage: Vantage) -> String { ExplainWords.place(of: vantage, result) }

    private func heading(_ side: SideComparison) -> String {
        let what =
            switch side.box {
            case .transparent: "left every message as it was"
            case .helper: "rewrites messages that were not sent to it"
            case .proxy: "changes messages as a proxy or SBC does"
            }
        return "Both sides of a box: inside \(name(side.inside)), outside \(name(side.outside)): it \(what)"
    }

    private func facts(_ side: SideComparison) -> String {
        var text =
            "\(ExplainWords.count(side.matchedMessages, "message")) seen on both sides, \(side.changedMessages) of them changed"
        if side.insideOnly > 0 { text += ", \(side.insideOnly) seen inside only" }
        if side.outsideOnly > 0 { text += ", \(side.outsideOnly) seen outside only" }
        if let outer = side.translatedTo { text += "; outside the sender wears \(outer)" }
        text += "; the outside's clock is \(StreamTable.decimal(Double(side.clockOffset.wholeNanoseconds) / 1e6, 1)) ms ahead"
        if abs(side.clockDrift) >= 1 { text += " and gains \(StreamTable.decimal(side.clockDrift, 0)) ppm" }
        return text + (side.isInsideProved ? "." : ". Which one is the inside is not proved.")
    }

    private static func fit(_ fit: BoxFit) -> String {
        "\(fit.box): \(fit.explained) of \(fit.changes) changes explained"
            + (fit.contradicted > 0 ? ", but \(fit.contradicted) of its own missing" : "")
            + (fit.isProved ? "" : " (known by description only)")
    }

    // MARK: Page

    var html: String { result.sides.map(html).joined() }

    private func html(_ side: SideComparison) -> String {
        var text =
            "<figure>\(HTML.element("figcaption", nil, HTML.escaped(heading(side))))"
            + HTML.element("p", nil, HTML.escaped(facts(side)))
        if !side.fields.isEmpty {
            text += HTML.table(
                ["Field", "Changed", "Untouched", "Inside", "Outside"],
                side.fields.map { ["\($0.field)", "\($0.count)", "\($0.untouched)", $0.inside, $0.outside] }, values: [3, 4])
        }
        if !side.fits.isEmpty {
            text += "<ul>" + side.fits.prefix(3).map { HTML.element("li", nil, HTML.escaped(Self.fit($0))) }.joined() + "</ul>"
        }
        for message in side.messages.prefix(Self.mostMessages) {
            let places = "\(ExplainWords.place(message.insidePlace, result)), \(ExplainWords.place(message.outsidePlace, result))"
            let head = "\(message.isOutbound ? "out" : "in"): \(message.firstLine) (\(places))"
            text += "<details><summary>\(HTML.escaped(head))</summary>"
            text += HTML.table(
                ["Field", "What", "Inside", "Outside"],
                message.changes.map { ["\($0.field)", $0.kind.rawValue, $0.inside ?? "", $0.outside ?? ""] }, values: [2, 3])
            text += "</details>"
        }
        return text + "</figure>\n"
    }

    // MARK: JSON

    static func json(_ side: SideComparison, _ result: AnalysisResult) -> JSONValue {
        .object([
            ("inside", .integer(Int(side.inside.index))), ("outside", .integer(Int(side.outside.index))),
            ("insideProved", .bool(side.isInsideProved)), ("box", .string(side.box.rawValue)),
            ("clockOffset", ExplainJSON.seconds(side.clockOffset)),
            ("clockDriftPPM", .number((side.clockDrift * 100).rounded() / 100)),
            ("matchedMessages", .integer(side.matchedMessages)), ("changedMessages", .integer(side.changedMessages)),
            ("insideOnly", .integer(side.insideOnly)), ("outsideOnly", .integer(side.outsideOnly)),
            ("translatedTo", ExplainJSON.endpoint(side.translatedTo)),
            (
                "fields",
                .array(
                    side.fields.map {
                        .object([
                            ("field", .string("\($0.field)")), ("changed", .integer($0.count)),
                            ("untouched", .integer($0.untouched)),
                            ("inside", .string($0.inside)), ("outside", .string($0.outside)),
                        ])
                    })
            ),
            (
                "fits",
                .array(
                    side.fits.map {
                        .object([
                            ("box", .string($0.box)), ("explained", .integer($0.explained)), ("changes", .integer($0.changes)),
                            ("contradicted", .integer($0.contradicted)), ("proved", .bool($0.isProved)),
                        ])
                    })
            ),
            ("messages", .array(side.messages.map(json))),
        ])
    }

    private static func json(_ message: ComparedMessage) -> JSONValue {
        .object([
            ("insideFrame", .integer(Int(message.insidePlace.number))),
            ("outsideFrame", .integer(Int(message.outsidePlace.number))),
            ("outbound", .bool(message.isOutbound)), ("firstLine", .string(message.firstLine)),
            ("callID", .string(message.callID)),
            ("delay", ExplainJSON.seconds(message.delay)),
            (
                "changes",
                .array(
                    message.changes.map {
                        .object([
                            ("field", .string("\($0.field)")), ("kind", .string($0.kind.rawValue)),
                            ("inside", ExplainJSON.text($0.inside)), ("outside", ExplainJSON.text($0.outside)),
                        ])
                    })
            ),
        ])
    }
}
