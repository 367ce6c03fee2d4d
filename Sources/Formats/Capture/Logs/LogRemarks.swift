import Base

extension LoggedRemark {
    /// A line that tells something about SIP; nil when it does not. `line`: in ASCII.
    init?(_ line: [UInt8], _ marks: LogLine) {
        let part = line[min(marks.start, line.count)...]
        guard let meaning = Self.meaning(part, marks) else { return nil }
        self.meaning = meaning
        text = String(decoding: part.prefix(2_000), as: UTF8.self)
    }

    private static func meaning(_ b: ArraySlice<UInt8>, _ marks: LogLine) -> Meaning? {
        if b.contains(text: "authentication received") || b.contains(text: "stale nonce received")
            || b.contains(text: "Correct auth")
        {
            let from = quoted(b, after: "received from ") ?? ""
            if b.contains(text: "stale nonce") { return .staleNonce(from: from) }
            if b.contains(text: "Duplicate authentication") { return .duplicateAuthentication(from: from) }
            if b.contains(text: "Bad authentication") { return .badAuthentication(from: from) }
        }
        // Kamailio's and others' own words.
        if b.contains(text: "stale nonce") { return .staleNonce(from: "") }
        if let failed = b.firstIndex(of: " failed for "), let meaning = failure(b, failed) { return meaning }
        if b.starts(with: "Really destroying SIP dialog ") {
            return .dialogDestroyed(callID: quoted(b, after: "SIP dialog ") ?? "", method: word(b, after: "Method: ") ?? "")
        }
        if b.starts(with: "--- ("), b.contains(text: "Nat keepalive") { return .keepalive }
        if b.starts(with: "=> ") { return .explanation }
        if let meaning = LogSayingShape.find(b, marks) { return meaning }
        switch marks.level {
        case .notice, .warning, .error: return .notice
        case .debug, .other, nil: return nil
        }
    }

    /// `Registration from 'TO' failed for 'IP:PORT' - why`, `Request 'M' from 'X' failed for 'IP:PORT' (callid: C) - why`.
    private static func failure(_ b: ArraySlice<UInt8>, _ at: Int) -> Meaning? {
        let isRegistration = b.starts(with: "Registration from ")
        guard isRegistration || b.starts(with: "Request ") else { return nil }
        let method = isRegistration ? "REGISTER" : quoted(b, after: "Request ") ?? word(b, after: "Request ") ?? ""
        let from = quoted(b, after: " from ") ?? ""
        let tail = b[at...]
        let remote = quoted(tail, after: "failed for ").flatMap { LogFraming.peer(Array($0.utf8)[...]).peer }
        let callID = tail.between("(callid: ", ")")
        let reason = tail.firstIndex(of: " - ").map { String(decoding: b[($0 + 3)...].prefix(300), as: UTF8.self) } ?? ""
        return .requestFailed(method: method, from: from, remote: remote, callID: callID, reason: reason)
    }

    /// What stands in quotes behind a text: from the first quote to the last before the next word of the sentence.
    private static func quoted(_ b: ArraySlice<UInt8>, after text: StaticString) -> String? {
        guard let found = b.firstIndex(of: text) else { return nil }
        var at = found + text.utf8CodeUnitCount
        guard at < b.endIndex, b[at] == 0x27 || b[at] == 0x22 else { return nil }
        let mark = b[at]
        at += 1
        // Display names hold quotes themselves: the end is a quote that a blank, a full stop or nothing follows.
        var end = at
        while end < b.endIndex {
            let isClosing = b[end] == mark && (end + 1 == b.endIndex || [0x20, 0x2e, 0x2c].contains(b[end + 1]))
            if isClosing, !(b[at..<end].contains(0x3c) && !b[at..<end].contains(0x3e)) { break }
            end += 1
        }
        let inside = Array(b[at..<min(end, b.endIndex)])
        return String(decoding: inside.trimmed.prefix(300), as: UTF8.self)
    }

    private static func word(_ b: ArraySlice<UInt8>, after text: StaticString) -> String? {
        guard let found = b.firstIndex(of: text) else { return nil }
        let rest = b[(found + text.utf8CodeUnitCount)...].prefix(300).prefix { $0 > 0x20 }
        return String(decoding: rest, as: UTF8.self)
    }
}
