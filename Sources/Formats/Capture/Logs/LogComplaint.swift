import Base

/// A failed registration or call in the words of whatever phone, exchange or gateway: none writes it like another, but each names what it
/// tried, that it failed, and mostly a status.
enum LogComplaint {
    private static let longest = 400

    private static let registrations: [StaticString] = ["regist", "anmeldung", "sip reg "]
    private static let calls: [StaticString] = ["call ", "call(", "invite", "anruf"]
    private static let failures: [StaticString] = [
        "fail", "error", "reject", "refused", "denied", "not successful", "unsuccessful", "nicht erfolgreich", "fehlgeschlagen",
        "timed out", "timeout", "no response", "not responding", "does not respond", "antwortet nicht", "not accepted",
        "forbidden",
        "unauthorized",
    ]
    private static let successes: [StaticString] = ["success", "succeeded", "registrationok", " erfolgreich", "registered"]
    private static let noSuccesses: [StaticString] = [
        "unsuccess", "not success", "nicht erfolgreich", "not registered", "unregist",
    ]
    /// Other things are registered, too.
    private static let telephony: [StaticString] = [
        "sip", "@", "voip", "account", "trunk", "line ", "provider", "registrar", "register ", "rufnummer", "extension",
        "registrationstate", "proxy",
    ]
    /// People write so, programs do not.
    private static let talk: [StaticString] = [
        " my ", " me ", " i'm ", " i get ", " i got ", " i have ", " i had ", " i see ", " i use ", " i am ", " i tried ", " we ",
        " us ", "? ", " please", " help", " says", " said", " why ", " ich ", " mein",
        " bitte",
        " hilfe", " wir ", "i get ", "i have ", "executing [", "playing '",
    ]

    static func find(_ part: ArraySlice<UInt8>, _ marks: LogLine) -> LoggedRemark.Meaning? {
        guard marks.isMarked, !marks.isDebug, (12...longest).contains(part.count) else { return nil }
        // Most lines are about something else.
        let isRegistration = hasAny(part, ["egist", "EGIST", "nmeldung", "ip Reg "])
        guard isRegistration || hasAny(part, ["all", "INVITE", "nruf"]) else { return nil }
        let lower = Array(part).lowercased
        guard !isTalk(part), hasAny(lower[...], isRegistration ? registrations : calls) else { return nil }
        let subject = subject(part)
        guard hasAny(lower[...], failures) else {
            guard isRegistration, hasAny(lower[...], telephony), hasAny(lower[...], successes), !hasAny(lower[...], noSuccesses)
            else { return nil }
            return .says(.registrationTaken, about: subject)
        }
        let cause = LogCause(part)
        if let from = visitor(lower) {
            switch cause {
            case .credentials, .status(401), .status(403), .status(407): return .says(.wrongPassword, about: subject, from: from)
            default: return nil
            }
        }
        guard isRegistration else {
            // What else ends a call is told in too many words.
            guard let status = cause?.status, let saying = LogCause.Topic.call.saying(cause) else { return nil }
            return .says(saying, about: subject, status: status)
        }
        guard cause?.status != nil || part.contains(text: "REGISTER") || hasAny(lower[...], telephony) else { return nil }
        return .says(LogCause.Topic.registration.saying(cause) ?? .registrationUnclear, about: subject, status: cause?.status)
    }

    /// A sentence of somebody about a log.
    static func isTalk(_ part: ArraySlice<UInt8>) -> Bool {
        let text = part.trimmed
        return text.first == 0x3c || text.last == 0x3f || hasAny(Array(text).lowercased[...], talk)
    }

    private static func hasAny(_ b: ArraySlice<UInt8>, _ words: [StaticString]) -> Bool {
        words.contains { b.contains(text: $0) }
    }

    /// `from 198.51.100.7`: somebody else tried it here.
    private static func visitor(_ lower: [UInt8]) -> String? {
        guard let at = lower.firstIndex(of: " from ") else { return nil }
        let word = lower[(at + 6)...].drop { [0x27, 0x22, 0x5b, 0x28].contains($0) }
            .prefix { LogDress.isDigit($0) || $0 == 0x2e || $0 == 0x3a || (0x61...0x66).contains($0) }
        guard let host = LogFraming.peer(word).peer?.host, IPAddress(host) != nil else { return nil }
        return host
    }

    /// The first `user@host` or `sip:...`.
    private static func subject(_ part: ArraySlice<UInt8>) -> String {
        let isEdge: (UInt8) -> Bool = { $0 <= 0x20 || [0x3c, 0x3e, 0x22, 0x27, 0x28, 0x29, 0x5b, 0x5d, 0x2c, 0x3b].contains($0) }
        for word in part.split(whereSeparator: isEdge) where word.count <= 120 && word.contains(0x40) {
            let bare = word.starts(with: "sip:") ? word.dropFirst(4) : word
            if bare.first != 0x40, bare.last != 0x40 {
                return String(decoding: bare.last == 0x3a ? bare.dropLast() : bare, as: UTF8.self)
            }
        }
        return ""
    }
}
