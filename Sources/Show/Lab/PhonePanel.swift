import Base
import PhoneNode
import ShowText

/// The phone's status panel: what it says, what that means, who sees which address, and what to do.
public struct PhonePanel: Sendable {
    public var name: String
    public var status: PhoneStatus

    public init(name: String, _ status: PhoneStatus) {
        self.name = name
        self.status = status
    }

    /// `now`: for the time left; nil leaves that out.
    public func text(_ style: ReportStyle = .plain, at now: Instant? = nil) -> String {
        var rows: [(String, String, ReportTone?)] = [("Status", status.panel, Self.tone(status))]
        rows.append(("Meaning", status.explanation, nil))
        if let now, let (label, time) = Self.nextEvent(status), time > now {
            rows.append((label, "in \((time - now).wholeSeconds) s", nil))
        }
        if let local = status.mapping.local { rows.append(("Own address", "\(local)", nil)) }
        if let stun = status.mapping.stun { rows.append(("STUN sees", "\(stun)", nil)) }
        if let registrar = status.mapping.registrar { rows.append(("Registrar sees", "\(registrar)", nil)) }
        if let disagreement = status.mapping.disagreement { rows.append(("Note", disagreement, .warning)) }
        if let advice = status.advice { rows.append(("Try", advice, .accent)) }
        return box(rows, style)
    }

    /// Good while registered, bad where a person has to act, neither while something is under way.
    static func tone(_ status: PhoneStatus) -> ReportTone? {
        switch status.registration {
        case .registered: .good
        case .starting, .resolving, .registering, .deregistering, .deregistered: nil
        case .authorizationError, .rejected, .noAnswer, .unreachable, .unresolvable, .misconfigured: .bad
        }
    }

    private static func nextEvent(_ status: PhoneStatus) -> (String, Instant)? {
        switch status.registration {
        case .registered(let until, _, _): ("Binding ends", until)
        case .authorizationError(_, let at), .rejected(_, _, let at), .noAnswer(_, let at), .unreachable(_, let at),
            .unresolvable(_, _, let at):
            at.map { ("Tries again", $0) }
        case .starting, .resolving, .registering, .misconfigured, .deregistering, .deregistered: nil
        }
    }

    private func box(_ rows: [(String, String, ReportTone?)], _ style: ReportStyle) -> String {
        let width = min(style.width, 78)
        let labels = rows.map { displayWidth($0.0) }.max() ?? 0
        let inside = width - 4
        let (h, v) = (style.glyph("─", "-"), style.glyph("│", "|"))
        let title = truncated(printable(name), to: inside - 2, isUnicode: style.isUnicode)
        let rule = String(repeating: h, count: max(0, inside - displayWidth(title) - 1))
        var text = style.glyph("┌", "+") + h + " " + style.paint(title, .strong) + " " + rule + style.glyph("┐", "+") + "\n"
        for (label, value, tone) in rows {
            for (index, line) in wrapped(printable(value), to: inside - labels - 2).enumerated() {
                let head = padded(index == 0 ? label : "", to: labels)
                let fill = String(repeating: " ", count: max(0, inside - labels - 2 - displayWidth(line)))
                text += "\(v) \(style.paint(head, .dim))  \(style.paint(line, tone))\(fill) \(v)\n"
            }
        }
        return text + style.glyph("└", "+") + String(repeating: h, count: width - 2) + style.glyph("┘", "+") + "\n"
    }
}
