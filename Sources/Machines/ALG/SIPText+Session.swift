import Base

/// Lines of a session description (RFC 4566), which begin a line wherever it stands: the helper knows no body, only lines.
extension SIPText {
    enum SessionLine: Sendable {
        case version, origin, connection, media

        var letter: UInt8 {
            switch self {
            case .version: 0x76
            case .origin: 0x6f
            case .connection: 0x63
            case .media: 0x6d
            }
        }
    }

    /// The value of the first such line after `offset`: the address of `o=` and `c=`, the digits of `v=`, `audio 6000` of `m=`.
    /// `stop`: a line of that kind ends the search.
    func session(_ line: SessionLine, from offset: Int, stop: SessionLine? = nil) -> Lookup {
        var next = nextLine(from: offset)
        while let at = next {
            guard at + 1 < end, bytes[at + 1] == 0x3d else {
                next = nextLine(from: at + 1)
                continue
            }
            let letter = lowerASCII(bytes[at])
            if let stop, letter == stop.letter { return .absent }
            guard letter == line.letter else {
                next = nextLine(from: at + 1)
                continue
            }
            return value(of: line, at: at + 2)
        }
        return .absent
    }

    private func value(of line: SessionLine, at start: Int) -> Lookup {
        let range: Range<Int>
        switch line {
        case .version:
            range = start..<digitsEnd(start)
        case .media:
            var at = start
            while at < end, isLetter(bytes[at]) { at += 1 }
            guard at < end, bytes[at] == 0x20 else { return .malformed(start) }
            range = start..<digitsEnd(at + 1)
        case .origin, .connection:
            let lead = isIPv6 ? "IN IP6 ".utf8Bytes : "IN IP4 ".utf8Bytes
            var at = start
            while at < end - lead.count, !isLineEnd(at), !bytes[at...].starts(with: lead) { at += 1 }
            guard at < end - lead.count, !isLineEnd(at) else { return .malformed(start) }
            at += lead.count
            range = at..<(address(at: at)?.end ?? at)
        }
        return range.isEmpty ? .malformed(start) : .found(range)
    }
}
