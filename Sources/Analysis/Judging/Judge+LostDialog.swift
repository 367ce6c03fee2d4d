import Base
import Capture

extension Judge {
    /// sip.refused of a BYE: 481 from an end that fell silent before says that it lost the call, as after a restart.
    ///
    /// Innocent: BYEs that cross, and an end that was heard to the last.
    mutating func lostDialog(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, c.dialog.progress.contains(.answered), !c.dialog.progress.contains(.cancelled),
            let index = c.steps.firstIndex(where: { $0.isRequest && $0.method == .bye && $0.isFirst }),
            let answer = c.response(to: c.steps[index], from: index), c.steps[answer].status == 481,
            let accept = c.steps.firstIndex(where: { !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) }),
            accept < index
        else { return }
        let (bye, refusal) = (c.steps[index], c.steps[answer])
        let isFromClient = bye.flags.contains(.fromClient)
        guard
            !c.steps.contains(where: {
                $0.isRequest && $0.method == .bye && $0.leg == bye.leg && $0.flags.contains(.fromClient) != isFromClient
            })
        else { return }
        let lost = Self.name(table.endpoints[refusal.record.source])
        let change = c.steps[accept..<index].last {
            !$0.isRequest && $0.isFirst && $0.status == 481 && ($0.method == .invite || $0.method == .update)
                && $0.record.source == refusal.record.source
        }
        if let change {
            refusesAll(c.steps[accept], change, refusal, &c, table)
            return
        }
        let copy = c
        draft(
            .fellSilent(dialog: c.number, isCaller: !isFromClient), .sipRefused, .fault, variant: 481, &c,
            server: table.endpoints[refusal.record.source].address
        ) {
            Finding(
                .sipRefused, .fault,
                "\(lost) no longer knows the call of \(copy.aor) to \(String(decoding: copy.dialog.to, as: UTF8.self)): its audio stopped while the other "
                    + "end went on, and it answered the BYE with 481.",
                details: [
                    "Whoever hung up had been talking to nobody. No BYE came from \(lost): it lost the call, or its own BYE got lost on the way."
                ],
                evidence: [
                    Self.evidence(copy.steps[accept], table, ["CSeq", "Contact"], "the call is accepted"),
                    Self.evidence(bye, table, ["CSeq", "To"], "hangs up"),
                    Self.evidence(refusal, table, ["CSeq", "Reason", "Warning"], "knows no such call"),
                ], culprit: .proved(lost), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(lost) what became of the call: a restart or crash, a switch to another machine, a channel that timed out."
                    ),
                    Remedy(.router, "If it did hang up: keep the NAT mapping of the phone alive, so that its BYE arrives."),
                ], subject: Self.subject(copy, bye, table))
        }
    }

    /// sip.refused of a change and of the BYE after it: no media need show that the call is lost.
    private mutating func refusesAll(
        _ accept: Step, _ change: Step, _ end: Step, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let lost = Self.name(table.endpoints[end.record.source])
        let after = c.gap(accept, change).map { ", \(spoken($0)) after it was accepted" } ?? ""
        report(.sipRefused, .fault, variant: 482, c.server(end, table), &c) { c in
            Finding(
                .sipRefused, .fault,
                "\(lost) no longer knows the call of \(c.aor) to \(String(decoding: c.dialog.to, as: UTF8.self)): it answered a "
                    + "\(change.method.token) inside it\(after) with 481, and the BYE as well.",
                details: [
                    "481 says that there is no such dialog (RFC 3261 12.2.2): no timer of the other end and no NAT does that."
                ],
                evidence: [
                    Self.evidence(accept, table, ["CSeq", "Contact"], "the call is accepted"),
                    Self.evidence(change, table, ["CSeq", "To"], "knows no such call"),
                    Self.evidence(end, table, ["CSeq", "To"], "nor when it ends"),
                ], culprit: .proved(lost), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(lost) what became of the call: a restart or crash, a switch to another machine, a channel that timed out."
                    )
                ], subject: Self.subject(c, end, table))
        }
    }

    /// auth.no-answer of a BYE: challenged and never sent with credentials, it ends the call on one side alone.
    ///
    /// Innocent: a BYE of the other side, and captures that end soon.
    mutating func challengedBye(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call, c.dialog.progress.contains(.answered),
            let index = c.steps.firstIndex(where: { $0.isRequest && $0.method == .bye && $0.isFirst }),
            let answer = c.response(to: c.steps[index], from: index), c.steps[answer].hasChallenge,
            c.silence(after: c.steps[answer]) > Self.patience
        else { return }
        let (bye, challenge) = (c.steps[index], c.steps[answer])
        let others = c.steps.filter { $0.isRequest && $0.method == .bye && $0.branch != bye.branch }
        guard others.isEmpty, !bye.hasCredentials else { return }
        let (source, asker) = (table.endpoints[bye.record.source], table.endpoints[challenge.record.source])
        let copy = c
        draft(
            .noScanner(source.address, nonce: challenge.nonce), .authNoAnswer, .fault, variant: 2, &c, server: asker.address
        ) {
            Finding(
                .authNoAnswer, .fault,
                "The BYE of \(Self.name(source)) was refused with \(challenge.status) and never sent with credentials: for \(Self.name(asker)) the call goes on.",
                details: ["A call that does not end is paid for, and its line stays busy, until a timer ends it."],
                evidence: [
                    Self.evidence(bye, table, ["CSeq", "To"], "hangs up, without credentials"),
                    Self.evidence(challenge, table, ["CSeq", "WWW-Authenticate", "Proxy-Authenticate"], "the challenge"),
                ], culprit: .proved(Self.name(source)), confidence: .likely,
                remedies: [
                    Remedy(
                        .server, "Let \(Self.name(source)) answer challenges to BYE as it does those to INVITE (RFC 3261 22.2)."),
                    Remedy(.server, "As a stopgap let \(Self.name(asker)) take requests inside a call without a password."),
                ], subject: Self.subject(copy, bye, table))
        }
    }
}
