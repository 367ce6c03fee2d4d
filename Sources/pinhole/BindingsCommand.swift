import ArgumentParser
import Base
import Foundation
import LinuxEdge
import ServerNode
import ShowLab
import Storage
import TerminalEdge

struct BindingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bindings", abstract: "Who is registered, from where, and who of them can be reached.")

    @Flag(help: "For machines.") var json = false
    @Argument(help: "Only this user, or user@domain.") var user: String?
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let database = try configuration.readDatabase()
        let now = RealTime().now
        let stored = try database.allBindings().filter { stored in
            guard stored.binding.expires > now else { return false }
            guard let user else { return true }
            return stored.aor.description == user || stored.aor.user == user
        }
        let guesses = try database.guesses().mapValues { BindingsReport.Guess(last: $0.last, address: $0.address) }
        let report = BindingsReport(stored, guesses: guesses)
        if json {
            print(report.json(at: now).text)
        } else if stored.isEmpty {
            print("Nobody is registered\(user.map { " as \($0)" } ?? "") in \(database.path).")
        } else {
            print("\(stored.count) binding\(stored.count == 1 ? "" : "s") in \(database.path)\n")
            print(report.text(Terminal.style(), at: now), terminator: "")
        }
    }
}
