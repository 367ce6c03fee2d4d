import Base
import Capture

/// What fails inside a call that stands: changes, digits, transfers, and how it ends.
extension Judge {
    /// Rounds of 491 from which on nobody waits long enough.
    private static let glares = 4
    /// Q.850: what a network says that failed, not who hung up.
    private static let networkFailures: Set<Int> = [27, 38, 41, 42, 47]

    /// How those write it that end a call in which they hear nothing.
    private static let silences = [
        "rtp timeout", "rtp time-out", "media timeout", "media_timeout", "no rtp", "rtp inactivity",
        "rtp broken",
    ]

    mutating func insideCalls(_ c: inout DialogCase, _ table: SignallingTable) {
        glare(&c, table)
        digitsRefused(&c, table)
        transfers(&c, table)
    }

    /// Changes that cross again and again: both ends wait equally long and ask anew at once (RFC 3261 14.1).
    private mutating func glare(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.progress.contains(.answered) else { return }
        func isChange(_ step: Step) -> Bool { !step.isRequest && (step.method == .invite || step.method == .update) }
        let start = c.steps.lastIndex { isChange($0) && $0.status >= 200 && $0.status < 300 } ?? 0
        let pending = c.steps[start...].filter { isChange($0) && $0.status == 491 && $0.isFirst }
        guard pending.count >= Self.glares, let first = pending.first, let last = pending.last else { return }
        let isMutual = Set(pending.map { $0.flags.contains(.fromClient) }).count > 1
        let (here, there) = (
            Self.name(table.endpoints[first.record.source]), Self.name(table.endpoints[first.record.destination])
        )
        report(.sipRefused, .fault, variant: 491, c.server(first, table), &c) { c in
            Finding(
                .sipRefused, .fault,
                isMutual
                    ? "\(here) and \(there) change the call at the same time again and again: 491 Request Pending \(pending.count) times, "
                        + "and no change ever gets through."
                    : "\(here) refuses each change of the call with 491 Request Pending, \(pending.count) times, and none ever gets through.",
                details: [
                    isMutual
                        ? "After 491 each end waits for a random time before it asks again, the one that made the Call-ID longer (RFC 3261 14.1): here both wait equally long."
                        : "491 says that a change is still open there: it never closed an earlier one (RFC 3261 14.1).",
                    "Hold, codec changes and session refreshes of this call do not take place.",
                ],
                evidence: [
                    Self.evidence(first, table, ["CSeq"], "the first time"),
                    Self.evidence(last, table, ["CSeq"], "the last time"),
                ], culprit: isMutual ? .between(here, there) : .proved(here), confidence: .likely,
                remedies: [
                    Remedy(
                        .server, "Let only one end change the call: switch re-INVITE for direct media or session timers off.",
                        commands: ["Asterisk pjsip: direct_media=no, timers=no"]),
                    Remedy(.phone, "Renew the phone's firmware: its wait after 491 must be random."),
                ], subject: Self.subject(c, first, table))
        }
    }

    /// Digits by INFO that the other end refuses each time.
    private mutating func digitsRefused(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.steps.contains(where: { $0.method == .info }) else { return }
        var refused: [Step] = []
        var taken: [(request: Step, answer: Step)] = []
        for (index, step) in c.steps.enumerated() where step.isRequest && step.method == .info && step.isFirst {
            guard let type = Self.bytes(step, table).flatMap({ MessageExcerpt.value(of: "Content-Type", in: $0) }),
                type.lowercased().contains("dtmf"), let answer = c.response(to: step, from: index).map({ c.steps[$0] })
            else { continue }
            if answer.status < 300 { taken.append((step, answer)) }
            if answer.status >= 400, ![401, 407, 481].contains(answer.status) { refused.append(answer) }
        }
        if let first = taken.first {
            if taken.count >= 2 { digitsTwice(first.request, first.answer, taken.count, &c, table) }
            return
        }
        guard refused.count >= 2, let first = refused.first else { return }
        let (here, there) = (
            Self.name(table.endpoints[first.record.source]), Self.name(table.endpoints[first.record.destination])
        )
        let copy = c
        draft(
            .digits(dialog: c.number), .sipRefused, .fault, variant: 415, &c,
            server: table.endpoints[first.record.source].address
        ) {
            Finding(
                .sipRefused, .fault,
                "The digits of \(there) do not get through: \(here) answered \(Self.words(first, table)) to each of its \(refused.count) INFO.",
                details: ["\(there) sends digits as SIP INFO, and \(here) does not take them so."],
                evidence: [Self.evidence(first, table, ["CSeq"], "the refusal")], culprit: .between(there, here),
                confidence: .likely,
                remedies: [
                    Remedy(.phone, "Set DTMF at \(there) to RFC 4733 (RFC 2833) instead of SIP INFO."),
                    Remedy(
                        .server, "Or let \(here) take digits by INFO.",
                        commands: ["Asterisk pjsip: dtmf_mode=auto_info", "FreeSWITCH: dtmf-type=info"]),
                ], subject: Self.subject(copy, first, table))
        }
    }

