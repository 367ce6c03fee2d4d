import Base
import Capture

/// Collects findings and merges those of the same name with the same cause, so that a thousand equal ones are one with a count.
struct FindingMerger: Sendable {
    /// What counts as the same cause.
    struct Key: Hashable, Sendable {
        var name: FindingName
        var severity: Severity
        /// Which way it went wrong, and for what must not be lumped together, whose.
        var variant: UInt64
        var server: PackedAddress
        var vantage: Vantage
    }

    /// Most findings of one name kept apart.
    static let mostOfAName = 200

    private(set) var findings: [Finding] = []
    private var places: [Key: Int] = [:]
    private var counted: [FindingName: Int] = [:]

    /// Adds to an equal finding; false when there is none yet.
    mutating func merge(_ key: Key, dialogs: [Int]) -> Bool {
        if let at = places[key] {
            findings[at].count += 1
            findings[at].subject.dialogs += dialogs
            return true
        }
        // Too many kinds of one name: the rest joins the last of them.
        if counted[key.name, default: 0] >= Self.mostOfAName,
            let at = findings.lastIndex(where: { $0.name == key.name && $0.severity == key.severity })
        {
            places[key] = at
            findings[at].count += 1
            findings[at].subject.dialogs += dialogs
            return true
        }
        return false
    }

    /// Changes one that was inserted or merged under that key.
    mutating func update(_ key: Key, _ body: (inout Finding) -> Void) {
        if let at = places[key] { body(&findings[at]) }
    }

    mutating func insert(_ finding: Finding, _ key: Key) {
        places[key] = findings.count
        counted[key.name, default: 0] += 1
        findings.append(finding)
    }
}
