import Base
import Capture

extension Judge {
    /// Who said it first, where proxies in view pass it on; these make a 500 of another's 503 (RFC 3261 16.7).
    private func origin(of refusal: Step, _ c: DialogCase, _ table: SignallingTable) -> Step {
        var first = refusal
        for step in c.steps.reversed()
        where !step.isRequest && step.method == first.method && step.record.sequence == first.record.sequence
            && (step.status == first.status || step.status >= 500 && first.status == 500)
            && step.record.place < first.record.place
            && table.endpoints[step.record.destination].address == table.endpoints[first.record.source].address
            && table.endpoints[step.record.source].address != table.endpoints[first.record.destination].address
        {
            first = step
        }
        return first
    }

    /// A helper that is only suspected explains no refusal but that of a message it made wrong.
    private func isExplained(_ status: Int, _ c: DialogCase) -> Bool {
        c.dialog.progress.contains(.accused) && (status == 400 || c.dialog.reported.accuses(besides: .algSuspected))
    }

    /// sip.refused: a final answer of 400 or more that ended a registration or a call, in its sender's own words.
    ///
    /// What something else explains is told there; everyday ends of calls are outcomes and accuse nobody.
    mutating func refused(_ c: inout DialogCase, _ table: SignallingTable) {
        guard case .failed(let status) = c.dialog.outcome, c.dialog.kind == .registration || c.dialog.kind == .call,
            !isExplained(status, c), ![401, 407, 487, 491].contains(status),
            let last = c.steps.last(where: {
                !$0.isRequest && $0.status == status && ($0.method == .invite || $0.method == .register)
            })
        else { return }
        let step = origin(of: last, c, table)
        let isRegistration = c.dialog.kind == .registration
        if !isRegistration, [480, 486, 408, 600, 603].contains(status), !saysWhy(step, table) { return }
        // A registrar that asks for longer, or for another start, is answered at once.
        if isRegistration, status == 423 { return }
        if isRegistration, table.programs[c.dialog.clientProgram].isScanner || drafts.count >= Self.mostRefused { return }
        let cause = isRegistration || drafts.count >= Self.mostRefused ? nil : cause(status, step, c, table)
        // Sent elsewhere is not refused, unless in circles.
        if !isRegistration, (300..<400).contains(status), cause == nil { return }
        if !isRegistration, endedByPeople(step, &c, table) { return }
        let severity: Severity = isRegistration || (500..<600).contains(status) ? .fault : .note
        let sender = table.endpoints[step.record.source]
        let refusal: (DialogCase) -> Finding = { c in
            let told = MessageExcerpt.fields(Self.bytes(step, table) ?? []).filter { $0.name == "Reason" || $0.name == "Warning" }
            let to = String(decoding: c.dialog.to, as: UTF8.self)
            let what =
                isRegistration
                ? "\(c.opening) cannot register" : "The call of \(c.who)\(to.isEmpty ? "" : " to \(to)") failed"
            return Finding(
                .sipRefused, severity, "\(what): \(Self.name(sender)) answered \(Self.words(step, table)).",
                details: told.map { "Its \($0.name) header says: \($0.value)" } + [
                    "No NAT or ALG fault that would explain it was found in these messages."
                ],
                evidence: [Self.evidence(step, table, ["CSeq", "Reason", "Warning"], "the refusal")], culprit: .unknown,
                confidence: .proved,
                remedies: [
                    Remedy(
                        .server,
                        isRegistration
                            ? "Look up why \(Self.name(sender)) answers so: its log around that moment names the account, the domain or the rule."
                            : "Look up the call at \(Self.name(sender)), or at whom it passes calls to: dial plan, trunk, rights of the caller."
                    )
                ], subject: Self.subject(c, step, table))
        }
        let copy = c
        let isFull = isRegistration && isContactLimit(step, table)
        if isRegistration {
            // Of one who guesses, it is the guessing that is told.
            let client = table.endpoints[step.record.destination].address
            let told = isFull ? tooManyContacts(refusal(copy), sender) : nil
            draft(
                .registration(client, account(c.dialog.to, c)), .sipRefused, severity,
                variant: isFull ? 2_048 : UInt64(status), &c, server: sender.address
            ) { told ?? refusal(copy) }
        } else if severity == .fault, let trunk = unreachedTrunk(step, sender, c, table) {
            report(.sipRefused, severity, variant: 1_024 + UInt64(status), &c, server: sender.address) {
                var finding = refusal(copy)
                finding.summary =
                    String(finding.summary.dropLast())
                    + ": its own request to \(trunk.peer) is refused by ICMP (\(trunk.note.says)) from \(trunk.note.source)."
                finding.details = Array(finding.details.dropLast()) + ["\(trunk.peer) answers nothing in this capture."]
                finding.evidence.insert(
                    Evidence(
                        place: trunk.note.place, time: Instant(nanoseconds: trunk.note.time),
                        source: Endpoint(trunk.note.source.address, 0),
                        excerpt: "ICMP: \(trunk.note.says)", says: "about the request to \(trunk.peer)"), at: 0)
                finding.culprit = .proved("\(trunk.note.source)")
                finding.remedies = [
                    Remedy(
                        .server,
                        "Give \(Self.name(sender)) the right address of its peer, or see why \(trunk.peer) takes no SIP there (service, port, firewall)."
                    )
                ]
                return finding
            }
        } else if let cause {
            let plain = refusal(copy)
            draft(
                .refusal(cause.proof, plain, nil), .sipRefused, .fault, variant: UInt64(status) << 1, &c, server: sender.address
            ) {
                Finding(
                    .sipRefused, .fault, cause.summary, details: cause.details,
                    evidence: (Self.invite(before: step, copy).map {
                        [Self.evidence($0, table, ["CSeq", "Session-Expires", "Require", "Max-Forwards", "Contact"], "asked")]
                    } ?? []) + [
                        Self.evidence(
                            step, table, ["CSeq", "Min-SE", "Unsupported", "Contact", "Reason", "Warning"], "the refusal")
                    ], culprit: cause.culprit, confidence: .likely, remedies: cause.remedies,
                    subject: Self.subject(copy, step, table))
            }
        } else if severity == .fault, drafts.count < Self.mostRefused {
            var plain = refusal(copy)
            plain.severity = .note
            plain.details.append("It took most calls in this capture.")
            draft(
                .refusal(trouble(step, copy, table), plain, attempt(before: step, copy, table)), .sipRefused, severity,
                variant: UInt64(status) << 1, &c,
                server: sender.address
            ) { refusal(copy) }
        } else {
            report(.sipRefused, severity, variant: UInt64(status), &c, server: sender.address) { refusal(copy) }
        }
    }

