import Base
import Capture

extension Judge {
    private static let fewestRefusedBriefly = 3

    /// sip.refused: registrations that end without a binding, though the registrar's words say how to get one, or that all is well.
    mutating func unbound(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .registration, !c.dialog.progress.contains(.accused) else { return }
        tooBrief(&c, table)
        emptyHanded(&c, table)
    }

    /// 423 says how long a registration has to be (RFC 3261 10.2.8), and the phone goes on asking for less.
    private mutating func tooBrief(_ c: inout DialogCase, _ table: SignallingTable) {
        let refusals = c.steps.indices.filter {
            let step = c.steps[$0]
            return !step.isRequest && step.method == .register && step.status == 423 && step.isFirst
        }
        guard let last = refusals.last, !table.programs[c.dialog.clientProgram].isScanner,
            !c.steps.contains(where: { !$0.isRequest && $0.method == .register && (200..<300).contains($0.status) }),
            let asked = c.steps[..<last].last(where: { $0.isRequest && c.isAnswer(c.steps[last], to: $0) }),
            let least = Self.bytes(c.steps[last], table).flatMap({ MessageExcerpt.value(of: "Min-Expires", in: $0) }).flatMap({
                UInt32($0)
            })
        else { return }
        // Later ones ask for no more than the first did.
        guard asked.expires != Step.noNumber, asked.expires < least, asked.expires > 0 else { return }
        let answer = c.steps[last]
        let (phone, key) = (Self.name(table.endpoints[asked.record.source]), account(c.dialog.to, c))
        let isProved = refusals.count >= Self.fewestRefusedBriefly
        let times = isProved ? ", \(refusals.count) times" : ", each time under a new Call-ID"
        let make: (DialogCase) -> Finding = { c in
            Finding(
                .sipRefused, .fault,
                "\(c.opening) cannot register: \(phone) asks for \(asked.expires) s again and again, although \(Self.name(table.endpoints[answer.record.source])) "
                    + "answered 423 with at least \(least) s each time\(times).",
                details: ["A phone takes the number in Min-Expires and asks once more (RFC 3261 10.2.8)."],
                evidence: [
                    Self.evidence(c.steps[refusals[0]], table, ["CSeq", "Min-Expires"], "the least it takes"),
                    Self.evidence(asked, table, ["CSeq", "Expires", "Contact"], "asks for less all the same"),
                ], culprit: .proved(phone), confidence: .likely,
                remedies: [
                    Remedy(.phone, "Set the phone to register for \(least) s or longer."),
                    Remedy(
                        .server, "Or let the registrar take shorter registrations.",
                        commands: ["Asterisk pjsip: minimum_expiration= in the aor"]),
                ], subject: Self.subject(c, answer, table))
        }
        if isProved {
            report(.sipRefused, .fault, variant: 423, c.server(answer, table), &c, make)
        } else if briefRefusals.count < AccountHistory.mostAccounts || briefRefusals[key] != nil {
            // Some begin anew with a Call-ID of its own each time.
            briefRefusals[key, default: 0] += refusals.count
            let copy = c
            draft(
                .neverGranted(key, after: answer.nanoseconds), .sipRefused, .fault, variant: 423, &c,
                server: table.endpoints[answer.record.source].address
            ) { make(copy) }
        }
    }

    /// Refused as too short often enough, and not registered since.
    func isNeverGranted(_ account: UInt64, after time: Int64) -> Bool {
        briefRefusals[account, default: 0] >= Self.fewestRefusedBriefly
            && !(accounts[account]?.grants.contains { $0.granted > 0 && $0.time > time } ?? false)
    }

    /// 200 without any Contact and with Expires 0: the registrar lists the bindings it holds (RFC 3261 10.3), and holds none.
    private mutating func emptyHanded(_ c: inout DialogCase, _ table: SignallingTable) {
        var empty: [(request: Step, answer: Step)] = []
        for (index, request) in c.steps.enumerated() where request.isRequest && request.method == .register && request.isFirst {
            guard let at = c.response(to: request, from: index), (200..<300).contains(c.steps[at].status) else { continue }
            let answer = c.steps[at]
            guard request.contact.kind != .none, request.expires != 0, request.expires != Step.noNumber,
                answer.expires == 0, let bytes = Self.bytes(answer, table), let asked = Self.bytes(request, table),
                !MessageExcerpt.contactList(asked).contains(where: { $0.lowercased().contains(";expires=0") })
            else { return }
            let listed = MessageExcerpt.contactList(bytes).map { $0.lowercased() }
            guard listed.allSatisfy({ Self.life($0) == 0 }) else { return }
            empty.append((request, answer))
        }
        guard empty.count >= 2, let (request, answer) = empty.first else { return }
        let registrar = Self.name(table.endpoints[answer.record.source])
        report(.sipRefused, .fault, variant: 1_201, c.server(answer, table), &c) { c in
            Finding(
                .sipRefused, .fault,
                "\(c.opening) is not registered, although \(registrar) answers 200: each of its \(empty.count) answers "
                    + (answer.contact.kind == .none ? "lists no Contact and says Expires 0" : "lists the Contact with expires=0")
                    + ", so it kept nothing, and no call reaches the phone.",
                details: ["The phone asked for \(request.expires) s; a registrar's 200 lists what it holds (RFC 3261 10.3)."],
                evidence: [
                    Self.evidence(request, table, ["CSeq", "Contact", "Expires"], "asks for a binding"),
                    Self.evidence(answer, table, ["CSeq", "Contact", "Expires"], "none is listed"),
                ], culprit: .proved(registrar), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "See in the settings and the log of \(registrar) why it keeps no Contact of this account: their number, their longest life, its database.",
                        commands: ["Asterisk pjsip: max_contacts=1 or more in the aor"])
                ], subject: Self.subject(c, answer, table))
        }
    }
}
