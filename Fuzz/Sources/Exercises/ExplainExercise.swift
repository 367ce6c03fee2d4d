import Analysis
import Base
import Capture
import Redaction
import ShowExplain

/// Runs all of `explain` over `bytes` as over a file, for fuzzers: whatever they are, there is a report, and an excerpt has the frames that
/// the capture had.
package func exerciseExplain(_ bytes: [UInt8]) {
    let kind = InputKind.detect(bytes)
    var analyzer = Analyzer(
        sources: [SourceSummary(name: "input", kind: kind == .textLog ? .log : .capture)],
        options: AnalysisOptions(passwords: ["100": "secret"], textBudget: 65_536))
    switch kind {
    case .textLog:
        var reader = LogReader()
        reader.read(bytes)
        reader.finish()
        while let item = reader.nextItem() { analyzer.observe(item, file: 0) }
    case .hep:
        var decoder = HEPDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        bytes.withUnsafeBytes { decoder.stream($0, into: &batch) }
        analyzer.observe(batch, file: 0)
        decoder.finish()
        analyzer.blind(decoder.notes, in: Vantage(0))
    case .hexDump:
        var decoder = HexDumpDecoder()
        var batch = PayloadBatch(capacity: 65_536)
        decoder.begin(&batch)
        bytes.withUnsafeBytes { decoder.read($0, into: &batch) }
        decoder.finish(&batch)
        analyzer.observe(batch, file: 0)
        analyzer.blind(decoder.notes, in: Vantage(0))
    case .pcap, .pcapng, .compressed, .archive, .foreign, .empty, .unknown:
        let notes = decode(bytes) { analyzer.observe($0, file: 0) }
        analyzer.blind(notes, in: Vantage(0))
    }
    let result = analyzer.finish()
    precondition(!result.verdict.isEmpty, "no verdict")
    precondition(!ExplainText(result).text().isEmpty, "no report")
    _ = ExplainPage(result, title: "input").html
    _ = ExplainJSON(result).value.prettyText
    guard kind.isCapture else { return }
    let everything = ExplainFilter(from: Instant(nanoseconds: .min))
    var plan = ExcerptPlan(
        ExcerptSelection(result, filter: everything, file: 0),
        redactor: Redactor(entropy: Entropy(seed: [UInt8](repeating: 1, count: 32))))
    _ = decode(bytes) { plan.add($0) }
    var writer = ExcerptWriter(plan)
    var excerpt: [UInt8] = []
    _ = decode(bytes) { excerpt += writer.octets($0) }
    excerpt += writer.ending()
    let count = writer.count
    let again = decode(excerpt) { _ in }
    precondition(again.frames == UInt64(count), "the excerpt holds other frames than were written")
}

private func decode(_ bytes: [UInt8], _ body: (borrowing PayloadBatch) -> Void) -> CaptureNotes {
    var decoder = CaptureDecoder()
    var batch = PayloadBatch(capacity: 65_536)
    batch.keepsFrames = true
    decoder.feed(bytes, into: &batch)
    body(batch)
    decoder.finish(&batch)
    body(batch)
    return decoder.notes
}
