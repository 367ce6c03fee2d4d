/// Messages whose line ends became blanks, as a form's single field makes them: `INVITE sip:... SIP/2.0 Via: SIP/2.0/UDP ... Max-Forwards: 70`.
struct LogUnfolding {
    private let line: [UInt8]
    private var at = 0
    private(set) var lines: [[UInt8]] = []

    private static let via: StaticString = " Via: SIP/2.0/"

    /// Nil where none of them is in the line.
    init?(_ line: [UInt8]) {
        guard line.count > 200, line.contains(text: Self.via) else { return nil }
        self.line = line
        var count = 0
        while let via = line.firstIndex(of: Self.via, from: at), let start = start(before: via) {
            take(text: at..<start)
            lines.append(Array(line[start..<via].trimmed))
            at = via + 1
            message()
            count += 1
        }
        guard count > 0 else { return nil }
        take(text: at..<line.count)
    }

    private mutating func take(text: Range<Int>) {
        let text = line[text].trimmed
        if !text.isEmpty { lines.append(Array(text)) }
    }

    /// Where the start line that ends before `via` begins.
    private func start(before via: Int) -> Int? {
        if via >= at + 8, line.starts(with: " SIP/2.0", at: via - 8) {
            return LogDress.request(line, before: via - 8).flatMap { $0 >= at ? $0 : nil }
        }
        var place = max(at, via - 120)
        while let found = line.firstIndex(of: "SIP/2.0 ", from: place), found + 11 <= via {
            if line[(found + 8)..<(found + 11)].allSatisfy(LogDress.isDigit) { return found }
            place = found + 8
        }
        return nil
    }

    /// Header fields up to Content-Length, and as much as that says.
    private mutating func message() {
        var from = at
        var place = at
        while place < line.count {
            defer { place += 1 }
            guard line[place] == 0x20 || place + 1 == line.count else { continue }
            let isNext = line[place] == 0x20 && LogDress.isSIPField(line[(place + 1)...].prefix(24)) || isOther(place + 1)
            let isLast = Self.isLength(line[from..<place])
            guard isNext || isLast || place + 1 == line.count else { continue }
            // The number behind the name's blank.
            if isLast, line[place - 1] == 0x3a { continue }
            let end = place + 1 == line.count && line[place] != 0x20 ? place + 1 : place
            lines.append(Array(line[from..<end]))
            from = min(end + 1, line.count)
            if isLast {
                lines.append([])
                at = from
                body(lines[lines.count - 2])
                return
            }
        }
        at = line.count
    }

    private static func isLength(_ field: ArraySlice<UInt8>) -> Bool {
        field.starts(with: "Content-Length:") || field.starts(with: "l:")
    }

    private func isOther(_ start: Int) -> Bool {
        let names: [StaticString] = [
            "Content-Type: ", "Session-Expires: ", "Min-SE: ", "Require: ", "Proxy-", "Reason: ", "Event: ",
            "Subscription-State: ",
            "Refer-To: ", "P-Asserted-Identity: ", "Accept: ", "Allow-Events: ", "RSeq: ", "RAck: ", "Warning: ", "X-",
            "Remote-Party-ID: ",
        ]
        return names.contains { line.starts(with: $0, at: start) }
    }

    private mutating func body(_ length: [UInt8]) {
        guard var place = length.firstIndex(of: 0x3a).map({ $0 + 1 }) else { return }
        while place < length.count, length[place] == 0x20 { place += 1 }
        guard var left = length.number(&place), left > 0 else { return }
        while at < line.count, line[at] == 0x20 { at += 1 }
        while left > 2, at < line.count {
            var end = at
            while end < line.count, end - at < left - 2 {
                if line[end] == 0x20, end + 2 < line.count, (0x61...0x7a).contains(line[end + 1]), line[end + 2] == 0x3d { break }
                end += 1
            }
            lines.append(Array(line[at..<end]))
            left -= end - at + 2
            at = min(end + 1, line.count)
        }
    }
}
