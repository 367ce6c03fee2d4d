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
    /// Messages whose fields stand outside any message that was read, and the line of the first, counted from 1.
    public private(set) var strays = 0
    public private(set) var firstStray: Int?
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

    /// The log has ended, and held so many messages.
    mutating func settle(messages: Int) {
        if messages > 0 { (rows, firstListed) = ([:], nil) }
        // Programs that print a message's fields once more print no more of them than messages.
        if strays <= messages { (strays, firstStray) = (0, nil) }
    }

    mutating func note(strays count: Int, line: Int) {
        strays += count
        if firstStray == nil { firstStray = line }
    }

    /// How often `CSeq: 2 INVITE` stands in a line, in capitals or not.
    static func sequenceNumbers(in line: [UInt8]) -> Int {
        var count = 0
        var from = 0
        while let colon = line[from...].firstIndex(of: 0x3a) {
            from = colon + 1
            guard colon >= 4, line[(colon - 4)..<colon].lazy.map({ $0 | 0x20 }).elementsEqual("cseq".utf8) else { continue }
            var at = from
            while at < line.count, line[at] == 0x20 { at += 1 }
            guard line.number(&at) != nil, at + 3 < line.count, line[at] == 0x20,
                line[(at + 1)...].prefix(3).allSatisfy({ (0x61...0x7a).contains($0 | 0x20) })
            else { continue }
            count += 1
        }
        return count
    }

    private static func row(_ line: [UInt8]) -> String? {
        if let what = column(line) { return what }
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

    /// `1790762400.019999<tab>203.0.113.20<tab>...<tab>SIP/2.0 100 Trying<tab>...`: columns that somebody chose, one of them a start line.
    private static func column(_ line: [UInt8]) -> String? {
        guard line.count(where: { $0 == 9 }) > 1, let mark = line.firstIndex(of: "SIP/2.0") else { return nil }
        let start = line[..<mark].lastIndex(of: 9).map { $0 + 1 } ?? 0
        if mark == start {
            let digits = line[(mark + 7)...].prefix(4).dropFirst()
            guard digits.count == 3, digits.allSatisfy(LogDress.isDigit) else { return nil }
            return String(decoding: digits, as: UTF8.self)
        }
        let name = line[start..<mark].prefix { (0x41...0x5a).contains($0) }
        guard (3...10).contains(name.count), mark + 7 == line.count || line[mark + 7] == 9 else { return nil }
        return String(decoding: name, as: UTF8.self)
    }

    mutating func note(line: Int, _ text: [UInt8]) {
        unreadStarts += 1
        guard firstLine == nil else { return }
        firstLine = line
        firstText = String(decoding: text.prefix(120), as: UTF8.self)
    }
}
