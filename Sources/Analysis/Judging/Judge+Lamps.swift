import Base
import Capture

extension Judge {
    /// A registrar has no such rights, phones or events: asking again does not help.
    private static let lasting = [403, 404, 405, 489, 501]

    /// Subscriptions that never succeed: busy lamps (RFC 4235) that stay dark, messages and presence that nobody tells.
    mutating func lampsRefused(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .subscription, !c.steps.contains(where: { !$0.isRequest && (200..<300).contains($0.status) }),
            let request = c.steps.last(where: { $0.isRequest && $0.method == .subscribe }),
            let answer = c.steps.last(where: { !$0.isRequest && $0.method == .subscribe && $0.status >= 200 }),
            Self.lasting.contains(answer.status),
            let text = Self.bytes(request, table).flatMap({ MessageExcerpt.value(of: "Event", in: $0) })?.lowercased()
        else { return }
        let event = text.prefix { $0 != ";" && $0 != " " }
        // Of what is known elsewhere each phone asks in vain here and there.
        let isLamp = event == "dialog"
        guard isLamp || answer.status == 403 else { return }
        let here = Self.name(table.endpoints[answer.record.source])
        report(.sipRefused, .note, variant: answer.status == 489 ? 489 : 490 + (isLamp ? 1 : 0), c.server(answer, table), &c) {
            c in
            Finding(
                .sipRefused, .note,
                "\(here) has no \(isLamp ? "busy lamps" : "events") for \(c.who): it answered \(Self.words(answer, table)) to the subscription to "
                    + (isLamp ? "the state of a phone." : "\(event)."),
                evidence: [
                    Self.evidence(request, table, ["CSeq", "Event"], "asks for \(event) events"),
                    Self.evidence(
                        answer, table, ["CSeq", "Allow-Events"], answer.status == 489 ? "does not know them" : "refused"),
                ], culprit: .unknown, confidence: .proved,
                remedies: [
                    answer.status == 403
                        ? Remedy(.server, "Give \(c.who) the right to subscribe at \(here), or take the lamp off the phone.")
                        : Remedy(
                            .server,
                            "Set hints for the phones that are watched up at \(here), or let the lamps use what it offers.",
                            commands: ["Asterisk: exten => 203,hint,PJSIP/203"])
                ], subject: Self.subject(c, answer, table))
        }
    }
}
