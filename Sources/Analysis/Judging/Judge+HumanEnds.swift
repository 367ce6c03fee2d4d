import Base
import Capture

extension Judge {
    /// What a person did, by the causes of Q.850 that stand for it (RFC 3398 7.2.4.1).
    private static let humanEnds: [Int: String] = [
        17: "the called number is busy", 18: "no phone answers there", 19: "nobody picks up",
        20: "the called phone is switched off or out of reach", 21: "the called person rejects the call",
    ]
    /// Ends without a stated trouble: an outcome, unless each call to there ends so.
    private static let plainEnds = [16, 31]

    /// A 5xx whose Reason names an everyday end of a call: gateways choose the status, the cause is what happened.
    mutating func endedByPeople(_ step: Step, _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        guard (500..<600).contains(step.status),
            let cause = MessageExcerpt.fields(Self.bytes(step, table) ?? []).lazy.filter({ $0.name == "Reason" })
                .compactMap({ Self.q850(in: $0.value) }).first
        else { return false }
        let sender = table.endpoints[step.record.source]
        let words = Self.humanEnds[cause]
        guard words != nil || Self.plainEnds.contains(cause) else { return false }
        let copy = c
        let to = String(decoding: c.dialog.to, as: UTF8.self)
        let make = { (words: String) in
            Finding(
                .sipRefused, .note,
                "The call of \(copy.who)\(to.isEmpty ? "" : " to \(to)") did not come about: \(words) (Q.850 cause \(cause)), which "
                    + "\(Self.name(sender)) passes on as \(Self.words(step, table)).",
                details: ["An everyday end of a call, and no fault of the network."],
                evidence: [Self.evidence(step, table, ["CSeq", "Reason"], "the cause")], culprit: .unknown,
                confidence: .proved, remedies: [], subject: Self.subject(copy, step, table))
        }
        if let words {
            report(.sipRefused, .note, variant: 2_048 + UInt64(cause), &c, server: sender.address) { make(words) }
            return true
        }
        let key = end(sender, c) ^ UInt64(cause) << 40
        count(key) { $0.refused += 1 }
        draft(
            .refusal(
                .never(refused: key, accepted: end(sender, c), least: 3), make("it was ended without a stated trouble"), nil),
            .sipRefused, .fault, variant: 2_048 + UInt64(cause), &c, server: sender.address
        ) {
            Finding(
                .sipRefused, .fault,
                "No call through \(Self.name(sender)) comes about: each is answered \(Self.words(step, table)) with Q.850 cause \(cause), which "
                    + "states no trouble.",
                details: ["It took no call in this capture."],
                evidence: [Self.evidence(step, table, ["CSeq", "Reason"], "the refusal")], culprit: .unknown,
                confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Look up the calls at \(Self.name(sender)), or at whom it passes calls to: dial plan, trunk, rights of the caller."
                    )
                ], subject: Self.subject(copy, step, table))
        }
        return true
    }

    /// The cause of a Reason header's value (RFC 3326 2) where it is of Q.850.
    static func q850(in value: String) -> Int? {
        for reason in value.lowercased().split(separator: ",") {
            let parts = reason.split(separator: ";").map { $0.filter { $0 != " " } }
            guard parts.first == "q.850", let cause = parts.first(where: { $0.hasPrefix("cause=") }) else { continue }
            return Int(cause.dropFirst(6))
        }
        return nil
    }
}
