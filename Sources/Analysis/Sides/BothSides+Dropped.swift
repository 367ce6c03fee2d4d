import Base
import Capture

extension BothSides {
    /// Sendings of one message that a capture which itself loses packets must lack before it counts.
    private static let fewestDespiteDrops = 5

    /// Messages that came to the box and did not leave it explain what was repeated in vain.
    mutating func dropped(by side: SideComparison, _ table: SignallingTable) {
        let lost = side.lost.sorted { ($1.count, $0.place) < ($0.count, $1.place) }
        guard side.isInsideProved, !lost.isEmpty else { return }
        let dialogs = Set(lost.flatMap { [$0.dialog, side.partner(of: $0.dialog) ?? $0.dialog] })
        for one in lost {
            let here = [one.dialog, side.partner(of: one.dialog)].compactMap { $0 }
            guard table.dialogs.indices.contains(one.dialog), !here.contains(where: isExplained) else { continue }
            let names = Self.follows(from: one)
            let victims = Set(here.flatMap { ofDialog[$0] ?? [] })
                .filter { !gone.contains($0) && names.contains(all[$0].name) }
                .sorted { (names.firstIndex(of: all[$0].name) ?? 0, $0) < (names.firstIndex(of: all[$1].name) ?? 0, $1) }
            // From where nobody inside wrote to: a NAT lets that in to nobody, and rightly.
            if one.status > 0, let elsewhere = victims.first(where: { isOfOtherPlace(all[$0], one) }) {
                absorb(victims, into: elsewhere)
                told.insert(elsewhere)
                continue
            }
            guard let cause = victims.first(where: told.contains) ?? victims.first else { continue }
            guard !told.contains(cause) else {
                absorb(
                    victims.filter { !told.contains($0) } + accusing(Set(here), Self.alsoFollows(from: one)), into: cause)
                continue
            }
            let crosses = one.isOutbound ? side.worn.crossesOut : side.worn.crossesIn
            // Where nothing was seen to cross that way, only who goes on repeating shows that it got nothing.
            guard crosses || (one.status > 0 && victims.contains { all[$0].name == .sipRetransmit }) else { continue }
            if isAway(one, table) {
                away(one, cause, table)
                absorb(victims + accusing(Set(here), Self.alsoFollows(from: one)), into: cause)
                continue
            }
            let lacking = one.isOutbound ? side.outside : side.inside
            let isLossy = lossy[lacking] != nil
            guard one.count >= Self.fewestDespiteDrops || !isLossy && !Dropper.drops(sources, lacking) else { continue }
            let dropper = Dropper(
                side, one.isOutbound ? side.translatedTo?.address : one.destination.address, sources, lacking: lacking,
                isLossy: isLossy,
                stretch: stretch(of: one, side), peer: "\(one.isOutbound ? one.destination : one.source)",
                phone: one.isOutbound ? "\(one.source)" : nil)
            guard all[cause].subject.dialogs.allSatisfy(dialogs.contains) else {
                let count = all[cause].subject.dialogs.filter(dialogs.contains).count
                all[cause].details.append(
                    "In \(count) of \(all[cause].subject.dialogs.count) dialogs both captures show that \(dropper.stretch.map { "they get lost \($0)" } ?? "\(dropper.name) drops them")."
                )
                told.insert(cause)
                continue
            }
            blame(dropper, for: one, cause, table, crosses: crosses)
            absorb(victims + accusing(Set(here), Self.alsoFollows(from: one)), into: cause)
        }
    }

    /// It shows that the answers come from another place than was asked.
    private func isOfOtherPlace(_ finding: Finding, _ lost: SideLosses.Lost) -> Bool {
        finding.evidence.contains { $0.source == lost.source && $0.destination == lost.destination }
            && finding.evidence.contains { $0.source == lost.destination && $0.destination != lost.source }
    }

    /// What follows as well, without being a cause to tell: who does not know that the call stands, or that it is over.
    private static func alsoFollows(from lost: SideLosses.Lost) -> Set<FindingName> {
        switch (lost.method, lost.status) {
        case (.invite, 200...): [.mediaOneWay, .mediaNone, .natPrivateSDP]
        case (.bye, 0): [.mediaOneWay, .mediaNone]
        default: []
        }
    }

    /// A more special cause is known.
    private func isExplained(_ dialog: Int) -> Bool {
        (ofDialog[dialog] ?? []).contains { index in
            switch all[index].name {
            case .natMappingExpired, .natPrivateContact, .natRportMissing, .sipFragmented: true
            case .algRewritten: all[index].severity == .fault
            default: false
            }
        }
    }

    /// What it leads to where a message never arrives, the nearest first.
    private static func follows(from lost: SideLosses.Lost) -> [FindingName] {
        if lost.status > 0 { return [.sipRetransmit, .sipNoACK, .authNoAnswer, .sipTimerDrop] }
        return lost.method == .ack ? [.sipNoACK, .sipTimerDrop] : [.sipRetransmit, .authNoAnswer, .sipTimerDrop]
    }

