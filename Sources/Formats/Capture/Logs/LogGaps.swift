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

    /// Rows of a packet list, as Wireshark and tshark print one, a line a packet: what they tell of SIP, and how often.
    public var listed: [(what: String, count: Int)] {
        rows.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
    /// The first of those rows, counted from 1.
    public private(set) var firstListed: Int?
    private var rows: [String: Int] = [:]
    private static let mostKinds = 64

    public init() {}

    /// Takes `1 0.000000 192.0.2.1 → 192.0.2.2 SIP/SDP 701 Request: INVITE sip:...` and its like.
    mutating func noteRow(_ line: [UInt8], _ number: Int) {
        guard line.count < 600, let what = Self.row(line), rows[what] != nil || rows.count < Self.mostKinds else { return }
        rows[what, default: 0] += 1
        if firstListed == nil { firstListed = number }
    }

    /// The messages are there, too.
    mutating func dropRows() { (rows, firstListed) = ([:], nil) }

    private static func row(_ line: [UInt8]) -> String? {
        guard let protocolName = line.firstIndex(of: "SIP"), line.contains(0x3a) else { return nil }
        if let at = line.firstIndex(of: "Request: ", from: protocolName) {
            let name = line[(at + 9)...].prefix { (0x41...0x5a).contains($0) }
            let uri = line[name.endIndex...].drop { $0 == 0x20 }
            guard (3...10).contains(name.count), uri.starts(with: "sip"), uri.prefix(5).contains(0x3a) else { return nil }
            return String(decoding: name, as: UTF8.self)
        }
        guard let at = line.firstIndex(of: "Status: ", from: protocolName), line.count >= at + 11,
            line[(at + 8)..<(at + 11)].allSatisfy(LogDress.isDigit)
        else { return nil }
        return String(decoding: line[(at + 8)..<(at + 11)], as: UTF8.self)
    }

    mutating func note(line: Int, _ text: [UInt8]) {
        unreadStarts += 1
        guard firstLine == nil else { return }
        firstLine = line
        firstText = String(decoding: text.prefix(120), as: UTF8.self)
    }
}
