import Analysis
import Base
import ReportText

/// One dialog's ladder: participants are the endpoints of the capture, a host's moving ports share its line.
struct DialogLadder {
    let title: String
    let ladder: Ladder
    /// The events' messages, in the ladder's order.
    let messages: [MessageSummary]
    let participants: [String]
    let omitted: Int

    init(_ result: AnalysisResult, _ dialog: DialogSummary, most: Int) {
        let all = result.messages(of: dialog)
        // The beginning and the end tell most; what is cut out is counted.
        let shown = all.count <= most ? all : Array(all.prefix(most * 2 / 3)) + Array(all.suffix(most - most * 2 / 3))
        messages = shown
        omitted = all.count - shown.count
        var hosts: [String] = []
        func column(_ endpoint: Endpoint?) -> Int {
            let name = endpoint.map { "\($0.address)" } ?? "?"
            if let index = hosts.firstIndex(of: name) { return index }
            hosts.append(name)
            return hosts.count - 1
        }
        var events: [Ladder.Event] = []
        let start = all.first(where: { $0.time != nil })?.time
        let notes = Self.notes(result, dialog)
        for (index, message) in shown.enumerated() {
            if omitted > 0, index == most * 2 / 3 {
                let at = events.last?.at ?? .zero
                events.append(Ladder.Event(at, .heading("\(omitted) messages left out"), "", .dim))
            }
            var (from, to) = (column(message.source), column(message.destination))
            if from == to { (from, to) = (from, column(nil)) }
            var at = events.last?.at ?? .zero
            if let start, let time = message.time { at = time - start }
            let label = Self.label(message)
            let tone: ReportTone? =
                message.marks.contains(.accused)
                ? .bad : message.marks.contains(.retransmission) ? .warning : message.status >= 400 ? .accent : nil
            var remarks: [String] = []
            if let note = notes[message.place] { remarks.append(note) }
            if message.marks.contains(.retransmission) { remarks.append("sent again") }
            if message.marks.contains(.duplicate) { remarks.append("captured twice") }
            if message.marks.contains(.cut) { remarks.append("cut off") }
            let ports = [message.source.map { "\($0.port)" } ?? "?", message.destination.map { "\($0.port)" } ?? "?"]
            if remarks.isEmpty { remarks = ["\(ports[0]) > \(ports[1])"] } else { remarks[0] = "\(ports[0]) > \(ports[1])  " + remarks[0] }
            events.append(
                Ladder.Event(
                    at, .arrow(from: from, to: to, label: label), remarks.joined(separator: "\n"), tone,
                    brief: message.isRequest ? message.method.token : "\(message.status)"))
        }
        participants = hosts
        ladder = Ladder(hosts, events)
        let identity = dialog.isLinkedByOrder ? "linked by CSeq, nonce and order" : "Call-ID \(dialog.callID)"
        title =
            "\(ExplainWords.kind(dialog.kind)) \(dialog.from)\(dialog.kind == .registration ? "" : " to \(dialog.to)"): "
            + "\(ExplainWords.outcome(dialog.outcome)) (\(identity))"
    }

    static func label(_ message: MessageSummary) -> String {
        var label = message.isRequest ? message.method.token : Self.withoutVersion(message.firstLine)
        if message.isRequest {
            label += " \(message.sequence)"
            if message.marks.contains(.hasCredentials) { label += " +auth" }
        } else {
            label += " (\(message.sequence) \(message.method.token))"
            if message.marks.contains(.isStale) { label += " stale" }
        }
        if message.marks.contains(.hasSDP) { label += " SDP" }
        return label
    }

    private static func withoutVersion(_ line: String) -> String {
        line.hasPrefix("SIP/2.0 ") ? String(line.dropFirst(8)) : line
    }

    /// What findings say of single messages of this dialog.
    static func notes(_ result: AnalysisResult, _ dialog: DialogSummary) -> [EvidencePlace: String] {
        var notes: [EvidencePlace: String] = [:]
        for finding in result.findings where finding.subject.dialogs.contains(dialog.id) {
            for evidence in finding.evidence where notes[evidence.place] == nil { notes[evidence.place] = evidence.says }
        }
        return notes
    }
}
