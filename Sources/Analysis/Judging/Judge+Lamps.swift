import Base
import Capture

extension Judge {
    /// Busy lamps that stay dark: a subscription to other phones' calls (RFC 4235) which the other end has no events for.
    mutating func lampsRefused(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .subscription, !c.steps.contains(where: { !$0.isRequest && (200..<300).contains($0.status) }),
            let request = c.steps.last(where: { $0.isRequest && $0.method == .subscribe }),
            let answer = c.steps.last(where: { !$0.isRequest && $0.method == .subscribe && $0.status >= 200 }),
            answer.status == 489,
            let event = Self.bytes(request, table).flatMap({ MessageExcerpt.value(of: "Event", in: $0) })?.lowercased(),
            event.prefix(while: { $0 != ";" && $0 != " " }) == "dialog"
        else { return }
        let here = Self.name(table.endpoints[answer.record.source])
        report(.sipRefused, .note, variant: 489, c.server(answer, table), &c) { c in
            Finding(
                .sipRefused, .note,
                "\(here) has no busy lamps for \(c.who): it answered \(Self.words(answer, table)) to the subscription to the state of a phone.",
                evidence: [
                    Self.evidence(request, table, ["CSeq", "Event"], "asks for dialog events"),
                    Self.evidence(answer, table, ["CSeq", "Allow-Events"], "does not know them"),
                ], culprit: .unknown, confidence: .proved,
                remedies: [
                    Remedy(
                        .server, "Set hints for the phones that are watched up at \(here), or let the lamps use what it offers.",
                        commands: ["Asterisk: exten => 203,hint,PJSIP/203"])
                ], subject: Self.subject(c, answer, table))
        }
    }
}
