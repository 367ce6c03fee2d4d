import Base
import Capture

extension Judge {
    static let repeatedFields = ["CSeq", "Via", "To"]

    /// Findings about sending again, falling silent and ending by a timer.
    mutating func transactions(_ c: inout DialogCase, _ table: SignallingTable) {
        let isCall = c.dialog.kind == .call
        if isCall {
            noACK(&c, table)
            noPRACK(&c, table)
        }
        fragmented(&c, table)
        retransmitted(&c, table)
        if isCall { timerDrop(&c, table) }
    }

    // MARK: sip.retransmit

    private mutating func retransmitted(_ c: inout DialogCase, _ table: SignallingTable) {
        // A scanner acknowledges nothing, and a server does well not to answer it.
        guard c.steps.contains(where: { $0.record.marks.contains(.retransmission) }) || !table.errors.isEmpty,
            !table.programs[c.dialog.clientProgram].isScanner
        else { return }
        var rounds: [(index: Int, again: [Int], answer: Int?)] = []
        for (index, step) in c.steps.enumerated() where step.isRequest && step.isFirst && step.method != .ack && step.branch != 0
        {
            let answer = c.response(to: step, from: index, atLeast: 100)
            let again = c.steps.indices.filter { other in
                let later = c.steps[other]
                return other > index && other < answer ?? Int.max && later.isRequest && later.branch == step.branch
                    && later.method == step.method && later.leg == step.leg && later.record.sequence == step.record.sequence
            }
            guard again.count >= 2 || again.isEmpty && answer == nil && isRefusedAtOnce(index, c, table) else { continue }
            rounds.append((index, again, answer))
        }
        let silent = rounds.filter { $0.answer == nil && $0.again.count >= 3 }.count
        for (index, again, answer) in rounds { retransmit(index, again, answer, isOnly: silent < 2, &c, table) }
        refusalRepeated(&c, table)
    }

