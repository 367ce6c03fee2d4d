import Base
import Capture

extension Judge {
    /// auth.attack: a scanner's call that somebody takes: a phone that rings at night, a server that carries calls for strangers.
    mutating func rungByScanner(_ c: inout DialogCase, _ table: SignallingTable) {
        let program = table.programs[c.dialog.clientProgram]
        guard program.isScanner, let invite = c.steps.first(where: { $0.isRequest && $0.method == .invite }),
            let taken = c.steps.first(where: {
                !$0.isRequest && $0.method == .invite && ($0.status == 180 || $0.status >= 200 && $0.status < 300)
            })
        else { return }
        let (source, callee) = (table.endpoints[invite.record.source], table.endpoints[taken.record.source])
        report(.authAttack, .risk, variant: taken.status == 180 ? 1 : 2, callee, &c) { c in
            Finding(
                .authAttack, .risk,
                "A scanner reaches \(Self.name(callee)), which takes its calls: \(source.address) sends INVITEs as '\(program.name)', "
                    + (taken.status == 180 ? "and it rings." : "and they are answered."),
                details: [
                    "Nobody calls: it looks for a server that carries calls for strangers. Such calls come past the own server, mostly through a port that is forwarded or open."
                ],
                evidence: [
                    Self.evidence(invite, table, ["From", "To", "User-Agent"], "the scanner's call"),
                    Self.evidence(taken, table, ["CSeq"], "taken"),
                ], culprit: .proved("\(source.address)"), confidence: .proved,
                remedies: [
                    Remedy(
                        .router, "Take back the forwarding of SIP's port to \(Self.name(callee)), and block that address.",
                        commands: [
                            "nft add rule inet filter input ip\(source.address.isIPv4 ? "" : "6") saddr \(source.address) drop"
                        ]),
                    Remedy(.phone, "Let a phone take calls from its own server only."),
                    Remedy(.server, "Let a server take calls of strangers with a password only: no guests."),
                ], subject: Self.subject(c, invite, table))
        }
    }
}
