import Base
import Capture

extension Judge {
    private static let reliableFields = ["CSeq", "Require", "RSeq", "Supported"]

    /// sip.no-ack: a provisional answer that asks to be acknowledged (100rel) is sent again and again, and no PRACK comes (RFC 3262 3).
    ///
    /// Innocent: one that a PRACK stopped, late or not, and one that asks for nothing.
    mutating func noPRACK(_ c: inout DialogCase, _ table: SignallingTable) {
        for (index, said) in c.steps.enumerated()
        where !said.isRequest && said.method == .invite && (101..<200).contains(said.status) && said.isFirst && !said.isOverStream
        {
            let again = c.steps[(index + 1)...].filter {
                !$0.isRequest && $0.method == .invite && $0.status == said.status && $0.branch == said.branch
                    && $0.leg == said.leg
                    && $0.toTag == said.toTag && $0.record.marks.contains(.retransmission)
            }
            guard again.count >= 3, let last = again.last,
                !c.steps.contains(where: { $0.isRequest && $0.method == .prack && $0.leg == said.leg }),
                let bytes = Self.bytes(said, table), Self.lists("100rel", "Require", bytes),
                MessageExcerpt.value(of: "RSeq", in: bytes) != nil
            else { continue }
            let invite = c.steps[..<index].last { $0.isRequest && c.isAnswer(said, to: $0) }
            let isOffered = invite.flatMap { Self.bytes($0, table) }.map {
                Self.lists("100rel", "Supported", $0) || Self.lists("100rel", "Require", $0)
            }
            let final = c.steps.first { answer in
                !answer.isRequest && answer.status >= 300 && invite.map { c.isAnswer(answer, to: $0) } ?? false
            }
            let (callee, caller) = (
                Self.name(table.endpoints[said.record.source]), Self.name(table.endpoints[said.record.destination])
            )
            let severity: Severity = final == nil && c.dialog.progress.contains(.answered) ? .note : .fault
            report(.sipNoACK, severity, variant: 5, c.server(said, table), &c) { c in
                Finding(
                    .sipNoACK, severity,
                    "\(callee) sent its \(said.status) \(again.count + 1) times within \(spoken(c.gap(said, last) ?? 0)), as it wants it acknowledged (100rel), "
                        + "and no PRACK came from \(caller)"
                        + (final.map { ": it gave the call up with \(Self.words($0, table))." } ?? "."),
                    details: [
                        isOffered == false
                            ? "The INVITE does not offer 100rel, so it must not be asked for (RFC 3262 3)."
                            : "The INVITE offers 100rel: its sender has to answer each such response with PRACK (RFC 3262 4)."
                    ],
                    evidence: (invite.map { [Self.evidence($0, table, Self.reliableFields, "the call")] } ?? []) + [
                        Self.evidence(said, table, Self.reliableFields, "wants a PRACK"),
                        Self.evidence(last, table, ["CSeq", "RSeq"], "sent again, the last of \(again.count) times"),
                    ] + (final.map { [Self.evidence($0, table, ["CSeq", "Reason"], "given up")] } ?? []),
                    culprit: isOffered == false ? .proved(callee) : Self.between(c, said, table), confidence: .likely,
                    remedies: [
                        Remedy(
                            .server,
                            "Switch reliable provisional responses (100rel, PRACK) off at \(isOffered == false ? callee : caller), or update it.",
                            commands: ["Asterisk pjsip: 100rel=no in the endpoint"]),
                        Remedy(
                            .router,
                            "If \(caller) does send PRACK, look what drops it: it goes to the Contact of the \(said.status)."),
                    ], subject: Self.subject(c, said, table))
            }
            return
        }
    }

    /// Whether a header lists an option tag.
    static func lists(_ tag: String, _ header: String, _ bytes: [UInt8]) -> Bool {
        MessageExcerpt.value(of: header, in: bytes)?.lowercased().split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" })
            .contains { $0 == tag } ?? false
    }
}