    /// A final refusal of an INVITE sent again and again: the ACK does not come (RFC 3261 17.2.1, timer G).
    private mutating func refusalRepeated(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, step) in c.steps.enumerated()
        where !step.isRequest && step.method == .invite && step.status >= 300 && step.isFirst && !step.isOverStream {
            let again = c.steps[(index + 1)...].filter {
                !$0.isRequest && $0.branch == step.branch && $0.status == step.status
                    && $0.record.sequence == step.record.sequence
                    && $0.leg == step.leg
            }
            let isAcknowledged = c.steps.contains {
                $0.isRequest && $0.method == .ack && $0.record.sequence == step.record.sequence && $0.leg == step.leg
            }
            guard again.count >= 3, let last = again.last else { continue }
            // What was on its way when the ACK left is nobody's fault.
            if isAcknowledged {
                let first = c.steps.first { $0.isRequest && $0.method == .ack && $0.record.sequence == step.record.sequence }
                guard let first, again.filter({ (c.gap(first, $0) ?? 0) > second }).count >= 3 else { continue }
            }
            guard !wasReported(.natRportMissing, c), !wasReported(.natPrivateContact, c) else { return }
            let lasted = c.gap(step, last).map { " within \(spoken($0))" } ?? ""
            report(.sipRetransmit, .fault, variant: isAcknowledged ? 5 : 3, c.server(step, table), &c) { c in
                Finding(
                    .sipRetransmit, .fault,
                    "\(Self.name(table.endpoints[step.record.source])) sent its \(step.status) \(again.count + 1) times\(lasted), "
                        + (isAcknowledged
                            ? "again and again although \(Self.name(table.endpoints[step.record.destination])) acknowledges it: the ACK does "
                                + "not arrive, or does not match."
                            : "and no ACK came: the answer does not reach \(Self.name(table.endpoints[step.record.destination]))."),
                    details: (isAcknowledged
                        ? [
                            "An ACK to a refusal carries the INVITE's branch and Request-URI (RFC 3261 17.1.1.3), else its receiver ignores it."
                        ]
                        : []) + ["The branch is the same each time: the sender's timer, not a copy in the capture."],
                    evidence: [
                        Self.evidence(step, table, Self.repeatedFields, "first sent"),
                        Self.evidence(last, table, Self.repeatedFields, "sent again, the last of \(again.count) times"),
                    ],
                    culprit: Self.between(c, step, table), confidence: .likely,
                    remedies: [
                        Remedy(.server, "Answer to where the request came from (force rport)."),
                        Remedy(.router, "Check firewall and NAT on the way back to the caller."),
                    ], subject: Self.subject(c, step, table))
            }
            return
        }
    }

    /// The answers come, but not from where the request went: a NAT drops them, and many phones do.
    mutating func answeredElsewhere(
        _ step: Step, _ count: Int, _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let (source, destination) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        let answer = c.steps.first { other in
            !other.isRequest && other.branch == step.branch && step.branch != 0 && other.record.sequence == step.record.sequence
                && table.endpoints[other.record.destination] == source && table.endpoints[other.record.source] != destination
        }
        guard let answer, count >= 3 else { return false }
        let from = table.endpoints[answer.record.source]
        // Two names of one end in a log are no other end.
        guard destination.isKnown, from.isKnown, Self.name(from) != Self.name(destination) else { return false }
        let which =
            from.address == destination.address
            ? "from port \(from.port) instead of \(destination.port)"
            : "from \(Self.name(from)) instead of \(Self.name(destination))"
        report(.sipRetransmit, .fault, variant: 6, c.server(step, table), &c) { c in
            Finding(
                .sipRetransmit, .fault,
                "The answers to the \(step.method.token) of \(Self.name(source)) come \(which): a NAT lets them not pass, and the request was sent "
                    + "\(count + 1) times within \(spoken(lasted)).",
                details: [
                    "An answer leaves from where its request arrived (RFC 3261 18.2.2); this says nothing about credentials."
                ],
                evidence: [
                    Self.evidence(step, table, Self.repeatedFields, "sent to \(Self.name(destination))"),
                    Self.evidence(answer, table, Self.repeatedFields, "answered from \(Self.name(from))"),
                ],
                culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Let the server answer from the address and port that the request came to: bind each address, look at load balancer and source NAT in front of it."
                    )
                ], subject: Self.subject(c, step, table))
        }
        return true
    }

    // MARK: sip.fragmented

    private mutating func fragmented(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, step) in c.steps.enumerated()
        where step.isRequest && step.isFirst && !step.isOverStream && step.method != .ack {
            guard step.method != .other || step.record.place.kind != .line else { continue }
            let isLarge = step.flags.contains(.fragmented) || step.size > 1_472
            guard isLarge, c.response(to: step, from: index, atLeast: 100) == nil else { continue }
            let again = c.steps[(index + 1)...].filter { $0.isRequest && $0.branch == step.branch && $0.method == step.method }
            guard again.count >= 2 || (c.silence(after: step) > 8 * second && c.isFinal && !again.isEmpty) else { continue }
            let isPartial = step.flags.contains(.truncated)
            report(.sipFragmented, .fault, c.server(step, table), &c) { c in
                Finding(
                    .sipFragmented, .fault,
                    "The \(step.method.token) from \(Self.name(table.endpoints[step.record.source])) is too long for one packet, was sent "
                        + "\(again.count + 1) times in fragments, and nobody answered: fragments get lost on the way.",
                    details: [
                        isPartial
                            ? "Only the first fragment is in the capture; smaller messages are answered."
                            : "The datagram has \(step.size) octets; a packet holds about 1,472.",
                        "If the capture filter hides later fragments the silence still stands.",
                    ],
                    evidence: [Self.evidence(step, table, ["CSeq", "Via", "Content-Length"], "\(step.size) octets of UDP")],
                    culprit: Self.between(c, step, table), confidence: .likely,
                    remedies: [
                        Remedy(
                            .phone,
                            "Use TCP for SIP; switch off codecs and headers that are not needed (RFC 3261 18.1.1 asks for TCP above 1,300 octets)."
                        ),
                        Remedy(.router, "Let IP fragments through; reassemble before the NAT or the firewall."),
                    ], subject: Self.subject(c, step, table))
            }
            return
        }
    }

    // MARK: sip.timer-drop

    private mutating func timerDrop(_ c: inout DialogCase, _ table: SignallingTable) {
        guard
            let accept = c.steps.firstIndex(where: {
                !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300
            }), let bye = c.steps.firstIndex(where: { $0.isRequest && $0.method == .bye && $0.isFirst }), bye > accept,
            let lasted = c.gap(c.steps[accept], c.steps[bye])
        else { return }
        let hub = c.server(c.steps[bye], table).address
        if longestCalls.count < 1 << 16 { longestCalls[hub] = max(longestCalls[hub] ?? 0, lasted) }
        let drop: (why: String, remedy: Remedy, from: Int)?
        var refresher: String?
        if let refused = refusedRefresh(accept, bye, c) {
            drop = refused
        } else if let refused = refreshRefused(accept, bye, c, table) {
            drop = refused
        } else if let never = neverRefreshed(accept, bye, c, table) {
            drop = (never.why, never.remedy, never.from)
            refresher = never.refresher
        } else if let silent = sessionExpired(accept, bye, c) {
            drop = silent
        } else if abs(lasted - 32 * second) < second, !isAcknowledged(accept, c),
            c.steps.filter({ isSame($0, c.steps[accept]) }).count > 2
        {
            drop = (
                "64*T1 = 32 s after a 200 that nobody acknowledged",
                Remedy(.server, "Make the Contact of the 200 reachable, so that the ACK arrives."), accept
            )
        } else if abs(lasted - 900 * second) < 600_000_000, !isRefreshed(accept, bye, c) {
            quarterHour(accept, bye, &c, table)
            return
        } else {
            drop = nil
        }
        guard let drop else { return }
        let (step, never) = (c.steps[bye], refresher)
        report(.sipTimerDrop, .fault, c.server(step, table), &c) { c in
            var evidence = [Self.evidence(c.steps[accept], table, ["CSeq", "Session-Expires"], "the call is accepted")]
            if drop.from != accept {
                evidence.append(Self.evidence(c.steps[drop.from], table, ["CSeq", "Session-Expires"], "the last sign of life"))
            }
            evidence.append(Self.evidence(step, table, ["CSeq", "Reason"], "\(spoken(lasted)) after the call was accepted"))
            return Finding(
                .sipTimerDrop, .fault,
                "A timer ended the call, nobody hung up: \(Self.name(table.endpoints[step.record.source])) sent BYE \(drop.why).",
                details: ["The call lasted \(spoken(lasted))."], evidence: evidence,
                culprit: never.map { .proved($0) } ?? Self.between(c, step, table),
                confidence: .likely,
                remedies: [
                    drop.remedy,
                    Remedy(.router, "Let requests inside a dialog pass in both directions for as long as the call lasts."),
                ],
                subject: Self.subject(c, step, table))
        }
    }

    /// A call that lasted 15 minutes to the second: a timer's work where one was spoken of or it happens again, else a chance.
    private mutating func quarterHour(_ accept: Int, _ bye: Int, _ c: inout DialogCase, _ table: SignallingTable) {
        let step = c.steps[bye]
        let isTimed =
            c.steps.contains { $0.sessionExpires != Step.noNumber }
            || Self.bytes(step, table).map { MessageExcerpt.fields($0).contains { $0.name == "Reason" } } ?? false
        let finding = Finding(
            .sipTimerDrop, isTimed ? .fault : .note,
            "A timer \(isTimed ? "ended the call, nobody hung up" : "may have ended the call"): \(Self.name(table.endpoints[step.record.source])) sent BYE "
                + "15 minutes to the second after it began.",
            details: [
                isTimed
                    ? "Session timers (RFC 4028) or the BYE's own words point to it."
                    : "No session timer was spoken of: it may be chance. A second call of that length would prove it, a longer one refute it."
            ],
            evidence: [
                Self.evidence(c.steps[accept], table, ["CSeq", "Session-Expires"], "the call is accepted"),
                Self.evidence(step, table, ["CSeq", "Reason"], "15 minutes later"),
            ], culprit: Self.between(c, step, table), confidence: isTimed ? .likely : .possible,
            remedies: [
                Remedy(.server, "Allow re-INVITE and UPDATE, or switch session timers off."),
                Remedy(.router, "Let requests inside a dialog pass in both directions for as long as the call lasts."),
            ], subject: Self.subject(c, step, table))
        let server = c.server(step, table)
        if isTimed {
            report(.sipTimerDrop, .fault, server, &c) { _ in finding }
        } else {
            quarterHours[server.address, default: 0] += 1
            draft(.quarterHour(server.address), .sipTimerDrop, .note, server, &c) { _ in finding }
        }
    }

    private func isSame(_ a: Step, _ b: Step) -> Bool {
        !a.isRequest && a.method == b.method && a.record.sequence == b.record.sequence && a.record.status == b.record.status
    }

    private func isSame(_ answer: Step, _ branch: UInt64, _ sequence: UInt32, _ method: MessageMethod) -> Bool {
        !answer.isRequest && answer.status >= 200 && answer.method == method && answer.record.sequence == sequence
            && answer.branch == branch && branch != 0
    }

    private func isAcknowledged(_ accept: Int, _ c: DialogCase) -> Bool {
        c.steps.contains { $0.isRequest && $0.method == .ack && $0.record.sequence == c.steps[accept].record.sequence }
    }

    private func isRefreshed(_ accept: Int, _ bye: Int, _ c: DialogCase) -> Bool {
        c.steps[(accept + 1)..<bye].contains {
            !$0.isRequest && ($0.method == .invite || $0.method == .update) && $0.status >= 200 && $0.status < 300
                && $0.record.sequence != c.steps[accept].record.sequence
        }
    }

    /// A re-INVITE or UPDATE inside the call that failed for good or was never answered, and the BYE that followed.
    private func refusedRefresh(_ accept: Int, _ bye: Int, _ c: DialogCase) -> (why: String, remedy: Remedy, from: Int)? {
        guard
            let index = c.steps[(accept + 1)..<bye].lastIndex(where: {
                $0.isRequest && $0.isFirst && ($0.method == .invite || $0.method == .update) && !$0.flags.contains(.truncated)
            }), let gap = c.gap(c.steps[index], c.steps[bye]), gap < 40 * second
        else { return nil }
        let request = c.steps[index]
        let allow = Remedy(
            .phone, "Allow re-INVITE and UPDATE inside a call; answer them where Contact says, through the same path.")
        guard let answer = c.response(to: request, from: index) else {
            let again = c.steps[(index + 1)..<bye].filter {
                $0.isRequest && $0.branch == request.branch && $0.method == request.method
            }.count
            guard again >= 2 || gap > 20 * second else { return nil }
            // A gateway may answer from another port than it hears at.
            guard !c.steps.contains(where: { isSame($0, request.branch, request.record.sequence, request.method) }) else {
                return nil
            }
            return ("\(spoken(gap)) after a \(request.method.token) inside the call that nobody answered", allow, index)
        }
        // Who knows no such call then, and refuses the BYE like the change, lost it.
        if c.steps[answer].status == 481, let end = c.response(to: c.steps[bye], from: bye), c.steps[end].status == 481 {
            return nil
        }
        switch c.steps[answer].status {
        case 408, 481, 500, 501, 503, 504, 405, 420:
            // Who refused and then hung up had no timer to wait for.
            guard let wait = c.gap(c.steps[answer], c.steps[bye]), wait < second, c.steps[bye].leg == request.leg,
                c.steps[bye].flags.contains(.fromClient) == request.flags.contains(.fromClient)
            else { return nil }
            return (
                "right after a \(request.method.token) inside the call was refused with \(c.steps[answer].status)", allow, answer
            )
        default: return nil
        }
    }

    /// BYE when the session interval was over, or a third of it (at most 32 s) before (RFC 4028 10).
    private func sessionExpired(_ accept: Int, _ bye: Int, _ c: DialogCase) -> (why: String, remedy: Remedy, from: Int)? {
        var interval = Step.noNumber
        var refreshed = accept
        for (index, step) in c.steps[..<bye].enumerated() where step.method == .invite || step.method == .update {
            if step.sessionExpires != Step.noNumber, !step.isRequest || interval == Step.noNumber {
                interval = step.sessionExpires
            }
            if index > accept, !step.isRequest, step.status >= 200, step.status < 300, step.isFirst { refreshed = index }
        }
        guard interval != Step.noNumber, interval >= 30, let silent = c.gap(c.steps[refreshed], c.steps[bye]) else { return nil }
        let whole = Int64(interval) * second
        let early = whole - min(32 * second, whole / 3)
        let slack = second
        guard abs(silent - whole) < slack || abs(silent - early) < slack else { return nil }
        return (
            "when the session interval of \(interval) s (RFC 4028) ran out without a refresh",
            Remedy(.server, "Let the refresher's re-INVITE or UPDATE through, or switch session timers off."), refreshed
        )
    }
}
