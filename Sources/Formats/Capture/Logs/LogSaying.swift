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
    }

    var saying: LogSaying
    var place: Place
    /// Each of them in its order.
    var words: [StaticString]
    /// What stands behind this names whom it is about, in quotes or up to a blank.
    var subject: StaticString?

    private static let table: [LogSayingShape] = [
        // Asterisk.
        LogSayingShape(saying: .registered, place: .tells, words: ["Registered SIP '"], subject: "Registered SIP "),
        LogSayingShape(saying: .registered, place: .tells, words: ["Added contact '", "to AOR '"], subject: "to AOR "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Hanging up call ", "no reply to our critical packet"], subject: "call "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Retransmission timeout reached on transmission ", "(Critical Response)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .noACK, place: .opens, words: ["Maximum retries exceeded on transmission ", "(Critical Response)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .noAnswer, place: .opens, words: ["Retransmission timeout reached on transmission ", "(Critical Request)"],
            subject: "on transmission "
        ),
        LogSayingShape(
            saying: .noAnswer, place: .opens, words: ["Maximum retries exceeded on transmission ", "(Critical Request)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .asideUnanswered, place: .opens,
            words: ["Retransmission timeout reached on transmission ", "(Non-critical Request)"],
            subject: "on transmission "
        ),
        LogSayingShape(
            saying: .asideUnanswered, place: .opens,
            words: ["Maximum retries exceeded on transmission ", "(Non-critical Request)"],
            subject: "on transmission "),
        LogSayingShape(
            saying: .mediaTimeout, place: .opens, words: ["Disconnecting call '", "for lack of RTP activity"],
            subject: "Disconnecting call "),
        LogSayingShape(
            saying: .mediaTimeout, place: .opens, words: ["Disconnecting channel '", "for lack of ", "RTP activity"],
            subject: "Disconnecting channel "),
        LogSayingShape(
            saying: .trunkSilent, place: .opens, words: ["-- Registration for '", "' timed out, trying again"],
            subject: "Registration for "),
        LogSayingShape(
            saying: .trunkSilent, place: .opens, words: ["No response received from '", "' on registration attempt to '"],
            subject: "attempt to "),
        LogSayingShape(
            saying: .trunkRefused, place: .opens, words: ["Forbidden - wrong password on authentication for REGISTER for '"],
            subject: "REGISTER for "),
        LogSayingShape(
            saying: .trunkRefused, place: .opens,
            words: ["Fatal response '", "' received from '", "' on registration attempt to '"],
            subject: "attempt to "),
        LogSayingShape(
            saying: .trunkRefused, place: .opens,
            words: ["Temporal response '", "' received from '", "' on registration attempt to '"], subject: "attempt to "),
        LogSayingShape(saying: .unreachable, place: .opens, words: ["Peer '", "is now UNREACHABLE"], subject: "Peer "),
        LogSayingShape(saying: .reachable, place: .opens, words: ["Peer '", "is now Reachable"], subject: "Peer "),
        LogSayingShape(saying: .unreachable, place: .tells, words: ["Contact ", " is now Unreachable"], subject: "Contact "),
        LogSayingShape(saying: .reachable, place: .tells, words: ["Contact ", " is now Reachable"], subject: "Contact "),
        LogSayingShape(saying: .unreachable, place: .tells, words: ["Endpoint ", " is now Unreachable"], subject: "Endpoint "),
        LogSayingShape(saying: .reachable, place: .tells, words: ["Endpoint ", " is now Reachable"], subject: "Endpoint "),
        LogSayingShape(
            saying: .callForbidden, place: .opens, words: ["Received response: \"Forbidden\" from '"], subject: "<sip:"),
        LogSayingShape(saying: .incompatibleMedia, place: .opens, words: ["No compatible codecs, not accepting this offer!"]),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: [": Couldn't negotiate stream "]),
        // FreeSWITCH.
        LogSayingShape(saying: .wrongPassword, place: .opens, words: ["SIP auth failure"], subject: "for "),
        LogSayingShape(saying: .mediaTimeout, place: .graveLine, words: ["[MEDIA_TIMEOUT]"], subject: "Hangup "),
        LogSayingShape(saying: .incompatibleMedia, place: .graveLine, words: ["[INCOMPATIBLE_DESTINATION]"], subject: "Hangup "),
        LogSayingShape(
            saying: .trunkSilent, place: .graveLine, words: ["Failed Registration with status Request Timeout [408]"]),
        LogSayingShape(saying: .trunkRefused, place: .graveLine, words: ["Failed Registration with status "]),
        LogSayingShape(saying: .trunkSilent, place: .graveLine, words: [" Failed Registration [408]"], subject: ""),
        LogSayingShape(
            saying: .trunkRefused, place: .graveLine, words: [" Failed Registration [", "], setting retry"], subject: ""),
        LogSayingShape(saying: .timerExpired, place: .graveLine, words: ["[RECOVERY_ON_TIMER_EXPIRE]"], subject: "Hangup "),
        // FRITZ!Box.
        LogSayingShape(
            saying: .dnsFailed, place: .dated,
            words: ["Anmeldung der Internetrufnummer ", " war nicht erfolgreich. Ursache: DNS-Fehler"],
            subject: "Internetrufnummer "),
        LogSayingShape(
            saying: .trunkSilent, place: .dated,
            words: ["Anmeldung der Internetrufnummer ", " war nicht erfolgreich. Ursache: Gegenstelle antwortet nicht"],
            subject: "Internetrufnummer "),
        LogSayingShape(
            saying: .trunkRefused, place: .dated,
            words: ["Anmeldung der Internetrufnummer ", " war nicht erfolgreich. Ursache: Gegenstelle meldet "],
            subject: "Internetrufnummer "),
        // pjsip.
        LogSayingShape(saying: .wrongPassword, place: .dated, words: ["(PJSIP_EFAILEDCREDENTIAL)"]),
        // OpenSSL within any of them.
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["certificate verify failed"]),
        LogSayingShape(saying: .certificateRefused, place: .graveLine, words: ["alert unknown ca"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["handshake failure"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["TLS handshake failed"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["SSL_accept failed"]),
        LogSayingShape(saying: .tlsFailed, place: .graveLine, words: ["no shared cipher"]),
        // Resolvers.
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Unable to resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["could not resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .graveLine, words: ["Could not resolve"]),
        LogSayingShape(saying: .dnsFailed, place: .dated, words: ["(PJLIB_UTIL_EDNS"]),
        // pinhole serve.
        LogSayingShape(
            saying: .supersededNonce, place: .dated,
            words: [": answers challenge ", "; right password, but ", "only the newest counts: stale"]),
        LogSayingShape(saying: .staleNonce, place: .dated, words: ["; right password, but the nonce ", ": stale"]),
        LogSayingShape(saying: .staleNonce, place: .dated, words: [": right password, but the nonce ", ": stale"]),
        LogSayingShape(
            saying: .reusedNonce, place: .dated, words: ["right password, but count ", " of this nonce was used before: stale"]),
        LogSayingShape(saying: .wrongPassword, place: .dated, words: [" at ", ": ", "wrong password (nonce "]),
        LogSayingShape(
            saying: .unknownUser, place: .dated, words: [" at ", ": ", "unknown user, answered like a wrong password"]),
        LogSayingShape(saying: .rewritten, place: .dated, words: ["right password, signed for ", ": rewritten on the way"]),
        LogSayingShape(saying: .portJump, place: .dated, words: ["Call-ID ", " came from ", ", then "], subject: "Call-ID "),
        LogSayingShape(
            saying: .unreachable, place: .dated,
            words: [" cannot be reached any more: ", " OPTIONS in a row over ", " went unanswered"]),
        LogSayingShape(saying: .reachable, place: .dated, words: [" answers again over "]),
        LogSayingShape(
            saying: .fragmentsLost, place: .dated,
            words: ["an INVITE of ", " drew no answer, though ", "the way drops fragments"]),
    ]

    /// What the line says: nil where it says nothing of these. `part`: behind its time and level.
    static func find(_ part: ArraySlice<UInt8>, _ marks: LogLine) -> (LogSaying, about: String)? {
        guard part.count <= 1_000 else { return nil }
        for shape in table {
            switch shape.place {
            case .opens:
                guard marks.isGrave || marks.level == nil && marks.time != nil, part.starts(with: shape.words[0]) else {
                    continue
                }
            case .tells:
                guard marks.level != nil || marks.time != nil, part.starts(with: shape.words[0]) else { continue }
            case .graveLine: guard marks.isGrave else { continue }
            case .dated: guard marks.time != nil, marks.level == nil || marks.isGrave else { continue }
            }
            guard shape.fits(part) else { continue }
            return (shape.saying, shape.about(part))
        }
        return nil
    }

    private func fits(_ part: ArraySlice<UInt8>) -> Bool {
        var from = part.startIndex
        for word in words {
            guard let at = part.firstIndex(of: word, from: from) else { return false }
            from = at + word.utf8CodeUnitCount
        }
        return true
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
            rest = rest.prefix { $0 > 0x20 && $0 != 0x3e }
        }
        return String(decoding: rest, as: UTF8.self)
    }
}
