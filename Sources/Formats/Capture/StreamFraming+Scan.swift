extension StreamFraming {
    /// What a record of TLS that begins a segment says in the clear: an alert of two octets, or that a client has no certificate.
    static func clearWord(_ b: UnsafeRawBufferPointer) -> StreamEvent.Kind? {
        guard b.count >= 7, b[1] == 3 else { return nil }
        if b[0] == 21, b[3] == 0, b[4] == 2, b[5] == 1 || b[5] == 2 { return .tlsAlert(b[6]) }
        guard b.count >= 12, b[0] == 22, b[5] == 11, b[6...8].elementsEqual([0, 0, 3]), b[9...11].elementsEqual([0, 0, 0]) else {
            return nil
        }
        return .tlsNoCertificate
    }

    static func begins(_ b: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        let n = text.utf8CodeUnitCount
        guard b.count >= n else { return false }
        for index in 0..<n where b[index] != text.utf8Start[index] { return false }
        return true
    }

    /// It may become one that `begins` so, once more octets are there.
    static func mayBegin(_ b: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard b.count < text.utf8CodeUnitCount else { return false }
        for index in 0..<b.count where b[index] != text.utf8Start[index] { return false }
        return true
    }

    /// STUN with its cookie: over TCP it frames itself (RFC 8489 6.2.2).
    static func isSTUN(_ b: UnsafeRawBufferPointer) -> Bool {
        b.count >= 20 && b[0] < 0x40 && b[4] == 0x21 && b[5] == 0x12 && b[6] == 0xa4 && b[7] == 0x42 && b[3] & 3 == 0
    }

    static func hasLineEnd(_ b: UnsafeRawBufferPointer) -> Bool { b.contains(0x0a) }

    /// Past the empty line that ends the header fields; bare line feeds are tolerated.
    static func headEnd(_ b: UnsafeRawBufferPointer, from: Int) -> Int? {
        var at = from
        while at < b.count {
            if b[at] == 0x0a {
                if at + 1 < b.count, b[at + 1] == 0x0a { return at + 2 }
                if at + 2 < b.count, b[at + 1] == 0x0d, b[at + 2] == 0x0a { return at + 3 }
            }
            at += 1
        }
        return nil
    }

    /// Content-Length, in its long or short form, among the header fields before `head`; nil when absent or no number.
    static func contentLength(_ b: UnsafeRawBufferPointer, _ head: Int) -> Int? {
        var at = 0
        while at < head {
            var end = at
            while end < head, b[end] != 0x0a { end += 1 }
            if let value = lengthField(UnsafeRawBufferPointer(rebasing: b[at..<end])) { return value }
            at = end + 1
        }
        return nil
    }

    private static func lengthField(_ line: UnsafeRawBufferPointer) -> Int? {
        guard line.count >= 3 else { return nil }
        var at: Int
        if line[0] | 0x20 == 0x6c {
            at = 1
        } else {
            guard line.count > 14, line[0] | 0x20 == 0x63, startsIgnoringCase(line, "content-length") else { return nil }
            at = 14
        }
        while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
        guard at < line.count, line[at] == 0x3a else { return nil }
        at += 1
        while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
        var value = 0
        var digits = 0
        while at < line.count, line[at] >= 0x30, line[at] <= 0x39, digits < 9 {
            value = value * 10 + Int(line[at] - 0x30)
            digits += 1
            at += 1
        }
        return digits > 0 ? value : nil
    }

    static func startsIgnoringCase(_ b: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        let n = text.utf8CodeUnitCount
        guard b.count >= n else { return false }
        for index in 0..<n {
            let byte = b[index]
            let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
            if lower != text.utf8Start[index] { return false }
        }
        return true
    }

    /// `text` (lower case) anywhere, letters compared without case.
    static func contains(_ b: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        let n = text.utf8CodeUnitCount
        guard b.count >= n else { return false }
        for at in 0...(b.count - n) where startsIgnoringCase(UnsafeRawBufferPointer(rebasing: b[at...]), text) { return true }
        return false
    }

    /// Whether a body goes on behind its end: more of it stands where a message, a keepalive or nothing should. One that lacks its last line
    /// end, which then follows, is only untidy; one that ends within a line end is not.
    static func goesOn(_ rest: UnsafeRawBufferPointer, after last: UInt8) -> Bool {
        guard !rest.isEmpty else { return false }
        if last == 0x0d, rest[0] == 0x0a { return true }
        guard let start = rest.firstIndex(where: { $0 != 0x0d && $0 != 0x0a }) else { return false }
        let next = UnsafeRawBufferPointer(rebasing: rest[start...])
        return !SIPStart.isStart(next) && !SIPStart.mayBecomeStart(next) && !isSTUN(next)
    }

    /// The first line after the first that starts a message.
    static func nextStart(_ b: UnsafeRawBufferPointer) -> Int? {
        var at = 0
        while at < b.count {
            if b[at] == 0x0a, at + 1 < b.count, SIPStart.isStart(UnsafeRawBufferPointer(rebasing: b[(at + 1)...])) {
                return at + 1
            }
            at += 1
        }
        return nil
    }
}
