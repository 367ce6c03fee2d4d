import Base
import Capture

/// RTP that came through a box late.
extension BothSides {
    /// A clock that shows a stream late is proved by one that it shows on time.
    private static let fewestLate = 5

    /// Of a stream that both sides show, one has it on time and the other late: what lies between delays it, or the late side's clock is
    /// not true.
    mutating func delays(_ side: SideComparison) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        for index in all.indices where all[index].name == .mediaQuality && all[index].severity.accuses && !gone.contains(index) {
            let places = Set(all[index].evidence.map(\.place))
            let bad = streams.filter { places.contains($0.firstPlace) && isOf(side, $0) && way(of: $0, side) != nil }
            guard !told.contains(index), let worst = bad.max(by: { $0.lateRate < $1.lateRate }),
                worst.lateRate >= worst.lossRate, worst.late >= Self.fewestLate, let isOutbound = way(of: worst, side),
                let twin = twin(of: worst, side), twin.expected * 10 >= worst.expected * 8
            else { continue }
            guard Self.isPrompt(twin, beside: worst) else {
                if let first = same(\.lateRate, worst, twin, index) { absorb([index], into: first) }
                continue
            }
            guard !hasOwnTime(worst.vantage, side) else {
                all[index].severity = .note
                all[index].details.append(
                    "Further on the same audio is on time: the clock of this capture is not true, the line did not hold it up.")
                continue
            }
            let others = streams.filter { $0.vantage == worst.vantage && $0.packets >= MediaJudge.fewest && $0.late == 0 }
            guard isOutbound == (worst.vantage == side.outside), others.contains(where: { way(of: $0, side) == !isOutbound })
            else { continue }
            slow(index, worst, twin, isOutbound, side)
        }
    }

    private static func isPrompt(_ twin: StreamSummary, beside worst: StreamSummary) -> Bool {
        twin.lateRate * 4 <= worst.lateRate
    }

    /// It shows something late that is on time further on, which no line does.
    private func hasOwnTime(_ vantage: Vantage, _ side: SideComparison) -> Bool {
        streams.contains { stream in
            stream.vantage == vantage && stream.late >= Self.fewestLate
                && way(of: stream, side) == (vantage == side.inside)
                && twin(of: stream, side).map { Self.isPrompt($0, beside: stream) } == true
        }
    }

    private mutating func slow(
        _ index: Int, _ worst: StreamSummary, _ twin: StreamSummary, _ isOutbound: Bool, _ side: SideComparison
    ) {
        all[index].details.removeAll { $0.hasPrefix("The numbers are missing in the capture already") }
        all[index].details.append("What goes the other way is on time in the same capture, so its clock is true.")
        let harm = Harm(
            onStretch: "are held up", byBox: "holds them up", before: "\(twin.late) of \(twin.expected) are late",
            remedy: "Give RTP priority (DSCP EF) in it and shape below the rate of its slower line, so that no queue fills.")
        lay(index, worst, twin, isOutbound, side, harm) { Self.isPrompt($0, beside: worst) }
    }
}
