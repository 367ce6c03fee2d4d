import Base
import Capture

/// Calls that a B2BUA refuses because its own call for them was refused: by whom, and with what.
struct PassedRefusals {
    struct Origin: Hashable {
        var server: PackedEndpoint
        var status: Int
    }

    /// Failed calls by who made them, in the order of their ends.
    private var failed: [PackedAddress: [Int]] = [:]

    init(_ table: borrowing SignallingTable) {
        for (number, dialog) in table.dialogs.enumerated() where dialog.kind == .call {
            guard case .failed(let status) = dialog.outcome, status >= 400, let client = dialog.legs.first?.client.address else {
                continue
            }
            failed[client, default: []].append(number)
        }
        for client in failed.keys { failed[client]?.sort { table.dialogs[$0].last < table.dialogs[$1].last } }
    }

    /// The one call that a server made and lost while the refused one waited for it. Nil: none, or one of several.
    func origin(of number: Int, by server: PackedAddress, _ table: borrowing SignallingTable) -> (dialog: Int, origin: Origin)? {
        let (refused, own) = (table.dialogs[number], failed[server] ?? [])
        var (low, high) = (0, own.count)
        while low < high {
            let middle = (low + high) / 2
            if table.dialogs[own[middle]].last > refused.last - 2 * second { high = middle } else { low = middle + 1 }
        }
        var found: Int?
        while low < own.count, table.dialogs[own[low]].last <= refused.last + second {
            let (other, dialog) = (own[low], table.dialogs[own[low]])
            low += 1
            guard other != number, dialog.vantage == refused.vantage, dialog.began >= refused.began else { continue }
            guard found == nil else { return nil }
            found = other
        }
        guard let found, let leg = table.dialogs[found].legs.first, case .failed(let status) = table.dialogs[found].outcome else {
            return nil
        }
        return (found, Origin(server: leg.server, status: status))
    }
}

extension Consequences {
    /// A refusal that is another's, passed on, is told as that one's; where what broke that call is told, it hangs below it.
    mutating func passedOn(_ table: SignallingTable) {
        let refusals = findings.indices.filter { isRefusal(findings[$0]) }
        guard !refusals.isEmpty else { return }
        let passed = PassedRefusals(table)
        var causes: [Int: Int] = [:]
        for index in findings.indices.reversed() where findings[index].severity.accuses {
            for dialog in findings[index].subject.dialogs { causes[dialog] = index }
        }
        var (gone, upstream) = (Set<Int>(), Set<Int>())
        for index in refusals {
            guard let server = findings[index].evidence.last?.source?.address else { continue }
            let origins = findings[index].subject.dialogs.map { passed.origin(of: $0, by: PackedAddress(server), table) }
            guard let first = origins.first ?? nil, origins.allSatisfy({ $0?.origin == first.origin }) else { continue }
            let dialogs = origins.compactMap { $0?.dialog }
            if let cause = dialogs.lazy.compactMap({ causes[$0] }).first(where: { $0 != index && !gone.contains($0) }) {
                findings[cause].details.append("What follows from it: \(findings[index].summary)")
                gone.insert(index)
            } else {
                pass(index, first.origin)
                upstream.formUnion(dialogs)
            }
        }
        for index in findings.indices where findings[index].name == .sipRefused && findings[index].severity == .note {
            let dialogs = findings[index].subject.dialogs
            if !dialogs.isEmpty, upstream.isSuperset(of: dialogs) { gone.insert(index) }
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }

    private func isRefusal(_ finding: Finding) -> Bool {
        finding.name == .sipRefused && finding.severity == .fault && finding.evidence.last?.says == "the refusal"
            && !finding.subject.dialogs.isEmpty
    }

    private mutating func pass(_ index: Int, _ origin: PassedRefusals.Origin) {
        let name = Judge.name(origin.server)
        findings[index].summary += " It passes on what \(name) answered to its own call for it: \(origin.status)."
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
