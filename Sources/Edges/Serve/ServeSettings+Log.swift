import Base
import LogEdge
import Logging

/// The part of the settings that is about the log and the life of the process.
extension ServeSettings {
    static let processKeys =
        ["drain-for", "control", "log.format", "log.file", "log.level"]
        + LogCategory.allCases.map { "log.\($0.rawValue)" }

    private static let levels: KeyValuePairs<String, Logger.Level> = [
        "debug": .debug, "info": .info, "notice": .notice, "warning": .warning, "error": .error,
    ]

    mutating func readProcess(_ reader: inout ConfigReader) throws(ConfigError) {
        drainFor = try reader.duration("drain-for") ?? drainFor
        if let text = try reader.string("control") { control = ["off", "no", "none"].contains(text) ? .off : .at(text) }
        guard var section = try reader.section("log") else { return }
        log.format = try section.choice("format", ["text": .text, "json": .json, "journal": .journal]) ?? log.format
        log.file = try section.string("file")
        log.level = try section.choice("level", Self.levels) ?? log.level
        for category in LogCategory.allCases {
            log.levels[category] = try section.choice(category.rawValue, Self.levels)
        }
        try section.finish()
    }

    /// Where a running server can be asked things: a socket's name in the file system.
    public enum Control: Hashable, Sendable {
        /// In the folder the service manager made for it (`RUNTIME_DIRECTORY`), otherwise beside the database.
        case usual
        case at(String)
        case off
    }

    /// nil: nowhere.
    public func controlPath(_ environment: [String: String]) -> String? {
        switch control {
        case .off: return nil
        case .at(let path): return path
        case .usual:
            if let folder = environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first { return "\(folder)/control.sock" }
            return database.map { $0 + ".control" }
        }
    }
}
