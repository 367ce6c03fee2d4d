import Base
import Capture

/// Where the ACK to a 200 goes, as the 200 says: to the nearest Record-Route, else to Contact (RFC 3261 12.2.1.1).
struct ACKTarget {
    let isRoute: Bool
    let address: PackedAddress

    private var header: String { isRoute ? "Record-Route" : "Contact" }
    private var hostOnly: HostOnlyAddress? { HostOnlyAddress(address, said: "\(address)") }
    /// `the private address 10.0.0.1 in Record-Route`.
    var words: String {
        (hostOnly?.name ?? "\(address.isPrivateNetwork ? "the private address " : "")\(address)") + " in its \(header)"
    }
    var why: String {
        hostOnly?.why
            ?? (isRoute
                ? "With Record-Route the ACK goes to the nearest of its addresses, and no message of this call came from that one."
                : "Without Record-Route the ACK goes to Contact, and no message of this call came from there.")
    }

    /// Nil where a name has to be looked up first, or the text is gone.
    init?(_ accept: Step, _ table: SignallingTable) {
        guard accept.flags.contains(.recordRoute) else {
            guard accept.contact.kind == .address else { return nil }
            (isRoute, address) = (false, accept.contact.address)
            return
        }
        guard let bytes = Judge.bytes(accept, table),
            let line = MessageExcerpt.fields(bytes).last(where: { $0.name.lowercased() == "record-route" })
        else { return nil }
        let text = Array(line.value.utf8)
        let found = text.withUnsafeBytes { p -> HostPort? in
            // The last of the list is the caller's first hop.
            let from = (0..<p.count).last { p[$0] == UInt8(ascii: "<") } ?? -1
            return p.count > from + 1
                ? MessageFacts.uri(p, from + 1, p.place(of: UInt8(ascii: ">"), from + 1, p.count) ?? p.count).host : nil
        }
        guard let found, found.kind == .address else { return nil }
        (isRoute, address) = (true, found.address)
    }

    /// It is not the address that the 200 came from, or one that its receiver cannot reach.
    func isNotOf(_ accept: Step, _ table: SignallingTable) -> Bool {
        let (source, caller) = (table.endpoints[accept.record.source], table.endpoints[accept.record.destination])
        guard source.isKnown, caller.isKnown, address != caller.address else { return false }
        if hostOnly != nil { return source.address != address }
        if address.isPrivateNetwork, !caller.address.isPrivateNetwork { return true }
        return isRoute && address != source.address && !table.speakers.contains(address)
    }

    static let reachable = [
        Remedy(.server, "Make the Contact in the 200 reachable for the caller, and have proxies add Record-Route."),
        Remedy(.router, "Let the ACK through: it goes to the Contact, not to where the INVITE went."),
    ]

    func remedies(isAstray: Bool, _ accept: Step, _ table: SignallingTable) -> [Remedy] {
        let sender = Judge.name(table.endpoints[accept.record.source])
        if isAstray, let hostOnly { return [hostOnly.remedy] }
        guard isRoute else { return Self.reachable }
        guard isAstray else {
            return [Remedy(.router, "Let the ACK through: it goes to \(address), the address in Record-Route.")]
        }
        let role = ServerRole(accept, table)
        if address == table.endpoints[accept.record.source].address, let role { return [role.remedy] }
        return [
            role?.correction(of: header, from: sender)
                ?? Remedy(
                    .server,
                    "Correct the address that \(sender) writes into \(header): its external or advertised address.",
                    commands: ["Kamailio: listen=udp:ADDRESS:5060 advertise PUBLIC:5060", "OpenSIPS: advertised_address="])
        ]
    }
}

extension Judge {
    /// The receiver of an acceptance sent the same on to somebody else.
    func isPassedOn(_ accept: Step, _ c: DialogCase, _ table: SignallingTable) -> Bool { passed(accept, c, table) != nil }

    private func passed(_ accept: Step, _ c: DialogCase, _ table: SignallingTable) -> Step? {
        c.steps.first {
            !$0.isRequest && $0.method == .invite && $0.status == accept.status && $0.leg != accept.leg
                && $0.record.sequence == accept.record.sequence && $0.toTag == accept.toTag
                && table.endpoints[$0.record.source].address == table.endpoints[accept.record.destination].address
        }
    }

    /// It is repeated there as well, and without an ACK.
    func isRepeatedElsewhere(_ accept: Step, _ c: DialogCase, _ table: SignallingTable) -> Bool {
        guard let other = passed(accept, c, table) else { return false }
        let again = c.steps.filter {
            !$0.isRequest && $0.method == .invite && $0.leg == other.leg && $0.status == other.status
                && $0.record.sequence == other.record.sequence && $0.toTag == other.toTag
        }
        return again.count >= 4
            && !c.steps.contains {
                $0.isRequest && $0.method == .ack && $0.leg == other.leg && $0.record.sequence == other.record.sequence
            }
    }

    /// ACKs come, but with a number that no INVITE of this call has: nobody can match them (RFC 3261 13.2.2.4).
    mutating func misnumbered(_ first: Int, _ again: [Int], _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        let accept = c.steps[first]
        let strange = c.steps[first...].filter { step in
            step.isRequest && step.method == .ack && step.leg == accept.leg
                && step.flags.contains(.fromClient) != accept.flags.contains(.fromClient)
                && !c.steps.contains { $0.isRequest && $0.method == .invite && $0.record.sequence == step.record.sequence }
        }
        guard strange.count >= 2, let ack = strange.first else { return false }
        let (caller, callee) = (Self.name(table.endpoints[ack.record.source]), Self.name(table.endpoints[accept.record.source]))
        report(.sipNoACK, .fault, variant: 4, c.server(accept, table), &c) { c in
            Finding(
                .sipNoACK, .fault,
                "\(caller) acknowledges the 200 of \(callee) with CSeq \(ack.record.sequence), though its INVITE has \(accept.record.sequence): the ACK "
                    + "does not match, the 200 was repeated \(again.count) times, and the call ends after 32 s.",
                details: [
                    "\(strange.count) such ACKs came. An ACK has the number of the INVITE that it acknowledges (RFC 3261 13.2.2.4)."
                ],
                evidence: [
                    Self.evidence(accept, table, ["CSeq", "Contact"], "the call is accepted"),
                    Self.evidence(ack, table, ["CSeq", "To"], "acknowledged with another number"),
                ], culprit: .proved(caller), confidence: .likely,
                remedies: [
                    Remedy(.phone, "Renew the software of \(caller): its ACK has to keep the number of the INVITE."),
                    Remedy(.router, "If it sends the right one, switch off the helper on the way that rewrites CSeq."),
                ], subject: Self.subject(c, accept, table))
        }
        return true
    }
}
