import Base
import Capture

/// RTP that came to a box and did not leave it, or not whole.
extension BothSides {
    /// Audio that came to the box, of which the other side shows nothing while it shows the opposite direction of the same call.
    mutating func mediaDropped(by side: SideComparison, _ table: SignallingTable) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        let (inside, outside) = (shown[side.inside] ?? [], shown[side.outside] ?? [])
        let matched = inside.intersection(outside)
        guard !matched.isEmpty else { return }
        var pairs: [Int: SideComparison.DialogPair] = [:]
        for pair in side.dialogs.reversed() { (pairs[pair.inside], pairs[pair.outside]) = (pair, pair) }
        for stream in streams where stream.vantage == side.inside || stream.vantage == side.outside {
            guard let dialog = stream.dialog, let isOutbound = way(of: stream, side), stream.packets >= Self.fewest,
                !(stream.vantage == side.inside ? outside : inside).contains(stream.ssrc),
                isOutbound ? side.worn.crossesOut : side.worn.crossesIn,
                isOutbound == (stream.vantage == side.inside), table.dialogs.indices.contains(dialog),
                let opposite = ofCall(dialog).first(where: { other in
                    matched.contains(other.ssrc) && other.vantage == stream.vantage && way(of: other, side) == !isOutbound
                        && other.first < stream.last && stream.first < other.last
                }), let pair = pairs[dialog]
            else { continue }
            if isOutbound, !side.worn.peers.contains(PackedAddress(stream.destination.address)),
                opposite.source.address != stream.destination.address
            {
                continue
            }
            let victims = media(of: pair)
            guard let cause = victims.min(by: { all[$0].confidence < all[$1].confidence }), told.insert(cause).inserted else {
                continue
            }
            blame(stream, opposite, isOutbound, side, cause, table.dialogs[dialog])
            absorb(victims, into: cause)
            contradict(pair)
        }
    }

    func ofCall(_ dialog: Int) -> [StreamSummary] { (streamsOf[dialog] ?? []).map { streams[$0] } }

    /// Whether a stream goes from the inside to the outside; nil: neither.
    private func way(of stream: StreamSummary, _ side: SideComparison) -> Bool? {
        let own = stream.vantage == side.inside ? side.worn.inside : side.worn.outside
        let (from, to) = (PackedAddress(stream.source.address), PackedAddress(stream.destination.address))
        let (isFrom, isTo) = (own.contains { $0.address == from }, own.contains { $0.address == to })
        return isFrom == isTo ? nil : isFrom
    }

    private mutating func blame(
        _ stream: StreamSummary, _ opposite: StreamSummary, _ isOutbound: Bool, _ side: SideComparison, _ cause: Int,
        _ dialog: DialogState
    ) {
        let dropper = Dropper(
            side, isOutbound ? side.translatedTo?.address : stream.destination.address, sources,
            lacking: isOutbound ? side.outside : side.inside)
        let there = isOutbound ? "outside" : "inside"
        let listener =
            stream.speaker.map { String(decoding: $0 == .caller ? dialog.to : dialog.from, as: UTF8.self) } ?? "One end"
        let speaker = stream.speaker.map { "the \($0.rawValue) (\(stream.source))" } ?? "\(stream.source)"
        // The phone's own audio opened another port: what comes to this one has nowhere to go.
        let isMapped = isOutbound || opposite.source == stream.destination
        all[cause].summary =
            "\(listener) hears nothing: \(counted(stream.packets, "RTP packet")) of \(speaker) came to \(dropper.name), "
            + (isMapped
                ? "which passed none of them on: none appeared \(there)."
                : "at \(stream.destination), for which it has no mapping: the audio of the other end leaves it from \(opposite.source).")
        all[cause].culprit = isMapped ? dropper.culprit : .between("\(stream.source)", dropper.name)
        all[cause].confidence = dropper.confidence
        all[cause].details = ["The audio of the other direction crossed it in that time, as both captures show."]
        if let caveat = dropper.caveat { all[cause].details.append(caveat) }
        all[cause].evidence.append(
            Evidence(
                place: stream.firstPlace, time: stream.first, source: stream.source, destination: stream.destination,
                excerpt: MediaJudge.describe(stream), says: "none of them appeared \(there)"))
        let filter = Remedy(
            .router,
            "Let UDP from \(stream.source) to \(stream.destination) pass: look for a filter rule on the RTP ports, and for a SIP helper that opens none for them."
        )
        let latch = Remedy(
            .server, "Send audio to where it comes from (symmetric RTP, latching), not to the place in the SDP.")
        all[cause].remedies = isMapped ? [filter, MediaJudge.relay] : [latch, .disableALG]
    }

    /// What one side took for audio both ways.
    private mutating func contradict(_ pair: SideComparison.DialogPair) {
        for index in all.indices where all[index].name == .natPrivateSDP && !all[index].severity.accuses {
            guard all[index].subject.dialogs.contains(where: { $0 == pair.inside || $0 == pair.outside }) else { continue }
            all[index].details.removeAll { $0.hasPrefix(Judge.bothWays) }
        }
    }

    /// Of a stream that both sides show, one lacks more than the other: what lies between lost it, or the capture that lacks it.
    mutating func loses(_ side: SideComparison) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        for index in all.indices where all[index].name == .mediaQuality && all[index].severity.accuses && !gone.contains(index) {
            let told = Set(all[index].evidence.map(\.place))
            let bad = streams.filter { told.contains($0.firstPlace) && ($0.vantage == side.inside || $0.vantage == side.outside) }
            guard let worst = bad.max(by: { $0.lossRate < $1.lossRate }), worst.lossRate > worst.lateRate,
                let isOutbound = way(of: worst, side),
                let twin = streams.first(where: {
                    $0.ssrc == worst.ssrc && $0.vantage != worst.vantage
                        && ($0.vantage == side.inside || $0.vantage == side.outside)
                }), twin.expected * 10 >= worst.expected * 8, twin.lossRate * 4 <= worst.lossRate
            else { continue }
            let isBehind = isOutbound == (worst.vantage == side.outside)
            let both = "\(twin.lost) of \(twin.expected)"
            all[index].details.removeAll { $0.hasPrefix("The numbers are missing in the capture already") }
            guard isBehind else {
                all[index].severity = .note
                all[index].details.append(
                    "Further on only \(both) are missing: the line did not lose the packets, this capture does not show them.")
                continue
            }
            let dropper = Dropper(
                side, isOutbound ? worst.source.address : twin.destination.address, sources, lacking: worst.vantage)
            guard !Dropper.drops(sources, worst.vantage) else { continue }
            all[index].summary += " \(dropper.name.capitalizedFirst) loses them: before it \(both) are missing."
            all[index].culprit = dropper.culprit
            all[index].confidence = dropper.confidence
            if let caveat = dropper.caveat { all[index].details.append(caveat) }
            all[index].evidence.append(
                Evidence(
                    place: twin.firstPlace, time: twin.first, source: twin.source, destination: twin.destination,
                    excerpt: MediaJudge.describe(twin), says: "the same stream before it"))
            all[index].remedies[0] = Remedy(
                .router,
                "Give RTP priority (DSCP EF) in it and shape below the rate of its slower line; look at its load, its drop counters and the tunnel or line at it."
            )
        }
    }
}
