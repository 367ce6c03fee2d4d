import Analysis

extension ExplainFilter {
    /// The result with those findings, registrations and streams that pass. Dialogs stay where they are: indices point to them.
    public func filtered(_ result: AnalysisResult) -> AnalysisResult {
        guard !isEmpty else { return result }
        var filtered = result
        filtered.findings = result.findings.filter { includes($0, in: result) }
        guard callID != nil || user != nil || address != nil || from != nil || to != nil else { return filtered }
        var kept: Set<Int> = []
        for dialog in result.dialogs where includes(dialog, in: result) { kept.insert(dialog.id) }
        filtered.registrations = result.registrations.filter { kept.contains($0.dialog) }
        filtered.streams = result.streams.filter { stream in
            if let dialog = stream.dialog { return kept.contains(dialog) }
            if callID != nil || user != nil { return false }
            if let address, stream.source.address != address, stream.destination.address != address { return false }
            if let from, stream.last < from { return false }
            if let to, stream.first > to { return false }
            return true
        }
        return filtered
    }
}
