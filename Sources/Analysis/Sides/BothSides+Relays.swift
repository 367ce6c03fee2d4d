import Base
import Capture

/// Proxies and border controllers that the media of a call goes to, too.
extension BothSides {
    private static let mediaNames: Set<FindingName> = [.mediaOneWay, .mediaNone, .natPrivateSDP]

    /// Audio that came to a box which both ends address, and that sends none on, while it gets audio on the other side as well.
    mutating func relaysNothing(_ side: SideComparison, _ table: SignallingTable) {
        guard side.box == .proxy else { return }
        for pair in side.dialogs where table.dialogs.indices.contains(pair.inside) && table.dialogs.indices.contains(pair.outside)
        {
            let common = Self.ends(pair.inside, table).intersection(Self.ends(pair.outside, table))
            guard let seat = common.isEmpty ? Self.box(pair.inside, pair.outside, side, table) : (common, common) else {
                continue
            }
            let near = leg(pair.inside, side.inside, seat.near)
            let far = leg(pair.outside, side.outside, seat.far)
            let lost = [(far, near), (near, far)].filter { from, to in
                guard let stream = from.into, to.into != nil else { return false }
                return to.sent.isEmpty && to.into.map { $0.first < stream.last && stream.first < $0.last } == true
            }.map(\.0)
            guard let first = lost.first, let stream = first.into else { continue }
            let dialogs = kin(of: pair.inside)
            let victims = accusing(dialogs, Self.mediaNames)
            guard let cause = victims.first(where: { all[$0].name != .natPrivateSDP }) ?? victims.first, !told.contains(cause)
            else { continue }
            let box = "\(stream.destination.address)"
            let name = "the proxy or relay \(box)"
            var result = Finding(
                .mediaOneWay, .fault,
                "\(name.capitalizedFirst) passes no audio on: \(counted(stream.packets, "RTP packet")) from \(stream.source) came to it at \(stream.destination), and "
                    + "it sent none to the other end" + (lost.count > 1 ? ", nor back." : "."),
                details: ["The captures lie on both sides of it and show what comes to it from both ends."],
                evidence: lost.compactMap(\.into).map {
                    Evidence(
                        place: $0.firstPlace, time: $0.first, source: $0.source, destination: $0.destination,
                        excerpt: MediaJudge.describe($0), says: "came to it, and nothing left it on the other side")
                }, culprit: .proved(name), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Look at the media relay on \(box): whether it runs, its range of ports, and whether a firewall on that host lets it send."
                    )
                ], subject: all[cause].subject)
            result.subject.dialogs = Array(Set(victims.flatMap { all[$0].subject.dialogs })).sorted()
            all.append(result)
            told.insert(all.count - 1)
            for dialog in result.subject.dialogs { ofDialog[dialog, default: []].append(all.count - 1) }
            absorb(victims, into: all.count - 1)
        }
    }

    /// Its addresses on both sides, where they differ: the server of the call on the side where it begins, and the client on the other.
    private static func box(
        _ inside: Int, _ outside: Int, _ side: SideComparison, _ table: SignallingTable
    ) -> (near: Set<PackedAddress>, far: Set<PackedAddress>)? {
        let (a, b) = (table.dialogs[inside], table.dialogs[outside])
        guard a.began != MessageRecord.unknownTime, b.began != MessageRecord.unknownTime,
            let ahead = elapsed(a.began, b.began)?.subtractingReportingOverflow(side.clockOffset.wholeNanoseconds),
            !ahead.overflow
        else { return nil }
        let isOutbound = ahead.partialValue >= 0
        return (
            Set(a.legs.map { isOutbound ? $0.server.address : $0.client.address }),
            Set(b.legs.map { isOutbound ? $0.client.address : $0.server.address })
        )
    }

    private static func ends(_ dialog: Int, _ table: SignallingTable) -> Set<PackedAddress> {
        Set(table.dialogs[dialog].legs.flatMap { [$0.client.address, $0.server.address] })
    }

    /// What goes to the box on one side of a call, and all that it sends there; its address is one of these ends of the signalling.
    private func leg(_ dialog: Int, _ vantage: Vantage, _ ends: Set<PackedAddress>) -> (
        into: StreamSummary?, sent: [StreamSummary]
    ) {
        let all = ofCall(dialog).filter { $0.vantage == vantage }
        let into = all.filter { stream in
            stream.packets >= MediaJudge.fewest && ends.contains(PackedAddress(stream.destination.address))
        }
        // Where both ends of the signalling get audio, it is not known which of them is the box.
        guard Set(into.map(\.destination.address)).count == 1, let first = into.max(by: { $0.packets < $1.packets }) else {
            return (nil, all)
        }
        return (first, streams.filter { $0.vantage == vantage && $0.source.address == first.destination.address })
    }
}
