import Base
import Capture

extension Judge {
    /// A request sent again and again: whether nobody answered, and what ICMP and the answer's own time say of the reason.
    mutating func retransmit(
        _ index: Int, _ again: [Int], _ answer: Int?, isOnly: Bool, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let step = c.steps[index]
        let last = again.last.map { c.steps[$0] } ?? step
        let destination = table.endpoints[step.record.destination]
        // Who asks all that listen expects that nobody does: a phone that looks for its provisioning (RFC 6080 5.1.4.2), or for a registrar.
        guard !destination.address.isMulticast else { return }
        // A log's message whose start line was not understood may be an answer.
        guard step.method != .other || step.record.place.kind != .line else { return }
        let flow = PackedFlow(
            source: table.endpoints[step.record.source].address, table.endpoints[step.record.source].port,
            destination: destination.address, destination.port, step.isOverStream ? .tcp : .udp)
        let icmp = table.errors[flow]
        // Two repetitions may be one lost packet; three are seconds of silence.
        let taker = isTakenInDialog(index, c, table)
        let severity: Severity = again.count < 3 && icmp == nil || taker != nil ? .note : .fault
        let isExplained =
            wasReported(.natMappingExpired, c) || wasReported(.natPrivateContact, c) || wasReported(.natRportMissing, c)
            || wasReported(.sipFragmented, c)
        guard !isExplained else { return }
        let lasted = c.gap(step, last) ?? 0
        let isTimed = c.gap(step, last) != nil
        // Without times nobody knows whether the answer came late.
        if !isTimed, answer != nil { return }
        if answeredElsewhere(step, again.count, lasted, &c, table) || answeredUnderOtherName(step, again.count, lasted, &c, table)
            || answeredToAnother(step, again.count, lasted, &c, table)
        {
            return
        }
        if answer == nil, mismatched(step, again.count, lasted, &c, table) { return }
        if answer == nil, lostToWrongExternal(step, again.count, lasted, &c, table) { return }
        if answer == nil, let icmp, isAbout(icmp, step), forgotten(step, again.count, lasted, icmp, &c, table) { return }
        let proxy = hopThatAnswered(index, c, table)
        let reason = answer == nil ? icmp.flatMap { isAbout($0, step) ? unreached($0, step, table) : nil } : nil
        let late = answer.flatMap { c.steps[$0].status == 408 ? nil : $0 }.flatMap { c.gap(last, c.steps[$0]) }.flatMap {
            $0 > second && again.count >= 3 ? $0 : nil
        }
        let waited = answer.flatMap { c.gap(step, c.steps[$0]) } ?? lasted
        let forgetful = answer == nil && icmp == nil ? idleBehindNAT(step, c, table) : nil
        let copy = c
        let make: () -> Finding = {
            let c = copy
            var details: [String] = []
            var evidence = [Self.evidence(step, table, Self.repeatedFields, again.isEmpty ? "sent once" : "first sent")]
            if let second = again.first {
                details.append(
                    "The branch is the same each time"
                        + (c.gap(step, c.steps[second]).map {
                            $0 == 0
                                ? "." : " and the gaps grow from \(spoken($0)): the sender's timer, not a copy in the capture."
                        } ?? "; the log tells no times."))
                evidence.append(Self.evidence(last, table, Self.repeatedFields, "sent again, the last of \(again.count) times"))
            } else {
                details.append("Its sender gives up at an ICMP error, and rightly (RFC 3261 18.4).")
            }
            if let answer { evidence.append(Self.evidence(c.steps[answer], table, ["CSeq"], "answered at last")) }
            if let forgetful {
                details.append(
                    "Nothing had passed between them for \(spoken(forgetful)), and the phone is behind a NAT: many forget a UDP mapping "
                        + "within 3 min of silence, and drop what comes then. A phone that is off looks the same."
                )
            }
            if let proxy { details.append("The last hop that answered is \(Self.name(proxy)); what lies behind it did not.") }
            if let icmp {
                details.append("\(icmp.source) reports: \(icmp.says).")
                evidence.append(
                    Evidence(
                        place: icmp.place, time: Instant(nanoseconds: icmp.time), source: Endpoint(icmp.source.address, 0),
                        excerpt: "ICMP: \(icmp.says)", says: "about this packet"))
            }
            if let late {
                details.append(
                    "The answer follows \(spoken(late)) after the last sending: no network takes so long, so it was late and not lost."
                )
            }
            // 408 is said by who took the request and waited in vain himself (RFC 3261 16.7).
            let gaveUp = answer.map { c.steps[$0].status == 408 } ?? false
            let rest: String
            if answer == nil {
                rest = "nobody answered\(reason.map { ": \($0.words)" } ?? "")."
            } else if gaveUp {
                rest = "\(Self.name(destination)) then answered 408: it waited in vain itself."
            } else {
                rest = late == nil ? "the answer came only then." : "the answer came late, \(spoken(waited)) after the first."
            }
            return Finding(
                .sipRetransmit, severity,
                "\(step.method.token) from \(Self.name(table.endpoints[step.record.source])) to \(Self.name(destination)) was sent "
                    + (again.isEmpty ? "once" : "\(again.count + 1) times\(isTimed ? " within \(spoken(lasted))" : "")")
                    + " and \(rest)"
                    + (forgetful.map { " After \(spoken($0)) of silence its NAT may have forgotten the phone." } ?? "")
                    + (taker.map(Self.takenBy) ?? ""),
                details: details, evidence: evidence,
                culprit: icmp.map { .proved("\($0.source)") } ?? (gaveUp ? .unknown : Self.between(c, step, table)),
                confidence: icmp == nil ? .likely : .proved,
                remedies: reason?.remedies ?? (forgetful == nil ? [] : Self.keepalives)
                    + Self.remedies(destination, gaveUp: gaveUp, late: late.map { _ in waited }),
                subject: Self.subject(c, step, table))
        }
        // Some never answer OPTIONS and do all else.
        if step.method == .options, answer == nil, icmp == nil, severity == .fault {
            unansweredOptions[destination, default: 0] += 1
            draft(
                .answersOthers(destination, from: table.endpoints[step.record.source].address), .sipRetransmit, severity,
                variant: 7, &c, server: destination.address, make)
        } else if step.isUnasked, answer == nil, icmp == nil, severity == .fault {
            draft(.hears(destination), .sipRetransmit, severity, variant: 10, &c, server: destination.address, make)
        } else if answer == nil, icmp == nil, severity == .fault, let extra = extra(step, table) {
            let asker = table.endpoints[step.record.source].address
            peers.ignores(extra, asker: asker, end: destination.address, from: step.nanoseconds)
            draft(
                .servesOtherwise(extra, asker: asker, end: destination.address), .sipRetransmit, severity,
                variant: 64 + extra.rawValue,
                &c, server: destination.address, make)
        } else if answer == nil, severity == .fault,
            again.isEmpty || reason?.isAbsence == true && (step.method != .invite || !isOnly)
        {
            draft(
                .comesBack(destination, after: last.nanoseconds), .sipRetransmit, severity, variant: 1, &c,
                server: destination.address, make)
        } else if isOnly, answer == nil, severity == .fault, let condition = recovery(index, last, c, table) {
            draft(condition, .sipRetransmit, severity, variant: 1, &c, server: destination.address, make)
        } else if answer == nil, icmp == nil, drafts.count < Self.mostScannerDrafts {
            // Who looks for victims is left without an answer at last, and rightly; that shows at the end.
            draft(
                .noScanner(c.client(step, table).address, nonce: 0), .sipRetransmit, severity, variant: 1, &c,
                server: destination.address, make)
        } else if answer != nil, late == nil, severity == .fault, lasted < Self.shortOutage {
            let outage = Outage(end: destination, vantage: c.dialog.vantage)
            outages[outage, default: 0] += 1
            draft(.answeredAtLast(outage), .sipRetransmit, severity, variant: 2, &c, server: destination.address, make)
        } else {
            report(
                .sipRetransmit, severity, variant: answer == nil ? 1 : late == nil ? 2 : 8, &c, server: destination.address, make)
        }
    }

