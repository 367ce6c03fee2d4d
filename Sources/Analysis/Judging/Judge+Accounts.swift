import Base
import Capture

/// What only an account's registrations together show.
extension Judge {
    /// Accounts in the order of their first registrations.
    var ordered: [(key: UInt64, value: AccountHistory)] {
        accounts.sorted { $0.value.grants.first.map(\.dialog) ?? 0 < $1.value.grants.first.map(\.dialog) ?? 0 }
    }

    mutating func judgeAccounts(_ table: SignallingTable) {
        for (key, account) in ordered {
            ranOut(account, misses[key] ?? [], table)
            guard account.grants.count > 1 else { continue }
            let grants = account.grants.sorted { $0.time < $1.time }
            lapsed(account, grants, misses[key] ?? [], table)
            contested(account, grants, table)
        }
    }

    // MARK: reg.lapsed

    private struct Lapse {
        var grant: AccountHistory.Grant
        var next: AccountHistory.Grant
        var gap: Int64 { next.began.nanoseconds - grant.time }
        var end: Int64 { grant.time + Int64(grant.granted) * second }

        /// The gap is the rhythm of what was asked for, not of what was granted.
        var isPaced: Bool {
            let asked = Int64(grant.asked) * second
            guard grant.asked != Step.noNumber, grant.asked > 2 * grant.granted, asked > 0 else { return false }
            if asked >= 600 * second, asked - gap >= 0, asked - gap <= 60 * second { return true }
            return [500, 750, 800, 900, 950, 1_000].contains { abs(gap - asked / 1_000 * $0) <= asked / 100 }
        }
    }

    /// reg.lapsed: a phone that renews by its own clock and not by what it was granted.
    private mutating func lapsed(
        _ account: AccountHistory, _ grants: [AccountHistory.Grant], _ misses: [AccountHistory.Miss], _ table: SignallingTable
    ) {
        let lapses = zip(grants, grants.dropFirst()).map { Lapse(grant: $0, next: $1) }.filter { lapse in
            guard lapse.grant.granted > 0, lapse.grant.granted != Step.noNumber, lapse.grant.contact == lapse.next.contact,
                lapse.grant.client.address == lapse.next.client.address,
                // Numbers in between went to somebody who is not seen here.
                lapse.grant.dialog != lapse.next.dialog
                    || lapse.next.began.sequence <= lapse.grant.record.sequence &+ 2
            else { return false }
            return lapse.next.began.nanoseconds > lapse.end + Int64(lapse.grant.granted) * second / 10 + 5 * second
        }
        let steady = lapses.filter { lapse in
            // Beyond twenty times what was granted a phone was off.
            lapse.isPaced
                || lapse.gap < Int64(lapse.grant.granted) * 20 * second
                    && lapses.contains {
                        $0.next.record.place != lapse.next.record.place && abs($0.gap - lapse.gap) < lapse.gap / 20
                    }
        }
        guard let first = steady.first else { return }
        let missed = misses.filter { miss in
            steady.contains {
                miss.registrar == $0.grant.registrar.address && miss.record.nanoseconds > $0.end
                    && miss.record.nanoseconds < $0.next.began.nanoseconds
            }
        }
        guard !missed.isEmpty || steady.count > 1 else { return }
        let severity: Severity = missed.isEmpty ? .risk : .fault
        let client = Self.name(first.grant.client)
        let registrar = Self.name(first.grant.registrar)
        let calls = missed.isEmpty ? "" : ", and \(registrar) refused \(counted(missed.count, "call")) to it in between"
        let evidence =
            [Self.evidence(first.grant.record, table, ["CSeq", "Expires", "Contact"], "granted \(first.grant.granted) s")]
            + missed.prefix(2).map { Self.evidence($0.record, table, ["CSeq", "Reason"], "refused as not registered") }
            + [Self.evidence(first.next.began, table, ["CSeq", "Expires"], "\(spoken(first.gap)) after the grant")]
        let finding = Finding(
            .regLapsed, severity,
            "\(account.name) renews its registration too late: granted \(first.grant.granted) s, it comes again after \(spoken(first.gap))\(calls).",
            details: [
                "What the 200 grants counts, not what was asked for"
                    + (first.grant.asked == Step.noNumber ? "" : " (\(first.grant.asked) s)") + " (RFC 3261 10.2.4).",
                "Each time in between the phone is not there for the server.",
            ], evidence: evidence, culprit: .proved(client), confidence: .likely,
            remedies: [
                Remedy(.phone, "Set the phone's register interval below \(first.grant.granted) s, or renew its firmware."),
                Remedy(
                    .server, "Or grant longer at \(registrar).",
                    commands: ["Asterisk pjsip: maximum_expiration, default_expiration", "Kamailio: registrar max_expires"]),
            ],
            subject: FindingSubject(
                dialogs: [first.grant.dialog] + missed.map(\.dialog), aor: account.name, client: first.grant.client.endpoint,
                server: first.grant.registrar.endpoint, vantage: account.vantage))
        let key = FindingMerger.Key(
            name: .regLapsed, severity: severity, variant: 0, server: first.grant.registrar.address, vantage: account.vantage)
        if !merger.merge(key, dialogs: finding.subject.dialogs) { merger.insert(finding, key) }
    }

