import Base
import Lab
import ShowLab
import ShowText

/// The story for machines: each act's REGISTERs, challenges and verdicts as the server saw them.
struct StoryJSON {
    let chapters: [Story.Chapter]

    init(_ chapters: [Story.Chapter]) { self.chapters = chapters }

    var value: JSONValue { .object([("acts", .array(chapters.map(act)))]) }

    private func act(_ chapter: Story.Chapter) -> JSONValue {
        func time(_ at: Instant) -> JSONValue { .number(Double((at - chapter.start).wholeMilliseconds) / 1000) }
        let ledger = chapter.ledger
        let registers = ledger.registers.map { register in
            JSONValue.object([
                ("at", time(register.at)), ("cseq", .integer(Int(register.cseq))), ("from", .string("\(register.source)")),
                ("nonce", register.nonce.map { .string($0) } ?? .null),
            ])
        }
        let challenges = ledger.challenges.map { challenge in
            JSONValue.object([
                ("at", time(challenge.at)), ("cseq", .integer(Int(challenge.cseq))), ("to", .string("\(challenge.to)")),
                ("nonce", .string(challenge.nonce)), ("stale", .bool(challenge.isStale)),
            ])
        }
        let verdicts = ledger.verdicts.map { verdict in
            JSONValue.object([
                ("at", time(verdict.at)), ("cseq", .integer(Int(verdict.cseq))), ("nonce", .string(verdict.nonce)),
                ("accepted", .bool(verdict.isAccepted)), ("stale", .bool(verdict.isStale)), ("text", .string(verdict.text)),
            ])
        }
        let panels = ledger.panels.map { panel in
            JSONValue.object([("at", time(panel.at)), ("text", .string(panel.status.panel))])
        }
        return .object([
            ("act", .integer(chapter.act.rawValue)), ("title", .string(chapter.act.title)), ("outcome", .string(chapter.outcome)),
            ("registers", .array(registers)), ("challenges", .array(challenges)), ("verdicts", .array(verdicts)),
            ("panels", .array(panels)),
        ])
    }
}
