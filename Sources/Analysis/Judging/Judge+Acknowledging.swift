import Base
import Capture

extension Judge {
    // MARK: sip.no-ack

    /// Acceptances of calls, and of changes inside them, that are repeated because no ACK arrives (RFC 3261 13.3.1.4).
    mutating func noACK(_ c: inout DialogCase, _ table: SignallingTable) {
        for (first, accept) in c.steps.enumerated()
        where !accept.isRequest && accept.method == .invite && accept.status >= 200 && accept.status < 300 && accept.isFirst {
            let again = c.steps.indices.filter { index in
                let step = c.steps[index]
                return index > first && step.leg == accept.leg && !step.isRequest && step.method == .invite
                    && step.record.sequence == accept.record.sequence && step.status == accept.status
                    && step.toTag == accept.toTag && step.flags.contains(.fromClient) == accept.flags.contains(.fromClient)
            }
            guard again.count >= 2, let last = again.last else { continue }
            let acks = c.steps.indices.filter { index in
                let step = c.steps[index]
                guard step.method == .ack, step.isRequest, step.record.sequence == accept.record.sequence else { return false }
                // To somebody else it begins a hop of its own.
                return step.leg == accept.leg
                    ? step.flags.contains(.fromClient) != accept.flags.contains(.fromClient)
                    : table.endpoints[step.record.source].address == table.endpoints[accept.record.destination].address
            }
            if let ack = acks.first {
                if unheardACK(first, ack, again, &c, table) { return }
                continue
            }
            let lasted = c.gap(accept, c.steps[last]) ?? 0
            // With two repetitions alone the capture must show that nothing more came.
            guard again.count >= 3 || c.silence(after: c.steps[last]) > 8 * second else { continue }
            guard !stoppedEarly(first, again, lasted, c) else { continue }
            if misnumbered(first, again, &c, table) || incomplete(first, again, &c, table) { return }
            // Whoever passed the acceptance on waits for the ACK from the caller's side, too: there it went astray.
            if isPassedOn(accept, c, table), isRepeatedElsewhere(accept, c, table) { continue }
            if let ack = strandedACK(accept, c, table),
                unroutableACK(accept, ack, c.steps[last], again.count, isEnded: lasted > 20 * second, &c, table)
            {
                return
            }
            if !unheardAcceptance(first, again, &c, table) { missingACK(first, again, lasted, &c, table) }
            return
        }
    }

