import Analysis
import Base
import ShowText

/// Challenges and answers over time, each on the line of the port it went to or came from: a port that jumps and an answer to an
/// old challenge are seen at once. Where a log tells no times, messages stand in their order.
struct RegistrationTimeline {
    private static let mostLanes = 12
    private static let mostChallenges = 200

    let text: String

    private struct Point {
        var place: EvidencePlace
        var time: Instant?
        var lane: Int
        var kind: String
        var hint: String
    }

    init?(_ registration: RegistrationSummary) {
        var lanes: [Endpoint] = []
        func lane(_ endpoint: Endpoint) -> Int {
            if let index = lanes.firstIndex(of: endpoint) { return index }
            // Whoever comes after the last line shares it.
            if lanes.count == Self.mostLanes { return lanes.count - 1 }
            lanes.append(endpoint)
            return lanes.count - 1
        }
        var points: [Point] = []
        for mapping in registration.mappings.prefix(40) { _ = lane(mapping.client) }
        for challenge in registration.challenges.prefix(Self.mostChallenges) {
            let nonce = ExplainWords.short(challenge.nonce)
            if let to = challenge.sentTo {
                let open = challenge.outstanding > 1 ? ", \(challenge.outstanding) outstanding" : ""
                points.append(
                    Point(
                        place: challenge.place, time: challenge.time, lane: lane(to), kind: "challenge",
                        hint: "\(challenge.place): challenge \(nonce)\(open)"))
            }
            for answer in challenge.answers {
                guard let source = answer.source else { continue }
                points.append(
                    Point(
                        place: answer.place, time: answer.time, lane: lane(source),
                        kind: answer.isSuperseded ? "superseded" : answer.status == 200 ? "accepted" : "answer",
                        hint: "\(answer.place): CSeq \(answer.sequence) answers \(nonce)"
                            + (answer.isSuperseded ? ", superseded" : "") + (answer.status.map { "; server: \($0)" } ?? "")))
            }
        }
        points.sort { $0.place < $1.place }
        guard let first = points.first, let last = points.last, points.count > 1 else { return nil }
        let times = points.compactMap(\.time)
        let hasTimes = times.count == points.count
        let (began, ended) = (times.min() ?? .epoch, times.max() ?? .epoch)
        let span = max(1, Double((ended - began).wholeNanoseconds))
        let (left, width, laneHeight) = (14.0, 470.0, 40.0)
        let bottom = laneHeight * Double(lanes.count) + 8
        var svg = SVG(
            width: left * 2 + width, height: bottom + 50, title: "Ports and challenges of \(registration.aor) over time",
            kind: "timeline")
        func x(_ index: Int) -> Double {
            let share =
                hasTimes
                ? Double(((points[index].time ?? began) - began).wholeNanoseconds) / span
                : Double(index) / Double(max(1, points.count - 1))
            return left + width * share
        }
        func y(_ lane: Int) -> Double { laneHeight * (Double(lane) + 0.75) }
        for (index, endpoint) in lanes.enumerated() {
            svg.text(left, y(index) - 12, ExplainWords.endpoint(endpoint), "label")
            svg.line(left, y(index), left + width, y(index), "life")
        }
        svg.path(points.indices.map { (x($0), y(points[$0].lane)) }, "port")
        // Answers lie upon the challenge sent at nearly the same time, smaller, so that both are seen.
        for (index, point) in points.enumerated() where point.kind == "challenge" {
            svg.dot(x(index), y(point.lane), 7, point.kind, hint: point.hint)
        }
        for (index, point) in points.enumerated() where point.kind != "challenge" {
            svg.dot(x(index), y(point.lane), 4.5, point.kind, hint: point.hint)
        }
        svg.text(left, bottom + 14, hasTimes ? "0 s" : "\(first.place)", "dim")
        svg.text(
            left + width, bottom + 14, hasTimes ? ExplainWords.duration(ended - began) : "\(last.place)", "dim", anchor: "end")
        var legend = left
        let kinds = Set(points.map(\.kind))
        for (kind, name) in [
            ("challenge", "challenge"), ("answer", "answer"), ("superseded", "answer to an old challenge"),
            ("accepted", "accepted"),
        ] where kinds.contains(kind) {
            svg.dot(legend + 6, bottom + 34, 6, kind, hint: name)
            svg.text(legend + 17, bottom + 38, name, "dim")
            legend += 34 + 6.6 * Double(name.count)
        }
        text = svg.text
    }
}
