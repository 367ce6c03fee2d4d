/// The verdict of a whole analysis, in at most two sentences.
struct Verdict {
    let text: String

    init(_ result: AnalysisResult) {
        let faults = result.findings.filter { $0.severity == .fault && $0.name != .captureBlind }
        let risks = result.findings.filter { $0.severity == .risk && $0.name != .captureBlind }
        let blind = result.findings.contains { $0.name == .captureBlind && $0.severity != .note }
        let scope = blind ? " The capture does not show everything: see capture.blind." : ""
        if let worst = faults.first {
            let more = faults.count + risks.count - 1
            text =
                worst.summary
                + (blind ? scope : more > 0 ? " \(more) more \(more == 1 ? "finding accuses" : "findings accuse")." : "")
        } else if let worst = risks.first {
            text = "Nothing broke in what was seen, but there is a risk: \(worst.summary)\(scope)"
        } else if result.counts.sip == 0 {
            text = "No SIP message was seen, so there is nothing to judge.\(scope)"
        } else {
            let dialogs = result.dialogs.count
            text = "Nothing is wrong with \(dialogs == 1 ? "the one dialog" : "the \(dialogs) dialogs") seen.\(scope)"
        }
    }
}
