/// Header fields that no message was read around.
extension LogReader {
    /// `Via:` opens header fields: what stands before it should have been a start line.
    mutating func noteOrphan(_ line: [UInt8]) {
        guard !isOrphaned, line.first.map({ $0 | 0x20 == 0x76 }) == true,
            line.starts(with: "Via: SIP/2.0/") || line.starts(with: "v: SIP/2.0/")
        else { return }
        isOrphaned = true
        let before = recent.last.flatMap { $0.line >= lines - paste.reach ? $0 : nil }
        gaps.note(line: before?.line ?? lines, before?.text ?? line)
    }

    /// `CSeq: 2 INVITE` outside any message is one's that was not read, even in the midst of a line.
    mutating func noteStray(_ line: [UInt8]) {
        let count = LogGaps.sequenceNumbers(in: line)
        guard count > 0 else { return }
        // Of the header fields that were counted before.
        if isOrphaned, count == 1 { isOrphaned = false } else { gaps.note(strays: count, line: lines) }
    }
}
