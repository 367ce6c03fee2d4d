import Analysis
import Base
import Capture
import CaptureInput
import Glibc
import Redaction
import ShowExplain

/// `--pcap`: reads the captures twice more and writes the frames that matter.
struct PcapExport {
    /// As the user named it.
    let path: String
    let filter: ExplainFilter

    /// Writes one file for each capture. Returns false when something could not be written.
    func write(_ result: AnalysisResult, _ copies: [ByteCopy?], _ redactor: Redactor?) -> Bool {
        var isWritten = true
        let captures = copies.enumerated().compactMap { index, copy in copy.map { (index, $0) } }
        guard !captures.isEmpty else {
            ExplainOutput.complain("--pcap: no input is a capture, so there are no packets to write")
            return false
        }
        for (order, (index, copy)) in captures.enumerated() {
            let target = captures.count == 1 ? path : Self.numbered(path, order + 1)
            do throws(InputError) {
                let count = try export(result, index, copy, to: target, redactor)
                ExplainOutput.tell("\(target): \(count) packets of \(ExplainOutput.fileName(copy.name))")
            } catch {
                ExplainOutput.complain("\(error)")
                isWritten = false
            }
        }
        return isWritten
    }

    private func export(
        _ result: AnalysisResult, _ file: Int, _ copy: ByteCopy, to target: String, _ redactor: Redactor?
    ) throws(InputError) -> Int {
        let selection = ExcerptSelection(result, filter: filter, file: file)
        var plan = ExcerptPlan(selection, redactor: redactor)
        var batch = PayloadBatch()
        if !selection.isEmpty { try Self.decode(copy, file, &batch) { plan.add($0) } }
        let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw InputError(target, "writing it: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var writer = ExcerptWriter(plan)
        var isWhole = true
        if !selection.isEmpty {
            batch.keepsFrames = true
            try Self.decode(copy, file, &batch) { batch in
                isWhole = writer.octets(batch).withUnsafeBytes { ExplainOutput.write($0, to: descriptor) } && isWhole
            }
        }
        isWhole = writer.ending().withUnsafeBytes { ExplainOutput.write($0, to: descriptor) } && isWhole
        guard isWhole else { throw InputError(target, "writing it: \(String(cString: strerror(errno)))") }
        if writer.left > 0 {
            ExplainOutput.complain("\(target): \(writer.left) packets came over another kind of link and were left out")
        }
        return writer.count
    }

    private static func decode(
        _ copy: ByteCopy, _ file: Int, _ batch: inout PayloadBatch, _ body: (borrowing PayloadBatch) -> Void
    ) throws(InputError) {
        let source = try copy.open()
        var decoder = CaptureDecoder(file: file)
        while true {
            decoder.begin(&batch)
            let count = try batch.withSpace { space throws(InputError) in try source.read(into: space) }
            if count == 0 { break }
            decoder.decode(&batch, adding: count)
            body(batch)
        }
        decoder.finish(&batch)
        body(batch)
    }

    /// `case.pcap` becomes `case.1.pcap`.
    private static func numbered(_ path: String, _ number: Int) -> String {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/"), dot != path.startIndex else {
            return "\(path).\(number)"
        }
        return "\(path[..<dot]).\(number)\(path[dot...])"
    }
}
