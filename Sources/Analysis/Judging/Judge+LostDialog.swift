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
        let (copy, contact) = (c, privateContact(of: bye, before: index, c, table))
        draft(
            .fellSilent(dialog: c.number, isCaller: !isFromClient, contact), .sipRefused, .fault, variant: 481, &c,
            server: table.endpoints[refusal.record.source].address
        ) {
            Finding(
                .sipRefused, .fault,
                "\(lost) no longer knows the call of \(copy.aor) to \(String(decoding: copy.dialog.to, as: UTF8.self)): its audio stopped while the other "
                    + "end went on, and it answered the BYE with 481.",
                details: [
                    "Whoever hung up had been talking to nobody. 481 says that \(lost) has no such call, and not why: most often it had hung up before, and its BYE got lost on the way; or it lost the call."
                ],
                evidence: [
                    Self.evidence(copy.steps[accept], table, ["CSeq", "Contact"], "the call is accepted"),
                    Self.evidence(bye, table, ["CSeq", "To"], "hangs up"),
                    Self.evidence(refusal, table, ["CSeq", "Reason", "Warning"], "knows no such call"),
                ], culprit: Self.between(copy, bye, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(lost) whether it sent a BYE when its audio stopped, and to which address. If it did, it got lost on the way."
                    ),
                    Self.letByeThrough,
                    Remedy(
                        .server,
                        "If it sent none, see there what became of the call: a restart, a time-out, a switch to another machine."),
                ], subject: Self.subject(copy, bye, table))
        }
    }

    private static let letByeThrough = Remedy(
        .router, "Keep the NAT mapping for SIP alive during calls, and look for a helper or filter that drops the BYE.")

    /// The private address that whoever hangs up last had named for requests to it, to a peer on the Internet.
    private func privateContact(of bye: Step, before index: Int, _ c: DialogCase, _ table: SignallingTable) -> HostPort? {
        let own = c.steps[..<index].last {
            $0.method == .invite && $0.leg == bye.leg && $0.record.source == bye.record.source
                && ($0.isRequest || (200..<300).contains($0.status)) && $0.contact.kind == .address
        }
        guard let own, own.contact.address.isPrivateNetwork, !own.flags.contains(.recordRoute),
            !table.endpoints[bye.record.destination].address.isPrivateNetwork,
            !table.endpoints[bye.record.destination].address.isUnknown,
            // What comes in goes by another address.
            !c.steps.contains(where: {
                $0.isRequest && $0.method != .ack && $0.leg == bye.leg && $0.record.destination == bye.record.source
            })
        else { return nil }
        return own.contact
    }

    /// What else is known of an end that fell silent and has no such call: RTCP tells who hung up, a private Contact why a BYE does not come.
    func tellEnded(
        _ finding: inout Finding, _ dialog: Int, isCaller: Bool, _ contact: HostPort?, server: PackedAddress,
        _ media: MediaAnalysis, _ table: SignallingTable
    ) {
        let goodbye = media.goodbyes[CallEnd(dialog: dialog, isCaller: isCaller)]
        let isRepaired = repairing.contains(server) || table.flows.repairing.contains(server)
        if let goodbye, let end = finding.summary.firstRange(of: " no longer knows the call") {
            finding.summary =
                "\(finding.summary[..<end.lowerBound]) hung up, as its RTCP says, but its BYE did not arrive: the other end talked on to nobody, until its own BYE was answered with 481."
            finding.details = ["481 says that the call is over there (RFC 3261 12.2.2), as it was."]
            finding.evidence.insert(goodbye.evidence, at: 1)
            finding.remedies = [Self.letByeThrough]
        }
        guard let contact, !isRepaired else { return }
        finding.details.append(
            "A BYE sent before could not arrive: it goes to the Contact of who talked on, and that names the private address \(contact.address.address)."
        )
        finding.remedies.insert(
            Remedy(
                .server, "Let the end at \(contact.address.address) name its public address in Contact.",
                commands: ServerRole.externalAddress.commands), at: 0)
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
                    "481 says that there is no such dialog any more (RFC 3261 12.2.2), and not why: \(lost) lost the call, or it had hung up before and its BYE got lost on the way."
                ],
                evidence: [
                    Self.evidence(accept, table, ["CSeq", "Contact"], "the call is accepted"),
                    Self.evidence(change, table, ["CSeq", "To"], "knows no such call"),
                    Self.evidence(end, table, ["CSeq", "To"], "nor when it ends"),
                ], culprit: Self.between(c, end, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the log of \(lost) what became of the call: a BYE that it sent, a restart or crash, a switch to another machine, a channel that timed out."
                    ), Self.letByeThrough,
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
