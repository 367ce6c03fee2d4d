import Analysis
import Base
import ReportText

/// A dialog's ladder as a picture.
struct SVGLadder {
    let text: String

    init(_ picture: DialogLadder) {
        let columns = max(1, picture.participants.count)
        let gap = max(220.0, min(340, 720 / Double(max(1, columns - 1))))
        let left = 90.0
        let rowHeight = 26.0
        let remarks = left + gap * Double(columns - 1) + 90
        let height = 46 + rowHeight * Double(picture.ladder.events.count + 1)
        var svg = SVG(width: remarks + 330, height: height, title: picture.title)
        func x(_ column: Int) -> Double { left + gap * Double(column) }
        for (index, name) in picture.participants.enumerated() {
            svg.text(x(index), 18, name, "strong", anchor: "middle")
            svg.line(x(index), 26, x(index), height - 6, "life")
        }
        var y = 46.0
        for event in picture.ladder.events {
            svg.text(8, y + 4, Ladder.clock(event.at), "dim")
            switch event.kind {
            case .arrow(let from, let to, let label), .lost(let from, let to, let label):
                let kind = Self.kind(event.tone)
                svg.text((x(from) + x(to)) / 2, y - 4, label, event.tone == .bad ? "bad" : "label", anchor: "middle")
                svg.arrow(x(from), x(to), y, kind, hint: "\(label)\n\(event.remark)")
            case .heading(let heading): svg.text(left, y, heading, "dim")
            case .mark(let at): svg.dot(x(at), y, 4, "challenge", hint: event.remark)
            }
            let remark = event.remark.split(separator: "\n").joined(separator: "; ")
            svg.text(remarks, y + 4, remark.count > 60 ? "\(remark.prefix(59))…" : remark, event.tone == .bad ? "bad" : "dim")
            y += rowHeight
        }
        text = svg.text
    }

    private static func kind(_ tone: ReportTone?) -> String {
        switch tone {
        case .bad: "bad"
        case .warning: "again"
        case .accent: "error"
        case .good, .dim, .strong, nil: "plain"
        }
    }
}

/// When challenges were sent and answered, and from which port each message came: where a port jumps and a nonce is superseded, the eye
/// sees it at once.
struct RegistrationTimeline {
    let text: String

    /// nil where the source tells no times.
    init?(_ registration: RegistrationSummary, _ result: AnalysisResult) {
        struct Point {
            var at: Instant
            var lane: Int
            var kind: String
            var hint: String
        }
        var lanes: [Endpoint] = []
        func lane(_ endpoint: Endpoint) -> Int {
            if let index = lanes.firstIndex(of: endpoint) { return index }
            lanes.append(endpoint)
            return lanes.count - 1
        }
        var points: [Point] = []
        for mapping in registration.mappings.prefix(40) { _ = lane(mapping.client) }
        for challenge in registration.challenges.prefix(200) {
            if let time = challenge.time, let to = challenge.sentTo {
                let open = challenge.outstanding > 1 ? ", \(challenge.outstanding) outstanding" : ""
                points.append(
                    Point(
                        at: time, lane: lane(to), kind: "challenge",
                        hint: "\(challenge.place): challenge \(ExplainWords.short(challenge.nonce))\(open)"))
            }
            for answer in challenge.answers {
                guard let time = answer.time, let source = answer.source else { continue }
                let kind = answer.isSuperseded ? "superseded" : answer.status == 200 ? "accepted" : "answer"
                points.append(
                    Point(
                        at: time, lane: lane(source), kind: kind,
                        hint: "\(answer.place): CSeq \(answer.sequence) answers \(ExplainWords.short(challenge.nonce))"
                            + (answer.isSuperseded ? ", superseded" : "") + (answer.status.map { "; server: \($0)" } ?? "")))
            }
        }
        guard let first = points.map(\.at).min(), let last = points.map(\.at).max(), !lanes.isEmpty else { return nil }
        let span = max(1, Double((last - first).wholeNanoseconds))
        let left = 200.0
        let width = 620.0
        let laneHeight = 34.0
        let bottom = 20 + laneHeight * Double(lanes.count)
        var svg = SVG(
            width: left + width + 30, height: bottom + 56, title: "Ports and challenges of \(registration.aor) over time")
        func x(_ at: Instant) -> Double { left + width * Double((at - first).wholeNanoseconds) / span }
        func y(_ lane: Int) -> Double { 20 + laneHeight * (Double(lane) + 0.5) }
        for (index, endpoint) in lanes.enumerated() {
            svg.text(8, y(index) + 4, "\(endpoint)", "label")
            svg.line(left, y(index), left + width, y(index), "life")
        }
        let path = points.sorted { $0.at < $1.at }
        svg.path(path.map { (x($0.at), y($0.lane)) }, "port")
        for point in path { svg.dot(x(point.at), y(point.lane), 5, point.kind, hint: point.hint) }
        svg.line(left, bottom, left + width, bottom, "axis")
        svg.text(left, bottom + 16, "0 s", "dim")
        svg.text(left + width, bottom + 16, ExplainWords.duration(last - first), "dim", anchor: "end")
        var legend = left
        for (kind, name) in [
            ("challenge", "challenge"), ("answer", "answer"), ("superseded", "answers a superseded challenge"), ("accepted", "accepted"),
        ] {
            svg.dot(legend + 5, bottom + 36, 5, kind, hint: name)
            svg.text(legend + 15, bottom + 40, name, "dim")
            legend += 30 + 7 * Double(name.count)
        }
        text = svg.text
    }
}
