import ArgumentParser
import Base
import LinuxEdge
import Serve
import ShowText
import TerminalEdge

struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Whether the server would start with this configuration, and what it understands.",
        discussion: """
            Reads file, environment and --set as 'pinhole serve' does and tells the first mistake with file, line, key and what was expected; then \
            looks at what the server would find out only at its start: addresses, ports below 1024, certificate and key, the folders of the \
            database and of recordings, accounts. Run it as the server's user: what that one may read and write is looked at. Nothing is made \
            or changed, and a running server is not disturbed.

            Exit status: 0 it would start, 1 it would not.
            """)

    @Argument(help: "YAML file, instead of --config.")
    var file: String?

    @OptionGroup var configuration: ConfigurationOptions

    @Flag(help: "For machines.")
    var json = false

    func run() throws {
        var options = configuration
        if let file {
            guard options.file == nil else { throw ValidationError("Name the file once: as FILE, or with --config.") }
            options.file = file
        }
        let report = try ConfigReport(options)
        if json { print(report.json.prettyText) }
        guard report.mistakes.isEmpty else {
            if !json { OutputPort.error.write(report.mistakes.map { "\($0)\n" }.joined()) }
            throw ExitCode(1)
        }
        if !json { print(report.text) }
    }
}

/// What there is to be said of a configuration.
private struct ConfigReport {
    let file: String?
    var mistakes: [ConfigError] = []
    private var warnings: [String] = []
    private var summary: [(name: String, value: String)] = []

    /// Throws a `ValidationError` for wrong usage; mistakes in the configuration are told, not thrown.
    init(_ options: ConfigurationOptions) throws {
        file = try options.chosenFile()
        do {
            let root = try options.tree()
            let settings = try options.settings()
            let check = SettingsCheck(settings, readFrom: root, now: RealTime().now)
            (mistakes, warnings, summary) = (check.mistakes, check.warnings, settings.summary)
            if let certificate = check.certificate { summary.append(("certificate", certificate)) }
            if let accounts = check.accounts { summary.append(("accounts", String(accounts))) }
        } catch let error as ConfigError {
            mistakes = [error]
        } catch let error as CommandFailure {
            mistakes = [ConfigError(at: .flag("--config"), key: "", error.description)]
        }
    }

    var text: String {
        let width = summary.map(\.name.count).max() ?? 0
        let lines = summary.map { "  \($0.name)" + String(repeating: " ", count: width + 2 - $0.name.count) + $0.value }
        return (["\(file ?? "No file"): no mistake found. Understood:"] + lines + warnings.map { "Warning: \($0)" }).joined(
            separator: "\n")
    }

    var json: JSONValue {
        .object([
            ("ok", .bool(mistakes.isEmpty)), ("file", file.map { .string($0) } ?? .null),
            ("mistakes", .array(mistakes.map(Self.json))), ("warnings", .array(warnings.map { .string($0) })),
            ("understood", .array(summary.map { .object([("name", .string($0.name)), ("value", .string($0.value))]) })),
        ])
    }

    private static func json(_ mistake: ConfigError) -> JSONValue {
        var members: [(String, JSONValue)] = [("place", .string("\(mistake.place)"))]
        if case .file(let name, let line, let column) = mistake.place {
            members += [("file", .string(name)), ("line", .integer(line)), ("column", .integer(column))]
        }
        return .object(members + [("key", .string(mistake.key)), ("problem", .string(mistake.problem))])
    }
}