    /// The call as it was tried there, for whoever may have taken it in place of that server.
    private func attempt(before step: Step, _ c: DialogCase, _ table: SignallingTable) -> Attempt? {
        guard let asked = Self.invite(before: step, c), step.nanoseconds != MessageRecord.unknownTime else { return nil }
        return Attempt(
            sameWithin: Self.automatic, dialog: c.number, client: table.endpoints[asked.record.source].address,
            server: table.endpoints[asked.record.destination],
            first: asked.nanoseconds, last: step.nanoseconds)
    }

    /// Whom a server cannot reach to pass the call on, as ICMP tells it, and who never answers it.
    private func unreachedTrunk(
        _ step: Step, _ sender: PackedEndpoint, _ c: DialogCase, _ table: SignallingTable
    ) -> (peer: String, note: ICMPNote)? {
        guard table.errors.count < 4_096 else { return nil }
        let found = table.errors.filter { flow, note in
            flow.source == sender.address && flow.transport == .udp && note.time <= step.nanoseconds
                && flow.destination != table.endpoints[step.record.destination].address && note.says.hasSuffix("unreachable")
                && table.activity(of: PackedEndpoint(flow.destination, flow.destinationPort)).isInvitedInVain
        }
        guard found.count == 1, let (flow, note) = found.first else { return nil }
        return (Self.name(PackedEndpoint(flow.destination, flow.destinationPort)), note)
    }

    /// So soon no person dials again.
    private static let automatic: Int64 = 2 * second

    /// Refused registrations that wait for what else their source did; more are the same once more.
    private static let mostRefused = 1 << 14

    /// A Reason, a Warning, or a phrase that is not the registered one: more than an everyday end.
    private func saysWhy(_ step: Step, _ table: SignallingTable) -> Bool {
        guard let bytes = Self.bytes(step, table) else { return false }
        return MessageExcerpt.fields(bytes).contains { $0.name == "Warning" }
    }
}
