import Base
import Capture

/// When an account's password was refused.
struct PasswordRefusals: Sendable {
    private(set) var times: Set<Int64> = []
    private(set) var first = Int64.max
    private(set) var last = Int64.min

    var count: Int { times.count }

    /// What a dialog says again counts once; beyond `most` the number does not matter.
    mutating func note(_ time: Int64, most: Int) {
        if times.count <= most { times.insert(time) }
        first = min(first, time)
        last = max(last, time)
    }
}

extension Judge {
    /// So many tries are a person's; more is somebody who guesses, or a phone that goes on.
    private static let mostTries = 10

    /// Counts what a dialog's credentials met.
    mutating func note(refusals history: AuthHistory, of account: UInt64, _ c: DialogCase) {
        guard passwordRefusals.count < AccountHistory.mostAccounts || passwordRefusals[account] != nil else { return }
        var known = passwordRefusals[account] ?? PasswordRefusals()
        for attempt in history.attempts where attempt.hasCredentials && isRefused(attempt, c) {
            guard let response = attempt.response else { continue }
            let time = c.steps[response].nanoseconds
            guard time != MessageRecord.unknownTime else { continue }
            known.note(time, most: Self.mostTries)
        }
        passwordRefusals[account] = known
    }

    /// A password that was refused and taken afterwards, from the same host: nothing is left to mend. A 200 before shows that it was right.
    func heal(_ finding: inout Finding, of account: UInt64, from client: PackedAddress) {
        guard let refusals = passwordRefusals[account], refusals.count > 0, refusals.count <= Self.mostTries,
            let grants = accounts[account]?.grants.filter({ $0.granted > 0 && $0.client.address == client }),
            let healed = grants.filter({ $0.time > refusals.last }).min(by: { $0.time < $1.time })
        else { return }
        let wasRight = grants.contains { $0.time < refusals.first }
        let (name, server) = (accounts[account]?.name ?? "", Self.name(healed.registrar))
        let after = spoken(healed.time - refusals.last)
        finding.severity = .note
        let times = refusals.count == 1 ? "once" : "\(refusals.count) times"
        let right = wasRight ? ", and as it had registered it before, too, the password was right all the time." : "."
        finding.summary =
            "\(server) refused the credentials of \(name) \(times) and registered it \(after) later: it healed\(right)"
        finding.details = []
        finding.culprit = .unknown
        finding.remedies =
            wasRight
            ? [Remedy(.server, "If it comes again: see in the log of \(server) why it refused at that moment.")]
            : [Remedy(.phone, "Nothing: the password was corrected.")]
    }

    /// A registration that its registrar refused and took afterwards; more than a short outage stays a fault, as one that is over.
    func heal(refused finding: inout Finding, of account: UInt64, from client: PackedAddress) -> Bool {
        guard let time = finding.evidence.first?.time?.nanoseconds,
            let server = finding.subject.server.map({ PackedEndpoint($0) }),
            let healed = accounts[account]?.grants.filter({
                $0.granted > 0 && $0.client.address == client && $0.registrar.address == server.address && $0.time > time
            }).min(by: { $0.time < $1.time })
        else { return false }
        let wait = healed.time - time
        if let at = finding.summary.firstRange(of: " cannot register: ") {
            finding.summary.replaceSubrange(at, with: " could not register at first: ")
        }
        finding.summary += " It was registered \(spoken(wait)) later."
        finding.remedies = [
            Remedy(.server, "Nothing if \(Self.name(server)) was restarted then; else see in its log why it refused for a while.")
        ]
        guard wait <= Self.longestOutage else { return false }
        finding.severity = .note
        return true
    }
}
