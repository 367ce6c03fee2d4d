import Analysis
import Base
import ShowText

/// One dialog's ladder: who sent the first request stands on the left. A host's moving ports share its line; where two captures
/// show both sides of a box, the box has a line of its own between them.
struct DialogLadder {
    /// A dialog, and the same one as the other side of a box saw it.
    struct Drawn: Hashable {
        var dialog: Int
        var outside: Int?
        /// Index into `AnalysisResult.sides`.
        var side: Int?
    }

    /// Lines next to each other that still fit a page.
    private static let mostColumns = 6

    let title: String
    let ladder: Ladder
    let participants: [String]

    init(_ result: AnalysisResult, _ drawn: Drawn, most: Int) {
        let dialog = result.dialogs[drawn.dialog]
        title = ExplainWords.title(dialog) + ExplainWords.security(dialog, result)
        var seen = result.messages(of: dialog).map { Seen($0, isOutside: false) }
        var offset = Duration.zero
        if let outside = drawn.outside, let side = drawn.side {
            offset = result.sides[side].clockOffset
            seen += result.messages(of: result.dialogs[outside]).map { Seen($0, isOutside: true) }
        }
        let start = seen.compactMap(\.message.time).min()
        if let start, seen.allSatisfy({ $0.message.time != nil }) {
            // On the inside's clock. What came in fragments is told late, though it was sent before.
            func moment(_ seen: Seen) -> Duration { (seen.message.time ?? start) - start - (seen.isOutside ? offset : .zero) }
            let moments = seen.map(moment)
            if zip(moments, moments.dropFirst()).contains(where: >) {
                seen = seen.indices.sorted { (moments[$0], $0) < (moments[$1], $1) }.map { seen[$0] }
            }
        }
        // The beginning and the end tell most; what is cut out is counted.
        let shown = seen.count <= most ? seen : Array(seen.prefix(most * 2 / 3)) + Array(seen.suffix(most - most * 2 / 3))
        let omitted = seen.count - shown.count
        let lines = Lifelines(result, dialog, seen, box: drawn.side.map { result.sides[$0] })
        let notes = Self.notes(result, drawn)
        let accusing = ExplainWords.accusingPlaces(result)
        var events: [Ladder.Event] = []
        for (index, one) in shown.enumerated() {
            let message = one.message
            var at = events.last?.at ?? .zero
            if omitted > 0, index == most * 2 / 3 {
                events.append(Ladder.Event(at, .heading("\(ExplainWords.count(omitted, "message")) left out"), "", .dim))
            }
            if let start, let time = message.time { at = time - start - (one.isOutside ? offset : .zero) }
            let ends = lines.ends(of: one)
            var remarks: [String] = []
            if let ports = lines.ports(of: one) { remarks.append(ports) }
            if let note = notes[message.place], !(lines.ports(of: one) != nil && Self.tellsPort(note)) { remarks.append(note) }
            if message.marks.contains(.retransmission) { remarks.append("sent again") }
            if message.marks.contains(.duplicate) { remarks.append("captured twice") }
            let tone: ReportTone? =
                accusing.contains(message.place)
                ? .bad : message.marks.contains(.retransmission) ? .warning : message.status >= 400 ? .accent : nil
            var event = Ladder.Event(
                at, .arrow(from: ends.from, to: ends.to, label: Self.label(message)), remarks.joined(separator: "; "), tone,
                brief: message.isRequest ? "\(message.method.token) \(message.sequence)" : "\(message.status)")
            if message.time == nil { event.stamp = "\(message.place)" }
            events.append(event)
        }
        participants = lines.names
        ladder = Ladder(lines.names, events)
    }

