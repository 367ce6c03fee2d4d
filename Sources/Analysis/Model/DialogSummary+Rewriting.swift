extension DialogSummary {
    /// Replaces what names somebody, octet for octet: texts of another length are filled or cut, because records point into them.
    ///
    /// `messages`: where messages lie, as records tell.
    package mutating func rewrite(
        messages: [Range<Int>], callID: ([UInt8]) -> [UInt8], aor: ([UInt8]) -> [UInt8], message: ([UInt8]) -> [UInt8]
    ) {
        func replace(_ range: Range<Int>, _ body: ([UInt8]) -> [UInt8]) {
            guard range.lowerBound >= 0, range.upperBound <= text.count, !range.isEmpty else { return }
            var stand = Array(body(Array(text[range])).prefix(range.count))
            while stand.count < range.count { stand.append(0x78) }
            text.replaceSubrange(range, with: stand)
        }
        replace(0..<callIDLength, callID)
        replace(callIDLength..<(callIDLength + fromLength), aor)
        replace((callIDLength + fromLength)..<(callIDLength + fromLength + toLength), aor)
        for range in messages { replace(range, message) }
    }
}
