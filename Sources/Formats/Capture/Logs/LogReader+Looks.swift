/// How lines look, whatever came before.
extension LogReader {
    /// Mails and forums quote with `> `.
    static func pastQuote(_ line: [UInt8], _ start: Int) -> Int {
        var at = start
        while at < line.count, line[at] == 0x3e || line[at] == 0x20 || line[at] == 9 { at += 1 }
        return at
    }

    static func isBareStart(_ line: [UInt8], from start: Int) -> Bool {
        let at = pastQuote(line, start)
        guard line.count - at >= 12, line.contains(text: "SIP/2.0") else { return false }
        let text = Array(line[at...].reversed().drop { $0 == 0x20 }.reversed()) + [13, 10]
        let isStatus = text.starts(with: "SIP/2.0 ")
        guard isStatus || text.dropLast(2).suffix(8).elementsEqual(" SIP/2.0".utf8) else { return false }
        // A sentence may end like a request: methods are written in capitals.
        guard isStatus || text.prefix(while: { $0 != 0x20 }).allSatisfy({ !(0x61...0x7a).contains($0) }) else { return false }
        return text.withUnsafeBytes { SIPStart.isStart($0) }
    }

    /// What a line between messages says of itself, and when: also behind what stands before its time.
    mutating func remark(_ line: [UInt8], _ marks: LogLine) -> (LoggedRemark, LoggedTime?)? {
        if let remark = LoggedRemark(line, marks) { return (remark, marks.time) }
        let preface = marks.isMarked ? 0 : LogLine.preface(line)
        guard preface > 0 else { return nil }
        let rest = Array(line[preface...])
        let inner = LogLine(rest, &clock)
        guard inner.isMarked, let remark = LoggedRemark(rest, inner) else { return nil }
        return (remark, inner.time)
    }
}
