import Analysis
import Base
import Capture
import Lab

/// A world explained by the rules that judge anybody's captures: from what its links recorded, or from what its servers noticed.
///
/// The analysis is told nothing that a capture would not tell.
public enum LabExplanation {
    /// Links as they were recorded, in the order given; two that show both sides of a router are held against each other.
    public static func ofCaptures(_ captures: [(link: String, pcap: [UInt8])], _ options: AnalysisOptions = AnalysisOptions())
        -> AnalysisResult
    {
        var analyzer = Analyzer(
            sources: captures.map { SourceSummary(name: "link \($0.link)", kind: .capture) }, options: options)
        for (index, capture) in captures.enumerated() {
            var decoder = CaptureDecoder(file: index)
            var batch = PayloadBatch()
            // In pieces, as a file would be read.
            for start in stride(from: 0, to: capture.pcap.count, by: 1 << 20) {
                decoder.feed(Array(capture.pcap[start..<min(start + 1 << 20, capture.pcap.count)]), into: &batch)
                analyzer.observe(batch, file: index)
            }
            decoder.finish(&batch)
            analyzer.observe(batch, file: index)
            analyzer.blind(decoder.notes, in: Vantage(UInt16(index)))
        }
        return analyzer.finish()
    }

    /// What one server's traces say: the messages it received and sent, and nothing it concluded from them.
    public static func ofTraces(_ records: [LabRecord], of server: BoxID, named name: String) -> AnalysisResult {
        var live = LiveAnalysis(name: name)
        for record in records where record.box == server {
            if case .server(let trace) = record.trace { live.observe(trace, at: record.at) }
        }
        return live.result()
    }
}
