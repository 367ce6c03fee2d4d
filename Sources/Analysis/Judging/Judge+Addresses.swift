import Base
import Capture

extension Judge {
    /// Findings about addresses inside messages.
    mutating func addresses(_ c: inout DialogCase, _ table: SignallingTable) {
        if c.dialog.kind == .registration { privateRegistration(&c, table) }
        lostRequests(&c, table)
        if c.dialog.kind == .call {
            privateContact(&c, table)
            privateDescription(&c, table)
            stunMismatch(&c, table)
        }
        wrongExternal(&c, table)
        rportMissing(&c, table)
        algSuspected(&c, table)
    }

    private static let contactFields = ["Contact", "Via", "CSeq"]

    // MARK: nat.private-contact

    /// The everyday case: a private Contact in a REGISTER that the registrar's `received` and `rport` make harmless.
    private mutating func privateRegistration(_ c: inout DialogCase, _ table: SignallingTable) {
        guard
            let index = c.steps.firstIndex(where: { step in
                step.isRequest && step.method == .register && step.flags.contains(.fromClient) && step.contact.isPrivateAddress
                    && Self.isPublic(table.endpoints[step.record.source])
            })
        else { return }
        let step = c.steps[index]
        let granted = c.steps.last { !$0.isRequest && $0.method == .register && $0.status == 200 && $0.contact.kind != .none }
        let program = table.programs[c.dialog.serverProgram].name.lowercased()
        // These registrars show where they will really send to; others keep it to themselves.
        let isForgotten =
            granted.map { $0.contact.isPrivateAddress && !$0.flags.contains(.contactReceived) } ?? false
            && (program.hasPrefix("kamailio") || program.hasPrefix("opensips"))
        report(.natPrivateContact, .note, variant: isForgotten ? 1 : 0, c.server(step, table), &c) { c -> Finding in
            let role = ServerRole(step, table)
            return Finding(
                .natPrivateContact, .note,
                "\(c.opening) registers a private Contact from behind a NAT; harmless as long as the server sends to where requests come from.",
                details: isForgotten
                    ? [
                        "The registrar's 200 lists the private address without received=: calls to this phone will probably go there and be lost."
                    ]
                    : [],
                evidence: [
                    Self.evidence(step, table, Self.contactFields, "sent from \(Self.name(table.endpoints[step.record.source]))")
                ],
                culprit: .unknown, confidence: .proved,
                remedies: role.map { [$0.remedy] } ?? [
                    Remedy(
                        .server,
                        isForgotten
                            ? "Have the registrar keep the source address: force_rport(); fix_nated_register();"
                            : "Nothing to do while rport is honoured (nat=force_rport, rewrite_contact, fix_nated_register).")
                ],
                subject: Self.subject(c, step, table))
        }
    }

    /// A request to the private address somebody registered from behind a NAT.
    private mutating func lostRequests(_ c: inout DialogCase, _ table: SignallingTable) {
        guard !table.privateContacts.isEmpty else { return }
        for (index, step) in c.steps.enumerated() where step.isRequest && step.isFirst && step.method != .ack {
            let destination = table.endpoints[step.record.destination]
            guard destination.address.isPrivateNetwork,
                let owner = table.privateContacts[SeenPlace(file: step.record.place.file, place: destination)],
                c.response(to: step, from: index, atLeast: 100) == nil, c.silence(after: step) > 2 * second
            else { continue }
            if owner.address.isPrivateNetwork {
                guard
                    c.steps[(index + 1)...].filter({ $0.isRequest && $0.branch == step.branch && $0.method == step.method }).count
                        > 2
                else { continue }
                staleAddress(step, destination, owner, &c, table)
                return
            }
            report(.natPrivateContact, .fault, c.server(step, table), &c) { c in
                Finding(
                    .natPrivateContact, .fault,
                    "The \(step.method.token) for \(String(decoding: c.dialog.to, as: UTF8.self)) was sent to \(Self.name(destination)), the private "
                        + "address in the Contact that was registered, instead of \(Self.name(owner)), where it registers from.",
                    details: ["Nobody answered it."],
                    evidence: [Self.evidence(step, table, ["To", "CSeq", "Via"], "sent to a private address")],
                    culprit: Self.between(c, step, table), confidence: .likely, remedies: Self.contactRemedies,
                    subject: Self.subject(c, step, table))
            }
            return
        }
    }