    /// Dialogs that findings accuse, worst first, one for each finding before a second of any; healthy ones only where asked for
    /// and nobody is accused. What both sides of a box show is one drawing.
    static func worthDrawing(_ result: AnalysisResult, withHealthy: Bool) -> [Drawn] {
        var twins: [Int: Drawn] = [:]
        for (index, side) in result.sides.enumerated() where side.box != .proxy {
            var outside: [String: Int] = [:]
            for dialog in result.dialogs where dialog.vantage == side.outside && !dialog.isLinkedByOrder {
                outside[dialog.callID] = dialog.id
            }
            for dialog in result.dialogs where dialog.vantage == side.inside && !dialog.isLinkedByOrder {
                guard let twin = outside[dialog.callID] else { continue }
                let drawn = Drawn(dialog: dialog.id, outside: twin, side: index)
                twins[dialog.id] = drawn
                twins[twin] = drawn
            }
        }
        var chosen: [Drawn] = []
        var taken: Set<Int> = []
        func take(_ dialog: Int) -> Bool {
            guard result.dialogs.indices.contains(dialog), !taken.contains(dialog) else { return false }
            let drawn = twins[dialog] ?? Drawn(dialog: dialog)
            taken.insert(drawn.dialog)
            if let outside = drawn.outside { taken.insert(outside) }
            chosen.append(drawn)
            return true
        }
        let accusing = result.findings.filter { $0.severity.accuses && $0.name != .captureBlind }
        for finding in accusing { _ = finding.subject.dialogs.first { take($0) } }
        for finding in accusing { for dialog in finding.subject.dialogs.prefix(1_000) { _ = take(dialog) } }
        if withHealthy { for dialog in result.dialogs.indices.prefix(1_000) { _ = take(dialog) } }
        return chosen
    }

    /// `from 192.0.2.1:5060`, where the port is told anyway.
    private static func tellsPort(_ note: String) -> Bool {
        ["from ", "sent from ", "client at "].contains { note.hasPrefix($0) }
    }

    private static func label(_ message: MessageSummary) -> String {
        var label = message.isRequest ? message.method.token : withoutVersion(message.firstLine)
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

    /// What findings say of single messages, and what the box changed in them.
    private static func notes(_ result: AnalysisResult, _ drawn: Drawn) -> [EvidencePlace: String] {
        var notes: [EvidencePlace: String] = [:]
        let dialogs = [drawn.dialog] + (drawn.outside.map { [$0] } ?? [])
        if let index = drawn.side {
            for message in result.sides[index].messages where !message.changes.isEmpty {
                let fields = Array(Set(message.changes.map(\.field))).sorted().map { "\($0)" }
                let text = "rewritten: " + fields.prefix(4).joined(separator: ", ") + (fields.count > 4 ? " and more" : "")
                notes[message.isOutbound ? message.outsidePlace : message.insidePlace] = text
            }
        }
        for finding in result.findings where !dialogs.allSatisfy({ !finding.subject.dialogs.contains($0) }) {
            guard finding.name != .algRewritten || drawn.side == nil else { continue }
            for evidence in finding.evidence where notes[evidence.place] == nil && !evidence.says.isEmpty {
                notes[evidence.place] = evidence.says
            }
        }
        return notes
    }
}

extension DialogLadder {
    /// A message, and from which side of a box it was seen.
    struct Seen {
        let message: MessageSummary
        let isOutside: Bool

        init(_ message: MessageSummary, isOutside: Bool) {
            self.message = message
            self.isOutside = isOutside
        }
    }

    /// Who has a line of his own, in what order, and which ports are worth telling.
    struct Lifelines {
        private(set) var names: [String] = []
        private var keys: [String] = []
        private var ports: [Set<UInt16>] = []
        /// The column of the box between two captures.
        private var box: Int?
        /// A talk on one host: only ports tell its ends apart.
        private let isByPort: Bool
        private let isLog: Bool

        init(_ result: AnalysisResult, _ dialog: DialogSummary, _ seen: [Seen], box: SideComparison?) {
            isByPort = seen.contains { one in
                guard let source = one.message.source?.address, !source.isUnspecified else { return false }
                return source == one.message.destination?.address
            }
            isLog =
                Int(dialog.vantage.index) < result.sources.count && result.sources[Int(dialog.vantage.index)].kind == .log
            // The client's side first: who sends the first request, or gets the first response.
            for one in seen where !one.isOutside {
                let (source, destination) = (one.message.source, one.message.destination)
                let (sourceName, destinationName) = (one.message.sourceName, one.message.destinationName)
                if one.message.isRequest {
                    add(source, sourceName)
                    add(destination, destinationName)
                } else {
                    add(destination, destinationName)
                    add(source, sourceName)
                }
            }
            if let box {
                insert(
                    box,
                    farEnds: Set(
                        seen.filter(\.isOutside).flatMap {
                            [
                                key($0.message.source, $0.message.sourceName),
                                key($0.message.destination, $0.message.destinationName),
                            ]
                        }))
            }
            for index in keys.indices where ports[index].count == 1 {
                if let port = ports[index].first, port != 0, !isByPort { names[index] = Self.name(names[index], port) }
            }
        }

