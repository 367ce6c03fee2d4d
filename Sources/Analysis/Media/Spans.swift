import Base

/// Stretches of time in order, without overlaps.
struct Spans {
    private(set) var list: [RTPStream.Activity] = []

    init(_ spans: [RTPStream.Activity]) {
        for span in spans.sorted(by: { $0.from < $1.from }) where span.to >= span.from {
            if let last = list.last, span.from <= last.to {
                list[list.count - 1].to = max(last.to, span.to)
            } else {
                list.append(span)
            }
        }
    }

    func clipped(to periods: [RTPStream.Activity]) -> Spans {
        Spans(
            periods.flatMap { period in
                list.compactMap { span in
                    let from = max(span.from, period.from)
                    let to = min(span.to, period.to)
                    return to > from ? RTPStream.Activity(from: from, to: to) : nil
                }
            })
    }

    /// The longest part that none of the other's stretches touches.
    func longest(without other: Spans) -> Int64 { without(other).list.map { $0.to - $0.from }.max() ?? 0 }

    /// What none of the other's stretches touches.
    func without(_ other: Spans) -> Spans {
        Spans(
            list.flatMap { span in
                var parts: [RTPStream.Activity] = []
                var from = span.from
                for gap in other.list where gap.to > from && gap.from < span.to {
                    if gap.from > from { parts.append(RTPStream.Activity(from: from, to: gap.from)) }
                    from = max(from, gap.to)
                }
                if span.to > from { parts.append(RTPStream.Activity(from: from, to: span.to)) }
                return parts
            })
    }

    var total: Int64 { list.reduce(0) { $0 + $1.to - $1.from } }
}
