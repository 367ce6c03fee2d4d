import Base
import Capture

/// Audio that broke off and went on, with just as many packets missing as were due meanwhile: it was sent, and lost on its way.
extension MediaJudge {
    func lostPauses(_ quiet: StreamSummary.Speaker, _ heard: [Int]) -> [RTPStream.Activity] {
        heard.filter { seen[$0].speaker == quiet }.flatMap { index in
            seen[index].stream.gaps.map { RTPStream.Activity(from: $0.from, to: $0.to) }
        }
    }

    /// Whether what is left of a silence, once that is known, is no silence; then its streams are noted as broken.
    mutating func isLostOnTheWay(_ quiet: StreamSummary.Speaker, _ heard: [Int], _ patience: Int64, _ rest: Int64) -> Bool {
        guard rest <= patience else { return false }
        broken.formUnion(heard.filter { seen[$0].speaker == quiet && !seen[$0].stream.gaps.isEmpty })
        return true
    }

    /// `was interrupted for 18.0 s`, and by what, as a sentence.
    func interruption(_ index: Int) -> String {
        let gaps = seen[index].stream.gaps
        let missing = gaps.reduce(0) { $0 + $1.missing }
        let lasted = Self.tenth(Double(gaps.reduce(0) { $0 + ($1.to - $1.from) }) / 1e9)
        return
            (gaps.count == 1 ? "was interrupted for \(lasted) s" : "was interrupted \(gaps.count) times, for \(lasted) s in all")
            + ": the \(counted(missing, "packet")) of that time were sent, as their numbers show, and lost before the place of the capture."
    }

    static let lineRemedies = [
        Remedy(
            .network,
            "See what broke off before the capture at that time: the Internet line, a WLAN (roaming), a cable, a route; the logs of router and access point tell."
        )
    ]
}