        /// Whoever is seen outside stands on the right of the box, the phones on its left, whoever calls.
        private mutating func insert(_ box: SideComparison, farEnds: Set<String>) {
            let near = keys.indices.filter { !farEnds.contains(keys[$0]) }
            let order =
                near.isEmpty || near.count == keys.count ? Array(keys.indices) : near + keys.indices.filter { !near.contains($0) }
            let at = near.isEmpty || near.count == keys.count ? 1 : near.count
            (keys, names, ports) = (order.map { keys[$0] }, order.map { names[$0] }, order.map { ports[$0] })
            self.box = at
            keys.insert("box", at: at)
            names.insert(box.translatedTo.map { "router \($0.address)" } ?? "router", at: at)
            ports.insert([], at: at)
        }

        private static func name(_ host: String, _ port: UInt16) -> String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }

        /// `named`: what an end without an address is called.
        private func key(_ endpoint: Endpoint?, _ named: String?) -> String {
            if let named { return "\(named) " }
            guard let endpoint, !(endpoint.address.isUnspecified && endpoint.port == 0) else { return "self" }
            if endpoint.address.isUnspecified { return "other" }
            return isByPort ? "\(endpoint)" : "\(endpoint.address)"
        }

        private mutating func add(_ endpoint: Endpoint?, _ named: String?) {
            let key = key(endpoint, named)
            if let index = keys.firstIndex(of: key) {
                if let endpoint { ports[index].insert(endpoint.port) }
                return
            }
            guard keys.count < DialogLadder.mostColumns else { return }
            keys.append(key)
            names.append(
                named.map(Self.heading) ?? (key == "self" ? (isLog ? "this server" : "not told") : key == "other" ? "phone" : key)
            )
            ports.append(endpoint.map { [$0.port] } ?? [])
        }

        /// `the logging server` as the head of a column: `this server`.
        private static func heading(_ name: String) -> String {
            if name.hasPrefix("the logging ") { return "this " + name.dropFirst(12) }
            return name.hasPrefix("the ") ? String(name.dropFirst(4)) : name
        }

        /// Whoever came too late for a line of his own shares the last one.
        private func column(_ endpoint: Endpoint?, _ named: String?) -> Int {
            keys.firstIndex(of: key(endpoint, named)) ?? keys.count - 1
        }

        func ends(of seen: Seen) -> (from: Int, to: Int) {
            let message = seen.message
            if let box {
                // Outside, the address that is not among the inside's is the box's own.
                let from = keys.firstIndex(of: key(message.source, message.sourceName)) ?? box
                let to = keys.firstIndex(of: key(message.destination, message.destinationName)) ?? box
                if seen.isOutside { return from == to ? (box, keys.count - 1) : (from, to) }
                // Inside, a message comes to the box or leaves it: the phone stands on its left.
                return from < to ? (min(from, box), box) : (box, min(to, box))
            }
            let (from, to) = (column(message.source, message.sourceName), column(message.destination, message.destinationName))
            return from == to ? (from, from == 0 ? min(1, keys.count - 1) : 0) : (from, to)
        }

        /// Ports that move; what stays the same stands in the heading.
        func ports(of seen: Seen) -> String? {
            guard box == nil, !isByPort else { return nil }
            var parts: [String] = []
            let message = seen.message
            if let source = message.source, ports[column(source, message.sourceName)].count > 1 {
                parts.append("from port \(source.port)")
            }
            if let destination = message.destination, ports[column(destination, message.destinationName)].count > 1 {
                parts.append("to port \(destination.port)")
            }
            return parts.isEmpty ? nil : parts.joined(separator: " ")
        }
    }
}
