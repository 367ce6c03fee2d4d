import Base
import Capture

extension Judge {
    /// No two people say goodbye so soon.
    static let shortestTalk: Int64 = 2 * second

    /// sip.refused of calls that one end takes and ends in the next moment, for a failure that it names, call after call.
    ///
    /// Innocent: one such call (a note), and an end of which one call lasts.
    mutating func endedAtOnce(_ bye: Step, _ reason: String, _ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        guard let accept = c.steps.first(where: { !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) }),
            let lasted = c.gap(accept, bye), lasted < Self.shortestTalk
        else { return false }
        let (ender, other) = (table.endpoints[bye.record.source], table.endpoints[bye.record.destination])
        let key = talks(between: ender, and: other, c)
        count(key) { $0.refused += 1 }
        let copy = c
        func finding(_ severity: Severity) -> Finding {
            let name = Self.name(ender)
            return Finding(
                .sipRefused, severity,
                severity == .note
                    ? "\(name) ended the call and says why: \(reason)."
                    : "\(name) ends each call with \(Self.name(other)) in the moment it is answered, and says why: \(reason).",
                details: severity == .note
                    ? ["RFC 3326."] : ["This one lasted \(spoken(lasted)). No call between the two lasted in this capture."],
                evidence: [
                    Self.evidence(accept, table, ["CSeq", "m"], "answered"),
                    Self.evidence(bye, table, ["Reason", "CSeq"], "the reason"),
                ], culprit: severity == .note ? .unknown : .between(name, Self.name(other)), confidence: .proved,
                remedies: [Remedy(.phone, "Look at what the other side offered or answered before: the reason names it.")],
                subject: Self.subject(copy, bye, table))
        }
        draft(
            .refusal(.never(refused: key, accepted: key, least: 2), finding(.note), nil), .sipRefused, .fault, variant: 4_009, &c,
            server: ender.address
        ) { finding(.fault) }
        return true
    }

    /// Counts a call that lasted, for `endedAtOnce`.
    mutating func noteTalk(_ accept: Step, _ c: DialogCase, _ table: SignallingTable) {
        let bye = c.steps.first { $0.isRequest && $0.method == .bye }
        guard bye.map({ c.gap(accept, $0) ?? 0 >= Self.shortestTalk }) ?? true else { return }
        count(talks(between: table.endpoints[accept.record.source], and: table.endpoints[accept.record.destination], c)) {
            $0.accepted += 1
        }
    }

    private func talks(between one: PackedEndpoint, and other: PackedEndpoint, _ c: DialogCase) -> UInt64 {
        end(one, c) &+ end(other, c) ^ 0x4009
    }
}
