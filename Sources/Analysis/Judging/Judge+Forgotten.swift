import Base
import Capture

extension Judge {
    /// nat.mapping-expired: a router refuses by ICMP what goes to the very port from which a phone behind it registered (RFC 4787 4.3).
    ///
    /// A phone that closed its port looks the same from outside, as the router puts its own address on the phone's refusal.
    mutating func forgotten(
        _ step: Step, _ count: Int, _ lasted: Int64, _ icmp: ICMPNote, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let destination = table.endpoints[step.record.destination]
        guard !step.isOverStream, icmp.source == destination.address, table.mapped.contains(destination),
            (icmp.type, icmp.code) == (3, 3) || (icmp.type, icmp.code) == (1, 4)
        else { return false }
        let (server, there) = (Self.name(table.endpoints[step.record.source]), Self.name(destination))
        let flow = table.flows[table.flows.number(destination, table.endpoints[step.record.source], c.dialog.vantage)]
        let silent = flow?.pending.flatMap { $0.dialog == c.number ? Int64($0.idle) * 1_000_000 : nil }
        report(.natMappingExpired, .fault, variant: 2, c.server(step, table), &c) { c in
            Finding(
                .natMappingExpired, .fault,
                "The router \(icmp.source) refuses by ICMP what \(server) sends to \(there), where the phone behind it registered from: "
                    + "it has forgotten the mapping, and the \(step.method.token) for \(String(decoding: c.dialog.to, as: UTF8.self)) was sent "
                    + "\(count + 1) times within \(spoken(lasted)) in vain.",
                details: (silent.map { $0 > second ? ["Nothing had passed there for \(spoken($0))."] : [] } ?? []) + [
                    "That the phone is behind a router shows in the private Contact that it registered from there.",
                    "A phone that was switched off or closed its port while the router still knows it looks the same from here.",
                ],
                evidence: [
                    Self.evidence(step, table, Self.repeatedFields, "sent to where the phone registered from"),
                    Evidence(
                        place: icmp.place, time: Instant(nanoseconds: icmp.time), source: Endpoint(icmp.source.address, 0),
                        excerpt: "ICMP: \(icmp.says)", says: "about this packet"),
                ], culprit: .between("the router \(icmp.source)", "the phone behind it"), confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Switch keepalives on (RFC 5626, every 20 s or so), or register more often than the router forgets."),
                    Remedy(
                        .server, "Let the server keep the mapping alive: OPTIONS to the phone every 20 to 30 s.",
                        commands: ["Asterisk pjsip: qualify_frequency=25 in the aor", "Kamailio: nathelper natping_interval=20"]),
                    Remedy(.router, "Raise its timer for UDP that was answered: 120 s at least (RFC 4787 4.3)."),
                ],
                subject: {
                    var subject = Self.subject(c, step, table)
                    (subject.client, subject.server) = (destination.endpoint, table.endpoints[step.record.source].endpoint)
                    return subject
                }())
        }
        return true
    }
}
