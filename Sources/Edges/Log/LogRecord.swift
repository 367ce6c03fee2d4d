import Base
import Logging
import ShowText

/// One line of the log before it is written.
public struct LogRecord: Sendable {
    /// As the wall clock shows it.
    public var time: Instant
    public var level: Logger.Level
    public var category: LogCategory
    /// A sentence; what a peer put into it is escaped when it is written.
    public var text: String
    /// For machines; what is not told in the sentence.
    public var fields: [(name: String, value: String)]

    public init(
        time: Instant, level: Logger.Level, category: LogCategory, text: String, fields: [(name: String, value: String)] = []
    ) {
        self.time = time
        self.level = level
        self.category = category
        self.text = text
        self.fields = fields
    }

    /// Whether it tells that something that was wrong is well again: said where the trouble was said.
    var isRelief: Bool { fields.contains { $0 == ("state", "over") } }

    /// With its line end.
    public func line(_ format: LogFormat) -> String {
        switch format {
        case .text: "\(CalendarTime(time)) \(sentence)\n"
        case .journal: "<\(priority)>\(sentence)\n"
        case .json: json
        }
    }

    private var sentence: String {
        switch level {
        case .critical, .error: "\(isRelief ? "over" : "error"): \(printable(text))"
        case .warning: "warning: \(printable(text))"
        case .notice, .info, .debug, .trace: printable(text)
        }
    }

    /// syslog's severity (RFC 5424 6.2.1).
    private var priority: Int {
        switch level {
        case .critical: 2
        case .error: isRelief ? 5 : 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    private var json: String {
        let shown = CalendarTime(time).description.split(separator: " ").joined(separator: "T") + "Z"
        let members: [(String, JSONValue)] = [
            ("time", .string(shown)), ("level", .string(isRelief ? "notice" : "\(level)")),
            ("category", .string(category.rawValue)), ("message", .string(printable(text))),
        ]
        return JSONValue.object(members + fields.map { ($0.name, .string($0.value)) }).text + "\n"
    }
}
