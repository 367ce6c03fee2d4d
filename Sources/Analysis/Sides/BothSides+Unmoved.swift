import Base
import Capture

/// Two captures with nothing between them that translates: the same packets with the same ends in both.
extension BothSides {
    /// What one capture has and the other lacks, of one direction alone, was lost between them: a switch, a wireless link, a filter.
    mutating func lostBetween() {
        for index in all.indices where all[index].severity.accuses && !gone.contains(index) && !told.contains(index) {
            switch all[index].name {
            case .mediaQuality: thinned(index)
            case .mediaOneWay, .mediaNone: filtered(index)
            default: break
            }
        }
    }

    private func same(_ stream: StreamSummary) -> [StreamSummary] {
        (bySSRC[stream.ssrc] ?? []).map { streams[$0] }.filter {
            $0.vantage != stream.vantage && $0.source == stream.source && $0.destination == stream.destination
        }
    }

    private mutating func thinned(_ index: Int) {
        let places = Set(all[index].evidence.map(\.place))
        guard
            let worst = streams.filter({ places.contains($0.firstPlace) }).max(by: { $0.lossRate < $1.lossRate }),
            worst.lossRate > worst.lateRate, lossy[worst.vantage] == nil,
            let twin = same(worst).first(where: { Self.isWhole($0, beside: worst) }),
            // What captures lose they lose of both directions.
            let back = streams.first(where: {
                $0.vantage == worst.vantage && $0.source == worst.destination && $0.destination == worst.source
            }), back.packets >= MediaJudge.fewest, back.lossRate * 4 <= worst.lossRate,
            same(back).contains(where: { $0.vantage == twin.vantage })
        else { return }
        all[index].details.removeAll { $0.hasPrefix("The numbers are missing in the capture already") }
        all[index].summary +=
            " They get lost between the two captures: in the one nearer \(worst.source) \(twin.lost) of \(twin.expected) are missing."
        layBetween(index, twin, "the same stream, before they get lost")
    }

    private mutating func filtered(_ index: Int) {
        for dialog in all[index].subject.dialogs {
            for heard in ofCall(dialog) where heard.packets >= MediaJudge.fewest {
                for twin in same(heard) {
                    let isThere = streams.contains {
                        $0.vantage == heard.vantage && $0.source == heard.destination && $0.destination == heard.source
                    }
                    guard !isThere,
                        let lost = streams.first(where: {
                            $0.vantage == twin.vantage && $0.source == heard.destination && $0.destination == heard.source
                                && $0.packets >= MediaJudge.fewest && $0.first < twin.last && twin.first < $0.last
                        })
                    else { continue }
                    all[index].summary =
                        "\(heard.source) hears nothing: \(counted(lost.packets, "RTP packet")) from \(lost.source) to \(lost.destination) pass one capture and "
                        + "none the other, nearer \(lost.destination), while the opposite direction passes both."
                    all[index].details = []
                    layBetween(index, lost, "none of them appeared in the other capture")
                    return
                }
            }
        }
    }

    private mutating func layBetween(_ index: Int, _ seen: StreamSummary, _ says: String) {
        all[index].culprit = .between("the capture nearer \(seen.source)", "the capture nearer \(seen.destination)")
        all[index].confidence = .likely
        all[index].evidence.append(
            Evidence(
                place: seen.firstPlace, time: seen.first, source: seen.source, destination: seen.destination,
                excerpt: MediaJudge.describe(seen), says: says))
        all[index].remedies = [Self.path("between the two captures")]
        told.insert(index)
    }
}
