import Base

/// Sentences: our own about others, and what others wrote in logs, phrases and warnings.
extension Redactor {
    /// Foreign words: those that say what went wrong stay, and short numbers.
    mutating func diagnosis(_ bytes: [UInt8]) -> [UInt8] {
        prose(bytes) { Harmless.diagnosis.contains($0) || Harmless.tokens.contains($0) }
    }

    /// A line of a log that is no part of a message.
    public mutating func redact(log text: String) -> String { String(decoding: diagnosis(Array(text.utf8)), as: UTF8.self) }

    /// A sentence of a report. `quotes`: what it may quote of messages and logs, by their stand-ins.
    public mutating func redact(sentence text: String, quotes: [(quote: String, stand: String)] = []) -> String {
        for (quote, stand) in quotes where !quote.isEmpty {
            guard let range = text.firstRange(of: quote) else { continue }
            return redact(sentence: String(text[..<range.lowerBound]), quotes: quotes) + stand
                + redact(sentence: String(text[range.upperBound...]), quotes: quotes)
        }
        let own = prose(Array(text.utf8)) {
            Harmless.sentences.contains($0) || Harmless.tokens.contains($0) || Harmless.codecs.contains($0)
                || Harmless.products.contains($0)
        }
        return String(decoding: own, as: UTF8.self)
    }

    private mutating func prose(_ bytes: [UInt8], _ isKnown: (String) -> Bool) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if let (length, stand) = address(in: bytes, at: at) {
                // A port behind it stays; what stands before an `@` names somebody all the same.
                out += stand
                at += length
                if at < bytes.count, bytes[at] == UInt8(ascii: ":") {
                    let port = bytes[(at + 1)...].prefix { Self.isDigit($0) }
                    if (1...5).contains(port.count) {
                        out += [bytes[at]] + port
                        at += 1 + port.count
                    }
                }
                continue
            }
            guard isCovered(bytes[at]) else {
                out.append(bytes[at])
                at += 1
                continue
            }
            // What hangs together with an `@`, or follows a scheme, names somebody whatever its words.
            var end = at
            while end < bytes.count, Self.isNameByte(bytes[end]) { end += 1 }
            while end > at + 1, [0x2e, 0x3a, 0x2c].contains(bytes[end - 1]) { end -= 1 }
            let run = Array(bytes[at..<end])
            out +=
                names(run, isKnown, at > 0 ? bytes[at - 1] : 0x20, end < bytes.count ? bytes[end] : 0x20)
                ? named(run) : known(run, isKnown)
            at = end
        }
        return out
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte >= 0x80 || [0x40, 0x2e, 0x2d, 0x5f, 0x2b, 0x3a, 0x25, 0x2a, 0x23].contains(byte)
    }

    /// Whether a run of a sentence is a name: by its `@`, its scheme, as one word in quotes, or by its labels.
    private func names(_ run: [UInt8], _ isKnown: (String) -> Bool, _ before: UInt8, _ after: UInt8) -> Bool {
        if run.contains(UInt8(ascii: "@")) { return true }
        if let colon = run.firstIndex(of: UInt8(ascii: ":")), colon + 1 < run.count,
            ["sip", "sips", "tel"].contains(Self.lower(run[..<colon]))
        {
            return true
        }
        if before == UInt8(ascii: "\""), after == UInt8(ascii: "\"") { return true }
        // A name of a host, whatever its labels; a version has numbers alone.
        return run.split(separator: UInt8(ascii: ".")).count > 1 && !run.contains(UInt8(ascii: ":"))
            && !run.allSatisfy { !Self.isAlphanumeric($0) || Self.isDigit($0) } && !isKnown(Self.lower(run))
    }

    private mutating func named(_ run: [UInt8]) -> [UInt8] {
        guard let colon = run.firstIndex(of: UInt8(ascii: ":")), Harmless.schemes.contains(Self.lower(run[..<colon])) else {
            let sign = run.lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 } ?? 0
            return cover(run[..<sign]) + hostPort(Array(run[sign...]))
        }
        return redact(uri: run)
    }

    private mutating func known(_ run: [UInt8], _ isKnown: (String) -> Bool) -> [UInt8] {
        if isKnown(Self.lower(run)) { return run }
        var out: [UInt8] = []
        var at = 0
        while at < run.count {
            if let (length, stand) = address(in: run, at: at) {
                out += stand
                at += length
                continue
            }
            var end = at
            while end < run.count, isCovered(run[end]) { end += 1 }
            guard end > at else {
                out.append(run[at])
                at += 1
                continue
            }
            let word = Array(run[at..<end])
            let isNumber = word.count <= 5 && word.allSatisfy(Self.isDigit)
            out += isNumber || isKnown(Self.lower(word)) || Self.isMeasure(word) ? word : cover(word)
            at = end
        }
        return out
    }

    /// `20ms`, `8kHz`, `4xx`.
    private static func isMeasure(_ word: [UInt8]) -> Bool {
        let digits = word.prefix(while: isDigit).count
        return (1...5).contains(digits)
            && ["ms", "s", "k", "kb", "hz", "khz", "dbm0", "b", "m", "h", "xx", "th", "st", "nd", "rd"].contains(
                lower(word[digits...]))
    }
}