    /// On one network: the phone has another address than it says.
    private mutating func staleAddress(
        _ step: Step, _ destination: PackedEndpoint, _ owner: PackedEndpoint, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        report(.natPrivateContact, .fault, variant: 2, c.server(step, table), &c) { c in
            Finding(
                .natPrivateContact, .fault,
                "The \(step.method.token) for \(String(decoding: c.dialog.to, as: UTF8.self)) was sent to \(Self.name(destination)), the address in the "
                    + "Contact that was registered, but that phone registers from \(Self.name(owner)): nobody answered.",
                details: [
                    "Either the phone was given another address and goes on naming the old one, or a second router stands before it."
                ],
                evidence: [Self.evidence(step, table, ["To", "CSeq", "Via"], "sent to the address in Contact")],
                culprit: .between(Self.name(owner), Self.name(c.client(step, table))), confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Restart the phone so that it names the address it has now, and give it a fixed one (a reserved DHCP lease)."
                    ),
                    Self.contactRemedies[0],
                ], subject: Self.subject(c, step, table))
        }
    }

    static let contactRemedies = [
        Remedy(
            .server, "Answer to where requests come from: force rport and rewrite Contact.",
            commands: [
                "Asterisk chan_sip: nat=force_rport,comedia",
                "Asterisk pjsip: rewrite_contact=yes, force_rport=yes, rtp_symmetric=yes",
                "Kamailio: force_rport(); fix_nated_contact();",
            ]),
        Remedy(.phone, "Let the phone write its public address (STUN, rport learning)."),
    ]

    /// Contacts of both ends of a call that was set up.
    private mutating func privateContact(_ c: inout DialogCase, _ table: SignallingTable) {
        for leg in c.dialog.legs.indices {
            guard
                let accept = c.steps.firstIndex(where: { Int($0.leg) == leg && isAccept($0) })
                    ?? c.steps.firstIndex(where: { Int($0.leg) == leg && isReliable($0, c) })
            else { continue }
            for isCaller in [true, false] { contact(of: isCaller, leg, accept, &c, table) }
        }
    }

    func isAccept(_ step: Step) -> Bool {
        !step.isRequest && step.method == .invite && step.status >= 200 && step.status < 300
    }

    /// A provisional answer that was acknowledged by PRACK (RFC 3262): its Contact is a target already.
    private func isReliable(_ step: Step, _ c: DialogCase) -> Bool {
        !step.isRequest && step.method == .invite && (101..<200).contains(step.status)
            && c.steps.contains { $0.isRequest && $0.method == .prack && $0.leg == step.leg }
    }

    private mutating func contact(of isCaller: Bool, _ leg: Int, _ accept: Int, _ c: inout DialogCase, _ table: SignallingTable) {
        guard
            let index = c.steps.lastIndex(where: { step in
                Int(step.leg) == leg && step.flags.contains(.fromClient) == isCaller && step.method == .invite
                    && step.contact.kind != .none && step.isFirst
                    && (step.isRequest || isAccept(step) || !isAccept(c.steps[accept]) && step.status == c.steps[accept].status)
            })
        else { return }
        let said = c.steps[index]
        let source = table.endpoints[said.record.source]
        let peer = table.endpoints[said.record.destination]
        guard said.contact.isPrivateAddress, Self.isPublic(source) else { return }
        // Through a proxy that stays in the path, Route leads back, not Contact.
        let isRouted = c.steps.contains { Int($0.leg) == leg && $0.flags.contains(.recordRoute) }
        var lost: Int?
        var isRepaired = false
        // The ACK to a refusal goes where the INVITE went, whatever Contact says.
        let isAccepted = isAccept(c.steps[accept])
        for (later, step) in c.steps.enumerated()
        where later > min(accept, index) && Int(step.leg) == leg && step.isRequest && step.isFirst {
            guard step.flags.contains(.fromClient) != isCaller, step.method != .cancel, isAccepted || step.method != .ack else {
                continue
            }
            let destination = table.endpoints[step.record.destination]
            if destination.address == said.contact.address {
                if step.method == .ack || c.response(to: step, from: later, atLeast: 100) == nil { lost = lost ?? later }
            } else if step.method == .ack || c.response(to: step, from: later) != nil {
                isRepaired = true
            }
        }
        if isRepaired, repairing.count < 1 << 16 { repairing.insert(peer.address) }
        if let lost, leftOut(c.steps[lost], said, accept, &c, table) { return }
        if let lost {
            let step = c.steps[lost]
            let role = ServerRole(said, table)
            report(.natPrivateContact, .fault, peer, &c) { c in
                Finding(
                    .natPrivateContact, .fault,
                    "\(step.method.token) went to \(Self.name(table.endpoints[step.record.destination])), the private address in the "
                        + "Contact of \(role?.name ?? Self.name(source)), and was lost: "
                        + (isAccepted ? "the call cannot be changed or ended from that side." : "the call is never set up."),
                    details: ["The message that carries this Contact came from \(Self.name(source))."],
                    evidence: [
                        Self.evidence(said, table, Self.contactFields, "private Contact from a public source"),
                        Self.evidence(step, table, ["CSeq", "Via"], "sent to the private address"),
                    ],
                    culprit: role.map { .proved($0.name) } ?? Self.between(c, said, table), confidence: .likely,
                    remedies: role.map { [$0.remedy] } ?? Self.contactRemedies,
                    subject: Self.subject(c, said, table))
            }
        } else if !isRepaired, !isRouted, !said.isOverStream {
            draft(.notRepaired(peer.address), .natPrivateContact, .note, peer, &c) { c in
                Finding(
                    .natPrivateContact, .note,
                    "\(Self.name(source)) gave the private Contact \(said.contact.address):\(said.contact.portOrDefault) in a call; harmless "
                        + "as long as the other side sends to where requests come from.",
                    details: ["No request went back in this call; the first one that does will tell."],
                    evidence: [Self.evidence(said, table, Self.contactFields, "private Contact from a public source")],
                    culprit: Self.between(c, said, table), confidence: .likely, remedies: Self.contactRemedies,
                    subject: Self.subject(c, said, table))
            }
        }
    }

    // MARK: nat.rport-missing

    private mutating func rportMissing(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, step) in c.steps.enumerated() where !step.isRequest && !step.isOverStream {
            guard let asked = c.steps[..<index].lastIndex(where: { $0.isRequest && c.isAnswer(step, to: $0) }) else { continue }
            let request = c.steps[asked]
            let (source, went) = (table.endpoints[request.record.source], table.endpoints[step.record.destination])
            guard source != went, went.port != source.port, request.via.kind != .none, went.port == request.via.portOrDefault,
                went.address == source.address || went.address == request.via.address, source.isKnown
            else { continue }
            let isBehindNAT = request.via.kind == .address && request.via.address != source.address
            let repeats = c.steps[(index + 1)...].filter {
                $0.isRequest && $0.branch == request.branch && $0.method == request.method
                    && $0.record.sequence == request.record.sequence
                    && (c.gap(step, $0) ?? second) > 200_000_000
            }
            let goesOn = c.steps[(index + 1)...].contains {
                $0.isRequest && $0.leg == request.leg && $0.flags.contains(.fromClient) == request.flags.contains(.fromClient)
                    && $0.branch != request.branch
            }
            guard !repeats.isEmpty || (!goesOn && isBehindNAT && c.silence(after: step) > 4 * second && step.status != 200) else {
                continue
            }
            if goesOn, repeats.count < 2 { continue }
            let isAsked = request.flags.contains(.rport)
            report(.natRportMissing, .fault, c.server(request, table), &c) { c in
                var evidence = [
                    Self.evidence(request, table, ["Via", "CSeq"], "sent from \(Self.name(source))"),
                    Self.evidence(step, table, ["Via", "CSeq"], "answered to \(Self.name(went))"),
                ]
                if let again = repeats.first {
                    evidence.append(Self.evidence(again, table, ["CSeq"], "sent again: the answer was not heard"))
                }
                let isElsewhere = went.address != source.address
                return Finding(
                    .natRportMissing, .fault,
                    "The reply to the \(request.method.token) of \(Self.name(source)) went to "
                        + (isElsewhere
                            ? "\(Self.name(went)), as Via says, and not to where the request came from: nobody heard it there."
                            : "port \(went.port), as Via says, and not to port "
                                + "\(source.port), where the request came from: \(isBehindNAT ? "the NAT drops it" : "nobody heard it there")."),
                    details: [
                        isAsked
                            ? "The request asked for rport (RFC 3581); the server did not heed it."
                            : "The request did not ask for rport (RFC 3581).",
                        repeats.isEmpty
                            ? "Nothing came after the reply."
                            : "The request was sent \(repeats.count) more times after the reply.",
                    ],
                    evidence: evidence,
                    // Who answers to another address himself was led by no port that a NAT changed.
                    culprit: isElsewhere
                        ? .proved(Self.name(table.endpoints[step.record.source])) : Self.between(c, request, table),
                    confidence: .likely,
                    remedies: [
                        Remedy(
                            .server, "Answer to the source \(isElsewhere ? "address and port" : "port") always.",
                            commands: [
                                "Asterisk chan_sip: nat=force_rport", "Asterisk pjsip: force_rport=yes",
                                "Kamailio: force_rport();",
                            ]),
                        Remedy(.phone, "Switch rport on (RFC 3581)."),
                    ], subject: Self.subject(c, request, table))
            }
            return
        }
    }

    static func isPublic(_ endpoint: PackedEndpoint) -> Bool { endpoint.isKnown && !endpoint.address.isPrivateNetwork }
}

extension PackedAddress {
    /// 0.0.0.0 and its like: hold, not a place.
    var isUnspecified: Bool { isIPv4 ? UInt32(truncatingIfNeeded: low) >> 24 == 0 : high == 0 && low == 0 }
    var isLoopback: Bool { isIPv4 ? UInt32(truncatingIfNeeded: low) >> 24 == 127 : high == 0 && low == 1 }
}
