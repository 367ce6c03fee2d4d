import Base
import Lab
import MediaControl
import ServerNode
import ShowText

/// The conference as text: who sits behind what, where the server found each one's audio, and who hears whom.
public struct ConferenceReport: Sendable {
    public var outcome: Conference.Outcome

    public init(_ outcome: Conference.Outcome) { self.outcome = outcome }

    public func text(_ style: ReportStyle = .plain) -> String {
        let rule = String(repeating: style.glyph("═", "="), count: style.width)
        var text = style.paint("\(rule)\nThree phones, three routers, one conference room\n\(rule)", .strong) + "\n"
        let setting =
            "Each phone dials room \(Conference.room) of Pinhole's own server and plays a tone of its own. Two of them know only private"
            + " addresses, the third only IPv6. Sound ends at the server, which finds out where each one's really comes from."
        for line in wrapped(setting, to: style.width) { text += line + "\n" }
        text += "\n" + seats(style) + "\n" + hearing(style) + "\n"
        for line in wrapped(verdict, to: style.width) { text += style.paint(line, outcome.isComplete ? .good : .bad) + "\n" }
        return text
    }

    private func seats(_ style: ReportStyle) -> String {
        let rows = outcome.seats.indices.map { index -> [TextTable.Cell] in
            let seat = outcome.seats[index]
            let record = outcome.record(of: index)
            let verdict = record?.parties.first?.streams.first?.verdict
            return [
                TextTable.Cell(seat.user), TextTable.Cell(seat.behind), TextTable.Cell(seat.speaks),
                TextTable.Cell(record?.codec ?? "-"), TextTable.Cell(verdict?.signalled.map { "\($0)" } ?? "-"),
                source(verdict),
            ]
        }
        return TextTable(
            [
                .init("phone"), .init("behind"), .init("SIP over"), .init("codec"), .init("its SDP said"),
                .init("its audio came from"),
            ], rows
        ).text(style)
    }

    private func source(_ verdict: MediaVerdict?) -> TextTable.Cell {
        guard let verdict, let source = verdict.source else { return TextTable.Cell("nowhere", .bad) }
        switch source.means {
        case .signalled: return TextTable.Cell("there", .good)
        case .learnt: return TextTable.Cell("\(source.endpoint), learnt at packet \(source.packet)", .accent)
        case .moved, .ice: return TextTable.Cell("\(source.endpoint), \(source.means.rawValue)", .accent)
        }
    }

    private func hearing(_ style: ReportStyle) -> String {
        let rows = outcome.seats.indices.map { listener -> [TextTable.Cell] in
            [TextTable.Cell(outcome.seats[listener].user)]
                + outcome.seats.indices.map { cell(listener, $0) }
        }
        let columns =
            [TextTable.Column("who hears")] + outcome.seats.map { TextTable.Column("\($0.user) (\($0.tone) Hz)", .right) }
        return TextTable(columns, rows).text(style)
    }

    private func cell(_ listener: Int, _ speaker: Int) -> TextTable.Cell {
        let isHeard = outcome.hears(listener, speaker)
        guard isHeard else { return TextTable.Cell("-", listener == speaker ? .dim : .bad) }
        let level = outcome.levels[listener][speaker].flatMap { decibels(ofLevel: $0) } ?? 0
        return TextTable.Cell("\(Self.tenths(level)) dBov", listener == speaker ? .bad : .good)
    }

    /// An object with `complete` and an array `phones`, each with what it hears: a level in dBov for each other's name.
    public var json: JSONValue {
        let phones = outcome.seats.indices.map { index -> JSONValue in
            let seat = outcome.seats[index]
            let verdict = outcome.record(of: index)?.parties.first?.streams.first?.verdict
            let heard = outcome.seats.indices.filter { outcome.hears(index, $0) }.map { speaker -> (String, JSONValue) in
                let level = outcome.levels[index][speaker].flatMap { decibels(ofLevel: $0) } ?? 0
                return (outcome.seats[speaker].user, .number((level * 10).rounded() / 10))
            }
            return .object([
                ("phone", .string(seat.user)), ("behind", .string(seat.behind)), ("sip", .string(seat.speaks)),
                ("tone", .integer(seat.tone)), ("signalled", verdict?.signalled.map { .string("\($0)") } ?? .null),
                ("source", verdict?.source.map { .string("\($0.endpoint)") } ?? .null),
                ("means", verdict?.source.map { .string($0.means.rawValue) } ?? .null), ("hears", .object(heard)),
            ])
        }
        return .object([("complete", .bool(outcome.isComplete)), ("phones", .array(phones))])
    }

    /// With one decimal.
    static func tenths(_ value: Double) -> String {
        let scaled = Int((value * 10).rounded())
        return "\(scaled < 0 ? "-" : "")\(abs(scaled) / 10).\(abs(scaled) % 10)"
    }

    /// In one line.
    public var verdict: String {
        let pairs = outcome.seats.indices.flatMap { listener in
            outcome.seats.indices.filter { $0 != listener }.map { (listener, $0) }
        }
        let heard = pairs.count { outcome.hears($0.0, $0.1) }
        let seconds = (outcome.measured.upperBound - outcome.measured.lowerBound).wholeSeconds
        let base = "Measured over \(seconds) s where each phone would play it: \(heard) of \(pairs.count) ways carry sound"
        guard !outcome.isComplete else { return base + "; each hears the other two and not itself." }
        let silent = pairs.filter { !outcome.hears($0.0, $0.1) }
            .map { "\(outcome.seats[$0.0].user) does not hear \(outcome.seats[$0.1].user)" }
        return base + "; \(silent.joined(separator: ", "))."
    }
}
