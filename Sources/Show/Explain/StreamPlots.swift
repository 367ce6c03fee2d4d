import Analysis
import Base
import ShowText

/// Loss and jitter of RTP streams over time: a table of all, and a plot for each of the worst.
struct StreamPlots {
    static let mostPlots = 12
    static let mostRows = 200

    let html: String

    init(_ result: AnalysisResult) {
        guard !result.streams.isEmpty else {
            html = ""
            return
        }
        let ordered = StreamTable.ordered(result.streams)
        var text = HTML.table(
            ["From", "To", "Codec", "Packets", "Lost", "Longest run", "Late", "Out of order", "Jitter, mean / most", "MOS"],
            ordered.prefix(Self.mostRows).map { stream in
                [
                    "\(stream.source)", "\(stream.destination)", StreamTable.codec(stream), "\(stream.packets)",
                    StreamTable.loss(stream),
                    "\(stream.bursts.longestRun)", "\(stream.late)", "\(stream.outOfOrder)", StreamTable.jitter(stream) + " ms",
                    stream.meanOpinionScore.map { StreamTable.decimal($0, 1) } ?? "",
                ]
            }, values: [0, 1])
        if ordered.count > Self.mostRows {
            text += HTML.element("p", "dim", "\(ordered.count - Self.mostRows) more streams not listed.")
        }
        for stream in ordered.prefix(Self.mostPlots) where stream.bins.count > 1 {
            let title = "\(stream.source) → \(stream.destination), \(StreamTable.codec(stream))"
            text +=
                "<figure><figcaption>\(HTML.escaped(title))</figcaption><div class=\"wide\">\(Self.plot(stream, title))</div></figure>\n"
        }
        html = text
    }

    /// Bars from the top: share of packets lost. Line: jitter.
    static func plot(_ stream: StreamSummary, _ title: String) -> String {
        let (width, height, left, right) = (500.0, 150.0, 46.0, 52.0)
        let (top, bottom) = (12.0, height - 24)
        var svg = SVG(width: width, height: height, title: "Loss and jitter of \(title)", kind: "plot")
        let bins = stream.bins
        let step = (width - left - right) / Double(bins.count)
        let mostJitter = max(5, Double(bins.map(\.jitter).max() ?? 0))
        let mostLoss = max(0.05, bins.map(share).max() ?? 0)
        svg.line(left, bottom, width - right, bottom, "axis")
        svg.line(left, top, left, bottom, "axis")
        svg.line(width - right, top, width - right, bottom, "axis")
        svg.text(left - 4, top + 8, "\(StreamTable.decimal(100 * mostLoss, 0)) %", "dim", anchor: "end")
        svg.text(left - 4, bottom, "lost", "dim", anchor: "end")
        svg.text(width - right + 4, top + 8, "\(StreamTable.decimal(mostJitter, 0)) ms", "dim")
        svg.text(width - right + 4, bottom, "jitter", "dim")
        var points: [(x: Double, y: Double)] = []
        for (index, bin) in bins.enumerated() {
            let x = left + Double(index) * step
            let lost = share(bin)
            if lost > 0 {
                let tall = (bottom - top) * lost / mostLoss
                svg.bar(
                    x + step * 0.1, bottom - tall, step * 0.8, tall, "loss",
                    hint: "\(bin.lost) of \(bin.expected) packets lost after \(ExplainWords.duration(stream.binWidth * index))")
            }
            if bin.expected > 0 { points.append((x + step / 2, bottom - (bottom - top) * Double(bin.jitter) / mostJitter)) }
        }
        svg.path(points, "jitter")
        svg.text(left, height - 8, "0 s", "dim")
        svg.text(width - right, height - 8, ExplainWords.duration(stream.binWidth * bins.count), "dim", anchor: "end")
        return svg.text
    }

    private static func share(_ bin: StreamSummary.Bin) -> Double {
        bin.expected == 0 ? 0 : min(1, Double(bin.lost) / Double(bin.expected))
    }
}
