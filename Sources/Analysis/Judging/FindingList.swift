import Base

/// Findings made ready to be read: devices' own commands filled in, those that share a cause named, in order.
struct FindingList: Sendable {
    let ordered: [Finding]

    init(_ findings: [Finding], _ table: SignallingTable, _ routers: [RouterDevice]) {
        ordered = Self.joined(Consequences(findings, table).findings).map { Self.completed($0, table, routers) }
            .sorted { $0.isTold(before: $1) }
    }

    /// What two captures of the same talk show alike is one finding.
    private static func joined(_ findings: [Finding]) -> [Finding] {
        struct Key: Hashable {
            var name: FindingName
            var severity: Severity
            var callID: String
        }
        var result: [Finding] = []
        var places: [Key: Int] = [:]
        for finding in findings {
            guard let callID = finding.subject.callID, let vantage = finding.subject.vantage else {
                result.append(finding)
                continue
            }
            let key = Key(name: finding.name, severity: finding.severity, callID: callID)
            guard let at = places[key], result[at].subject.vantage != vantage, result[at].count == finding.count else {
                places[key] = result.count
                result.append(finding)
                continue
            }
            result[at].subject.vantage = nil
            let known = Set(result[at].subject.dialogs)
            result[at].subject.dialogs += finding.subject.dialogs.filter { !known.contains($0) }
            result[at].details.append("Seen in more than one of the captures.")
        }
        return result
    }

    private static func completed(_ finding: Finding, _ table: SignallingTable, _ routers: [RouterDevice]) -> Finding {
        var finding = finding
        if finding.remedies.contains(.disableALG), !routers.isEmpty {
            finding.remedies = finding.remedies.flatMap { $0 == .disableALG ? routers.prefix(3).map(\.remedy) : [$0] }
        }
        if finding.count > 1 {
            var others: [String] = []
            let first = finding.subject.dialogs.first.flatMap { $0 < table.dialogs.count ? table.dialogs[$0] : nil }
            for dialog in finding.subject.dialogs.dropFirst() where dialog < table.dialogs.count && others.count < 5 {
                let state = table.dialogs[dialog]
                guard state.kind == first?.kind, state.from != first?.from else { continue }
                let name = String(
                    decoding: state.kind == .registration && !state.to.isEmpty ? state.to : state.from, as: UTF8.self)
                if !name.isEmpty, name != finding.subject.aor, !others.contains(name) { others.append(name) }
            }
            if !others.isEmpty {
                finding.details.append(
                    "The same with \(others.joined(separator: ", "))\(finding.count > others.count + 1 ? " and others" : "").")
            }
        }
        return finding
    }
}

extension Finding {
    /// The order of a report: what the capture does not show, then the worst, by name and place.
    package func isTold(before other: Finding) -> Bool {
        let isBlind = (name == .captureBlind, other.name == .captureBlind)
        if isBlind.0 != isBlind.1 { return isBlind.0 }
        if severity != other.severity { return severity < other.severity }
        if name.harm != other.name.harm { return name.harm < other.name.harm }
        if name != other.name { return name < other.name }
        guard let first = evidence.first?.place, let place = other.evidence.first?.place else {
            return evidence.count > other.evidence.count
        }
        return first < place
    }
}

extension FindingName {
    /// What a finding of that name takes away, the most first: a network's or a server's trouble before one account's.
    fileprivate var harm: Int {
        switch self {
        case .authBadDigest, .authNoAnswer, .authNonceReuse, .sipRefused, .sipRetransmit, .mediaQuality, .regFlapping, .regLapsed,
            .sipUnfinished,
            .authAttack:
            1
        default: 0
        }
    }
}
