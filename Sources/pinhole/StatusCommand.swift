import ArgumentParser
import Foundation

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "What a running server is doing: bindings, calls, and what went wrong.",
        discussion:
            "Asks the server over its control socket, beside its database or in /run/pinhole. Exit status 1: none answers.")

    @Flag(help: "For machines.") var json = false
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let answer = try configuration.ask("status")
        if json { return print(answer) }
        let members = try ServerAnswer.members(answer)
        for (name, value) in members.sorted(by: { ServerAnswer.rank($0.key) < ServerAnswer.rank($1.key) }) {
            print(name.replacingOccurrences(of: "-", with: " ").padding(toLength: 24, withPad: " ", startingAt: 0) + "\(value)")
        }
    }
}

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have a running server read its configuration, accounts and certificate again, and open its log anew.",
        discussion: """
            No connection and no call is lost. A configuration with a mistake is not used: the mistake is named and the running one stays. What cannot \
            change while the server runs is named as well. Exit status 1 in both cases.
            """)

    @Flag(help: "For machines.") var json = false
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let answer = try configuration.ask("reload")
        let members = try ServerAnswer.members(answer)
        if json {
            print(answer)
        } else if let mistake = members["mistake"] as? String {
            throw CommandFailure("Not used; the running configuration stays. \(mistake)")
        } else {
            let changed = members["changed"] as? [String] ?? []
            print(changed.isEmpty ? "Read again; no setting changed." : "Changed: \(changed.joined(separator: ", ")).")
            for refused in members["refused"] as? [[String: String]] ?? [] {
                print("Not changed: \(refused["key"] ?? ""): \(refused["why"] ?? "").")
            }
        }
        guard members["ok"] as? Bool == true else { throw ExitCode.failure }
    }
}

/// What a server answers over its control socket: a JSON object.
enum ServerAnswer {
    static func members(_ text: String) throws -> [String: Any] {
        guard let members = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw CommandFailure(
                "The server answers something else than expected; is it of the same version? It says: \(text.prefix(200))")
        }
        return members
    }

    /// What a person asks first comes first.
    static func rank(_ name: String) -> Int {
        let order = [
            "state", "version", "pid", "uptime-seconds", "bindings", "calls", "media-streams", "subscriptions", "authenticated",
            "wrong-passwords", "messages-received", "messages-sent", "reloads", "reloads-refused", "log-lines",
            "log-lines-dropped", "log-lines-unwritable",
        ]
        return order.firstIndex(of: name) ?? order.count
    }
}
