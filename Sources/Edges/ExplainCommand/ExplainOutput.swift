import Analysis
import Base
import CaptureInput
import ExplainReport
import Glibc
import ReportText
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
        let result = filter.filtered(whole)
        var redactor: Redactor?
        if isRedacted {
            var fresh = Redactor(entropy: Entropy(seed: (0..<32).map { _ in UInt8.random(in: 0...255) }))
            Self.learn(result, &fresh)
            redactor = fresh
        }
        var status: ExplainStatus = result.hasAccusations ? .accuses : .clean
        if let pcap, !PcapExport(path: pcap, filter: filter).write(whole, copies, &redactor) { status = .unread }
        if let html {
            let title = "pinhole explain: " + result.sources.map { Self.fileName($0.name) }.joined(separator: ", ")
            if !Self.write(redacted(ExplainPage(result, title: title).html, &redactor), toFile: html) { status = .unread }
        }
        if isJSON {
            Self.write(redacted(ExplainJSON(result).value.prettyText, &redactor) + "\n", to: STDOUT_FILENO)
        } else {
            var options = ExplainText.Options()
            options.mostLadders = ladders
            options.showsHealthy = showsHealthy
            let style = Terminal.style(noColor: isPlain)
            Self.write(redacted(ExplainText(result, options).text(style), &redactor), to: STDOUT_FILENO)
        }
        return status
    }

    private func redacted(_ text: String, _ redactor: inout Redactor?) -> String {
        redactor == nil ? text : redactor!.redact(text: text)
    }

    /// Names that stand in messages may stand in reports by themselves.
    private static func learn(_ result: AnalysisResult, _ redactor: inout Redactor) {
        for dialog in result.dialogs {
            for index in result.recordIndices(of: dialog) {
                if let bytes = result.bytes(of: result.records[index], in: dialog) { _ = redactor.redact(message: bytes) }
            }
        }
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
        var at = 0
        while at < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + at, bytes.count - at)
            if count < 0, errno != EINTR { return false }
            at += max(0, count)
        }
        return true
    }

    private static func write(_ text: String, toFile path: String) -> Bool {
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
