/// The verdict of a whole analysis, in at most two sentences; one more comes first where messages were not understood.
struct Verdict {
    let text: String

    init(_ result: AnalysisResult) {
        let faults = result.findings.filter { $0.severity == .fault && $0.name != .captureBlind }
        let risks = result.findings.filter { $0.severity == .risk && $0.name != .captureBlind }
        let blind = result.findings.contains { $0.name == .captureBlind && $0.severity != .note }
        let scope = blind ? " The capture does not show everything: see capture.blind." : ""
        let text: String
        if let filter = result.emptiedBy {
            text = "Nothing that was read matches \(filter).\(scope)"
        } else if let worst = faults.first {
            let more = faults.count + risks.count - 1
            text =
                worst.summary
                + (blind ? scope : more > 0 ? " \(more) more \(more == 1 ? "finding accuses" : "findings accuse")." : "")
        } else if let worst = risks.first {
            text = "Nothing broke in what was seen, but there is a risk: \(worst.summary)\(scope)"
        } else if result.counts.sip == 0, let note = result.findings.first(where: { $0.name != .captureBlind }),
            result.understoodLines > 0
        {
            text = "The log holds no messages, and its own words accuse nobody. \(note.summary)\(scope)"
        } else if result.counts.sip == 0, result.understoodLines > 0 {
            let lines = result.understoodLines
            text =
                "The log holds no messages; \(lines == 1 ? "the one line that is understood tells" : "the \(lines) lines that are understood tell") of nothing wrong.\(scope)"
        } else if result.counts.sip == 0 {
            text = "No SIP message was seen, so there is nothing to judge.\(scope)"
        } else if let failed = Self.failures(result) {
            let more = Self.told(result).map { " \($0)" } ?? ""
            text = "No NAT or ALG fault was found; \(failed).\(more)\(scope)"
        } else if let told = Self.told(result) {
            text = "No NAT or ALG fault was found. \(told)\(scope)"
        } else if Self.isHalfSeen(result) {
            let dialogs = result.dialogs.count
            text =
                "\(dialogs == 1 ? "The one dialog was" : "The \(dialogs) dialogs were") seen in one direction only, so that nobody can say whether anything failed.\(scope)"
        } else {
            let dialogs = result.dialogs.count
            text = "Nothing is wrong with \(dialogs == 1 ? "the one dialog" : "the \(dialogs) dialogs") seen.\(scope)"
        }
        let unread = result.sources.flatMap(\.blindness).filter { $0.kind == .unreadMessages }.map { $0.text + " " }.joined()
        self.text = unread + text
    }

    /// Of no dialog both directions are there.
    private static func isHalfSeen(_ result: AnalysisResult) -> Bool {
        let count = result.findings.filter { $0.name == .captureBlind && $0.summary.contains("were seen in one direction only") }
            .reduce(0) { $0 + $1.count }
        return count > 0 && count >= result.dialogs.count
    }

    private static let toldNotes: Set<FindingName> = [.sipRefused, .sipUnfinished, .mediaOneWay, .mediaNone]

    /// A note about something that did not go as somebody wanted although no dialog failed; nil where there is none.
    private static func told(_ result: AnalysisResult) -> String? {
        result.findings.first { finding in
            finding.severity == .note && Self.toldNotes.contains(finding.name)
                && !finding.subject.dialogs.contains { $0 < result.dialogs.count && result.dialogs[$0].hasFailed }
        }?.summary
    }

    /// `1 call failed with 503 Service Unavailable`: what was refused though nobody is to be accused; nil where nothing was.
    private static func failures(_ result: AnalysisResult) -> String? {
        struct End: Hashable {
            var kind: DialogKind
            var status: Int
        }
        // What several captures show is one: that which tells most of it counts.
        var others: [Int: Set<Int>] = [:]
        for pair in result.sides.flatMap(\.dialogs) {
            others[pair.inside, default: []].insert(pair.outside)
            others[pair.outside, default: []].insert(pair.inside)
        }
        var ends: [(end: End, count: Int, dialogs: Set<Int>)] = []
        var failed: [DialogSummary] = []
        for dialog in result.dialogs {
            // 3xx names another place to try: no failure.
            guard case .failed(let status) = dialog.outcome, dialog.kind == .call || dialog.kind == .registration,
                !(dialog.kind == .call && (300..<400).contains(status))
            else { continue }
            let elsewhere = (others[dialog.id] ?? []).filter { result.dialogs.indices.contains($0) }.map { result.dialogs[$0] }
            guard !elsewhere.contains(where: { $0.hasSucceeded || $0.outcome == dialog.outcome && $0.id < dialog.id }) else {
                continue
            }
            // The leg by which a server passes a call on, inside the time of the other and to the same number, is no call of its own; what
            // is said in it counts.
            let isLeg = dialog.kind == .call && failed.suffix(Self.mostLegs).contains { $0.passesOn(dialog) }
            if !isLeg { failed.append(dialog) }
            let end = End(kind: dialog.kind, status: status)
            if let at = ends.firstIndex(where: { $0.end == end }) {
                if !isLeg { ends[at].count += 1 }
                ends[at].dialogs.insert(dialog.id)
            } else {
                ends.append((end, 1, [dialog.id]))
            }
        }
        guard !ends.isEmpty else { return nil }
        let parts = ends.prefix(3).map { entry in
            let what = (entry.end.kind == .call ? "call" : "registration") + (entry.count == 1 ? "" : "s")
            let reason = MessageExcerpt.reason(of: UInt16(clamping: entry.end.status))
            let said = Self.said(result, of: entry.dialogs, besides: "\(entry.end.status) \(reason)").map { " (\($0))" } ?? ""
            return "\(entry.count) \(what) failed with \(entry.end.status)\(reason.isEmpty ? "" : " \(reason)")\(said)"
        }
        return parts.joined(separator: ", ") + (ends.count > 3 ? " and others otherwise" : "")
    }

    private static let mostLegs = 64

    /// What a refusal says in words of its own: its phrase, where it is not the registered one, or its Warning.
    private static func said(_ result: AnalysisResult, of dialogs: Set<Int>, besides plain: String) -> String? {
        for finding in result.findings
        where finding.name == .sipRefused && finding.severity == .note && !dialogs.isDisjoint(with: finding.subject.dialogs) {
            let warning = finding.details.first { $0.hasPrefix("Its Warning header says: ") }
            if let warning { return String(warning.dropFirst("Its Warning header says: ".count)) }
            guard let phrase = finding.summary.firstRange(of: " answered ").map({ finding.summary[$0.upperBound...].dropLast() }),
                phrase != plain[...], phrase.prefix(3) == plain.prefix(3)
            else { continue }
            return "\"\(phrase.dropFirst(4))\""
        }
        return nil
    }
}

extension DialogSummary {
    /// Another dialog may be the next leg of this call: it lies inside its time, as the same source shows it, and goes to the same number.
    fileprivate func passesOn(_ other: DialogSummary) -> Bool {
        guard kind == .call, outcome == other.outcome, vantage == other.vantage, callID != other.callID, let began, let ended,
            let start = other.began, let end = other.ended
        else { return false }
        func user(_ name: String) -> Substring { name.prefix { $0 != "@" } }
        return began <= start && end <= ended && began < ended && !to.isEmpty && user(to) == user(other.to)
    }
}
