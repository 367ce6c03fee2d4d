import Analysis
import Base
import ReportText

/// RTP streams, one a row.
struct StreamTable {
    let streams: [StreamSummary]

    init(_ result: AnalysisResult) { streams = result.streams }

    static func json(_ stream: StreamSummary) -> JSONValue {
        .object([
            ("ssrc", .integer(Int(stream.ssrc))), ("source", ExplainJSON.endpoint(stream.source)),
            ("destination", ExplainJSON.endpoint(stream.destination)), ("file", .integer(Int(stream.vantage.index))),
            ("dialog", stream.dialog.map { .integer($0) } ?? .null), ("packets", .integer(stream.packets)),
        ])
    }

    func text(_ style: ReportStyle) -> String { "" }
}

struct StreamPlots {
    let html = ""
    init(_ result: AnalysisResult) {}
}

struct SideTable {
    let html = ""
    init(_ result: AnalysisResult) {}
    static func json(_ side: SideComparison, _ result: AnalysisResult) -> JSONValue { .object([]) }
    func text(_ style: ReportStyle) -> String { "" }
}
