import Base
import Capture

/// Captures that lack what another one shows, by their streams alone: no message has to be on both.
extension BothSides {
    private static let fewestBothWays = 5

    /// Of two captures one lacks packets of both directions of a talk that the other has whole. It lies before the other on one of the two
    /// ways, so it did not record what passed it.
    mutating func noteLossyBothWays() {
        for (index, stream) in streams.enumerated() where isLacking(stream) {
            guard let (back, twin) = opposite(of: index), isLacking(back), let backTwin = whole(back, in: twin.vantage),
                PackedAddress(twin.source.address) == PackedAddress(backTwin.destination.address)
            else { continue }
            let rates = [stream.lossRate, back.lossRate]
            guard let low = rates.min(), let high = rates.max(), high <= low * 2 else { continue }
            // A few lost by chance are few here and more there.
            let share = high * 1.2 + 3 / Double(max(1, stream.expected))
            lackingBothWays[stream.vantage] = max(lackingBothWays[stream.vantage] ?? 0, share)
            lossy[stream.vantage] = max(lossy[stream.vantage] ?? 0, share)
        }
    }

    private func isLacking(_ stream: StreamSummary) -> Bool {
        stream.lost >= stream.lostByCapture + Self.fewestBothWays && stream.packets >= MediaJudge.fewest
    }

    /// The stream that goes back, and the whole one elsewhere that is the first's.
    private func opposite(of index: Int) -> (StreamSummary, StreamSummary)? {
        let stream = streams[index]
        for other in bySSRC[stream.ssrc] ?? [] where streams[other].vantage != stream.vantage {
            guard let twin = whole(stream, in: streams[other].vantage),
                let back = (stream.dialog.map(ofCall) ?? []).first(where: {
                    $0.vantage == stream.vantage && $0.source == stream.destination && $0.destination == stream.source
                })
            else { continue }
            return (back, twin)
        }
        return nil
    }

    /// The same stream in another capture, of which next to nothing is missing there.
    private func whole(_ stream: StreamSummary, in vantage: Vantage) -> StreamSummary? {
        (bySSRC[stream.ssrc] ?? []).lazy.map { streams[$0] }.first {
            $0.vantage == vantage && $0.expected * 10 >= stream.expected * 8 && $0.lossRate * 10 <= stream.lossRate
        }
    }

    /// What such a capture lacks accuses nobody.
    mutating func acquitLossy() {
        for index in all.indices where all[index].name == .mediaQuality && all[index].severity.accuses && !gone.contains(index) {
            let places = Set(all[index].evidence.map(\.place))
            let bad = streams.filter { places.contains($0.firstPlace) }
            guard !told.contains(index), let worst = bad.max(by: { $0.lossRate < $1.lossRate }),
                worst.lossRate > worst.lateRate, let share = lackingBothWays[worst.vantage],
                worst.lossRate <= share
            else { continue }
            acquit(index, "Another capture shows both directions whole, and this one lies before it on one of the two ways.")
        }
    }
}