    /// For how long nothing had passed between a server and a phone behind a NAT when it sent that, nanoseconds. Nil where the NAT is known to
    /// remember as long, or where that is no time for one.
    private func idleBehindNAT(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> Int64? {
        let number = table.flows.number(
            table.endpoints[step.record.destination], table.endpoints[step.record.source], c.dialog.vantage)
        guard step.idle >= 60_000, let flow = table.flows[number], flow.hasPrivateContact,
            flow.provenIdle < step.idle
        else { return nil }
        return Int64(step.idle) * 1_000_000
    }

    private static let keepalives = [
        Remedy(.phone, "Let the phone send a keepalive every 30 s or less (RFC 5626), or register as often."),
        Remedy(
            .server,
            "Or let the server ping its phones as often (Asterisk: qualify, Kamailio: nathelper, FreeSWITCH: nat-options-ping)."),
    ]

    /// `late`: after how long the answer came, where it did and was not lost.
    private static func remedies(_ server: PackedEndpoint, gaveUp: Bool, late: Int64?) -> [Remedy] {
        if gaveUp {
            return [
                Remedy(
                    .server,
                    "Look at \(name(server)) where it passes the request on: what lies behind it is silent, or it is too busy.")
            ]
        }
        if let late {
            return [
                Remedy(
                    .server,
                    "Look why \(name(server)) takes \(spoken(late)): load, its database, look-ups of names that time out."),
                Remedy(.network, "If it answers at once where it stands, look for a full queue on the way."),
            ]
        }
        return [
            Remedy(.network, "See whether the request arrives: capture at \(name(server)) too."),
            Remedy(.router, "Check firewall and port forwarding on the way, and whether the host is up."),
        ]
    }

    /// The errors began with the first sending: others tell of another trouble, as when a program starts late or ends after all.
    private func isAbout(_ icmp: ICMPNote, _ step: Step) -> Bool {
        // A host that is looked for in vain is given up after seconds (ARP, neighbour discovery).
        let patience = icmp.says == "host unreachable" ? 8 * second : second
        return icmp.times.count >= ICMPNote.mostTimes
            || icmp.times.contains { (0...patience).contains(elapsed(step.nanoseconds, $0) ?? -1) }
    }

    /// A request that its sender gave up because it was refused by ICMP, the moment it was sent (RFC 3261 18.4).
    func isRefusedAtOnce(_ index: Int, _ c: DialogCase, _ table: SignallingTable) -> Bool {
        let step = c.steps[index]
        guard [.register, .invite, .message].contains(step.method), !step.isOverStream, step.toTag == 0 else { return false }
        return isRefused(step, table)
    }

    /// An ICMP error that says why came a moment after it was sent.
    func isRefused(_ step: Step, _ table: SignallingTable) -> Bool {
        guard !table.errors.isEmpty, !step.isOverStream else { return false }
        let (source, destination) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        let flow = PackedFlow(source: source.address, source.port, destination: destination.address, destination.port, .udp)
        guard let icmp = table.errors[flow],
            icmp.times.contains(where: { (0...8 * second).contains(elapsed(step.nanoseconds, $0) ?? -1) })
        else { return false }
        return unreached(icmp, step, table) != nil
    }

    private static let mostScannerDrafts = 1 << 14
    /// A gap that a switch-over or a hiccup explains.
    private static let shortOutage = 8 * second

    /// Answers come, but with another branch or number than the request's: nobody can match them (RFC 3261 17.1.3).
    private mutating func mismatched(
        _ step: Step, _ count: Int, _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        guard step.fromTag != 0 else { return false }
        let strange = c.steps.filter { answer in
            !answer.isRequest && answer.method == step.method && answer.fromTag == step.fromTag
                && answer.record.place > step.record.place
                && answer.record.source == step.record.destination && answer.record.destination == step.record.source
                && !c.steps.contains {
                    $0.isRequest && $0.record.sequence == answer.record.sequence && $0.branch == answer.branch
                }
        }
        guard strange.count >= 3, let first = strange.first else { return false }
        let what = first.record.sequence != step.record.sequence ? "CSeq" : "branch in Via"
        let destination = table.endpoints[step.record.destination]
        report(.sipRetransmit, .fault, variant: 9, c.server(step, table), &c) { c in
            Finding(
                .sipRetransmit, .fault,
                "\(Self.name(destination)) answers the \(step.method.token) of \(Self.name(table.endpoints[step.record.source])) with another \(what) than it has: "
                    + "the answers cannot be matched, and the request was sent \(count + 1) times within \(spoken(lasted)).",
                details: [
                    "\(strange.count) such answers came. An answer repeats Via, From, To, Call-ID and CSeq of its request (RFC 3261 8.2.6.2)."
                ],
                evidence: [
                    Self.evidence(step, table, Self.repeatedFields, "asked"),
                    Self.evidence(first, table, Self.repeatedFields, "answered with another \(what)"),
                ], culprit: Self.between(c, step, table), confidence: .likely,
                remedies: [
                    Remedy(
                        .server, "Let \(Self.name(destination)) copy Via and CSeq of the request into its answers as they are."),
                    Remedy(.router, "If it does, look on the way for a helper that rewrites SIP, and switch it off."),
                ], subject: Self.subject(c, step, table))
        }
        return true
    }

    /// A proxy that took the request on another leg of the same dialog.
    private func hopThatAnswered(_ index: Int, _ c: DialogCase, _ table: SignallingTable) -> PackedEndpoint? {
        let step = c.steps[index]
        for (other, request) in c.steps.enumerated()
        where request.isRequest && request.leg != step.leg && request.method == step.method {
            guard table.endpoints[request.record.destination].address == table.endpoints[step.record.source].address,
                c.response(to: request, from: other, atLeast: 100) != nil
            else { continue }
            return table.endpoints[request.record.destination]
        }
        return nil
    }
}
