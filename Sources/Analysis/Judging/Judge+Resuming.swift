import Base
import Capture

extension Judge {
    /// Refusals that ask for another try, or that tell of something else than the offer.
    private static let passing = [401, 407, 408, 422, 481, 491, 500]

    /// media.none: who holds a call wants to take it up again, and each such offer is refused.
    mutating func resumeRefused(_ c: inout DialogCase, _ table: SignallingTable) {
        func isChange(_ step: Step) -> Bool { step.method == .invite || step.method == .update }
        let known = c.steps.lazy.filter { !$0.isRequest && isChange($0) && $0.status >= 400 && !Self.passing.contains($0.status) }
        guard known.count > 1 else { return }
        let all = exchanges(c)
        guard let hold = all.last, let held = table.description(c.steps[hold.offer]), held.isAudio, !held.isBothWays else {
            return
        }
        let asked = c.steps[hold.offer]
        guard
            all.contains(where: {
                c.steps[$0.offer].leg == asked.leg && table.description(c.steps[$0.offer])?.isBothWays == true
                    && table.description(c.steps[$0.answer])?.isBothWays == true
            })
        else { return }
        var refusals: [(request: Step, answer: Step)] = []
        for index in c.steps.indices where index > hold.answer {
            let request = c.steps[index]
            guard request.leg == asked.leg, isChange(request) else { continue }
            if !request.isRequest, (200..<300).contains(request.status) { return }
            guard request.isRequest, request.isFirst, request.flags.contains(.fromClient) == asked.flags.contains(.fromClient),
                table.description(request)?.isBothWays == true, let answer = c.response(to: request, from: index),
                c.steps[answer].status >= 400, !Self.passing.contains(c.steps[answer].status)
            else { continue }
            refusals.append((request, c.steps[answer]))
        }
        guard refusals.count > 1, let first = refusals.first, let last = refusals.last else { return }
        let bye = c.steps.first { $0.isRequest && $0.method == .bye }
        let silent = bye.flatMap { c.gap(first.answer, $0) } ?? c.silence(after: first.answer)
        guard silent > Self.longestResume else { return }
        let condition = Draft.Condition.silentStretch(
            dialog: c.number, speakerIsCaller: first.answer.flags.contains(.fromClient), from: first.answer.nanoseconds,
            to: first.answer.nanoseconds + silent, isProof: true)
        draft(condition, .mediaNone, .fault, variant: 488, c.server(first.answer, table), &c) { c in
            let (here, there) = (
                Self.name(table.endpoints[first.request.record.source]), Self.name(table.endpoints[first.answer.record.source])
            )
            return Finding(
                .mediaNone, .fault,
                "The call stays on hold: \(here) takes it up again (sendrecv) \(refusals.count) times, and \(there) refuses each time with "
                    + "\(Self.words(last.answer, table)).",
                details: [
                    "From the first refusal to the end of the call it lasted \(spoken(silent)); a refused offer changes nothing (RFC 3261 14.1)."
                ],
                evidence: [
                    Self.evidence(asked, table, ["CSeq", "c", "m", "a"], "puts the call on hold"),
                    Self.evidence(first.request, table, ["CSeq", "c", "m", "a"], "takes the call off hold"),
                    Self.evidence(last.answer, table, ["CSeq", "Warning"], "refused for the last time"),
                ], culprit: .proved(there), confidence: .likely,
                remedies: [
                    Remedy(
                        first.answer.flags.contains(.fromClient) ? .phone : .server,
                        "Look in the log of \(there) why it refuses the offer that resumes: it took the same media when the call began."
                    ),
                    Remedy(
                        .phone,
                        "Compare the media that \(here) offers then with what it offered first: codecs, SRTP, number of media lines."
                    ),
                ], subject: Self.subject(c, first.answer, table))
        }
    }
}