    private mutating func missingACK(
        _ first: Int, _ again: [Int], _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let accept = c.steps[first]
        let last = c.steps[again[again.count - 1]]
        let (sender, caller) = (
            Self.name(table.endpoints[accept.record.source]), Self.name(table.endpoints[accept.record.destination])
        )
        let target = ACKTarget(accept, table)
        let isAstray = target.map { $0.isNotOf(accept, table) } ?? false
        // The ACK to a refusal, as to a challenge, bears the branch of its INVITE and is of no call that stands.
        let isChange = c.steps[..<first].contains {
            $0.method == .invite && $0.leg == accept.leg
                && ($0.isRequest
                    ? $0.branch == accept.branch && $0.toTag != 0
                    : (200..<300).contains($0.status) && $0.record.sequence != accept.record.sequence)
        }
        // Who repeats the INVITE although it was answered hears nothing of what comes back.
        let answered = c.steps.firstIndex {
            !$0.isRequest && $0.branch == accept.branch && $0.leg == accept.leg && $0.status >= 100
        }
        let deaf = c.steps.indices.filter { index in
            let step = c.steps[index]
            return index > answered ?? Int.max && step.isRequest && step.method == .invite && step.branch == accept.branch
                && step.leg == accept.leg
        }
        report(.sipNoACK, .fault, c.server(accept, table), &c) { c in
            var details = [
                "The \(accept.status) was sent \(again.count + 1) times\(Self.span(accept, last, c)); the ACK would have stopped it.",
                "It is repeated by its sender, so the ACK did not reach it by another path either.",
            ]
            if isAstray, let target { details.append(target.why) }
            var evidence = [
                Self.evidence(accept, table, ["Contact", "Record-Route", "CSeq"], "the call is accepted"),
                Self.evidence(last, table, ["CSeq"], "sent again, the last of \(again.count)"),
            ]
            if deaf.count >= 2 {
                details.append(
                    "\(caller) repeated its INVITE \(deaf.count) times although it had been answered: it hears none of the answers."
                )
                evidence.append(Self.evidence(c.steps[deaf[deaf.count - 1]], table, Self.ackFields, "repeated although answered"))
            }
            return Finding(
                .sipNoACK, .fault,
                deaf.count >= 2
                    ? "Nothing that \(sender) answers reaches \(caller): the INVITE is repeated although it was answered, and no ACK comes."
                    : "\(sender) accepted \(isChange ? "a change of the call" : "the call") and repeated its 200 \(again.count) times, but no ACK came\(isAstray ? target.map { ", as it goes to \($0.words)" } ?? "" : ""): it will end the call after 32 s.",
                details: details, evidence: evidence,
                culprit: deaf.count < 2 && isAstray && target?.isRoute == true
                    ? .proved(ServerRole(accept, table)?.name ?? sender) : Self.between(c, accept, table), confidence: .likely,
                remedies: deaf.count >= 2
                    ? [
                        Remedy(
                            .router,
                            "Look for what drops the way back from \(sender) to \(caller): firewall, NAT mapping, helper."),
                        Remedy(.server, "Answer to where the request came from (rport), from where it arrived."),
                    ]
                    : target?.remedies(isAstray: isAstray, accept, table) ?? ACKTarget.reachable,
                subject: Self.subject(c, accept, table))
        }
    }

    /// ` in 32 s`; nothing where a log tells no times.
    private static func span(_ first: Step, _ last: Step, _ c: DialogCase) -> String {
        c.gap(first, last).map { " in \(spoken($0))" } ?? ""
    }

    private static let ackFields = ["CSeq", "Via", "To"]

    /// ACKs go out and the acceptance comes again all the same: they do not arrive, or go to where nobody is.
    private mutating func unheardACK(
        _ first: Int, _ ack: Int, _ again: [Int], _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let (accept, answer) = (c.steps[first], c.steps[ack])
        // What was on its way when the first ACK left is nobody's fault.
        let late = again.filter { $0 > ack && (c.gap(answer, c.steps[$0]) ?? 0) > second }
        guard late.count >= 3, let last = late.last else { return false }
        guard !wasReported(.natPrivateContact, c) else { return true }
        let lasted = c.gap(accept, c.steps[last]) ?? 0
        // Repeated to the end: fewer, and an ACK arrived at last.
        let isEnded = lasted > 20 * second
        if unroutableACK(accept, answer, c.steps[last], again.count, isEnded: isEnded, &c, table) { return true }
        let (source, went) = (table.endpoints[accept.record.source], table.endpoints[answer.record.destination])
        let (sender, caller) = (Self.name(source), Self.name(table.endpoints[accept.record.destination]))
        let isElsewhere = went.address != source.address
        // Contact names another host than the ACK goes to: who sends it chose for itself.
        let isStray =
            isElsewhere && !accept.flags.contains(.recordRoute) && accept.contact.kind == .address
            && accept.contact.address != went.address
        if isStray {
            strayACK(accept, answer, c.steps[last], again.count, isEnded, &c, table)
            return true
        }
        let header = accept.flags.contains(.recordRoute) ? "Record-Route" : "Contact"
        let role = ServerRole(accept, table)
        report(.sipNoACK, isEnded ? .fault : .note, variant: isElsewhere ? 2 : 1, c.server(accept, table), &c) { c in
            Finding(
                .sipNoACK, isEnded ? .fault : .note,
                isElsewhere
                    ? "\(caller) sends its ACK to \(Self.name(went)), as the \(header) in the 200 says, but the 200 came from \(sender): the ACK gets lost"
                        + (isEnded ? ", and the call ends after 32 s." : " at first.")
                    : "\(sender) repeats its 200 \(again.count) times although \(caller) acknowledges each: the ACK does not arrive, or does not match"
                        + (isEnded ? ", and the call ends after 32 s." : "; in the end it did."),
                details: [
                    "The \(accept.status) was sent \(again.count + 1) times\(Self.span(accept, c.steps[last], c)), \(late.count) of them more than a second after the first ACK.",
                    isElsewhere
                        ? "The address in \(header) is not one that \(sender) sends from: a stale or private external address."
                        : "An ACK to a 200 has the dialog's tags and the INVITE's CSeq (RFC 3261 13.2.2.4), else its receiver ignores it.",
                ],
                evidence: [
                    Self.evidence(accept, table, ["Contact", "Record-Route", "CSeq"], "the call is accepted"),
                    Self.evidence(answer, table, ["CSeq", "Route", "To"], "acknowledged, to \(Self.name(went))"),
                    Self.evidence(c.steps[last], table, ["CSeq"], "sent again all the same, the last of \(again.count)"),
                ], culprit: isElsewhere ? .proved(role?.name ?? sender) : .between(caller, sender), confidence: .likely,
                remedies: isElsewhere
                    ? [
                        role?.correction(of: header, from: sender)
                            ?? Remedy(
                                .server,
                                "Correct the address that \(sender) writes into \(header): its external or advertised address.")
                    ]
                    : [
                        Remedy(.router, "Look for what drops the ACK on its way to \(Self.name(went))."),
                        Remedy(.server, "If it arrives there, see in the log of \(sender) why it does not match."),
                    ], subject: Self.subject(c, accept, table))
        }
        return true
    }

