import Analysis
import Base

/// Which findings and dialogs a report is about. All conditions hold together; an absent one lets everything pass.
public struct ExplainFilter: Hashable, Sendable {
    /// A part of the Call-ID.
    public var callID: String?
    /// A user or `user@host` of From, To or AOR.
    public var user: String?
    public var address: IPAddress?
    public var from: Instant?
    public var to: Instant?
    /// Names, or their first words: `nat` stands for all of `nat.*`.
    public var findings: [String]

    public init(
        callID: String? = nil, user: String? = nil, address: IPAddress? = nil, from: Instant? = nil, to: Instant? = nil,
        findings: [String] = []
    ) {
        self.callID = callID
        self.user = user
        self.address = address
        self.from = from
        self.to = to
        self.findings = findings
    }

    public var isEmpty: Bool { self == ExplainFilter() }

    public func includes(_ dialog: DialogSummary, in result: AnalysisResult) -> Bool {
        if let callID, !dialog.callID.contains(callID) { return false }
        if let user, ![dialog.from, dialog.to].contains(where: { Self.names($0, user) }) { return false }
        if let from, let ended = dialog.ended ?? dialog.began, ended < from { return false }
        if let to, let began = dialog.began, began > to { return false }
        if let address {
            let isThere = result.recordIndices(of: dialog).contains { index in
                let record = result.records[index]
                return result.endpoint(record.source)?.address == address
                    || result.endpoint(record.destination)?.address == address
            }
            if !isThere { return false }
        }
        return true
    }

    /// What blinds the capture is always told.
    public func includes(_ finding: Finding, in result: AnalysisResult) -> Bool {
        if finding.name == .captureBlind { return true }
        if !findings.isEmpty, !findings.contains(where: { Self.matches(finding.name.rawValue, $0) }) { return false }
        guard callID != nil || user != nil || address != nil || from != nil || to != nil else { return true }
        if finding.subject.dialogs.contains(where: { index in
            result.dialogs.indices.contains(index) && includes(result.dialogs[index], in: result)
        }) {
            return true
        }
        guard finding.subject.dialogs.isEmpty else { return false }
        // A stream without signalling: its endpoints and times are all there is.
        if callID != nil { return false }
        if let user, !(finding.subject.aor.map { Self.names($0, user) } ?? false) { return false }
        if let address, finding.subject.client?.address != address, finding.subject.server?.address != address { return false }
        let times = finding.evidence.compactMap(\.time)
        if let from, let last = times.max(), last < from { return false }
        if let to, let first = times.min(), first > to { return false }
        return true
    }

    /// `user` or `user@host` of an AOR.
    private static func names(_ aor: String, _ wanted: String) -> Bool {
        aor == wanted || aor.split(separator: "@", maxSplits: 1).first.map(String.init) == wanted
    }

    static func matches(_ name: String, _ wanted: String) -> Bool { name == wanted || name.hasPrefix(wanted + ".") }
}
