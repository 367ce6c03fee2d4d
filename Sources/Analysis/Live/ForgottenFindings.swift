/// Findings about what is forgotten: of each kind the first few, the rest as a number.
public struct ForgottenFindings: Sendable {
    /// Of one name and severity, of accounts and of strangers apart.
    static let most = 8

    private struct Shelf: Hashable, Sendable {
        var name: FindingName
        var severity: Severity
        var isOfStrangers: Bool
    }

    private var shelves: [Shelf: [Finding]] = [:]

    init() {}

    var count: Int { shelves.values.reduce(0) { $0 + $1.count } }

    mutating func add(_ findings: [Finding], ofStrangers isOfStrangers: Bool) {
        for finding in findings {
            add(finding, to: Shelf(name: finding.name, severity: finding.severity, isOfStrangers: isOfStrangers))
        }
    }

    mutating func add(_ other: ForgottenFindings) {
        for (shelf, findings) in other.shelves { for finding in findings { add(finding, to: shelf) } }
    }

    private mutating func add(_ finding: Finding, to shelf: Shelf) {
        var list = shelves[shelf] ?? []
        if let place = list.firstIndex(where: { $0.isLike(finding) }) {
            list[place].count += finding.count
        } else if list.count < Self.most {
            list.append(finding)
        } else {
            list[Self.most - 1].count += finding.count
        }
        shelves[shelf] = list
    }

    /// Together with those of what is held: like ones are one.
    func joined(with findings: [Finding]) -> [Finding] {
        var result = findings
        for finding in shelves.values.joined() {
            if let place = result.firstIndex(where: { $0.isLike(finding) }) {
                result[place].count += finding.count
                continue
            }
            var finding = finding
            finding.details.append("The messages themselves are forgotten.")
            result.append(finding)
        }
        return result.sorted { $0.isTold(before: $1) }
    }
}

extension Finding {
    /// The same is told of the same.
    fileprivate func isLike(_ other: Finding) -> Bool {
        name == other.name && severity == other.severity && summary == other.summary
    }
}
