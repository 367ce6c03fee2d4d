import Analysis
import Base
import CaptureInput
import Glibc
import Redaction
import ShowExplain
import ShowText
import TerminalEdge

/// Where the result goes: terminal, page, JSON, capture.
struct ExplainOutput {
    let html: String?
    let isJSON: Bool
    let pcap: String?
    let isRedacted: Bool
    let isPlain: Bool
    let ladders: Int
    let showsHealthy: Bool

    /// `copies`: the inputs once more, where they are captures.
    func show(_ whole: AnalysisResult, _ timeFilter: ExplainTimeFilter, _ copies: [ByteCopy?]) -> ExplainStatus {
        let filter = timeFilter.settled(for: whole)
        var result = filter.filtered(whole)
        // A healthy capture asked for one finding is healthy; one asked for somebody who is not in it holds nothing.
        let isEmptied = result.emptiedBy != nil && filter.findings.isEmpty
        let status: ExplainStatus =
            result.hasAccusations
            ? .accuses : isEmptied ? .nothing : result.hasSubject ? .clean : result.isUnread ? .unread : .nothing
        var redactor = isRedacted ? Redactor(entropy: Entropy(seed: (0..<32).map { _ in UInt8.random(in: 0...255) })) : nil
        var isWritten = true
        if redactor != nil { result = redactor!.redact(result) }
        if let pcap { isWritten = PcapExport(path: pcap, filter: filter).write(whole, copies, redactor) }
        if let html {
            let title = result.sources.filter { $0.holder == nil }.map { Self.fileName($0.name) }.joined(separator: ", ")
            isWritten = Self.write(ExplainPage(result, title: title).html, toFile: html) && isWritten
        }
        if isJSON {
            Self.write(ExplainJSON(result).value.prettyText + "\n", to: STDOUT_FILENO)
        } else {
            var options = ExplainText.Options()
            options.mostLadders = ladders
            options.showsHealthy = showsHealthy
            Self.write(ExplainText(result, options).text(Terminal.style(noColor: isPlain)), to: STDOUT_FILENO)
        }
        return isWritten ? status : .unread
    }

    static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    // MARK: Writing

    /// An error of ours, on standard error.
    static func complain(_ text: String) { write("pinhole explain: \(printable(text))\n", to: STDERR_FILENO) }

    /// A remark while it runs, on standard error.
    static func tell(_ text: String) { write("\(printable(text))\n", to: STDERR_FILENO) }

    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in _ = write(UnsafeRawBufferPointer(bytes), to: descriptor) }
    }

    /// False: it could not be written, for a reason that errno holds.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        writeAll(bytes, to: descriptor) == bytes.count
    }

    static func write(_ text: String, toFile path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            complain("\(path) cannot be written: \(String(cString: strerror(errno)))")
            return false
        }
        defer { close(descriptor) }
        var text = text
        let isWritten = text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
        if !isWritten { complain("\(path) could not be written: \(String(cString: strerror(errno)))") }
        return isWritten
    }
}
