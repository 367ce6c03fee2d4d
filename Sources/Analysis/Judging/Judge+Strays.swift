import Base
import Capture

/// An answer under a Call-ID that nobody was seen to ask with.
struct StrayAnswer: Sendable {
    var record: MessageRecord
    var fromTag: UInt32
    var dialog: Int
    var count = 1
}

extension SignallingTable {
    static let mostStrays = 1 << 16

    /// Notes what begins a dialog with an answer, by its branch.
    mutating func noteStray(_ step: Step, _ number: Int) {
        guard !step.isRequest, step.branch != 0, !dialogs[number].progress.contains(.beganWithRequest) else { return }
        if strays[step.branch] != nil {
            strays[step.branch]?.count += 1
        } else if strays.count < Self.mostStrays {
            strays[step.branch] = StrayAnswer(record: step.record, fromTag: step.fromTag, dialog: number)
        }
    }
}

extension Judge {
    private static let strayFields = ["CSeq", "Via", "From", "Call-ID"]

    /// Answers come, with the branch of what was asked and another Call-ID: their addressee does not take them for its own.
    mutating func answeredUnderOtherName(
        _ step: Step, _ count: Int, _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        guard step.branch != 0, let stray = table.strays[step.branch], stray.dialog != c.number, stray.count >= 2,
            stray.record.place.file == step.record.place.file, stray.record.sequence == step.record.sequence,
            stray.record.method == step.method, stray.fromTag == step.fromTag,
            stray.record.source == step.record.destination, stray.record.destination == step.record.source
        else { return false }
        let source = Self.name(table.endpoints[step.record.source])
        report(.algSuspected, .fault, variant: 5, c.server(step, table), &c) { c in
            Finding(
                .algSuspected, .fault,
                "\(source) sent its \(step.method.token) \(count + 1) times within \(spoken(lasted)): the answers come, but with another Call-ID than it "
                    + "wrote, so it does not take them for its own.",
                details: [
                    "Branch, CSeq and tag are those of the request. A helper that changes Call-ID on the way out and does not change it back does this."
                ],
                evidence: [
                    Self.evidence(step, table, Self.strayFields, "as it was sent"),
                    Self.evidence(stray.record, table, Self.strayFields, "what came back, \(stray.count) times"),
                ], culprit: Self.between(c, step, table), confidence: .likely, remedies: [.disableALG, .encrypt],
                subject: Self.subject(c, step, table))
        }
        return true
    }

    /// The answers are delivered to another phone of the same network.
    mutating func answeredToAnother(
        _ step: Step, _ count: Int, _ lasted: Int64, _ c: inout DialogCase, _ table: SignallingTable
    ) -> Bool {
        let source = table.endpoints[step.record.source]
        guard step.branch != 0, source.isKnown, source.address.isPrivateNetwork else { return false }
        let answers = c.steps.filter { other in
            guard !other.isRequest, other.branch == step.branch, other.method == step.method,
                other.record.sequence == step.record.sequence
            else { return false }
            let destination = table.endpoints[other.record.destination]
            // What goes to where Via points, or to who sent the request on, goes by the book.
            return destination.isKnown && destination.address.isPrivateNetwork && destination.address != source.address
                && table.endpoints[other.record.source] == table.endpoints[step.record.destination]
                && !(step.via.kind == .address && step.via.address == destination.address)
        }
        guard answers.count >= 2, let answer = answers.first else { return false }
        let other = table.endpoints[answer.record.destination]
        guard
            !c.steps.contains(where: {
                $0.isRequest && $0.branch == step.branch && table.endpoints[$0.record.source].address == other.address
            })
        else { return false }
        report(.sipRetransmit, .fault, variant: 8, c.server(step, table), &c) { c in
            Finding(
                .sipRetransmit, .fault,
                "The answers to the \(step.method.token) of \(Self.name(source)) are delivered to \(Self.name(other)), which did not ask: it was "
                    + "sent \(count + 1) times within \(spoken(lasted)).",
                details: [
                    "The router takes two phones for one: both use one port outside, or a rule forwards that port to one of them."
                ],
                evidence: [
                    Self.evidence(step, table, ["CSeq", "Via", "Call-ID"], "sent by \(Self.name(source))"),
                    Self.evidence(answer, table, ["CSeq", "Via", "Call-ID"], "delivered to \(Self.name(other))"),
                ], culprit: .between(Self.name(source), Self.name(table.endpoints[step.record.destination])),
                confidence: .likely,
                remedies: [
                    Remedy(
                        .router,
                        "Switch the SIP helper (ALG) off, and remove a rule that forwards the SIP port to one phone."),
                    Remedy(.phone, "Give each phone a local SIP port of its own (5060, 5062 and so on)."),
                ], subject: Self.subject(c, step, table))
        }
        return true
    }
}
