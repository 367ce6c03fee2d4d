import ArgumentParser
import Base
import Configuration
import Foundation
import Serve
import Storage

/// Where the settings of the server come from: a file, the environment over it, flags over both.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: "YAML file. Without it: $PINHOLE_CONFIG, ./pinhole.yaml, /etc/pinhole/pinhole.yaml, whichever comes first.")
    var file: String?

    @Option(help: "SQLite file for accounts and bindings; 'none' stores nothing.")
    var database: String?

    @Option(help: "Realm of accounts and challenges (default: pinhole).")
    var realm: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Any other setting, as in the file: --set keepalive.interval=20s", valueName: "key=value"))
    var assignments: [String] = []

    /// The tree of all layers. Throws the first mistake.
    func tree() throws -> ConfigNode {
        var root = ConfigNode(.empty, at: .builtIn)
        if let file = try chosenFile() {
            guard let text = FileManager.default.contents(atPath: file) else {
                throw ValidationError("\(file) cannot be read; check --config and the file's permissions.")
            }
            root = try YAMLFile.parse(String(decoding: text, as: UTF8.self), name: file)
        }
        try ServeSettings.overlay(environment: ProcessInfo.processInfo.environment, on: &root)
        for assignment in assignments {
            let parts = assignment.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("--set wants key=value, found '\(assignment)'.") }
            root.override(parts[0], with: ServeSettings.node(parts[1], key: parts[0], at: .flag("--set \(parts[0])")))
        }
        if let database { root.override("database", with: ConfigNode(.scalar(database), at: .flag("--database"))) }
        if let realm { root.override("realm", with: ConfigNode(.scalar(realm), at: .flag("--realm"))) }
        return root
    }

    private func chosenFile() throws -> String? {
        if let file { return file }
        if let file = ProcessInfo.processInfo.environment["PINHOLE_CONFIG"] { return file }
        return ["pinhole.yaml", "/etc/pinhole/pinhole.yaml"].first { FileManager.default.fileExists(atPath: $0) }
    }

    /// The settings, with a database unless it was switched off.
    func settings(_ adjust: (inout ConfigNode) -> Void = { _ in }) throws -> ServeSettings {
        var root = try tree()
        adjust(&root)
        var reader = try ConfigReader(root)
        let names = try reader.string("database")
        if names == nil {
            root.override("database", with: ConfigNode(.scalar(Self.usualDatabase), at: .builtIn))
        }
        return try ServeSettings(root)
    }

    /// Opens the database the settings name. Throws when storage is switched off.
    func openDatabase() throws -> (PinholeDatabase, ServeSettings) {
        let settings = try settings()
        guard let path = settings.database else {
            throw ValidationError("The settings say 'database: none': there is nothing to read. Name a file with --database.")
        }
        return (try PinholeDatabase(path: path), settings)
    }

    static var usualDatabase: String {
        if geteuid() == 0 { return "/var/lib/pinhole/pinhole.db" }
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? ".") + "/.local/share"
        return base + "/pinhole/pinhole.db"
    }
}
