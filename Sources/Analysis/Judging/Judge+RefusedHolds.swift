import Base
import Capture

extension Judge {
    /// Refusals that ask for another try, or that belong to a call that is over.
    private static let passingHolds = [408, 481, 487, 491]

    /// sip.refused or auth.no-answer of a hold: who wants to hold the call asks again and again, and is refused each time (RFC 3264 8.4).
    ///
    /// Innocent: one refusal (a note), a hold that succeeds, challenges that are answered, and changes that are no hold.
    mutating func holdRefused(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, c.dialog.progress.contains(.answered),
            let up = c.steps.firstIndex(where: { !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) })
        else { return }
        var refusals: [(request: Step, answer: Step)] = []
        for index in c.steps.indices where index > up {
            let request = c.steps[index]
            guard request.isRequest, request.isFirst, request.method == .invite || request.method == .update,
                let offered = table.description(request), offered.isAudio, offered.port != 0, !offered.isBothWays,
                let at = c.response(to: request, from: index)
            else { continue }
            let answer = c.steps[at]
            if answer.status < 300 { return }
            if let first = refusals.first, first.request.leg != request.leg { continue }
            guard !Self.passingHolds.contains(answer.status) else { continue }
            let isAnswered = c.steps[at...].contains {
                $0.isRequest && ($0.method == .invite || $0.method == .update) && $0.hasCredentials && $0.leg == request.leg
                    && $0.flags.contains(.fromClient) == request.flags.contains(.fromClient)
            }
            if answer.hasChallenge, isAnswered || request.hasCredentials { continue }
            refusals.append((request, answer))
        }
        guard let first = refusals.first, let last = refusals.last,
            refusals.allSatisfy({ $0.answer.status == last.answer.status })
        else { return }
        let isChallenge = last.answer.hasChallenge
        if refusals.count == 1, isChallenge { return }
        let severity: Severity = refusals.count > 1 ? .fault : .note
        let (asker, refuser) = (
            Self.name(table.endpoints[first.request.record.source]), Self.name(table.endpoints[last.answer.record.source])
        )
        let name: FindingName = isChallenge ? .authNoAnswer : .sipRefused
        report(name, severity, variant: 5_000 + UInt64(last.answer.status), c.server(last.answer, table), &c) { c in
            Finding(
                name, severity,
                "\(asker) cannot put the call on hold: \(refuser) answered \(Self.words(last.answer, table)) to "
                    + (refusals.count > 1 ? "each of its \(refusals.count) tries" : "its try")
                    + (isChallenge ? ", and \(asker) never sent it with credentials." : "."),
                details: [
                    "A refused offer changes nothing (RFC 3261 14.1): both ends go on hearing one another, and no music is played."
                ],
                evidence: [
                    Self.evidence(first.request, table, ["CSeq", "c", "m", "a"], "wants to hold the call"),
                    Self.evidence(last.answer, table, ["CSeq", "Warning", "Reason"], "refused"),
                ],
                culprit: isChallenge
                    ? .proved(asker) : last.answer.status >= 500 ? .proved(refuser) : Self.between(c, last.answer, table),
                confidence: .likely,
                remedies: isChallenge
                    ? [
                        Remedy(
                            .phone,
                            "Let \(asker) answer challenges inside a call as it does those to its first INVITE (RFC 3261 22.2)."),
                        Remedy(.server, "Or let \(refuser) take requests inside a call without a password."),
                    ]
                    : [
                        Remedy(
                            last.answer.flags.contains(.fromClient) ? .phone : .server,
                            "See in the log of \(refuser) why it refuses to be put on hold: the call is up, and the same media was taken before."
                        )
                    ], subject: Self.subject(c, last.answer, table))
        }
    }
}