    // MARK: reg.flapping

    /// Devices of one account that may put each other out: each answer lists one Contact, that of the device that asked.
    private mutating func contested(_ account: AccountHistory, _ grants: [AccountHistory.Grant], _ table: SignallingTable) {
        var turns = 0
        var seen: [HostPort] = []
        var returned = false
        for (grant, next) in zip(grants, grants.dropFirst()) {
            if !seen.contains(grant.contact) { seen.append(grant.contact) }
            guard grant.contact != next.contact else { continue }
            // Both are there at once: the former had not run out, and each has a Call-ID of its own.
            guard grant.granted != Step.noNumber, grant.granted > 0, next.granted > 0, grant.dialog != next.dialog,
                grant.registrar == next.registrar, grant.client != next.client,
                next.time - grant.time < Int64(grant.granted) * second
            else { return }
            turns += 1
            returned = returned || seen.contains(next.contact)
        }
        guard turns >= 3, returned, (2...4).contains(seen.count), let last = grants.last else { return }
        let listed = grants.compactMap { table.text(of: $0.record) }.map { MessageExcerpt.contacts(Array($0)) }
        guard listed.count >= 3, listed.allSatisfy({ $0 == 1 }) else { return }
        let ends = grants.reduce(into: [PackedEndpoint]()) { if !$0.contains($1.client) { $0.append($1.client) } }
        let devices = ends.prefix(4).map(Self.name).joined(separator: " and ")
        let registrar = Self.name(last.registrar)
        let finding = Finding(
            .regFlapping, .note,
            "\(counted(seen.count, "device")) register the account \(account.name) in turn, \(devices), and each answer of \(registrar) lists one "
                + "Contact alone, that of the device that asked.",
            details: [
                "An answer lists every Contact that is kept (RFC 3261 10.3): if one is, the devices put each other out, and calls reach only the one that registered last.",
                "Where they all ring, the registrar keeps more than it lists, and nothing is wrong.",
            ],
            evidence: grants.prefix(2).map { Self.evidence($0.record, table, ["CSeq", "Contact"], "the only Contact then") },
            culprit: .unknown, confidence: .possible,
            remedies: [
                Remedy(.phone, "If not all of them ring: give each device an account of its own."),
                Remedy(
                    .server, "Or let \(registrar) keep several Contacts of an account.",
                    commands: ["Asterisk pjsip: max_contacts=\(seen.count)", "Kamailio: registrar max_contacts"]),
            ],
            subject: FindingSubject(
                dialogs: grants.reduce(into: []) { if !$0.contains($1.dialog) { $0.append($1.dialog) } }, aor: account.name,
                client: last.client.endpoint, server: last.registrar.endpoint, vantage: account.vantage))
        let key = FindingMerger.Key(
            name: .regFlapping, severity: .note, variant: 1, server: last.registrar.address, vantage: account.vantage)
        if !merger.merge(key, dialogs: finding.subject.dialogs) { merger.insert(finding, key) }
    }
}
