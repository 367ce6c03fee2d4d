import Analysis
import Base
import ReportText

/// A dialog's ladder as a picture, narrow enough for a phone's screen: what is said of a message stands below its arrow.
struct SVGLadder {
    let text: String

    init(_ picture: DialogLadder) {
        let columns = max(1, picture.participants.count)
        let gap = columns <= 2 ? 330.0 : columns == 3 ? 250 : 200
        let (left, right) = (104.0, 84.0)
        let span = gap * Double(columns - 1)
        let width = left + span + right
        var rows: [(event: Ladder.Event, remarks: [String], top: Double)] = []
        var y = 52.0
        for event in picture.ladder.events {
            // About six units a letter.
            let remarks = event.remark.isEmpty ? [] : Array(wrapped(event.remark, to: Int((span + 60) / 6.2)).prefix(3))
            rows.append((event, remarks, y))
            y += 30 + 15 * Double(remarks.count)
        }
        var svg = SVG(width: width, height: y - 8, title: picture.title, kind: "ladder")
        func x(_ column: Int) -> Double { left + gap * Double(column) }
        for (index, name) in picture.participants.enumerated() {
            svg.text(x(index), 16, name, "strong", anchor: "middle")
            svg.line(x(index), 24, x(index), y - 10, "life")
        }
        for row in rows {
            let event = row.event
            svg.text(4, row.top + 4, event.stamp ?? Ladder.clock(event.at), "dim")
            let tone = event.tone == .bad ? "bad" : "dim"
            switch event.kind {
            case .arrow(let from, let to, let label), .lost(let from, let to, let label):
                svg.text((x(from) + x(to)) / 2, row.top - 5, label, event.tone == .bad ? "bad" : "label", anchor: "middle")
                svg.arrow(x(from), x(to), row.top, Self.kind(event.tone), hint: "\(label)\n\(event.remark)")
                for (index, remark) in row.remarks.enumerated() {
                    svg.text((x(from) + x(to)) / 2, row.top + 14 + 15 * Double(index), remark, "small \(tone)", anchor: "middle")
                }
            case .heading(let heading): svg.text(left + span / 2, row.top, heading, "dim", anchor: "middle")
            case .mark(let at): svg.dot(x(at), row.top, 4, "challenge", hint: event.remark)
            }
        }
        text = svg.text
    }

    private static func kind(_ tone: ReportTone?) -> String {
        switch tone {
        case .bad: "bad"
        case .warning: "again"
        case .accent: "error"
        default: "plain"
        }
    }
}
