import Base
import Logging

/// swift-log's back end: what anybody in the program logs goes to the log's thread.
public struct PinholeLogHandler: LogHandler {
    private let thread: LogThread
    private let category: LogCategory
    private let label: String
    private let clock: @Sendable () -> Instant
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    /// nil: the category's, which may change while the program runs.
    private var ownLevel: Logger.Level?

    /// `clock`: the wall clock.
    public init(label: String, _ thread: LogThread, clock: @escaping @Sendable () -> Instant) {
        self.label = label
        self.thread = thread
        self.clock = clock
        category = LogCategory(label: label)
    }

    public var logLevel: Logger.Level {
        get { ownLevel ?? thread.level(of: category) }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        var fields = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: "\($0.value)") }
        if let error = event.error { fields.append(("error", "\(error)")) }
        var text = "\(event.message)"
        if category == .libraries {
            text = ([label + ":", text] + fields.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
            fields.append(("library", label))
        }
        thread.write(LogRecord(time: clock(), level: event.level, category: category, text: text, fields: fields))
    }
}
