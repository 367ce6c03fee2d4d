import Base

/// What a program says of itself or of a phone in its log, whatever the program: a fact that no message need show.
public enum LogSaying: String, Hashable, Sendable, CaseIterable {
    case wrongPassword, unknownUser
    /// Right credentials over an old nonce, over one that a newer challenge superseded, over one used before.
    case staleNonce, supersededNonce, reusedNonce
    /// A final response was never acknowledged; a request was never answered.
    case noACK, noAnswer
    /// A phone stopped answering; it answers again; it was registered.
    case unreachable, reachable, registered
    case mediaTimeout, incompatibleMedia
    /// A registration at another server was never answered; was refused.
    case trunkSilent, trunkRefused
    case tlsFailed, certificateRefused, dnsFailed
    /// A digest was signed for another URI than arrived.
    case rewritten
    /// One Call-ID came from several ports.
    case portJump
    /// Large requests are lost, small ones are not.
    case fragmentsLost
    /// A transaction's time was over, and its call ended; a call was refused by another server with 403.
    case timerExpired, callForbidden
    /// A request of no call's, such as OPTIONS or NOTIFY, was never answered.
    case asideUnanswered
    /// Another server refused name or password of a registration; asked for some, and none are configured.
    case credentialsDenied, credentialsMissing
    /// A registration failed, and the line does not say why; it is taken now.
    case registrationUnclear, registrationTaken
    /// A call was refused for a fault of the far end; drew no answer at all; went to a number or a phone that is not there.
    case callRefused, callSilent, numberUnknown, absent
    /// A connection was refused; was never answered; nothing could be sent at all.
    case connectionRefused, connectionSilent, unsendable
    /// One end protects media and the other does not.
    case protectionMismatch
    /// A stranger was turned away.
    case guessed
    /// A phone answers late.
    case slow
    /// What goes on every day: a challenge, somebody hung up.
    case everyday
}

/// How a saying is told from other sentences.
struct LogSayingShape {
    /// Where in the line its words stand.
    enum Place {
        /// Behind the time, level and place in the source.
        case opens
        /// The same in a line of any level.
        case tells
        /// Anywhere in a line of this gravity: a word in a chat or in a chatty line of a debugger is none.
        case graveLine
        /// Anywhere in a line with a time: the words are no one else's.
        case dated
        /// Anywhere in a line that has a time or a level and is no debugger's.
        case marked
        /// A line begins with it behind whatever a program writes before, or anywhere: nobody else says so.
        case alone, anywhere
    }

    var saying: LogSaying
    var place: Place
    /// Each of them in its order.
    var words: [StaticString]
    /// What stands behind this names whom it is about, in quotes or up to a blank.
    var subject: StaticString?
    /// Behind this stands where it came from.
    var origin: StaticString?
    /// The words do not tell it all: what stands behind them, a status or a cause, does.
    var topic: LogCause.Topic?
    /// They stand behind the first of the words, not behind the last.
    var isBehindFirst = false

    /// What the line says: nil where it says nothing of these. `part`: behind its time and level.
    static func find(_ part: ArraySlice<UInt8>, _ marks: LogLine) -> LoggedRemark.Meaning? {
        guard part.count <= 1_000 else { return nil }
        // Asterisk's console shows neither time nor level.
        let isConsole = part.starts(with: "-- ")
        let part = isConsole ? part.dropFirst(3).drop { $0 == 0x20 } : part
        for shape in table {
            switch shape.place {
            case .opens:
                guard marks.isGrave || marks.level == nil && (isConsole || marks.time != nil), part.starts(with: shape.words[0])
                else {
                    continue
                }
            case .tells:
                guard isConsole || marks.isMarked, part.starts(with: shape.words[0]) else { continue }
            case .graveLine: guard marks.isGrave else { continue }
            case .dated: guard marks.time != nil, marks.level == nil || marks.isGrave else { continue }
            case .marked: guard marks.isMarked, !marks.isDebug else { continue }
            case .alone: guard !marks.isDebug, part.starts(with: shape.words[0]) else { continue }
            case .anywhere: guard !marks.isDebug else { continue }
            }
            guard let end = shape.end(in: part) else { continue }
            switch shape.place {
            case .alone, .anywhere: if LogComplaint.isTalk(part) { continue }
            case .opens, .tells, .graveLine, .dated, .marked: break
            }
            return shape.meaning(part, end)
        }
        return LogComplaint.find(part, marks)
    }

    private func meaning(_ part: ArraySlice<UInt8>, _ end: Int) -> LoggedRemark.Meaning? {
        let from = origin.flatMap { origin in part.firstIndex(of: origin).map { $0 + origin.utf8CodeUnitCount } }
            .map { Self.place(part[$0...]) }
        guard let topic else { return .says(saying, about: about(part), from: from ?? "") }
        let first = part.firstIndex(of: words[0]).map { $0 + words[0].utf8CodeUnitCount }
        let cause = LogCause(part[(isBehindFirst ? first ?? end : end)...])
        return .says(topic.saying(cause) ?? saying, about: about(part), status: cause?.status)
    }

    /// Behind the last of its words; nil where one is missing.
    private func end(in part: ArraySlice<UInt8>) -> Int? {
        var from = part.startIndex
        for word in words {
            guard let at = part.firstIndex(of: word, from: from) else { return nil }
            from = at + word.utf8CodeUnitCount
        }
        return from
    }

    /// `198.51.100.7` of itself, of `IPV4/UDP/198.51.100.7/5060` and of `198.51.100.7:5060`.
    private static func place(_ b: ArraySlice<UInt8>) -> String {
        let word = b.prefix(80).prefix { $0 > 0x20 && ![0x22, 0x27, 0x29, 0x2c].contains($0) }
        let parts = word.split(separator: 0x2f)
        if parts.count == 4 { return String(decoding: parts[2], as: UTF8.self) }
        return LogFraming.peer(word).peer?.host ?? String(decoding: word, as: UTF8.self)
    }

    private func about(_ part: ArraySlice<UInt8>) -> String {
        let start: Int
        if let subject {
            // Without one the line's first word does.
            let first = subject.utf8CodeUnitCount == 0 ? part.startIndex : part.firstIndex(of: subject)
            guard let at = first else { return "" }
            start = at + subject.utf8CodeUnitCount
        } else if case .dated = place {
            start = part.startIndex
        } else {
            return ""
        }
        var rest = part[start...].prefix(120)
        if let quote = rest.first, quote == 0x27 || quote == 0x22 || quote == 0x5b {
            rest = rest.dropFirst().prefix { $0 != (quote == 0x5b ? 0x5d : quote) }
        } else {
            rest = rest.prefix { $0 > 0x20 && ![0x26, 0x3b, 0x3e].contains($0) }
        }
        if rest.last == 0x3a { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}
