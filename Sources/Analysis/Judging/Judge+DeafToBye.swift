import Base
import Capture

extension Judge {
    /// Refusals of a BYE that ask for another one, or that crossed the other's.
    private static let passingByes = [401, 407, 408, 491]

    /// The note that is left of a BYE's refusal where no audio shows that the call goes on.
    static func endedAllTheSame(_ finding: Finding) -> Finding {
        var finding = finding
        finding.severity = .note
        if let end = finding.summary.firstRange(of: " and goes on sending audio") {
            finding.summary = String(finding.summary[..<end.lowerBound]) + "; no audio of it was seen afterwards."
        }
        finding.details.append("Whether the call went on there is not to be seen.")
        return finding
    }

    /// sip.refused of a BYE: one end refuses to hang up and goes on talking, to nobody.
    ///
    /// Innocent: BYEs that cross or are sent once more and taken, and an end that falls silent.
    mutating func deafToBye(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, c.dialog.progress.contains(.answered),
            let index = c.steps.firstIndex(where: { $0.isRequest && $0.method == .bye && $0.isFirst }),
            let at = c.response(to: c.steps[index], from: index), c.steps[at].status >= 400,
            !Self.passingByes.contains(c.steps[at].status), c.steps[at].status == 481 || !wasReported(.sipRefused, c),
            c.end != MessageRecord.unknownTime
        else { return }
        let (bye, refusal) = (c.steps[index], c.steps[at])
        let isFromClient = bye.flags.contains(.fromClient)
        guard
            !c.steps.contains(where: { step in
                step.method == .bye && step.leg == bye.leg
                    && (step.isRequest ? step.flags.contains(.fromClient) != isFromClient : (200..<300).contains(step.status))
            })
        else { return }
        let (who, ender) = (Self.name(table.endpoints[refusal.record.source]), Self.name(table.endpoints[bye.record.source]))
        // A number that does not rise is the sender's fault (RFC 3261 12.2.2).
        let before = c.steps[..<index].last {
            $0.isRequest && $0.leg == bye.leg && $0.flags.contains(.fromClient) == isFromClient && $0.method != .ack
        }
        let isBehind = before.map { $0.record.sequence >= bye.record.sequence } ?? false
        let copy = c
        // Of an end that fell silent before, another finding tells: of the two one holds.
        _ = claim(.sipRefused, .fault, &c)
        var finding =
            Finding(
                .sipRefused, .fault,
                "\(ender) hung up, but \(who) answered its BYE with \(Self.words(refusal, table)) and goes on sending audio: for \(who) the call goes on.",
                details: [
                    isBehind
                        ? "The BYE has a CSeq no higher than the request before it: its receiver has to refuse it (RFC 3261 12.2.2)."
                        : "The two do not agree on the names of their call: tags, Call-ID or the address that the BYE was sent to."
                ],
                evidence: [
                    Self.evidence(bye, table, ["CSeq", "From", "To"], "hangs up"),
                    Self.evidence(refusal, table, ["CSeq", "Reason", "Warning"], "is refused"),
                ], culprit: isBehind ? .proved(ender) : Self.between(copy, bye, table), confidence: .likely,
                remedies: isBehind
                    ? [Remedy(.phone, "Renew the software of \(ender): CSeq has to rise with each request of a call.")]
                    : [
                        Remedy(
                            .server,
                            "See in the log of \(who) why it does not know the call, and let the BYE keep tags, Call-ID and Contact of the dialog (proxies: Record-Route)."
                        ),
                        Remedy(.server, "As a stopgap let \(who) end calls in which no audio comes any more (RTP timeout)."),
                    ], subject: Self.subject(copy, bye, table))
        finding.subject.dialogs = [c.number]
        drafts.append(
            Draft(
                condition: .goesOn(dialog: c.number, isCaller: !isFromClient, from: refusal.nanoseconds + second),
                key: .init(
                    name: .sipRefused, severity: .fault, variant: 482, server: table.endpoints[refusal.record.source].address,
                    vantage: c.dialog.vantage), dialogs: [c.number], finding: finding))
    }
}
