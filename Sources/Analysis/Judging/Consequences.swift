import Base
import Capture

/// Hangs findings that only repeat what another one explains below it: one cause, one finding.
struct Consequences {
    var findings: [Finding]

    init(_ findings: [Finding], _ table: SignallingTable) {
        self.findings = findings
        shutOut()
        unanswered(table)
        silenced()
        misled()
        gaveUp()
        uncallable(table)
        sameNonce()
        passedOn(table)
    }

    /// Whatever private places the phones name: no audio comes in from any of them.
    private mutating func shutOut() {
        let shut = findings.filter { $0.name == .mediaNone && $0.summary.hasPrefix("No audio packet reaches") }.reduce(
            into: Set<Int>()
        ) { $0.formUnion($1.subject.dialogs) }
        guard !shut.isEmpty else { return }
        findings.removeAll {
            $0.name == .natPrivateSDP && !$0.subject.dialogs.isEmpty && shut.isSuperset(of: $0.subject.dialogs)
        }
    }

    /// An old nonce that is told is the foreign one of the same calls.
    private mutating func sameNonce() {
        let old = findings.filter { $0.name == .authStaleLoop && $0.severity == .fault }.reduce(into: Set<Int>()) {
            $0.formUnion($1.subject.dialogs)
        }
        guard !old.isEmpty else { return }
        findings.removeAll {
            $0.name == .authBadDigest && $0.summary.contains("a nonce that is not in it")
                && !old.isDisjoint(with: $0.subject.dialogs)
        }
    }

    /// Calls that a server refuses, as it gets no connection to the phone or the trunk that they are for.
    private mutating func uncallable(_ table: SignallingTable) {
        for cause in findings.indices.reversed()
        where findings[cause].name == .tcpUnanswered || findings[cause].name == .tcpRefused {
            guard let server = findings[cause].subject.client?.address, findings[cause].subject.dialogs.isEmpty,
                let tried = findings[cause].evidence.last?.time?.nanoseconds
            else { continue }
            let aor = findings[cause].subject.aor
            let refused = findings.firstIndex { finding in
                guard finding.name == .sipRefused, finding.severity == .fault, finding.evidence.first?.source?.address == server,
                    let first = finding.subject.dialogs.first, first < table.dialogs.count
                else { return false }
                let dialogs = finding.subject.dialogs.filter { $0 < table.dialogs.count }.map { table.dialogs[$0] }
                guard dialogs.allSatisfy({ $0.kind == .call }) else { return false }
                // Tried for the phone that is called, or while the first of the calls was waiting.
                return aor.map { aor in dialogs.allSatisfy { String(decoding: $0.to, as: UTF8.self) == aor } }
                    ?? (dialogs[0].began <= tried && tried <= dialogs[0].last && dialogs.count <= findings[cause].count)
            }
            guard let refused else { continue }
            let count = findings[refused].count
            findings[cause].severity = .fault
            findings[cause].details.append(
                count == 1
                    ? "What follows from it: \(findings[refused].summary)"
                    : "What follows from it: \(count) calls failed, the first: \(findings[refused].summary)")
            findings[cause].subject.dialogs += findings[refused].subject.dialogs
            findings.remove(at: refused)
            // The others have moved: one such cause is enough.
            return
        }
    }

