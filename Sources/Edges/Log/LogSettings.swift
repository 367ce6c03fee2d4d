import Foundation
import Logging

/// What a line of the log is about; each can have a level of its own.
public enum LogCategory: String, CaseIterable, Sendable {
    /// Start, stop, configuration.
    case server
    /// Bindings, keepalives, paths.
    case registrar
    case calls
    case media
    /// Credentials, refusals, guards.
    case security
    /// Listening, connections, what cannot be sent.
    case transport
    /// The database.
    case storage
    /// Everything libraries say.
    case libraries

    /// The label of its `Logger`.
    public var label: String { "pinhole.\(rawValue)" }

    /// Its level among those of all.
    func level(in packed: UInt64) -> Logger.Level { Logger.Level.allCases[Int(packed >> (4 * place) & 15)] }

    fileprivate var place: UInt64 {
        switch self {
        case .server: 0
        case .registrar: 1
        case .calls: 2
        case .media: 3
        case .security: 4
        case .transport: 5
        case .storage: 6
        case .libraries: 7
        }
    }

    init(label: String) {
        let name = label.hasPrefix("pinhole.") ? String(label.dropFirst(8)) : ""
        self = LogCategory(rawValue: name) ?? .libraries
    }
}

/// How lines of the log are written.
public enum LogFormat: String, CaseIterable, Sendable {
    /// Time, and a sentence for a person.
    case text
    /// One JSON object a line.
    case json
    /// `<6>` and a sentence: journald and syslog read the priority (sd-daemon(3)) and note the time themselves.
    case journal
}

/// What is logged, how, and where to.
public struct LogSettings: Sendable {
    /// nil: `journal` where lines go to systemd's journal, otherwise `text`.
    public var format: LogFormat?
    /// Appended to, and opened anew when the log is rotated; nil: standard output, errors on standard error.
    public var file: String?
    /// Of categories that have none of their own.
    public var level = Logger.Level.info
    public var levels: [LogCategory: Logger.Level] = [:]

    public init() {}

    /// `journal`: the journal's device and inode as systemd tells them (`JOURNAL_STREAM`), to be compared with what is behind `descriptor`.
    func format(journal: String?, descriptor: Int32) -> LogFormat {
        if let format { return format }
        guard file == nil, let journal else { return .text }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .text }
        return journal == "\(status.st_dev):\(status.st_ino)" ? .journal : .text
    }

    public func level(of category: LogCategory) -> Logger.Level {
        // Libraries tell their users what concerns their makers.
        levels[category] ?? (category == .libraries ? max(level, .warning) : level)
    }

    /// The levels of all categories, four bits each.
    var packedLevels: UInt64 {
        LogCategory.allCases.reduce(0) { $0 | UInt64(level(of: $1).place) << (4 * $1.place) }
    }
}

extension Logger.Level {
    /// In `allCases`, which is in order of severity.
    fileprivate var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
