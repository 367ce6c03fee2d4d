import Analysis
import Base
import Capture
import ShowExplain

/// A moment that a user names: with its date, or a time of day of the capture's first day.
package struct FilterTime: Hashable {
    private let time: LoggedTime

    package init?(_ text: String) {
        guard let time = LoggedTime(text) else { return nil }
        self.time = time
    }

    /// `first`: when the capture begins.
    package func instant(on first: Instant?) -> Instant {
        switch time.basis {
        case .absolute, .noYear: return time.instant
        case .timeOfDay:
            let day = first.map { $0.unixSeconds - ($0.unixSeconds % 86_400 + 86_400) % 86_400 } ?? 0
            return Instant(nanoseconds: day * 1_000_000_000 + time.instant.nanoseconds)
        }
    }
}

/// A filter whose times may need to know when the capture begins.
struct ExplainTimeFilter {
    var filter: ExplainFilter
    var from: FilterTime?
    var to: FilterTime?

    func settled(for result: AnalysisResult) -> ExplainFilter {
        let first = result.sources.compactMap(\.first).min()
        var settled = filter
        settled.from = from?.instant(on: first)
        settled.to = to?.instant(on: first)
        return settled
    }
}
