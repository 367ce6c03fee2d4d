import Base
import Lab
import ShowText

/// Calls as text: who heard whom, how loud, and if not, why not; then what the server says of it.
public struct CallReviewReport: Sendable {
    public var reviews: [CallReview]
    /// From when time is counted.
    public var start: Instant

    public init(_ reviews: [CallReview], from start: Instant) {
        self.reviews = reviews
        self.start = start
    }

    public func text(_ style: ReportStyle = .plain) -> String { reviews.map { text($0, style) }.joined() }

    private func text(_ review: CallReview, _ style: ReportStyle) -> String {
        let head =
            "\(Ladder.clock(review.beganAt - start))  \(review.caller) calls \(review.target): \(review.summary) (\(review.outcome))"
        let isGood = review.isAudioComplete ?? (review.answeredAt != nil)
        var text = lines(head, indent: 0, style, isGood ? .good : .bad)
        for way in review.ways { text += lines(Self.text(way), indent: 2, style, way.isHeard ? nil : .bad) }
        for verdict in review.verdicts { text += lines("the server says of \(verdict)", indent: 2, style, .dim) }
        return text
    }

    private func lines(_ content: String, indent: Int, _ style: ReportStyle, _ tone: ReportTone?) -> String {
        var text = ""
        for (index, line) in wrapped(printable(content), to: style.width - indent - 2).enumerated() {
            text += String(repeating: " ", count: indent + (index > 0 ? 2 : 0)) + style.paint(line, tone) + "\n"
        }
        return text
    }

    static func text(_ way: AudioWay) -> String {
        let level = decibels(ofLevel: way.level).map { "\(ConferenceReport.tenths($0)) dBov" } ?? "silence"
        if way.isHeard { return "\(way.listener) hears \(way.speaker): \(way.tone) Hz at \(level)" }
        let why = way.reason.map { ": \($0.text)" } ?? ""
        guard way.share > 0, let last = way.lastHeard else {
            return "\(way.listener) does not hear \(way.speaker)\(why)"
        }
        let percent = Int((way.share * 100).rounded())
        return "\(way.listener) hears \(way.speaker) for \(percent) % of the time, last after \(last.wholeSeconds) s\(why)"
    }

    /// An array, one object a call.
    public var json: JSONValue {
        .array(
            reviews.map { review in
                .object([
                    ("caller", .string(review.caller)), ("target", .string(review.target)),
                    ("at", .number(Double((review.beganAt - start).wholeMilliseconds) / 1000)),
                    ("answered", .bool(review.answeredAt != nil)), ("outcome", .string(review.outcome)),
                    ("summary", .string(review.summary)), ("ways", .array(review.ways.map(Self.json))),
                    ("server", .array(review.verdicts.map { .string($0) })),
                ])
            })
    }

    private static func json(_ way: AudioWay) -> JSONValue {
        .object([
            ("speaker", .string(way.speaker)), ("listener", .string(way.listener)), ("tone", .integer(way.tone)),
            ("heard", .bool(way.isHeard)), ("share", .number((way.share * 1000).rounded() / 1000)),
            ("level", decibels(ofLevel: way.level).map { .number(($0 * 10).rounded() / 10) } ?? .null),
            ("reason", way.reason.map { .string($0.text) } ?? .null),
        ])
    }
}
