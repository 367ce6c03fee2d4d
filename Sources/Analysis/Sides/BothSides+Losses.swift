import Base
import Capture

/// RTP that came through a box in part.
extension BothSides {
    /// Of a stream that both sides show, one lacks more than the other: what lies between lost it, or the capture that lacks it.
    mutating func loses(_ side: SideComparison) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        for index in all.indices where all[index].name == .mediaQuality && all[index].severity.accuses && !gone.contains(index) {
            let places = Set(all[index].evidence.map(\.place))
            let bad = streams.filter {
                places.contains($0.firstPlace) && ($0.vantage == side.inside || $0.vantage == side.outside)
            }
            guard !told.contains(index), let worst = bad.max(by: { $0.lossRate < $1.lossRate }), worst.lossRate > worst.lateRate,
                let isOutbound = way(of: worst, side)
            else { continue }
            if let share = lossy[worst.vantage], worst.lossRate <= share {
                acquit(index, "It also lacks packets that its other side proves to have passed.")
                continue
            }
            guard
                let twin = streams.first(where: {
                    $0.ssrc == worst.ssrc && $0.vantage != worst.vantage
                        && ($0.vantage == side.inside || $0.vantage == side.outside)
                })
            else { continue }
            guard isWhole(twin, beside: worst) else {
                if let first = sameLoss(worst, twin, index) { absorb([index], into: first) }
                continue
            }
            all[index].details.removeAll { $0.hasPrefix("The numbers are missing in the capture already") }
            guard isOutbound == (worst.vantage == side.outside) else {
                acquit(index, "Further on only \(twin.lost) of \(twin.expected) are missing.")
                continue
            }
            locate(index, worst, twin, isOutbound, side)
        }
    }

    mutating func acquit(_ index: Int, _ why: String) {
        all[index].severity = .note
        all[index].details.append("\(why) The line did not lose the packets, this capture does not show them.")
    }

    func isWhole(_ twin: StreamSummary, beside worst: StreamSummary) -> Bool {
        twin.expected * 10 >= worst.expected * 8 && twin.lossRate * 4 <= worst.lossRate
    }

    /// The finding about the same stream on the other side that tells the same loss.
    private func sameLoss(_ worst: StreamSummary, _ twin: StreamSummary, _ index: Int) -> Int? {
        guard twin.lossRate <= worst.lossRate * 1.2, worst.lossRate <= twin.lossRate * 1.2 else { return nil }
        return all.indices.first { other in
            other != index && !gone.contains(other) && all[other].name == .mediaQuality && all[other].severity.accuses
                && all[other].evidence.contains { $0.place == twin.firstPlace }
        }
    }

    private mutating func locate(
        _ index: Int, _ worst: StreamSummary, _ twin: StreamSummary, _ isOutbound: Bool, _ side: SideComparison
    ) {
        let stretch = stretch(of: worst, isOutbound: isOutbound, side) { $0.map { isWhole($0, beside: worst) } ?? false }
        let dropper = Dropper(
            side, isOutbound ? worst.source.address : twin.destination.address, sources, lacking: worst.vantage,
            stretch: stretch, peer: "\(isOutbound ? worst.destination : twin.source)",
            phone: "\(isOutbound ? twin.source : worst.destination)")
        guard !Dropper.drops(sources, worst.vantage) else { return }
        let before = "before \(dropper.stretch == nil ? "it" : "that") \(twin.lost) of \(twin.expected) are missing."
        all[index].summary +=
            dropper.stretch.map { " They get lost \($0): \(before)" } ?? " \(dropper.name.capitalizedFirst) loses them: \(before)"
        all[index].blame(dropper)
        all[index].evidence.append(
            Evidence(
                place: twin.firstPlace, time: twin.first, source: twin.source, destination: twin.destination,
                excerpt: MediaJudge.describe(twin), says: "the same stream before it"))
        let shape = Remedy(
            .router,
            "Give RTP priority (DSCP EF) in it and shape below the rate of its slower line; look at its load, its drop counters and the tunnel or line at it."
        )
        let remedy = dropper.stretch.map { [Self.path($0)] + (dropper.isRouterPossible ? [shape] : []) } ?? [shape]
        all[index].remedies = remedy + all[index].remedies.dropFirst()
        told.insert(index)
    }
}