    /// A transfer that failed and was not made good by a later one: its REFER refused, or NOTIFY says how it went (RFC 3515 2.4.5).
    private mutating func transfers(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.steps.contains(where: { $0.method == .refer }) else { return }
        var failed: (step: Step, words: String, status: Int)?
        for step in c.steps where step.isFirst {
            if !step.isRequest, step.method == .refer, step.status >= 300, ![401, 407].contains(step.status) {
                failed = (step, Self.words(step, table), step.status)
            } else if step.isRequest, step.method == .notify,
                let line = Self.bytes(step, table).flatMap(MessageExcerpt.fragment), let status = Int(line.prefix(3))
            {
                if status >= 200, status < 300 { failed = nil }
                if status >= 300, status != 487 { failed = (step, line, status) }
            }
        }
        guard let failed else { return }
        let refusals = c.steps.filter { !$0.isRequest && $0.method == .refer && $0.isFirst && $0.status >= 300 }
            .filter { ![401, 407].contains($0.status) }
        // Busy, declined, not there and mistyped are a target's everyday answers; who never may transfer, or fails, is none.
        let isFault =
            (500..<600).contains(failed.status) || failed.status == 481
            || !failed.step.isRequest && (refusals.count >= 2 || [405, 420].contains(failed.status))
        let severity: Severity = isFault ? .fault : .note
        let request = c.steps.last { $0.isRequest && $0.method == .refer }
        let target = request.flatMap { Self.bytes($0, table) }.flatMap { MessageExcerpt.value(of: "Refer-To", in: $0) }
        let teller = Self.name(table.endpoints[failed.step.record.source])
        report(.sipRefused, severity, variant: 2_000 + UInt64(failed.status), c.server(failed.step, table), &c) { c in
            Finding(
                .sipRefused, severity,
                "A transfer\(target.map { " to \($0)" } ?? "") failed: \(teller) \(failed.step.isRequest ? "reports" : "answered") \(failed.words).",
                details: [
                    failed.step.isRequest
                        ? "The transfer was accepted first; NOTIFY tells how it went (RFC 3515)."
                        : "The REFER itself was refused (RFC 3515)."
                ],
                evidence: (request.map { [Self.evidence($0, table, ["CSeq", "Refer-To"], "the transfer")] } ?? []) + [
                    Self.evidence(failed.step, table, ["CSeq", "Event", "Subscription-State"], failed.words)
                ], culprit: .unknown, confidence: .proved,
                remedies: [
                    failed.status == 405 && !failed.step.isRequest
                        ? Remedy(
                            .server,
                            "Let \(teller) take REFER, or let the phone's own PBX join the two calls instead of handing the transfer on."
                        )
                        : Remedy(
                            .server, "Look up the transfer's target at \(teller): dial plan, trunk, rights of who transfers.")
                ],
                subject: Self.subject(c, failed.step, table))
        }
    }

    /// Who ends a call by BYE may say why (RFC 3326): a reason that is a failure is told in its words.
    mutating func byeReason(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call,
            let bye = c.steps.first(where: { $0.isRequest && $0.method == .bye }), let bytes = Self.bytes(bye, table),
            let reason = MessageExcerpt.fields(bytes).first(where: { $0.name == "Reason" })?.value
        else { return }
        let words = reason.lowercased()
        let isSilence = Self.silences.contains { words.contains($0) }
        if isSilence, let held = holdAtEnd(bye, c, table) {
            droppedOnHold(bye, since: held, reason, &c, table)
            return
        }
        // Accused so far is perhaps what the media decides upon, and a log has none.
        guard !c.dialog.progress.contains(.accused) || isSilence && bye.record.place.kind == .line else { return }
        let isACK = words.contains("ack timeout") || words.contains("no ack")
        let compact = words.filter { $0 != " " }
        let cause = compact.firstRange(of: "cause=").map { compact[$0.upperBound...].prefix(while: \.isNumber) }.flatMap {
            Int($0)
        }
        // Q.850: below 32 are the everyday ends of calls.
        let isFailure =
            compact.hasPrefix("sip;cause=4") || compact.hasPrefix("sip;cause=5")
            || compact.hasPrefix("q.850") && (cause ?? 16) > 31 || words.contains("timeout") || words.contains("time-out")
            || isSilence
        guard isACK || isFailure else { return }
        let sender = table.endpoints[bye.record.source]
        let name = Self.name(sender)
        if !isACK, isSilence {
            endedBySilence(bye, reason, &c, table)
            return
        }
        if !isACK, compact.hasPrefix("q.850"), let cause, Self.networkFailures.contains(cause) {
            report(.sipRefused, .fault, variant: 1_000 + UInt64(cause), sender, &c) { c in
                Finding(
                    .sipRefused, .fault,
                    "\(name) broke the call off, and nobody hung up: its BYE says \(reason).",
                    details: ["That cause is a failure of the network or the trunk behind \(name) (RFC 3326, Q.850)."],
                    evidence: [Self.evidence(bye, table, ["Reason", "CSeq"], "the reason")], culprit: .proved(name),
                    confidence: .likely,
                    remedies: [
                        Remedy(
                            .server,
                            "Ask who runs \(name), or look at its trunk: what lies behind it failed. This side did nothing wrong."
                        )
                    ], subject: Self.subject(c, bye, table))
            }
            return
        }
        if !isACK, endedAtOnce(bye, reason, &c, table) { return }
        report(isACK ? .sipNoACK : .sipRefused, isACK ? .fault : .note, variant: 9, sender, &c) { c in
            Finding(
                isACK ? .sipNoACK : .sipRefused, isACK ? .fault : .note,
                isACK
                    ? "\(name) ended the call because no ACK came to its answer, as its BYE says: \(reason)."
                    : "\(name) ended the call and says why: \(reason).",
                details: [
                    isACK
                        ? "The messages before are not in what was read; the reason is the sender's own word (RFC 3326)."
                        : "RFC 3326."
                ],
                evidence: [Self.evidence(bye, table, ["Reason", "CSeq"], "the reason")], culprit: .unknown, confidence: .proved,
                remedies: [
                    isACK
                        ? Remedy(.server, "Make the Contact in the 200 reachable for the caller: the ACK goes there.")
                        : Remedy(.phone, "Look at what the other side offered or answered before: the reason names it.")
                ], subject: Self.subject(c, bye, table))
        }
    }
}
