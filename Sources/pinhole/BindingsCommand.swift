import ArgumentParser
import Base
import Foundation
import LinuxEdge
import Report
import ServerNode
import Storage

struct BindingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bindings", abstract: "What is registered, from where, over which flow.")

    @Flag(help: "For machines.") var json = false
    @Argument(help: "Only this user, or user@domain.") var user: String?
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let (database, _) = try configuration.openDatabase()
        let now = RealTime().now
        let stored = try database.allBindings().filter { stored in
            guard stored.binding.expires > now else { return false }
            guard let user else { return true }
            return stored.aor.description == user || stored.aor.user == user
        }
        if json {
            print(JSONValue.object([("bindings", .array(stored.map { Self.json($0, now) }))]).text)
            return
        }
        guard !stored.isEmpty else {
            print("Nobody is registered\(user.map { " as \($0)" } ?? "") in \(database.path).")
            return
        }
        let rows = stored.map { stored in
            let binding = stored.binding
            return [
                stored.aor.description, Self.text(binding.contact), binding.flow.transport.viaToken, "\(binding.flow.remote)",
                "\(binding.flow.local)", "\((binding.expires - now).wholeSeconds) s", Self.state(binding),
                Self.text(binding.userAgent),
            ]
        }
        print(textTable(["address of record", "contact", "over", "from", "to", "expires", "path", "user agent"], rows))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func state(_ binding: Binding) -> String {
        switch binding.reach {
        case .flowDead: "flow dead"
        case .connectionLost: "connection lost"
        case .reachable: binding.verdict.text
        }
    }

    private static func json(_ stored: StoredBinding, _ now: Instant) -> JSONValue {
        let binding = stored.binding
        return .object([
            ("aor", .string(stored.aor.description)), ("contact", .string(text(binding.contact))),
            ("transport", .string(binding.flow.transport.viaToken)), ("remote", .string("\(binding.flow.remote)")),
            ("local", .string("\(binding.flow.local)")), ("expiresIn", .integer(Int((binding.expires - now).wholeSeconds))),
            ("callID", .string(text(binding.callID))), ("cseq", .integer(Int(binding.cseq))),
            ("q", .number(Double(binding.q) / 1000)),
            ("instance", .string(text(binding.instance))), ("regID", .integer(Int(binding.regID))),
            ("path", .string(text(binding.path))), ("userAgent", .string(text(binding.userAgent))),
            ("state", .string(state(binding))),
        ])
    }
}
