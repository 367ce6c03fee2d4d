import Analysis
import Base
import Capture
import Foundation

/// Files kept beside the project for several parts of it; tests that use them are skipped where they are not.
enum SharedFiles {
    /// `PINHOLE_SHARED`, or a folder `shared` in or beside a folder above this file.
    static let folder: URL? = {
        if let path = ProcessInfo.processInfo.environment["PINHOLE_SHARED"] { return URL(fileURLWithPath: path) }
        var above = URL(fileURLWithPath: #filePath)
        while above.path != "/" {
            above.deleteLastPathComponent()
            for place in [above, above.deletingLastPathComponent()].map({ $0.appendingPathComponent("shared") })
            where FileManager.default.fileExists(atPath: place.appendingPathComponent("captures").path) {
                return place
            }
        }
        return nil
    }()

    static func has(_ name: String) -> Bool { contents(name) != nil }

    static func contents(_ name: String) -> [UInt8]? {
        folder.flatMap { try? Data(contentsOf: $0.appendingPathComponent(name)) }.map { [UInt8]($0) }
    }

    /// Names of captures, without what follows the side.
    static func captures(_ part: String, _ side: String) -> [String] {
        guard let folder else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("captures").path)) ?? []
        return names.filter { $0.contains(part) && $0.hasSuffix(".\(side).pcap") }.sorted()
    }

    /// Decodes and analyses captures as the command does.
    static func analyse(_ names: [String], chunk: Int = 1 << 16) -> AnalysisResult {
        var analyzer = Analyzer(sources: names.map { SourceSummary(name: $0, kind: .capture) })
        for (file, name) in names.enumerated() { feed(contents("captures/\(name)") ?? [], file, chunk, &analyzer) }
        return analyzer.finish()
    }

    static func feed(_ bytes: [UInt8], _ file: Int, _ chunk: Int, _ analyzer: inout Analyzer) {
        var decoder = CaptureDecoder(file: file)
        var batch = PayloadBatch(capacity: 1 << 16)
        var at = 0
        while at < bytes.count {
            decoder.feed(Array(bytes[at..<min(at + chunk, bytes.count)]), into: &batch)
            analyzer.observe(batch, file: file)
            at += chunk
        }
        decoder.finish(&batch)
        analyzer.observe(batch, file: file)
        analyzer.blind(decoder.notes, in: Vantage(UInt16(file)))
    }
}
