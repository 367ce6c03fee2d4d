/// A log exported as a table of comma-separated values (RFC 4180): its first line names the columns, one of which holds the text.
struct LogTable: Sendable {
    /// The column of the text.
    private let column: Int
    /// By column: its name, where that says whose address or port it holds, or that it is a time.
    private let titles: [[UInt8]]
    /// A row whose quotes are still open, and where it began.
    private var pending: [UInt8] = []
    private var isOpen = false
    private var first = 0

    private static let names: Set<String> = [
        "message", "@message", "msg", "_raw", "raw", "log", "line", "text", "payload", "body", "content", "full_message", "sip",
        "textpayload",
    ]
    private static let longest = 131_072

    /// nil where the line names no columns.
    init?(heading line: [UInt8]) {
        guard line.count < 4_096, line.contains(0x2c) else { return nil }
        let names = Self.fields(line).map { String(decoding: $0, as: UTF8.self).lowercased() }
        guard names.count > 1,
            names.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 64 && $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x3a } }),
            let column = names.firstIndex(where: Self.names.contains)
        else { return nil }
        self.column = column
        titles = names.map { name in
            let words = name.split { !$0.isLetter && !$0.isNumber }
            let isEnd =
                words.count <= 3
                && ["source", "src", "destination", "dst", "dest", "remote", "local"].contains { name.hasPrefix($0) }
            let isTime = name.contains("time") || name.contains("epoch") || name.hasSuffix("ts")
            return isEnd || isTime ? Array(name.utf8) + [0x20] : []
        }
    }

    enum Row {
        /// More lines belong to it.
        case begun
        case record(LogUnwrapping, first: Int)
        /// It has no such column: the lines are what they are.
        case plain([[UInt8]], first: Int)
    }

    mutating func take(_ line: [UInt8], _ number: Int) -> Row {
        if isOpen { pending.append(0x0a) } else { first = number }
        pending += line
        if line.count(where: { $0 == 0x22 }) % 2 == 1 { isOpen.toggle() }
        if isOpen, pending.count < Self.longest { return .begun }
        let row = pending
        let isWhole = !isOpen
        pending = []
        isOpen = false
        let fields = isWhole ? Self.fields(row) : []
        guard column < fields.count else {
            return .plain(row.split(separator: 0x0a, omittingEmptySubsequences: false).map { Array($0) }, first: first)
        }
        var hint: [UInt8] = []
        for (index, field) in fields.enumerated() where index != column {
            hint += (index < titles.count ? titles[index] : []) + field + [0x20]
        }
        return .record(LogUnwrapping(text: fields[column], hint: hint), first: first)
    }

    /// What the log's end leaves of a row.
    mutating func finish() -> Row? {
        guard isOpen else { return nil }
        isOpen = false
        let row = pending
        pending = []
        return .plain(row.split(separator: 0x0a, omittingEmptySubsequences: false).map { Array($0) }, first: first)
    }

    /// Quotes come off, a pair of them inside is one.
    private static func fields(_ row: [UInt8]) -> [[UInt8]] {
        var fields: [[UInt8]] = []
        var field: [UInt8] = []
        var isQuoted = false
        var at = 0
        while at < row.count {
            let octet = row[at]
            at += 1
            if isQuoted {
                if octet != 0x22 {
                    field.append(octet)
                } else if at < row.count, row[at] == 0x22 {
                    field.append(octet)
                    at += 1
                } else {
                    isQuoted = false
                }
            } else if octet == 0x22 {
                isQuoted = true
            } else if octet == 0x2c {
                fields.append(field)
                field = []
            } else {
                field.append(octet)
            }
        }
        return fields + [field]
    }
}
