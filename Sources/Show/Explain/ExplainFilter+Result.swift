import Analysis

extension ExplainFilter {
    /// The result with those findings, registrations and streams that pass. Dialogs stay where they are: indices point to them.
    public func filtered(_ result: AnalysisResult) -> AnalysisResult {
        guard !isEmpty else { return result }
        var filtered = result
        filtered.findings = result.findings.filter { includes($0, in: result) }
        let isTold = filtered.findings.contains { $0.name != .captureBlind }
        if !findings.isEmpty, !isTold { filtered.emptiedBy = "--finding \(findings.joined(separator: ", "))" }
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
        if kept.isEmpty, !isTold, filtered.streams.isEmpty { filtered.emptiedBy = "the filter (\(words))" }
        return filtered
    }

    /// The conditions as they were given.
    private var words: String {
        var list: [String] = []
        if let callID { list.append("--call-id \(callID)") }
        if let user { list.append("--user \(user)") }
        if let address { list.append("--address \(address)") }
        if from != nil { list.append("--from") }
        if to != nil { list.append("--to") }
        if !findings.isEmpty { list.append("--finding \(findings.joined(separator: ", "))") }
        return list.joined(separator: ", ")
    }

    /// Names that no finding has, so that a mistyped one is not taken for a healthy capture.
    public var unknownFindings: [String] {
        findings.filter { wanted in !FindingName.allCases.contains { Self.matches($0.rawValue, wanted) } }
    }
}
