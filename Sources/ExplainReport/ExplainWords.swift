import Analysis
import Base
import ReportText

/// The words that terminal, page and JSON share.
enum ExplainWords {
    /// `3.2 s`, `12 min 5 s`, `340 ms`.
    static func duration(_ duration: Duration) -> String {
        let milliseconds = max(0, duration.wholeMilliseconds)
        if milliseconds < 1_000 { return "\(milliseconds) ms" }
        if milliseconds < 120_000 {
            let tenths = milliseconds / 100
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
        }
        let seconds = milliseconds / 1_000
        if seconds < 7_200 { return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    }

    /// `frame 12`, with the file's name where there are several.
    static func place(_ place: EvidencePlace, _ result: AnalysisResult) -> String {
        guard result.sources.count > 1, Int(place.file) < result.sources.count else { return "\(place)" }
        return "\(fileName(result.sources[Int(place.file)].name)) \(place)"
    }

    /// The last component of a path.
    static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    static func culprit(_ culprit: Culprit) -> String {
        switch culprit {
        case .unknown: "not proved"
        case .between(let a, let b): "between \(a) and \(b)"
        case .proved(let box): box
        }
    }

    static func tone(_ severity: Severity) -> ReportTone {
        switch severity {
        case .fault: .bad
        case .risk: .warning
        case .note: .accent
        }
    }

    static func mark(_ severity: Severity, _ isUnicode: Bool) -> String {
        switch severity {
        case .fault: isUnicode ? "✗" : "X"
        case .risk: isUnicode ? "▲" : "!"
        case .note: isUnicode ? "·" : "-"
        }
    }

    static func short(_ nonce: String) -> String { nonce.count <= 14 ? nonce : "\(nonce.prefix(14))~" }

    static func outcome(_ outcome: DialogOutcome) -> String {
        switch outcome {
        case .open: "nothing final was seen"
        case .established: "set up, not ended in what was seen"
        case .ended: "set up and ended by BYE"
        case .cancelled: "cancelled"
        case .registered(let expires): expires.map { "registered for \($0) s" } ?? "registered"
        case .unregistered: "unregistered"
        case .answered(let status): "answered \(status)"
        case .failed(let status): "failed with \(status)"
        case .unanswered: "nobody answered"
        }
    }

    static func kind(_ kind: DialogKind) -> String {
        switch kind {
        case .call: "Call"
        case .registration: "Registration"
        case .subscription: "Subscription"
        case .message: "Message"
        case .options: "OPTIONS"
        case .other: "Dialog"
        }
    }

    /// Dialogs that findings accuse, worst first, one for each finding before a second of any; healthy ones only where asked for.
    static func dialogsWorthDrawing(_ result: AnalysisResult, most: Int, withHealthy: Bool) -> [Int] {
        var chosen: [Int] = []
        for finding in result.findings.sorted(by: { $0.severity < $1.severity }) where finding.severity.accuses {
            if let dialog = finding.subject.dialogs.first(where: { !chosen.contains($0) && result.dialogs.indices.contains($0) }) {
                chosen.append(dialog)
            }
            if chosen.count >= most { return chosen }
        }
        if withHealthy, chosen.isEmpty { chosen = Array(result.dialogs.indices.prefix(most)) }
        return chosen
    }
}
