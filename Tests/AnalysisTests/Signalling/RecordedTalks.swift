import Analysis
import Base
import Capture
import Fixtures

extension Recording {
    /// One side's name as a capture file.
    static func file(_ name: String, _ side: Side) -> String { "\(name).\(side).pcap" }

    /// Decodes and analyses sides of recordings as the command does captures.
    static func analyse(
        _ sides: [(name: String, side: Side)], chunk: Int = 1 << 16, isReadAhead: Bool = false
    ) throws -> AnalysisResult {
        var analyzer = Analyzer(sources: sides.map { SourceSummary(name: file($0.name, $0.side), kind: .capture) })
        for (number, seen) in sides.enumerated() {
            feed(try Recording(seen.name).pcap(seen.side), number, chunk, isReadAhead, &analyzer)
        }
        return analyzer.finish()
    }

    private static func feed(_ bytes: [UInt8], _ file: Int, _ chunk: Int, _ isReadAhead: Bool, _ analyzer: inout Analyzer) {
        var decoder = CaptureDecoder(file: file)
        var batch = PayloadBatch(capacity: 1 << 16)
        var reading = BatchReading()
        var at = 0
        while at < bytes.count {
            decoder.feed(Array(bytes[at..<min(at + chunk, bytes.count)]), into: &batch)
            if isReadAhead { reading.read(batch) }
            analyzer.observe(batch, reading, file: file)
            at += chunk
        }
        decoder.finish(&batch)
        if isReadAhead { reading.read(batch) }
        analyzer.observe(batch, reading, file: file)
        analyzer.blind(decoder.notes, in: Vantage(UInt16(file)))
    }
}
