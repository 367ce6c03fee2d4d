import Base

/// What a live tap has forgotten, on its way to be judged a last time: wherever there is time for that.
public struct ForgottenMessages: Sendable {
    private(set) var ofStrangers: [LiveMessage] = []
    private(set) var ofAccounts: [LiveMessage] = []
    private(set) var tally = ForgottenTally()
    /// What of accounts is held still, in whose light theirs is judged.
    var context: [LiveMessage] = []
    var trail: [LiveTrail.Mark] = []

    init() {}

    /// Nothing of an account is in it.
    public var isOfStrangersAlone: Bool { ofAccounts.isEmpty }

    mutating func add(_ dialog: LiveDialog) {
        tally.add(dialog)
        if dialog.standing == .stranger { ofStrangers += dialog.messages } else { ofAccounts += dialog.messages }
    }

    /// Costs what analysing as many messages costs, some ten microseconds each.
    public func judged() -> ForgottenFindings {
        var findings = ForgottenFindings()
        if !ofStrangers.isEmpty {
            findings.add(Self.findings(of: ofStrangers, [], []), ofStrangers: true)
        }
        if !ofAccounts.isEmpty {
            findings.add(Self.findings(of: ofAccounts, context, trail), ofStrangers: false)
        }
        return findings
    }

    /// What an analysis says of these messages, and not only of those around them.
    private static func findings(of messages: [LiveMessage], _ context: [LiveMessage], _ trail: [LiveTrail.Mark]) -> [Finding] {
        let result = LiveAnalysis.result(of: messages + context, trail, SourceSummary(name: "", kind: .live))
        let gone = Set(messages.map { UInt32(clamping: $0.number) })
        return result.findings.compactMap { finding in
            guard finding.name != .captureBlind else { return nil }
            let dialogs = Set(finding.subject.dialogs)
            let lost = dialogs.filter { gone.contains(result.lastPlace(of: $0)?.number ?? 0) }.count
            // Of a dialog that goes on, the part that proves it may be gone.
            guard lost > 0 || finding.evidence.first.map({ gone.contains($0.place.number) }) ?? false else { return nil }
            var finding = finding
            finding.count = lost == dialogs.count ? finding.count : max(1, lost)
            finding.subject.dialogs = []
            return finding
        }
    }
}

/// How much a live tap has forgotten.
public struct ForgottenTally: Hashable, Sendable {
    /// Dialogs and parts of long ones, of accounts and of strangers; those that were only keepalives apart.
    public private(set) var ofAccounts = 0
    public private(set) var ofStrangers = 0
    public private(set) var keepalives = 0
    public private(set) var messages = 0
    /// Of these messages, those that went unjudged, as more came than could be judged.
    public internal(set) var unjudged = 0

    mutating func add(_ dialog: LiveDialog) {
        messages += dialog.messages.count
        switch dialog.standing {
        case .stranger: ofStrangers += 1
        case .keepalive: keepalives += 1
        case .account: ofAccounts += 1
        }
    }

    mutating func add(_ other: ForgottenTally) {
        ofAccounts += other.ofAccounts
        ofStrangers += other.ofStrangers
        keepalives += other.keepalives
        messages += other.messages
        unjudged += other.unjudged
    }

    /// A sentence with the numbers; nil where nothing was forgotten.
    var text: String? {
        guard messages > 0 else { return nil }
        func count(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
        let parts = [
            ofAccounts > 0 ? "\(count(ofAccounts, "dialog")) of accounts" : nil,
            keepalives > 0 ? count(keepalives, "keepalive") : nil,
            ofStrangers > 0 ? "\(count(ofStrangers, "dialog")) of strangers" : nil,
        ].compactMap { $0 }
        let unread = unjudged > 0 ? "; \(count(unjudged, "message")) of these came too fast to be judged" : ""
        let what = "\(parts.joined(separator: ", ")) were forgotten (\(count(messages, "message"))), their findings kept"
        return "The oldest \(what)\(unread)."
    }
}
