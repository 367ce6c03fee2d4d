import Base
import Capture

/// RTP that came through a box in part.
extension BothSides {
    /// Of a stream that both sides show, one lacks more than the other: what lies between lost it, or the capture that lacks it.
    mutating func loses(_ side: SideComparison) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        for index in all.indices where all[index].name == .mediaQuality && all[index].severity.accuses && !gone.contains(index) {
            let places = Set(all[index].evidence.map(\.place))
            let bad = streams.filter { places.contains($0.firstPlace) && isOf(side, $0) }
            guard !told.contains(index), let worst = bad.max(by: { $0.lossRate < $1.lossRate }), worst.lossRate > worst.lateRate,
                let isOutbound = way(of: worst, side)
            else { continue }
            if let share = lossy[worst.vantage], worst.lossRate <= share {
                acquit(index, "It also lacks packets that its other side proves to have passed.")
                continue
            }
            guard let twin = twin(of: worst, side) else { continue }
            guard Self.isWhole(twin, beside: worst) else {
                if let first = same(\.lossRate, worst, twin, index) { absorb([index], into: first) }
                continue
            }
            all[index].details.removeAll { $0.hasPrefix("The numbers are missing in the capture already") }
            guard isOutbound == (worst.vantage == side.outside) else {
                acquit(index, "Further on only \(twin.lost) of \(twin.expected) are missing.")
                continue
            }
            guard !Dropper.drops(sources, worst.vantage) else { continue }
            lay(index, worst, twin, isOutbound, side, Self.loss(twin)) { Self.isWhole($0, beside: worst) }
        }
    }

    mutating func acquit(_ index: Int, _ why: String) {
        all[index].severity = .note
        all[index].details.append("\(why) The line did not lose the packets, this capture does not show them.")
    }

    static func isWhole(_ twin: StreamSummary, beside worst: StreamSummary) -> Bool {
        twin.expected * 10 >= worst.expected * 8 && twin.lossRate * 4 <= worst.lossRate
    }

    // MARK: What losses and lateness have in common

    func isOf(_ side: SideComparison, _ stream: StreamSummary) -> Bool {
        stream.vantage == side.inside || stream.vantage == side.outside
    }

    /// The same stream on the other side.
    func twin(of stream: StreamSummary, _ side: SideComparison) -> StreamSummary? {
        (bySSRC[stream.ssrc] ?? []).lazy.map { streams[$0] }.first { $0.vantage != stream.vantage && isOf(side, $0) }
    }

    /// The finding about the same stream on the other side that tells of the same rate.
    func same(
        _ rate: KeyPath<StreamSummary, Double>, _ worst: StreamSummary, _ twin: StreamSummary, _ index: Int
    ) -> Int? {
        let (a, b) = (worst[keyPath: rate], twin[keyPath: rate])
        guard b <= a * 1.2, a <= b * 1.2 else { return nil }
        return all.indices.first { other in
            other != index && !gone.contains(other) && all[other].name == .mediaQuality && all[other].severity.accuses
                && all[other].evidence.contains { $0.place == twin.firstPlace }
        }
    }

    /// What happens to a stream between two captures, in words.
    struct Harm {
        /// Behind `They` where it is a stretch of the path, behind its name where it is a box.
        var onStretch: String
        var byBox: String
        /// What the capture before it shows: `3 of 500 are late`.
        var before: String
        var remedy: String
    }

    private static func loss(_ twin: StreamSummary) -> Harm {
        Harm(
            onStretch: "get lost", byBox: "loses them", before: "\(twin.lost) of \(twin.expected) are missing",
            remedy:
                "Give RTP priority (DSCP EF) in it and shape below the rate of its slower line; look at its load, its drop counters and the tunnel or line at it."
        )
    }

    /// Lays what a stream suffers at the box between, or at the stretch of the path where the other captures show it. `isSound`: whether
    /// what a capture shows of the stream has not suffered yet.
    mutating func lay(
        _ index: Int, _ worst: StreamSummary, _ twin: StreamSummary, _ isOutbound: Bool, _ side: SideComparison, _ harm: Harm,
        _ isSound: (StreamSummary) -> Bool
    ) {
        let dropper = Dropper(
            side, isOutbound ? worst.source.address : twin.destination.address, sources, lacking: worst.vantage,
            stretch: stretch(of: worst, isOutbound: isOutbound, side) { $0.map(isSound) ?? false },
            peer: "\(isOutbound ? worst.destination : twin.source)", phone: "\(isOutbound ? twin.source : worst.destination)")
        all[index].summary +=
            dropper.stretch.map { " They \(harm.onStretch) \($0): before that \(harm.before)." }
            ?? " \(dropper.name.capitalizedFirst) \(harm.byBox): before it \(harm.before)."
        all[index].blame(dropper)
        all[index].evidence.append(
            Evidence(
                place: twin.firstPlace, time: twin.first, source: twin.source, destination: twin.destination,
                excerpt: MediaJudge.describe(twin), says: "the same stream before it"))
        let shape = Remedy(.router, harm.remedy)
        let remedy = dropper.stretch.map { [Self.path($0)] + (dropper.isRouterPossible ? [shape] : []) } ?? [shape]
        all[index].remedies = remedy + all[index].remedies.dropFirst()
        told.insert(index)
    }
}
