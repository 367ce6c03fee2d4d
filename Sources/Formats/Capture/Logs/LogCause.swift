import Base

/// Why something failed, as the words of a log line tell it: a status, or what kept it from getting one.
enum LogCause: Hashable {
    /// What failed.
    enum Topic: Hashable {
        case registration, call
    }

    case status(Int)
    case credentials, unresolved, refusedConnection, unsendable, certificate, silence, notRegistered

    var status: Int? { if case .status(let status) = self { status } else { nil } }

    /// The cause that the text names; nil where it names none.
    init?(_ text: ArraySlice<UInt8>) {
        let lower = Array(text.prefix(400)).lowercased
        if let cause = Self.early.first(where: { $0.words.contains { lower.contains(text: $0) } })?.cause {
            self = cause
        } else if Self.hasWord("dns", lower) {
            self = .unresolved
        } else if let status = Self.number(lower) ?? Self.phrases.first(where: { lower.contains(text: $0.words) })?.status {
            self = .status(status)
        } else if Self.silences.contains(where: { lower.contains(text: $0) }) {
            self = .silence
        } else {
            return nil
        }
    }

    /// What is told before any status: libraries make one up for what never got an answer.
    private static let early: [(cause: LogCause, words: [StaticString])] = [
        (
            .credentials,
            [
                "wrong password", "failedcredential", "bad credentials", "invalid credentials", "credentials not accepted",
                "authentication failed", "auth failed", "zugangsdaten",
            ]
        ),
        (
            .unresolved,
            [
                "eresolve", "could not resolve", "cannot resolve", "unable to resolve", "failed to resolve", "name resolution",
                "name or service not known", "host not found", "no such host", "unknown host",
            ]
        ),
        (.refusedConnection, ["connection refused", "econnrefused"]),
        (.unsendable, ["no route to host", "network is unreachable", "network unreachable", "operation not permitted"]),
        (.certificate, ["certificate", "handshake", "ssl_error", "tls error"]),
        (.notRegistered, ["not registered"]),
    ]

    private static let phrases: [(words: StaticString, status: Int)] = [
        ("forbidden", 403), ("unauthorized", 401), ("not acceptable here", 488), ("not found", 404), ("request timeout", 408),
        ("service unavailable", 503), ("server timeout", 504), ("bad gateway", 502), ("server internal error", 500),
        ("internal server error", 500), ("server failure", 500), ("temporarily unavailable", 480), ("busy", 486),
        ("no answer", 480), ("decline", 603), ("bad request", 400), ("interval too brief", 423), ("method not allowed", 405),
    ]

    private static let silences: [StaticString] = [
        "timed out", "timeout", "time out", "no response", "no reply", "not responding", "does not respond", "io error",
        "antwortet nicht",
    ]

    /// What may stand before a status: other numbers are extensions, ports and lines of a source.
    private static let leads: [StaticString] = [
        "status", "status=", "status:", "code", "code=", "code:", "cause", "cause:", "cause=", "reason", "reason:", "response",
        "sip",
        "error", "error:", "with", "ursachencode", "meldet", "ursache:", "failed:", "got", "received", "-", "(", "[", "'", "\"",
    ]

    /// A status of three digits: at the beginning, or behind a word that announces one.
    private static func number(_ b: [UInt8]) -> Int? {
        for at in b.indices where LogDress.isDigit(b[at]) && (at == 0 || !LogDress.isDigit(b[at - 1])) {
            var end = at
            guard let status = b.number(&end), end - at == 3, (200..<700).contains(status), !(300..<400).contains(status),
                end == b.count || [0x20, 0x29, 0x5d, 0x27, 0x22, 0x3b, 0x2c, 0x2f, 0x2e, 0x3a].contains(b[end]),
                end + 1 >= b.count || !([0x2e, 0x3a].contains(b[end]) && b[end + 1] > 0x20)
            else { continue }
            let before = b[..<at].trimmed
            guard !before.isEmpty else { return status }
            if leads.contains(where: { Self.ends(before, with: $0) }) { return status }
        }
        return nil
    }

    private static func ends(_ b: ArraySlice<UInt8>, with word: StaticString) -> Bool {
        let start = b.endIndex - word.utf8CodeUnitCount
        guard start >= b.startIndex, b.starts(with: word, at: start) else { return false }
        return start == b.startIndex || !isLetter(b[start]) || !isLetter(b[start - 1])
    }

    /// It stands by itself, not within a name.
    private static func hasWord(_ word: StaticString, _ b: [UInt8]) -> Bool {
        guard let at = b.firstIndex(of: word) else { return false }
        let end = at + word.utf8CodeUnitCount
        return (at == 0 || !isNames(b[at - 1])) && (end == b.count || b[end] == 0x2d || !isNames(b[end]))
    }

    private static func isLetter(_ b: UInt8) -> Bool { (0x61...0x7a).contains(b | 0x20) }
    private static func isNames(_ b: UInt8) -> Bool { isLetter(b) || LogDress.isDigit(b) || [0x2e, 0x2d, 0x40].contains(b) }
}

extension LogCause.Topic {
    /// What that comes to; nil where the cause is not named.
    func saying(_ cause: LogCause?) -> LogSaying? {
        switch cause {
        case .status(let status): self == .registration ? Self.registration(status) : Self.call(status)
        case .credentials: .credentialsDenied
        case .unresolved: .dnsFailed
        case .refusedConnection: .connectionRefused
        case .unsendable: .unsendable
        case .certificate: .tlsFailed
        case .silence: self == .registration ? .trunkSilent : .callSilent
        case .notRegistered: self == .registration ? nil : .absent
        case nil: nil
        }
    }

    private static func registration(_ status: Int) -> LogSaying {
        switch status {
        case ..<300: .registrationTaken
        case 401, 407: .credentialsDenied
        case 408: .trunkSilent
        // It asks again for longer.
        case 423: .everyday
        default: .trunkRefused
        }
    }

    private static func call(_ status: Int) -> LogSaying {
        switch status {
        case 403: .callForbidden
        case 404, 410, 484, 604: .numberUnknown
        case 408: .callSilent
        case 415, 488, 606: .incompatibleMedia
        // The far end is busy, does not answer or declines, was asked for a password, or somebody gave up.
        case ..<400, 401, 407, 480, 486, 487, 491, 600, 603: .everyday
        default: .callRefused
        }
    }
}

extension Array where Element == UInt8 {
    /// ASCII's letters as small ones.
    var lowercased: [UInt8] { map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 } }
}
