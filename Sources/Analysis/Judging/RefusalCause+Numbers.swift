import Base
import Capture

extension Judge {
    /// Different numbers that one caller is refused before it is not the numbers that are wrong.
    private static let fewestNumbers = 4

    /// Whatever number a phone of one's own dials, its server knows none: it is sent to a dial plan that has no numbers.
    ///
    /// Innocent: a mistyped number, tried again or not, a caller of whom one call is taken, and strangers who try numbers.
    mutating func unknownNumbers(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let (server, phone) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        guard !step.flags.contains(.fromClient), !table.programs[c.dialog.clientProgram].isScanner,
            phone.address.isPrivateNetwork
                || table.registered[phone.address]?.contains(server.address) ?? false
                || Self.invite(before: step, c)?.hasCredentials ?? false,
            let number = Self.invite(before: step, c).flatMap({ Self.bytes($0, table) }).map(MessageExcerpt.requestUser),
            number.utf8.count > 1
        else { return nil }
        let key = way(step, c, table) ^ 404 << 40
        let own = key &* 31 ^ hash(ArraySlice(number.utf8))
        if callEnds[own] == nil { count(key) { $0.refused += 1 } }
        count(own) { $0.refused += 1 }
        let (there, here) = (Self.name(server), Self.name(phone))
        let isOwn = phone.address.isPrivateNetwork || table.registered[phone.address]?.contains(server.address) ?? false
        // A provider's customer: how numbers are written is agreed between the two.
        let spelling = Remedy(
            .server,
            "Compare how \(here) writes the numbers with what \(there) expects: with or without the code of country and area, + or 00."
        )
        return RefusalCause(
            proof: .never(refused: key, accepted: way(step, c, table), least: Self.fewestNumbers),
            summary:
                "The call of \(c.aor) to \(number) failed, and each other of that caller to whatever number: \(there) answered "
                + "\(Self.words(step, table)).",
            details: [
                "\(there) took no call of \(c.aor) in this capture, and it dialled \(Self.fewestNumbers) numbers or more: it is not the number that is wrong."
            ], culprit: isOwn ? .proved(there) : .between(here, there),
            remedies: (isOwn ? [] : [spelling]) + [
                Remedy(
                    .server,
                    "Look at \(there) where calls of \(c.aor) go: its context or class, the dial plan there, and the prefix it expects.",
                    commands: ["Asterisk: pjsip show endpoint NAME (context), dialplan show CONTEXT"]),
                Remedy(.phone, "If the numbers need a prefix, let \(here) put it before them (dial rule)."),
            ])
    }
}
