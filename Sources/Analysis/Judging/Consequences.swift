import Base
import Capture

/// Hangs findings that only repeat what another one explains below it: one cause, one finding.
struct Consequences {
    private(set) var findings: [Finding]

    init(_ findings: [Finding], _ table: SignallingTable) {
        self.findings = findings
        unanswered(table)
        silenced()
    }

    /// Audio that goes to a private place is not heard because of that.
    private mutating func silenced() {
        var causes: [Int: Int] = [:]
        for index in findings.indices.reversed()
        where findings[index].name == .natPrivateSDP && findings[index].severity == .fault {
            for dialog in findings[index].subject.dialogs { causes[dialog] = index }
        }
        guard !causes.isEmpty else { return }
        var gone = Set<Int>()
        for index in findings.indices where findings[index].name == .mediaOneWay || findings[index].name == .mediaNone {
            let known = findings[index].subject.dialogs.map { causes[$0] }
            guard findings[index].severity == .fault, let cause = known.first ?? nil, known.allSatisfy({ $0 != nil }),
                findings[index].summary.contains("private address")
            else { continue }
            gone.insert(index)
            findings[cause].details.append("What follows from it: \(findings[index].summary)")
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }

    /// Requests to phones that a router had forgotten stay unanswered because of that.
    private mutating func unanswered(_ table: SignallingTable) {
        let causes = findings.indices.filter { findings[$0].name == .natMappingExpired && findings[$0].severity == .fault }
        guard !causes.isEmpty else { return }
        var routers: [PackedAddress: Int] = [:]
        for cause in causes.reversed() {
            if let client = findings[cause].subject.client { routers[PackedAddress(client.address)] = cause }
        }
        var gone = Set<Int>()
        for index in findings.indices where findings[index].name == .sipRetransmit && !findings[index].subject.dialogs.isEmpty {
            var known = Set<Int>()
            let isExplained = findings[index].subject.dialogs.allSatisfy { number in
                guard number < table.dialogs.count, let leg = table.dialogs[number].legs.first,
                    let cause = routers[leg.server.address]
                else { return false }
                known.insert(cause)
                return true
            }
            guard isExplained, let cause = known.min() else { continue }
            gone.insert(index)
            let count = findings[index].count
            findings[cause].details.append(
                count == 1
                    ? "What follows from it: \(findings[index].summary)"
                    : "What follows from it: \(count) requests stayed unanswered, the first: \(findings[index].summary)")
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }
}
