import Base

/// What a text log holds and does not give whole.
public struct LogGaps: Hashable, Sendable {
    /// Messages whose start line is neither a request's nor a status: header fields without a beginning that can be read.
    public var unreadStarts = 0
    /// The first of them: its line, counted from 1, and what stands there.
    public var first: (line: Int, text: String)? {
        firstLine.map { ($0, firstText) }
    }
    private var firstLine: Int?
    private var firstText = ""
    /// The text stops in the middle of the message that begins at this line, counted from 1.
    public var endsInside: Int?

    public init() {}

    mutating func note(line: Int, _ text: [UInt8]) {
        unreadStarts += 1
        guard firstLine == nil else { return }
        firstLine = line
        firstText = String(decoding: text.prefix(120), as: UTF8.self)
    }
}
