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
                throw CommandFailure("\(file) cannot be read; check --config and the file's permissions.")
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

    /// As named, or the first of the usual ones; nil: there is none.
    func chosenFile() throws -> String? {
        if let file { return file }
        if let file = ProcessInfo.processInfo.environment["PINHOLE_CONFIG"] { return file }
        return ["pinhole.yaml", "/etc/pinhole/pinhole.yaml"].first { FileManager.default.fileExists(atPath: $0) }
    }

    /// The settings, with a database unless it was switched off.
    func settings() throws -> ServeSettings { try ServeSettings(try serverTree()) }

    /// The tree a server starts with. `adjust` lays its own flags over it.
    func serverTree(_ adjust: (inout ConfigNode) -> Void = { _ in }) throws -> ConfigNode {
        var root = try tree()
        adjust(&root)
        var reader = try ConfigReader(root)
        let names = try reader.string("database")
        if names == nil {
            root.override("database", with: ConfigNode(.scalar(Self.usualDatabase), at: .builtIn))
        }
        return root
    }

    /// Where a running server with these settings may be asked; the first place that answers counts.
    func ask(_ request: String) throws -> String {
        let settings: ServeSettings
        do {
            settings = try self.settings()
        } catch let mistake as ConfigError {
            // The server tells the mistake itself, and opens its log anew all the same.
            let places = ["/run/pinhole/control.sock", (database ?? Self.usualDatabase) + ".control"]
            for place in places {
                if let answer = ControlSocket.ask(request, at: place) { return answer }
            }
            throw CommandFailure("\(mistake). No server was found to be asked at \(places.joined(separator: " or ")).")
        }
        guard let path = settings.controlPath(ProcessInfo.processInfo.environment) else {
            throw CommandFailure(
                "The settings say 'control: off': the server cannot be asked. Send it SIGHUP to have it read its configuration.")
        }
        let places = [path] + (settings.control == .usual ? ["/run/pinhole/control.sock"] : [])
        for place in places {
            if let answer = ControlSocket.ask(request, at: place) { return answer }
        }
        throw CommandFailure(
            "No server answers at \(places.joined(separator: " or ")). Is it running, as this user? A server says at its start which database it uses: "
                + "name the same with --database, or its control socket with --set control=PATH.")
    }

    /// Opens the database the settings name. Throws when storage is switched off, and where there is none unless `makes` is true.
    func openDatabase(makes: Bool = false) throws -> (PinholeDatabase, ServeSettings) {
        let settings = try settings()
        let path = try path(settings)
        if !makes, PinholeDatabase.isMissing(path) { throw Self.missing(path) }
        return (try PinholeDatabase(path: path), settings)
    }

    /// The same to look at only: nothing is made and nothing is written.
    func readDatabase() throws -> PinholeDatabase {
        let path = try path(try settings())
        do throws(StorageError) {
            return try PinholeDatabase(reading: path)
        } catch {
            if error.cause == .missing { throw Self.missing(path) }
            throw error
        }
    }

    private func path(_ settings: ServeSettings) throws -> String {
        guard let path = settings.database else {
            throw CommandFailure("The settings say 'database: none': there is nothing to read. Name a file with --database.")
        }
        return path
    }

    private static func missing(_ path: String) -> CommandFailure {
        guard path == usualDatabase else {
            return CommandFailure("There is no database \(path); check --database and the configuration.")
        }
        let other = geteuid() == 0 ? "another user's lies in that user's ~/.local/share/pinhole/" : "root's is \(rootDatabase)"
        return CommandFailure(
            "There is no database \(path), which is this user's default; \(other). "
                + "Name the server's with --database; 'pinhole serve' says at its start which one it uses.")
    }

    private static let rootDatabase = "/var/lib/pinhole/pinhole.db"

    static var usualDatabase: String {
        if geteuid() == 0 { return rootDatabase }
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? ".") + "/.local/share"
        return base + "/pinhole/pinhole.db"
    }
}
