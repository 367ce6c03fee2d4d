import Analysis
import Base
import ShowText

/// A dialog's ladder as a picture, in two layouts of which the page shows the one that fits: for a page, and for a phone's screen. In
/// both, every word stands clear of times, lifelines and arrows: a lifeline that would run through a word is interrupted for it.
struct SVGLadder {
    enum Room: String {
        case page
        /// As wide as the narrowest screen in use, whatever the number of columns.
        case screen
    }

    let text: String

    init(_ picture: DialogLadder) {
        text = Self.drawn(picture, .page) + Self.drawn(picture, .screen)
    }

    /// Units a letter takes at most on average, in the fonts of the style sheet.
    private enum Letter {
        static let label = 7.8
        static let small = 6.9
        static let strong = 8.6
    }

    private static let mostLines = 3

    /// Where columns stand.
    private struct Columns {
        /// The frame's width on a screen of 390 units.
        private static let screen = 350.0

        let width: Double
        /// Where words may begin: right of the times.
        let left: Double
        let lifelines: [Double]
        /// What stands above the lifelines: the names, or letters that `legend` explains.
        let heads: [String]
        let legend: [String]
        /// Times stand above their messages, since they would take too much of the width.
        let stampsAbove: Bool

        init(_ picture: DialogLadder, _ room: Room) {
            let count = max(1, picture.participants.count)
            let names = picture.participants.map(printable)
            let stamps = picture.ladder.events.map { displayWidth($0.stamp ?? Ladder.clock($0.at)) }.max() ?? 0
            let stampRoom = Double(stamps) * Letter.label + 12
            stampsAbove = room == .screen && stampRoom > 76
            left = stampsAbove ? 4 : 4 + stampRoom
            let widest = Double(names.map(displayWidth).max() ?? 0) * Letter.strong
            let start = left
            func place(_ edge: Double) -> (first: Double, gap: Double) {
                let first = max(start + 12, edge + 4)
                switch room {
                case .page:
                    let labels = picture.ladder.events.map { event -> Double in
                        guard case .arrow(let from, let to, let label) = event.kind, from != to else { return 0 }
                        return (Double(min(48, displayWidth(label))) * Letter.label + 20) / Double(abs(to - from))
                    }
                    return (first, min(max(150, labels.max() ?? 0, min(widest + 16, 260)), count <= 3 ? 330 : 260))
                case .screen: return (first, (Self.screen - first - edge - 6) / Double(max(1, count - 1)))
                }
            }
            var (first, gap) = place(max(10, widest / 2))
            let fits = (count == 1 || widest + 12 <= gap) && first + widest / 2 <= (room == .screen ? Self.screen : .infinity)
            if !fits { (first, gap) = place(10) }
            heads = fits ? names : names.indices.map { String(UnicodeScalar(UInt8(65 + $0 % 26))) }
            legend = fits ? [] : zip(heads, names).map { "\($0)  \($1)" }
            lifelines = (0..<count).map { first + gap * Double($0) }
            let last = first + gap * Double(count - 1)
            width = room == .screen ? Self.screen : last + (fits ? max(10, widest / 2) : 10) + 6
        }
    }

    /// A word's box, in which no lifeline is drawn.
    private struct Box {
        var from: Double
        var to: Double
        var top: Double
        var bottom: Double
    }

    private static func drawn(_ picture: DialogLadder, _ room: Room) -> String {
        let columns = Columns(picture, room)
        var marks = SVG(width: 0, height: 0, title: "", kind: "")
        var boxes: [Box] = []
        /// Lines around `middle`, moved so that they stay in the room; `y`: the first one's base line. Returns the next base line.
        func write(_ lines: [String], around middle: Double, _ y: Double, _ kind: String, _ letter: Double, _ step: Double)
            -> Double
        {
            var y = y
            for line in lines {
                let half = Double(displayWidth(line)) * letter / 2
                let centre = max(columns.left + half, min(middle, columns.width - 2 - half))
                marks.text(centre, y, line, kind, anchor: "middle")
                boxes.append(Box(from: centre - half - 3, to: centre + half + 3, top: y - letter * 1.6, bottom: y + 4))
                y += step
            }
            return y
        }
        /// Broken to stay between the ends of its arrow where two or three lines suffice, else to the whole width.
        func broken(_ text: String, _ between: Double, _ letter: Double) -> [String] {
            let inside = wrapped(text, to: Int((between - 16) / letter))
            if between / letter >= 12, inside.count <= mostLines { return inside }
            let most = Int((columns.width - columns.left - 6) / letter)
            let lines = wrapped(text, to: most)
            return lines.count <= mostLines
                ? lines : Array(lines.prefix(mostLines - 1)) + [truncated(lines[mostLines - 1] + " …", to: most, isUnicode: true)]
        }
        func x(_ column: Int) -> Double { columns.lifelines[min(max(0, column), columns.lifelines.count - 1)] }

        var y = 16.0
        for (index, head) in columns.legend.enumerated() {
            for (row, line) in wrapped(head, to: Int((columns.width - 8) / Letter.strong)).enumerated() {
                marks.text(row == 0 ? 4 : 24, y, line, "strong")
                y += 17
            }
            if index == columns.legend.count - 1 { y += 4 }
        }
        for (index, head) in columns.heads.enumerated() { marks.text(x(index), y, head, "strong", anchor: "middle") }
        let top = y + 8
        y = top + 22
        for event in picture.ladder.events {
            let stamp = event.stamp ?? Ladder.clock(event.at)
            if columns.stampsAbove {
                marks.text(4, y, stamp, "dim")
                boxes.append(Box(from: 0, to: 8 + Double(displayWidth(stamp)) * Letter.label, top: y - 13, bottom: y + 4))
                y += 16
            }
            let line: Double
            switch event.kind {
            case .arrow(let from, let to, let label), .lost(let from, let to, let label):
                let (middle, between) = ((x(from) + x(to)) / 2, abs(x(to) - x(from)))
                let isBad = event.tone == .bad
                y = write(
                    broken(printable(label), between, Letter.label), around: middle, y, isBad ? "bad" : "label", Letter.label, 15)
                line = y - 9
                let hint = room == .page ? "\(label)\n\(event.remark)" : ""
                if from == to { marks.dot(x(from), line, 3, kind(event.tone), hint: hint) }
                if from != to { marks.arrow(x(from), x(to), line, kind(event.tone), hint: hint) }
                let remarks = event.remark.isEmpty ? [] : broken(printable(event.remark), between, Letter.small)
                y = write(remarks, around: middle, line + 14, "small \(isBad ? "bad" : "dim")", Letter.small, 14) + 13
            case .heading(let heading):
                line = y
                y = write([heading], around: columns.width / 2, y, "dim", Letter.label, 15) + 13
            case .mark(let at):
                line = y
                marks.dot(x(at), y, 4, "challenge", hint: event.remark)
                y += 28
            }
            if !columns.stampsAbove { marks.text(4, line + 4, stamp, "dim") }
        }
        let bottom = y - 14
        var svg = SVG(
            width: columns.width, height: bottom + 8, title: picture.title, kind: "ladder \(room)",
            shrinks: room == .page ? 0.64 : 0)
        for lifeline in columns.lifelines {
            var from = top
            for box in boxes where box.from < lifeline && lifeline < box.to {
                if box.top > from { svg.line(lifeline, from, lifeline, box.top, "life") }
                from = max(from, box.bottom)
            }
            if bottom > from { svg.line(lifeline, from, lifeline, bottom, "life") }
        }
        svg.add(marks)
        return svg.text
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
