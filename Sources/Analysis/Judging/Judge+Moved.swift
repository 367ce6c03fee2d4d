import Base
import Capture

extension Judge {
    private static let unreached: Set<FindingName> = [.sipRetransmit, .mediaOneWay, .mediaNone]

    /// Adds to findings of a phone that is not reached that it had got another address meanwhile: it registers again, from there, and its
    /// old address says nothing any more.
    ///
    /// Innocent: a second device of the account, which is heard on.
    func moved(_ findings: [Finding], _ table: SignallingTable) -> [Finding] {
        guard findings.contains(where: { Self.unreached.contains($0.name) && $0.severity == .fault }) else { return findings }
        var moves: [PackedAddress: [(from: AccountHistory.Grant, to: AccountHistory.Grant, name: String)]] = [:]
        for (_, account) in ordered where account.grants.count > 1 {
            let grants = account.grants.sorted { $0.time < $1.time }
            for (grant, next) in zip(grants, grants.dropFirst())
            where grant.client.address != next.client.address && grant.granted > 0 && next.granted > 0
                && (grant.dialog == next.dialog || grant.contact.portOrDefault == next.contact.portOrDefault)
            {
                moves[grant.client.address, default: []].append((grant, next, account.name))
            }
        }
        guard !moves.isEmpty else { return findings }
        return findings.map { finding in
            guard Self.unreached.contains(finding.name), finding.severity == .fault, finding.count == 1,
                let number = finding.subject.dialogs.first, table.dialogs.indices.contains(number)
            else { return finding }
            let ends = [finding.subject.client, finding.subject.server].compactMap { $0?.address }.map(PackedAddress.init)
            let dialog = table.dialogs[number]
            let move = ends.lazy.flatMap { moves[$0] ?? [] }.first { move in
                dialog.last > move.from.time && dialog.began < move.to.time + Int64(min(move.from.granted, 7_200)) * second
                    // Neither sent nor answered by the old address since.
                    && !heard(move.from.client, after: move.to.began.nanoseconds, table)
            }
            guard let move else { return finding }
            var finding = finding
            let (old, new) = ("\(move.from.client.address)", "\(move.to.client.address)")
            finding.details.insert(
                "\(move.name) registers again from \(new), \(spoken(max(0, move.to.began.nanoseconds - move.from.time))) after it had from \(old), which is not heard any more: "
                    + "its address changed, and what goes to the old one is lost.", at: 0)
            finding.summary += " \(move.name) has moved to another address, \(new)."
            finding.evidence.append(
                Self.evidence(move.to.began, table, ["CSeq", "Contact", "Call-ID"], "registers from the new address"))
            finding.culprit = .proved("\(move.name) (\(old), then \(new))")
            finding.remedies = [
                move.from.client.address.isPrivateNetwork
                    ? Remedy(.network, "Give the phone a fixed address by DHCP: it must not change during calls.")
                    : Remedy(
                        .router, "Keep the line's address, or have the line reconnect at night: a new address cuts calls off."),
                Remedy(
                    .phone,
                    "Let the phone notice a new address and register at once; else register more often, every few minutes."),
            ]
            return finding
        }
    }

    private func heard(_ end: PackedEndpoint, after time: Int64, _ table: SignallingTable) -> Bool {
        let seen = table.activity(of: end)
        return max(seen.lastHeard, seen.lastAnswer) > time
    }

    /// reg.lapsed of an account whose only registration ran out, and that was then called in vain.
    ///
    /// A note: a phone that is switched off does not renew either. A fault where it goes on speaking from there.
    mutating func ranOut(_ account: AccountHistory, _ misses: [AccountHistory.Miss], _ table: SignallingTable) {
        guard let last = account.grants.max(by: { $0.time < $1.time }), last.granted > 0, last.granted != Step.noNumber,
            let missed = misses.first(where: {
                $0.registrar == last.registrar.address && $0.record.nanoseconds > last.time + Int64(last.granted) * second
            })
        else { return }
        let end = last.time + Int64(last.granted) * second
        let speaks = heard(last.client, after: end + 30 * second, table)
        let severity: Severity = speaks ? .fault : .note
        let registrar = Self.name(last.registrar)
        let finding = Finding(
            .regLapsed, severity,
            "\(account.name) did not renew its registration: granted \(last.granted) s, it ran out \(spoken(missed.record.nanoseconds - end)) before "
                + "\(registrar) refused a call to it.",
            details: [
                speaks
                    ? "\(Self.name(last.client)) goes on speaking SIP meanwhile, so it is not switched off."
                    : "A phone that was switched off, or whose line is down, does so, too."
            ],
            evidence: [
                Self.evidence(last.record, table, ["CSeq", "Expires", "Contact"], "granted \(last.granted) s, the last time"),
                Self.evidence(missed.record, table, ["CSeq", "Reason"], "refused as not registered"),
            ], culprit: speaks ? .proved(Self.name(last.client)) : .unknown, confidence: .likely,
            remedies: [Remedy(.phone, "See whether the phone is up and on line; if it is, renew its firmware.")],
            subject: FindingSubject(
                dialogs: [last.dialog, missed.dialog], aor: account.name,
                client: last.client.isKnown ? last.client.endpoint : nil,
                server: last.registrar.isKnown ? last.registrar.endpoint : nil, vantage: account.vantage))
        let key = FindingMerger.Key(
            name: .regLapsed, severity: severity, variant: 1, server: last.registrar.address, vantage: account.vantage)
        if !merger.merge(key, dialogs: finding.subject.dialogs) { merger.insert(finding, key) }
    }
}
