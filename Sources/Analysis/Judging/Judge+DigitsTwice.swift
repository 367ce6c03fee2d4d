import Base
import Capture

extension Judge {
    /// Digits by INFO that are taken, in a call in which digits go as events beside the audio (RFC 4733), too.
    ///
    /// Innocent: digits of one kind alone, and INFO that is refused.
    mutating func digitsTwice(_ info: Step, _ answer: Step, _ count: Int, _ c: inout DialogCase, _ table: SignallingTable) {
        let (sender, hearer) = (
            Self.name(table.endpoints[info.record.source]), Self.name(table.endpoints[info.record.destination])
        )
        let copy = c
        draft(.digitsTwice(dialog: c.number), .mediaQuality, .risk, variant: 4_733, &c, server: c.server(answer, table).address) {
            Finding(
                .mediaQuality, .risk,
                "\(sender) sends its digits in two ways at once, by \(count) INFO that \(hearer) takes and as events beside the audio (RFC 4733): who heeds both "
                    + "gets each key twice.",
                details: ["A PIN or a number that is typed into a menu is wrong then."],
                evidence: [
                    Self.evidence(info, table, ["CSeq", "Content-Type"], "a digit"),
                    Self.evidence(answer, table, ["CSeq"], "taken"),
                ], culprit: .proved(sender), confidence: .likely,
                remedies: [
                    Remedy(
                        info.flags.contains(.fromClient) ? .phone : .server,
                        "Set DTMF at \(sender) to one way: RFC 4733 (RFC 2833) where the other end names telephone-event."),
                    Remedy(
                        .server, "Or let \(hearer) heed one of the two.",
                        commands: ["Asterisk pjsip: dtmf_mode=rfc4733 instead of auto_info"]),
                ], subject: Self.subject(copy, info, table))
        }
    }
}
