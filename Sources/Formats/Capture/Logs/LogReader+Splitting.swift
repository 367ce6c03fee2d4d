/// Where lines end.
extension LogReader {
    mutating func split(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let end = rest.firstIndex(of: 0x0a)
            if !hasLineFeed {
                splitAtReturns(rest[..<(end ?? rest.count)])
                guard let end else { return }
                hasLineFeed = true
                start += end + 1
                // Two carriage returns and a line feed are one line's end.
                if paste.count == 0 || carried != [0x0d] { carriedLine() } else { carried = [] }
                continue
            }
            guard let end else {
                carried.append(contentsOf: rest)
                if carried.count > Self.mostLine { flushLongLine() }
                return
            }
            carried.append(contentsOf: rest[..<end])
            start += end + 1
            carriedLine()
        }
    }

    private mutating func carriedLine() {
        if carried.count > Self.mostLine { flushLongLine() }
        let whole = carried
        carried.removeAll(keepingCapacity: true)
        take(whole)
    }

    /// A line as it stands in the text.
    mutating func take(_ raw: [UInt8]) {
        if paste.isPlain { line(raw) } else { give(paste.take(raw)) }
    }

    mutating func give(_ pasted: [LogPaste.Line]) {
        for piece in pasted {
            lines = piece.number - 1
            line(piece.text)
        }
    }

    /// Lines of a log that knows carriage returns alone.
    private mutating func splitAtReturns(_ part: Slice<UnsafeRawBufferPointer>) {
        for octet in part {
            if carried.last == 0x0d { carriedLine() }
            carried.append(octet)
            if carried.count > Self.mostLine { flushLongLine() }
        }
    }

    private mutating func flushLongLine() {
        while carried.count > Self.mostLine {
            let end = LogInsert.end(within: Self.mostLine, of: carried) ?? Self.mostLine
            let piece = Array(carried[..<end])
            carried.removeFirst(end)
            give(paste.finish())
            line(piece)
            lines -= 1
        }
    }
}
