import Base
import Capture

extension Judge {
    /// The session's refresh was refused, none was taken after it, and the BYE is the session timer's: by its own words, or by when it
    /// comes (RFC 4028 10).
    func refreshRefused(_ accept: Int, _ bye: Int, _ c: DialogCase, _ table: SignallingTable) -> (
        why: String, remedy: Remedy, from: Int
    )? {
        func isChange(_ step: Step) -> Bool { step.method == .invite || step.method == .update }
        let interval = c.steps[...accept].last { $0.sessionExpires != Step.noNumber && isChange($0) }?.sessionExpires
        guard let interval, interval > 0 else { return nil }
        var (refreshed, refused) = (accept, Int?.none)
        for index in c.steps.indices where index > accept && index < bye {
            let step = c.steps[index]
            guard !step.isRequest, step.isFirst, isChange(step), step.leg == c.steps[accept].leg else { continue }
            if (200..<300).contains(step.status) { (refreshed, refused) = (index, nil) }
            if step.status >= 400, ![401, 407, 408, 422, 481, 491].contains(step.status) { refused = index }
            // Asked for a password that nobody gives, it is refused, too.
            let isGiven = c.steps[index..<bye].contains {
                $0.isRequest && isChange($0) && $0.hasCredentials && $0.leg == step.leg
            }
            if step.hasChallenge, !isGiven { refused = index }
        }
        guard let refused, let waited = c.gap(c.steps[refused], c.steps[bye]),
            let silent = c.gap(c.steps[refreshed], c.steps[bye]),
            waited > 0
        else { return nil }
        let reason = Self.bytes(c.steps[bye], table).flatMap { MessageExcerpt.value(of: "Reason", in: $0) }?.lowercased() ?? ""
        let isSaid = reason.contains("session") && ["expire", "timer", "timeout", "interval"].contains { reason.contains($0) }
        let whole = Int64(interval) * second
        let early = whole - min(32 * second, whole / 3)
        // A little more than without a refusal: some count from the ACK, some round.
        guard isSaid || silent > early - 3 * second && silent < whole + 3 * second else { return nil }
        let answer = c.steps[refused]
        let refuser = Self.name(table.endpoints[answer.record.source])
        let subject = answer.record.source == c.steps[bye].record.source ? "it" : refuser
        let refresher = Self.name(table.endpoints[answer.record.destination])
        if answer.hasChallenge {
            return (
                "\(spoken(waited)) after \(subject) asked for a password for the refresh of the session (\(answer.status)) and \(refresher) gave none "
                    + "(RFC 4028)",
                Remedy(
                    answer.flags.contains(.fromClient) ? .server : .phone,
                    "Let \(refresher) answer challenges inside a call as it does those to its first INVITE (RFC 3261 22.2), or let \(refuser) take refreshes without a password. Else switch session timers off."
                ), refused
            )
        }
        return (
            "\(spoken(waited)) after \(subject) refused to refresh the session by \(answer.method.token) with \(answer.status), and nothing "
                + "refreshed it since (RFC 4028)",
            Remedy(
                answer.flags.contains(.fromClient) ? .phone : .server,
                "Let \(refuser) take \(answer.method.token) inside a call"
                    + (answer.method == .update ? ", or set \(refresher) to refresh by re-INVITE." : ".")
                    + " Else switch session timers off."),
            refused
        )
    }

    /// The end that had taken the refresh on by the last 2xx never sent one, and the other hung up when the session was about to expire or
    /// says so (RFC 4028 10).
    ///
    /// Innocent: a refresher that hangs up itself, one that asked, answered or not, and a BYE that comes earlier.
    func neverRefreshed(_ accept: Int, _ bye: Int, _ c: DialogCase, _ table: SignallingTable) -> (
        why: String, remedy: Remedy, from: Int, refresher: String
    )? {
        func isChange(_ step: Step) -> Bool { step.method == .invite || step.method == .update }
        let leg = c.steps[accept].leg
        let agreed = c.steps[accept..<bye].lastIndex {
            !$0.isRequest && isChange($0) && (200..<300).contains($0.status) && $0.leg == leg && $0.isFirst
        }
        guard let agreed, c.steps[bye].leg == leg, !c.isContinued, let bytes = Self.bytes(c.steps[agreed], table),
            let value = MessageExcerpt.value(of: "Session-Expires", in: bytes) ?? MessageExcerpt.value(of: "x", in: bytes),
            let silent = c.gap(c.steps[agreed], c.steps[bye])
        else { return nil }
        let interval = c.steps[agreed].sessionExpires
        let compact = value.lowercased().filter { $0 != " " }
        guard interval != Step.noNumber, interval >= 30, compact.contains(";refresher=") else { return nil }
        // Who answered is the server of that transaction.
        let isClient = c.steps[agreed].flags.contains(.fromClient) == compact.contains("refresher=uas")
        guard c.steps[bye].flags.contains(.fromClient) != isClient,
            !c.steps[(agreed + 1)..<bye].contains(where: {
                $0.isRequest && isChange($0) && $0.flags.contains(.fromClient) == isClient && $0.leg == leg
                    && $0.record.sequence != c.steps[agreed].record.sequence
            })
        else { return nil }
        let reason = Self.bytes(c.steps[bye], table).flatMap { MessageExcerpt.value(of: "Reason", in: $0) }?.lowercased() ?? ""
        let isSaid = reason.contains("session") && ["expire", "timer", "timeout", "interval"].contains { reason.contains($0) }
        let whole = Int64(interval) * second
        let early = whole - min(32 * second, whole / 3)
        guard silent > early - second, silent < whole + 3 * second || isSaid else { return nil }
        let step = c.steps[bye]
        let name = Self.name(table.endpoints[step.record.destination])
        return (
            "when the session of \(interval) s was about to expire: \(name) had taken its refresh on (refresher=\(compact.contains("refresher=uas") ? "uas" : "uac")), and "
                + "sent none for \(spoken(silent)) (RFC 4028)",
            Remedy(
                isClient ? .phone : .server,
                "See why \(name) does not refresh the session: renew its software, or switch session timers off there."), agreed,
            name
        )
    }
}
