import Base

/// Words about bytes of text: what every part of the log reader asks.
extension Collection where Element == UInt8, Index == Int {
    /// Where `text` begins in bytes that lie in one piece, at `from` or later; letters compared as they are.
    func firstIndex(of text: StaticString, from: Int? = nil) -> Int? {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let start = Swift.max(from ?? startIndex, startIndex)
        guard !wanted.isEmpty, endIndex - start >= wanted.count else { return nil }
        // What is neither letter nor blank is rare in text: that is looked for first.
        let anchor = wanted.firstIndex { $0 != 0x20 && !(0x61...0x7a).contains($0 | 0x20) } ?? 0
        let found = withContiguousStorageIfAvailable { octets -> Int? in
            var at = start - startIndex + anchor
            let all = UnsafeRawBufferPointer(octets)
            while let place = all.place(of: wanted[anchor], at, all.count) {
                at = place - anchor
                guard octets.count - at >= wanted.count else { return nil }
                if octets.matches(wanted, at: at) { return at + startIndex }
                at = place + 1
            }
            return nil
        }
        return found ?? nil
    }

    func contains(text: StaticString) -> Bool { firstIndex(of: text) != nil }

    func starts(with text: StaticString, at place: Int? = nil) -> Bool {
        let at = place ?? startIndex
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return at >= startIndex && endIndex - at >= wanted.count && matches(wanted, at: at)
    }

    fileprivate func matches(_ wanted: UnsafeBufferPointer<UInt8>, at place: Int) -> Bool {
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
        guard let first = firstIndex(where: { $0 != 0x20 && $0 != 9 }), let last = lastIndex(where: { $0 != 0x20 && $0 != 9 })
        else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension Array where Element == UInt8 {
    /// Without blanks at either end.
    var trimmed: ArraySlice<UInt8> { self[...].trimmed }

    var isBlank: Bool { allSatisfy { $0 == 0x20 || $0 == 9 } }
}