    /// Audio that goes to a private place is not heard because of that.
    private mutating func silenced() {
        var causes: [Int: Int] = [:]
        for index in findings.indices.reversed()
        where findings[index].severity == .fault
            && (findings[index].name == .natPrivateSDP || isLostDialog(findings[index]) || isUnagreed(findings[index]))
        {
            for dialog in findings[index].subject.dialogs { causes[dialog] = index }
        }
        guard !causes.isEmpty else { return }
        var gone = Set<Int>()
        for index in findings.indices where findings[index].name == .mediaOneWay || findings[index].name == .mediaNone {
            let known = findings[index].subject.dialogs.map { causes[$0] }
            guard findings[index].severity == .fault, let cause = known.first ?? nil, known.allSatisfy({ $0 != nil }),
                ["private address", "loopback address", "link-local address"].contains(where: findings[index].summary.contains)
                    || isLostDialog(findings[cause]) || isUnagreed(findings[cause])
            else { continue }
            gone.insert(index)
            findings[cause].details.append("What follows from it: \(findings[index].summary)")
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }

    /// Audio goes to the same wrong address as the requests.
    private mutating func misled() {
        let causes = findings.indices.filter { findings[$0].name == .natWrongExternal && findings[$0].severity == .fault }
        guard let first = causes.first else { return }
        let dialogs = causes.reduce(into: Set<Int>()) { $0.formUnion(findings[$1].subject.dialogs) }
        let follows = findings.filter { Self.isMisled($0, dialogs) }.map { "What follows from it: \($0.summary)" }
        findings[first].details += follows
        findings.removeAll { Self.isMisled($0, dialogs) }
    }

    private static func isMisled(_ finding: Finding, _ dialogs: Set<Int>) -> Bool {
        finding.name == .mediaOneWay && finding.severity != .note && !finding.subject.dialogs.isEmpty
            && dialogs.isSuperset(of: finding.subject.dialogs)
    }

    /// Where no ACK comes, the call is over for one end before the other knows: its audio stops, and its BYE takes the same way.
    private mutating func gaveUp() {
        var causes: [Int: Int] = [:]
        for index in findings.indices.reversed() where findings[index].name == .sipNoACK && findings[index].severity == .fault {
            for dialog in findings[index].subject.dialogs { causes[dialog] = index }
        }
        guard !causes.isEmpty else { return }
        var gone = Set<Int>()
        for index in findings.indices {
            let known = findings[index].subject.dialogs.map { causes[$0] }
            guard let cause = known.first ?? nil, known.allSatisfy({ $0 != nil }) else { continue }
            let isUnheard = findings[cause].summary.contains(Judge.unheardAcceptance)
            guard let what = whatFollows(findings[index], ofUnheard: isUnheard) else { continue }
            gone.insert(index)
            findings[cause].details.append(what)
        }
        if !gone.isEmpty { findings = findings.indices.filter { !gone.contains($0) }.map { findings[$0] } }
    }

    /// Ends that never agreed on media do not hear one another because of that.
    private func isUnagreed(_ finding: Finding) -> Bool {
        finding.name == .sdpMismatch && finding.summary.contains("without saying to what")
    }

    /// What a finding says of a call whose 200 is not acknowledged; nil where it has another cause.
    private func whatFollows(_ finding: Finding, ofUnheard isUnheard: Bool) -> String? {
        switch finding.name {
        case .sipTimerDrop where isUnheard: finding.summary
        case .sipRetransmit where isUnheard && finding.evidence.first?.excerpt.hasPrefix("CANCEL ") == true:
            "Nor is the CANCEL answered, which comes too late for a call that is taken."
        case .mediaOneWay where finding.summary.contains("stopped being heard"):
            "The audio of one end stops before that of the other: it hung up or gave up, and its BYE goes the same way as the ACK."
        case .mediaOneWay
        where finding.summary.hasPrefix("Audio went one way: the callee")
            && finding.summary.contains("No packet of the caller reached"):
            "No audio of the caller comes either: the 200 does not reach it, as it seems, so that it does not know of the call."
        case .mediaOneWay where finding.summary.contains("a private address, while the caller is on the Internet"):
            finding.summary
        case .sipRetransmit where finding.evidence.first?.excerpt.hasPrefix("BYE ") == true:
            "Nor is the BYE answered that ends it."
        default: nil
        }
    }

    /// An end that lost its call falls silent because of that.
    private func isLostDialog(_ finding: Finding) -> Bool {
        finding.name == .sipRefused && finding.evidence.contains { $0.excerpt.hasPrefix("BYE ") }
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
