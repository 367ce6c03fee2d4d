import Base
import Lab
import PhoneNode
import ServerNode
import ShowText

/// The story as text: each act's setting, ladder, REGISTERs and end, and at last all acts side by side.
public struct StoryReport: Sendable {
    public struct Options: Hashable, Sendable {
        public var showsLadder = true
        /// The ladder tells the first attempt alone (`LabLadder.Options.isBrief`).
        public var isBrief = false
        /// Every REGISTER that the server saw, as a table.
        public var showsRegisters = true
        /// The server's SIP debug view.
        public var showsMessages = false
        /// Events drawn an act.
        public var mostEvents = 72
        /// Messages shown an act.
        public var mostMessages = 12

        public init() {}
    }

    public var chapters: [Story.Chapter]
    public var options: Options

    public init(_ chapters: [Story.Chapter], _ options: Options = Options()) {
        self.chapters = chapters
        self.options = options
    }

    public func text(_ style: ReportStyle = .plain) -> String {
        chapters.map { text($0, style) }.joined() + (chapters.count > 1 ? comparison(style) : "")
    }

    /// One act.
    public func text(_ chapter: Story.Chapter, _ style: ReportStyle = .plain) -> String {
        let rule = String(repeating: style.glyph("═", "="), count: style.width)
        var text = style.paint("\(rule)\nAct \(chapter.act.rawValue): \(chapter.act.title)\n\(rule)", .strong) + "\n"
        for line in wrapped(chapter.act.setting, to: style.width) { text += line + "\n" }
        text += "\n"
        if options.showsLadder {
            var ladder = LabLadder.Options()
            ladder.mostEvents = options.mostEvents
            ladder.isBrief = options.isBrief
            text += LabLadder(chapter.records, of: chapter.world, from: chapter.start, ladder).text(style) + "\n"
        }
        if options.showsMessages { text += messages(chapter, style) }
        if options.showsRegisters { text += registers(chapter, style) + "\n" }
        if let status = chapter.world.status(of: chapter.stage.phone) {
            text += PhonePanel(name: "phone, at the act's end", status).text(style, at: chapter.world.now)
        }
        for line in wrapped(chapter.outcome, to: style.width) { text += style.paint(line, .strong) + "\n" }
        return text + "\n"
    }

    /// What the server's console showed.
    private func messages(_ chapter: Story.Chapter, _ style: ReportStyle) -> String {
        let settings = chapter.world.server(chapter.stage.server)?.settings
        let view = SIPDebugView(style, natHandling: settings.map(\.natHandling), showsSecrets: true)
        var text = ""
        var shown = 0
        for record in chapter.records where record.box == chapter.stage.server && shown < options.mostMessages {
            guard case .server(let trace) = record.trace, !Self.isKeepalive(trace), let block = view.text(trace, at: record.at)
            else {
                continue
            }
            text += block
            shown += 1
        }
        return text.isEmpty ? "" : text + "\n"
    }

    static func isKeepalive(_ trace: ServerTrace) -> Bool {
        switch trace {
        case .received(_, _, .keepaliveAnswer), .sent(_, _, .keepalive): true
        default: false
        }
    }

    /// Every REGISTER the server saw: when, from which port, over which nonce, and what became of it.
    private func registers(_ chapter: Story.Chapter, _ style: ReportStyle) -> String {
        let ledger = chapter.ledger
        let rows = ledger.registers.prefix(24).map { register -> [TextTable.Cell] in
            let challenge = ledger.challenges.first { $0.cseq == register.cseq && $0.at >= register.at }
            let verdict = ledger.verdicts.first { $0.cseq == register.cseq && $0.at >= register.at }
            let outcome: TextTable.Cell
            if verdict?.isAccepted == true {
                outcome = TextTable.Cell("accepted", .good)
            } else if verdict?.isStale == true {
                outcome = TextTable.Cell("right password, stale nonce: challenged again", .bad)
            } else if let verdict {
                outcome = TextTable.Cell(verdict.text, .bad)
            } else {
                outcome = TextTable.Cell(challenge == nil ? "not answered" : "challenged")
            }
            return [
                TextTable.Cell(Ladder.clock(register.at - chapter.start)), TextTable.Cell("\(register.cseq)"),
                TextTable.Cell("\(register.source.port)"), TextTable.Cell(register.nonce.map(Self.short) ?? "-"), outcome,
                TextTable.Cell(challenge.map { Self.short($0.nonce) } ?? "-"),
            ]
        }
        guard !rows.isEmpty else { return "The server saw no REGISTER.\n" }
        let table = TextTable(
            [
                .init("time", .right), .init("CSeq", .right), .init("from port", .right), .init("answers nonce"),
                .init("outcome"),
                .init("new nonce"),
            ], rows)
        let more = ledger.registers.count - rows.count
        return table.text(style) + (more > 0 ? style.paint("\(more) more REGISTERs follow.", .dim) + "\n" : "")
    }

    private static func short(_ nonce: String) -> String { nonce.count <= 12 ? nonce : "\(nonce.prefix(12))~" }

    private func comparison(_ style: ReportStyle) -> String {
        let rows = chapters.map { chapter -> [TextTable.Cell] in
            let ledger = chapter.ledger
            let ports = Set(ledger.registers.map(\.source.port)).count
            let status = chapter.world.status(of: chapter.stage.phone)
            return [
                TextTable.Cell("\(chapter.act.rawValue)  \(chapter.act.title)"), TextTable.Cell("\(ledger.registers.count)"),
                TextTable.Cell("\(ports)", ports > 1 ? .warning : .good),
                TextTable.Cell("\(ledger.verdicts.count(where: \.isAccepted))"),
                TextTable.Cell("\(ledger.verdicts.count(where: \.isStale))"),
                TextTable.Cell(status?.panel ?? "off", status.flatMap(PhonePanel.tone)),
            ]
        }
        let table = TextTable(
            [
                .init("act"), .init("REGISTERs", .right), .init("ports", .right), .init("accepted", .right),
                .init("stale", .right),
                .init("panel"),
            ], rows)
        return table.text(style)
    }
}
