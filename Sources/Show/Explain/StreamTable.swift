import Analysis
import Base
import ShowText

/// RTP streams, one a row: who to whom, codec, packets, loss, jitter, how it sounds.
struct StreamTable {
    static let mostRows = 40

    let streams: [StreamSummary]

    init(_ result: AnalysisResult) { streams = result.streams }

    func text(_ style: ReportStyle) -> String {
        guard !streams.isEmpty else { return "" }
        // On a narrow screen addresses matter more.
        let isWide = style.width >= 96
        var columns: [TextTable.Column] = [
            .init("from"), .init("to"), .init("codec"), .init("packets", .right), .init("lost", .right),
        ]
        if isWide { columns += [.init("longest", .right), .init("late", .right)] }
        columns += [.init("jitter ms", .right), .init("MOS", .right)]
        let rows = Self.ordered(streams).prefix(Self.mostRows).map { stream -> [TextTable.Cell] in
            let isBad = (stream.meanOpinionScore ?? 5) < 3.9 || stream.lossRate >= 0.02
            var cells = [
                TextTable.Cell("\(stream.source)"), TextTable.Cell("\(stream.destination)"),
                TextTable.Cell(Self.codec(stream)), TextTable.Cell("\(stream.packets)"),
                TextTable.Cell(Self.loss(stream), isBad ? .bad : nil),
            ]
            if isWide { cells += [TextTable.Cell("\(stream.bursts.longestRun)"), TextTable.Cell("\(stream.late)")] }
            let score = stream.meanOpinionScore.map { Self.decimal($0, 1) } ?? ""
            return cells + [TextTable.Cell(Self.jitter(stream)), TextTable.Cell(score, isBad ? .bad : .good)]
        }
        var text = style.paint("RTP streams", .strong) + "\n" + TextTable(columns, Array(rows)).text(style)
        if streams.count > Self.mostRows {
            text += style.paint("\(streams.count - Self.mostRows) more streams not shown.", .dim) + "\n"
        }
        return text + "\n"
    }

    /// Those that sound worst first, then in order of time.
    static func ordered(_ streams: [StreamSummary]) -> [StreamSummary] {
        let bad = streams.filter { isWorthALook($0) }.sorted { ($0.lossRate + $0.lateRate) > ($1.lossRate + $1.lateRate) }
        return bad + streams.filter { !isWorthALook($0) }
    }

    static func isWorthALook(_ stream: StreamSummary) -> Bool { stream.lossRate + stream.lateRate >= 0.01 }

    static func codec(_ stream: StreamSummary) -> String {
        let name =
            stream.codec
            ?? (stream.clockRate > 0 ? "type \(stream.payloadType), \(stream.clockRate) Hz" : "type \(stream.payloadType)")
        guard stream.isEncrypted else { return name }
        switch stream.protection?.kind {
        case .sdes: return name + " (SRTP, SDES)"
        case .dtls: return name + " (SRTP, DTLS)"
        case Optional.none, .some(.none): return name + " (SRTP)"
        }
    }

    static func loss(_ stream: StreamSummary) -> String {
        stream.lost == 0 ? "0" : "\(stream.lost) (\(decimal(100 * Double(stream.lost) / Double(max(1, stream.expected)), 1)) %)"
    }

    static func jitter(_ stream: StreamSummary) -> String {
        "\(decimal(stream.meanJitter, 1)) / \(decimal(stream.maximumJitter, 1))"
    }

    /// With so many decimals; never in exponents.
    static func decimal(_ value: Double, _ places: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "?" }
        let factor = places == 0 ? 1.0 : places == 1 ? 10.0 : 100.0
        let whole = Int((abs(value) * factor).rounded())
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(whole)" }
        let rest = "\(whole % Int(factor))"
        return "\(sign)\(whole / Int(factor)).\(String(repeating: "0", count: max(0, min(places, 2) - rest.count)))\(rest)"
    }

    // MARK: JSON

    static func json(_ stream: StreamSummary) -> JSONValue {
        .object([
            ("ssrc", .integer(Int(stream.ssrc))), ("source", ExplainJSON.endpoint(stream.source)),
            ("destination", ExplainJSON.endpoint(stream.destination)), ("file", .integer(Int(stream.vantage.index))),
            ("dialog", stream.dialog.map { .integer($0) } ?? .null), ("speaker", ExplainJSON.text(stream.speaker?.rawValue)),
            ("firstFrame", .integer(Int(stream.firstPlace.number))), ("lastFrame", .integer(Int(stream.lastPlace.number))),
            ("first", ExplainJSON.time(stream.first)), ("last", ExplainJSON.time(stream.last)),
            ("codec", ExplainJSON.text(stream.codec)), ("payloadType", .integer(Int(stream.payloadType))),
            ("clockRate", .integer(stream.clockRate)), ("packetTime", ExplainJSON.seconds(stream.packetTime)),
            ("encrypted", .bool(stream.isEncrypted)), ("protection", ExplainJSON.protection(stream.protection)),
            ("packets", .integer(stream.packets)),
            ("expected", .integer(stream.expected)),
            ("lost", .integer(stream.lost)), ("lostByCapture", .integer(stream.lostByCapture)), ("late", .integer(stream.late)),
            ("outOfOrder", .integer(stream.outOfOrder)), ("duplicates", .integer(stream.duplicates)),
            ("restarts", .integer(stream.restarts)), ("suppressesSilence", .bool(stream.suppressesSilence)),
            ("longestSilence", ExplainJSON.seconds(stream.longestSilence)),
            (
                "bursts",
                .object([
                    ("count", .integer(stream.bursts.count)), ("meanLength", .number(rounded(stream.bursts.length))),
                    ("density", .number(rounded(stream.bursts.density))),
                    ("gapDensity", .number(rounded(stream.bursts.gapDensity))),
                    ("longestRun", .integer(stream.bursts.longestRun)), ("burstRatio", .number(rounded(stream.bursts.ratio))),
                ])
            ),
            ("jitter", .number(rounded(stream.jitter))), ("meanJitter", .number(rounded(stream.meanJitter))),
            ("maximumJitter", .number(rounded(stream.maximumJitter))),
            ("rating", stream.rating.map { .number(rounded($0)) } ?? .null),
            ("mos", stream.meanOpinionScore.map { .number(rounded($0)) } ?? .null),
            ("remote", stream.remote.map(remote) ?? .null),
        ])
    }

    private static func remote(_ view: StreamSummary.RemoteView) -> JSONValue {
        .object([
            ("frame", .integer(Int(view.place.number))), ("reports", .integer(view.reports)),
            ("packetsLost", .integer(view.packetsLost)),
            ("worstFractionLost", .number(rounded(view.worstFractionLost))), ("jitter", .number(rounded(view.jitter))),
            ("roundTrip", ExplainJSON.seconds(view.roundTrip)),
        ])
    }

    private static func rounded(_ value: Double) -> Double { value.isFinite ? (value * 1_000).rounded() / 1_000 : 0 }
}