    /// An ACK that goes to a host which neither sent the 200 nor is named in it, as by a balancer that forgets who took the call.
    private mutating func strayACK(
        _ accept: Step, _ answer: Step, _ last: Step, _ count: Int, _ isEnded: Bool, _ c: inout DialogCase,
        _ table: SignallingTable
    ) {
        let (source, went) = (table.endpoints[accept.record.source], table.endpoints[answer.record.destination])
        let caller = Self.name(table.endpoints[accept.record.destination])
        let severity: Severity = isEnded ? .fault : .note
        report(.sipNoACK, severity, variant: 3, c.server(accept, table), &c) { c in
            Finding(
                .sipNoACK, severity,
                "\(caller) sends its ACK to \(Self.name(went)), but the 200 came from \(Self.name(source)) and its Contact names \(accept.contact.address): "
                    + "the ACK gets lost" + (isEnded ? ", and the call ends after 32 s." : " at first."),
                details: [
                    "The 200 was sent \(count + 1) times. Whoever sends the ACK chose its way by itself, as a load balancer does."
                ],
                evidence: [
                    Self.evidence(accept, table, ["Contact", "Record-Route", "CSeq"], "the call is accepted"),
                    Self.evidence(answer, table, ["CSeq", "Route", "To"], "acknowledged, to \(Self.name(went))"),
                    Self.evidence(last, table, ["CSeq"], "sent again all the same, the last of \(count)"),
                ], culprit: .proved(caller), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Let \(caller) send all requests of a call to the host that accepted it: balance by Call-ID, or add Record-Route."
                    )
                ], subject: Self.subject(c, accept, table))
        }
    }

    /// A few repetitions and then none where the next was due, in a call that goes on: the ACK came by another path.
    private func stoppedEarly(_ first: Int, _ again: [Int], _ lasted: Int64, _ c: DialogCase) -> Bool {
        guard again.count <= 3, lasted < 30 * second, let last = again.last else { return false }
        let due = min(4 * second, (second / 2) << Int64(again.count)) + second
        let bye = c.steps[(last + 1)...].first { $0.isRequest && $0.method == .bye }
        guard let bye else { return c.silence(after: c.steps[last]) > 64 * second }
        return (c.gap(c.steps[last], bye) ?? 0) > due && (c.gap(c.steps[first], bye) ?? 0) > 35 * second
    }
}
