/// Words about bytes of text: what every part of the log reader asks.
extension Collection where Element == UInt8, Index == Int {
    /// Where `text` begins, at `from` or later; letters compared as they are.
    func firstIndex(of text: StaticString, from: Int? = nil) -> Int? {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let start = Swift.max(from ?? startIndex, startIndex)
        guard let lead = wanted.first, endIndex - start >= wanted.count else { return nil }
        var at = start
        while at <= endIndex - wanted.count {
            if self[at] == lead, matches(wanted, at: at) { return at }
            at += 1
        }
        return nil
    }

    func contains(text: StaticString) -> Bool { firstIndex(of: text) != nil }

    func starts(with text: StaticString, at place: Int? = nil) -> Bool {
        let at = place ?? startIndex
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return at >= startIndex && endIndex - at >= wanted.count && matches(wanted, at: at)
    }

    private func matches(_ wanted: UnsafeBufferPointer<UInt8>, at place: Int) -> Bool {
        for offset in 0..<wanted.count where self[place + offset] != wanted[offset] { return false }
        return true
    }

    /// What stands between two texts.
    func between(_ opening: StaticString, _ closing: StaticString) -> String? {
        guard let start = firstIndex(of: opening) else { return nil }
        let from = start + opening.utf8CodeUnitCount
        guard let end = firstIndex(of: closing, from: from) else { return nil }
        return String(decoding: self[from..<end], as: UTF8.self)
    }

    /// A number of at most nine digits that begins at `at`, which moves behind it.
    func number(_ at: inout Int) -> Int? {
        var value = 0
        var digits = 0
        while at < endIndex, self[at] >= 0x30, self[at] <= 0x39, digits < 9 {
            value = value * 10 + Int(self[at] - 0x30)
            digits += 1
            at += 1
        }
        return digits > 0 ? value : nil
    }
}

extension ArraySlice where Element == UInt8 {
    /// Without blanks at either end.
    var trimmed: ArraySlice<UInt8> {
        var part = self
        while let first = part.first, first == 0x20 || first == 9 { part.removeFirst() }
        while let last = part.last, last == 0x20 || last == 9 { part.removeLast() }
        return part
    }
}

extension Array where Element == UInt8 {
    /// Without blanks at either end.
    var trimmed: ArraySlice<UInt8> { self[...].trimmed }

    var isBlank: Bool { allSatisfy { $0 == 0x20 || $0 == 9 } }
}
