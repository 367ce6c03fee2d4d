import ArgumentParser
import Base
import Foundation
import ServerNode
import ShowLab
import ShowText
import Storage

struct CallsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calls", abstract: "The calls there were: who with whom, how long, and what became of the media.")

    @Argument(help: "Only calls from or to this user, or user@domain.") var address: String?
    @Option(name: [.customShort("n"), .long], help: "How many of the newest.") var last = 20
    @Flag(help: "For machines: JSON.") var json = false
    @Flag(help: "For spreadsheets: one line a call, comma separated (RFC 4180).") var csv = false
    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        guard last > 0 else { throw ValidationError("--last wants a number above 0.") }
        guard !(json && csv) else { throw ValidationError("--json or --csv, not both.") }
    }

    func run() throws {
        let database = try configuration.readDatabase()
        let calls = try database.calls(most: last, address: address)
        if json {
            print(JSONValue.object([("calls", .array(calls.map(Self.json)))]).text)
        } else if csv {
            print(CallTableCSV(calls).text, terminator: "")
        } else if calls.isEmpty {
            print("No call\(address.map { " from or to \($0)" } ?? "") in \(database.path).")
        } else {
            let rows = calls.map { call in
                [
                    "\(CalendarTime(call.start))", call.from, call.to, call.answer == nil ? "-" : "\(call.talked.wholeSeconds) s",
                    call.codec, call.reason,
                ]
            }
            print(textTable(["began", "from", "to", "talked", "codec", "ended by"], rows))
            for call in calls {
                for party in call.parties {
                    for stream in party.streams {
                        print("\(CalendarTime(call.start)) \(printable("\(party.address): \(stream.text)"))")
                    }
                }
            }
        }
    }

    private static func json(_ call: CallRecord) -> JSONValue {
        .object([
            ("callID", .string(call.callID)), ("from", .string(call.from)), ("to", .string(call.to)),
            ("start", .string("\(CalendarTime(call.start))")),
            ("answer", call.answer.map { .string("\(CalendarTime($0))") } ?? .null),
            ("end", .string("\(CalendarTime(call.end))")),
            ("seconds", .integer(Int(call.talked.wholeSeconds))), ("status", .integer(call.status)),
            ("reason", .string(call.reason)),
            ("codec", .string(call.codec)), ("direct", .bool(call.isDirect)),
            (
                "parties",
                .array(
                    call.parties.map { party in
                        .object([
                            ("address", .string(party.address)), ("answered", .bool(party.answered)),
                            ("flow", party.flow.map { .string("\($0)") } ?? .null),
                            (
                                "streams",
                                .array(
                                    party.streams.map { .object([("kind", .string($0.kind)), ("verdict", .string($0.text))]) })
                            ),
                        ])
                    })
            ),
        ])
    }
}

/// Call records as RFC 4180 writes tables.
struct CallTableCSV {
    let text: String

    init(_ calls: [CallRecord]) {
        var lines = ["start,answer,end,seconds,from,to,status,reason,codec,direct,call-id,media"]
        for call in calls {
            let media = call.parties.flatMap { party in party.streams.map { "\(party.address): \($0.text)" } }
            lines.append(
                [
                    "\(CalendarTime(call.start))", call.answer.map { "\(CalendarTime($0))" } ?? "", "\(CalendarTime(call.end))",
                    "\(call.talked.wholeSeconds)", call.from, call.to, "\(call.status)", call.reason, call.codec,
                    call.isDirect ? "yes" : "no", call.callID, media.joined(separator: "; "),
                ].map(Self.quoted).joined(separator: ","))
        }
        text = lines.joined(separator: "\r\n") + "\r\n"
    }

    /// A field that a spreadsheet would take for a formula gets an apostrophe: names in it come from strangers.
    private static func quoted(_ field: String) -> String {
        let isFormula = field.first.map { "=+-@\t\r".contains($0) } ?? false
        let safe = isFormula ? "'" + field : field
        return safe.contains { ",\"\r\n".contains($0) } ? "\"" + safe.replacing("\"", with: "\"\"") + "\"" : safe
    }
}
