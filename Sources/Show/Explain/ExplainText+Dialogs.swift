import Analysis
import Base
import ShowText

/// Ladders and registrations on a terminal.
extension ExplainText {
    func ladders(_ style: ReportStyle) -> String {
        let drawable = DialogLadder.worthDrawing(result, withHealthy: options.showsHealthy)
        var text = drawable.prefix(options.mostLadders).map { ladder($0, style) }.joined()
        let more = drawable.count - min(drawable.count, options.mostLadders)
        if more > 0 {
            let what = ExplainWords.count(more, "more dialog", "more dialogs") + (options.showsHealthy ? "" : " with findings")
            let hint = "\(what): --ladders \(drawable.count) draws them, "
            text += indented(hint + "--call-id or --user picks one, --html shows them as a page.", style, .dim, by: 0) + "\n"
        }
        return text
    }

    private func ladder(_ drawn: DialogLadder.Drawn, _ style: ReportStyle) -> String {
        let picture = DialogLadder(result, drawn, most: options.mostMessages)
        return indented(picture.title, style, .strong, by: 0) + picture.ladder.text(style) + "\n"
    }

    func registrations(_ style: ReportStyle) -> String {
        let accused = Set(result.findings.filter { $0.severity.accuses }.flatMap(\.subject.dialogs))
        // One challenge, answered at once from one port, is what the ladder shows already.
        let chosen = result.registrations.filter {
            accused.contains($0.dialog) && ($0.challenges.count > 1 || $0.mappings.count > 1)
        }
        return chosen.prefix(options.mostLadders).map { registration($0, style) }.joined()
    }

    private func registration(_ registration: RegistrationSummary, _ style: ReportStyle) -> String {
        let name = registration.aor.isEmpty ? "the phone" : registration.aor
        let source = result.sources.count > 1 ? ", as \(ExplainWords.place(of: registration.vantage, result)) shows it" : ""
        var text = indented("How \(name) registered\(source)", style, .strong, by: 0)
        let rows = registration.challenges.prefix(24).map { challenge -> [TextTable.Cell] in
            let answers = challenge.answers.map { answer in
                "CSeq \(answer.sequence)" + (answer.source.map { " from port \($0.port)" } ?? "")
                    + (answer.isSuperseded ? ", superseded" : "") + (answer.status.map { ": \($0)" } ?? "")
            }
            return [
                TextTable.Cell("\(challenge.place)"), TextTable.Cell("\(challenge.sequence)"),
                TextTable.Cell(ExplainWords.short(challenge.nonce)),
                TextTable.Cell(challenge.sentTo.map(ExplainWords.endpoint) ?? "-"),
                TextTable.Cell("\(challenge.outstanding)", challenge.outstanding > 1 ? .warning : nil),
                TextTable.Cell(
                    answers.isEmpty ? "never answered" : answers.joined(separator: "; "),
                    challenge.answers.contains { $0.isSuperseded } ? .bad : nil),
            ]
        }
        if !rows.isEmpty {
            text += TextTable(
                [
                    .init("challenge"), .init("CSeq", .right), .init("nonce"), .init("sent to"), .init("open", .right),
                    .init("answered by"),
                ], rows
            ).text(style)
        }
        if registration.challenges.count > 24 {
            text += indented("\(registration.challenges.count - 24) more challenges: --json lists all.", style, .dim)
        }
        if registration.mappings.count > 1 {
            let ports = registration.mappings.prefix(12).map { ExplainWords.endpoint($0.client) }.joined(separator: ", ")
            text += indented("It came from \(ports).", style)
        }
        for fact in ExplainWords.mappingFacts(registration) { text += indented(fact, style, .dim) }
        return text + "\n"
    }
}