    private mutating func blame(
        _ dropper: Dropper, for lost: SideLosses.Lost, _ cause: Int, _ table: SignallingTable, crosses: Bool
    ) {
        let dialog = table.dialogs[lost.dialog]
        let token = lost.method.token
        let what = lost.status > 0 ? "the answers" : "the \(token)"
        let fate =
            dropper.stretch.map { "\(what) \(lost.status > 0 ? "get" : "gets") lost \($0)" } ?? "\(dropper.name) drops \(what)"
        if dropper.stretch == nil, lost.isOutbound, let again = passedLater(lost, table) {
            all[cause].summary =
                "\(dropper.name.capitalizedFirst) let nothing out for a time: \(lost.source) sent its \(token) \(lost.count) times to \(lost.destination), "
                + "none appeared outside, and \(MediaJudge.tenth(Double(again) / 1e9)) s after the first the same passed: an outage, no filter."
            all[cause].details.append("Both captures cover that time.")
            all[cause].blame(dropper)
            all[cause].evidence.append(
                Evidence(
                    place: lost.place, time: lost.time, source: lost.source, destination: lost.destination,
                    excerpt: lost.firstLine, says: "the first of \(lost.count); none of them outside"))
            all[cause].remedies = [
                Remedy(
                    .network,
                    "See what happened to the Internet access at that time: the log of router or modem (synchronisation, new address), the provider's faults."
                )
            ]
            told.insert(cause)
            return
        }
        let harm = Self.harm(lost.method, dialog, isAnswered: lost.status > 0)
        let there = lost.isOutbound ? "outside" : "inside"
        all[cause].summary =
            "\(harm): \(fate). \(lost.source) sent "
            + (lost.status > 0 ? "\(lost.status) to its \(token) " : "it ")
            + "\(lost.count) times to \(lost.destination), and none appeared \(there)."
        all[cause].details.append(
            crosses
                ? "Both captures cover that time, and other messages crossed in that direction."
                : "Both captures cover that time, and the request was repeated all the same: its sender got no answer.")
        all[cause].blame(dropper)
        all[cause].evidence.append(
            Evidence(
                place: lost.place, time: lost.time, source: lost.source, destination: lost.destination, excerpt: lost.firstLine,
                says: "the first of \(lost.count); none of them \(there)"))
        all[cause].remedies =
            dropper.stretch.map { [Self.path($0)] + Self.remedies(lost).prefix(dropper.isRouterPossible ? 1 : 0) }
            ?? Self.remedies(lost)
        told.insert(cause)
    }

    /// How long after it, nanoseconds, a REGISTER between the same two places was answered, with nothing from outside in between.
    private func passedLater(_ lost: SideLosses.Lost, _ table: SignallingTable) -> Int64? {
        guard lost.method == .register, let sent = lost.time?.nanoseconds else { return nil }
        let after = table.records.filter { record in
            record.place.file == lost.place.file && record.nanoseconds > sent && record.destination != MessageRecord.noEndpoint
                && table.endpoints[record.destination].endpoint == lost.source
        }.min { $0.nanoseconds < $1.nanoseconds }
        guard let after, after.method == .register, after.status >= 200 else { return nil }
        return after.nanoseconds - sent
    }

    /// What to do where the router is not the one, or not the only one.
    static func path(_ stretch: String) -> Remedy {
        Remedy(.network, "Follow it \(stretch): capture at both ends of that stretch, and look for a filter or a fault on it.")
    }

    private static func remedies(_ lost: SideLosses.Lost) -> [Remedy] {
        let way = "\(lost.source) to \(lost.destination)"
        let helper = Remedy(.router, "Switch off its SIP helper (ALG) and inspection, which drop what they do not understand.")
        if lost.isOutbound {
            return [Remedy(.router, "Let SIP from \(way) leave: look for a filter rule on that address or port."), helper]
        }
        if lost.status > 0 {
            return [
                Remedy(
                    .router,
                    "Let what comes from \(way) back in: look for a filter rule, and whether the mapping that the request opened still stands (a full connection table, a reply-side rule)."
                ), helper,
            ]
        }
        return [
            Remedy(
                .router,
                "Let SIP from \(way) in and to the phone: keep its mapping longer, forward the port, or mend the filter rule that drops it."
            ),
            Remedy(
                .phone,
                "Send keep-alives from the port that is registered (RFC 5626, or OPTIONS), so that the mapping stays open."),
        ]
    }

    /// A helper wrote another port into Contact than the phone's packets wear, and what is sent there stays unanswered.
    mutating func misdirected(by side: SideComparison, _ table: SignallingTable) {
        for rewrite in side.contactRewrites where !side.worn.outside.contains(rewrite.written) {
            let written = Endpoint(rewrite.written.address.address, rewrite.written.port)
            guard let helper = find(.algRewritten, rewrite.dialogs.inside), table.dialogs.indices.contains(rewrite.dialogs.inside)
            else { continue }
            let victims = all.indices.filter { index in
                all[index].name == .sipRetransmit && all[index].severity == .fault && !gone.contains(index)
                    && all[index].evidence.first.map { $0.destination == written && $0.place.file == side.outside.index } == true
            }
            guard let first = victims.first else { continue }
            if all[helper].severity != .fault {
                let name = String(decoding: table.dialogs[rewrite.dialogs.inside].from, as: UTF8.self)
                all[helper].severity = .fault
                all[helper].summary =
                    "\(name) cannot be reached: the router wrote \(written) into Contact as the place for requests, and nobody answers "
                    + "what is sent there. " + all[helper].summary
                all[helper].evidence += all[first].evidence.prefix(1)
            }
            absorb(victims, into: helper)
        }
    }
}
