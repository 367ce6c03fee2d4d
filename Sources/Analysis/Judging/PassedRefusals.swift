import Base
import Capture

/// Calls that a B2BUA refuses because its own call for them was refused: by whom, and with what.
struct PassedRefusals {
    struct Origin: Hashable {
        var server: PackedEndpoint
        var status: Int
    }

    /// Failed calls by who made them.
    private var failed: [PackedAddress: [Int]] = [:]

    init(_ table: borrowing SignallingTable) {
        for (number, dialog) in table.dialogs.enumerated() where dialog.kind == .call {
            guard case .failed(let status) = dialog.outcome, status >= 400, let client = dialog.legs.first?.client.address else {
                continue
            }
            failed[client, default: []].append(number)
        }
    }

    /// The one call that a server made and lost while the refused one waited for it. Nil: none, or one of several.
    func origin(of number: Int, by server: PackedAddress, _ table: borrowing SignallingTable) -> (dialog: Int, origin: Origin)? {
        let refused = table.dialogs[number]
        let around = (failed[server] ?? []).filter {
            let dialog = table.dialogs[$0]
            return $0 != number && dialog.vantage == refused.vantage && dialog.began >= refused.began
                && dialog.last <= refused.last + second && refused.last - dialog.last < 2 * second
        }
        guard around.count == 1, let other = around.first, let leg = table.dialogs[other].legs.first,
            case .failed(let status) = table.dialogs[other].outcome
        else { return nil }
        return (other, Origin(server: leg.server, status: status))
    }
}

extension Consequences {
    /// A refusal that is another's, passed on, is told as that one's; where what broke that call is told, it hangs below it.
    mutating func passedOn(_ table: SignallingTable) {
        guard findings.contains(where: isRefusal) else { return }
        let passed = PassedRefusals(table)
        for index in findings.indices.reversed() where isRefusal(findings[index]) {
            guard let server = findings[index].evidence.last?.source?.address else { continue }
            let origins = findings[index].subject.dialogs.map { passed.origin(of: $0, by: PackedAddress(server), table) }
            guard let first = origins.first ?? nil, origins.allSatisfy({ $0?.origin == first.origin }) else { continue }
            let upstream = Set(origins.compactMap { $0?.dialog })
            if let cause = findings.firstIndex(where: { $0.severity.accuses && !upstream.isDisjoint(with: $0.subject.dialogs) }),
                cause != index
            {
                findings[cause].details.append("What follows from it: \(findings[index].summary)")
                findings.remove(at: index)
            } else {
                pass(index, first.origin)
                findings.removeAll {
                    $0.name == .sipRefused && $0.severity == .note && upstream.isSuperset(of: $0.subject.dialogs)
                }
                // The others have moved.
                return passedOn(table)
            }
        }
    }

    private func isRefusal(_ finding: Finding) -> Bool {
        finding.name == .sipRefused && finding.severity == .fault && finding.evidence.last?.says == "the refusal"
            && !finding.summary.contains(Self.passing) && !finding.subject.dialogs.isEmpty
    }

    private static let passing = " It passes on what "

    private mutating func pass(_ index: Int, _ origin: PassedRefusals.Origin) {
        let name = Judge.name(origin.server)
        findings[index].summary += "\(Self.passing)\(name) answered to its own call for it: \(origin.status)."
        findings[index].culprit = .proved(name)
        if Self.everyday.contains(origin.status) {
            findings[index].severity = .note
            findings[index].details.append("An everyday end of a call, and no fault of the network.")
        }
        findings[index].remedies = [
            Remedy(.server, "Look up the call at \(name): the number dialled, the account of the trunk, and what it may call.")
        ]
    }

    /// The called number's or its owner's matter.
    private static let everyday: Set<Int> = [404, 408, 410, 480, 484, 486, 487, 600, 603, 604]
}
