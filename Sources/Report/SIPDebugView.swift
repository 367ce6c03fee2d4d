import Base
import PhoneNode
import SIP
import ServerNode

/// SIP traffic as `sip set debug` shows it, each message followed by one line that says what it means.
public struct SIPDebugView: Sendable {
    public var style: ReportStyle
    /// Stands as `(NAT)` or `(no NAT)` where messages leave: what is configured, not what was found. Nil leaves it out.
    public var natHandling: Bool?
    /// Whether each block begins with the time.
    public var showsTime: Bool

    public init(_ style: ReportStyle = .plain, natHandling: Bool? = nil, showsTime: Bool = true) {
        self.style = style
        self.natHandling = natHandling
        self.showsTime = showsTime
    }

    /// The block, or the log line, for what a server noticed; nil for what is not about SIP messages.
    public func text(_ trace: ServerTrace, at now: Instant? = nil) -> String? {
        switch trace {
        case .received(let flow, let message, let meaning):
            return received(flow.transport, flow.remote, message.bytes, meaning: meaning.text, at: now)
        case .sent(let flow, let message, let meaning):
            return sent(
                flow.transport, flow.remote, message.bytes, meaning: meaning.text, isRepeated: meaning == .retransmission, at: now
            )
        case .authentication(let authentication):
            switch authentication.verdict {
            case .accepted, .absent: return nil
            case .stale, .replayed, .wrongPassword, .mangled: return notice(trace.text, at: now)
            }
        case .bound, .unbound, .flowDead, .flowRevived, .refused, .dropped, .commitFailed, .probed:
            return notice(trace.text, at: now)
        case .notice: return notice(trace.text, at: now)
        case .challenged, .keepalive, .restored, .stunAnswered: return nil
        }
    }

    /// The same for a phone.
    public func text(_ trace: PhoneTrace, at now: Instant? = nil) -> String? {
        switch trace {
        case .received(let message): received(.udp, message.remote, message.bytes, meaning: message.meaning.text, at: now)
        case .sent(let message):
            sent(
                .udp, message.remote, message.bytes, meaning: message.meaning.text, isRepeated: Self.isRepeated(message.meaning),
                at: now)
        case .stunObserved, .stunSilent, .stunRefused, .found, .notFound, .decided, .dropped: notice(trace.text, at: now)
        case .stunAsked, .crlfSent, .lookingUp: nil
        }
    }

    /// A message that came in.
    public func received(
        _ transport: SIPTransport, _ remote: Endpoint, _ bytes: [UInt8], meaning: String, at now: Instant? = nil
    ) -> String {
        let (lines, headers, body) = Self.lines(bytes)
        let isKeepalive = headers == 0 && body == 0
        var text = stamp(now) + style.paint("<--- SIP read from \(transport.viaToken):\(remote) --->", .accent) + "\n"
        text += block(lines)
        text += style.paint("<------------->", .accent) + "\n"
        text += isKeepalive ? "--- (0 headers 0 lines) Nat keepalive ---\n" : "--- (\(headers) headers \(body) lines) ---\n"
        return text + self.meaning(meaning)
    }

    /// A message that went out.
    public func sent(
        _ transport: SIPTransport, _ remote: Endpoint, _ bytes: [UInt8], meaning: String, isRepeated: Bool = false,
        at now: Instant? = nil
    ) -> String {
        let (lines, _, _) = Self.lines(bytes)
        let nat = natHandling.map { $0 ? "(NAT) " : "(no NAT) " } ?? ""
        let isResponse = bytes.starts(with: Array("SIP/".utf8))
        let verb = isRepeated ? "Retransmitting" : "Transmitting"
        var text = stamp(now)
        if isResponse, !isRepeated {
            text += style.paint("<--- \(verb) \(nat)to \(remote) --->", .good) + "\n" + block(lines)
            text += style.paint("<------------>", .good) + "\n"
        } else {
            text += style.paint("\(verb) \(nat)to \(remote):", .good) + "\n" + block(lines) + style.paint("---", .good) + "\n"
        }
        return text + self.meaning(meaning)
    }

    /// A line of the log that is no message.
    public func notice(_ text: String, at now: Instant? = nil) -> String {
        stamp(now) + style.paint("NOTICE: \(printable(text))", .warning) + "\n"
    }

    private func meaning(_ meaning: String) -> String {
        style.paint("\(style.glyph("⇒", "=>")) \(printable(meaning))", .strong) + "\n\n"
    }

    private func block(_ lines: [String]) -> String { lines.map { printable($0) + "\n" }.joined() }

    private func stamp(_ now: Instant?) -> String {
        guard showsTime, let now else { return "" }
        return style.paint("[\(CalendarTime(now))]", .dim) + " "
    }

    /// Lines without their ends, how many header fields come before the empty line, and how many lines after it.
    private static func lines(_ bytes: [UInt8]) -> (lines: [String], headers: Int, body: Int) {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { line -> String in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard let first = lines.firstIndex(where: { !$0.isEmpty }) else { return (lines, 0, 0) }
        let empty = lines[first...].firstIndex(where: \.isEmpty) ?? lines.count
        return (lines, empty - first - 1, max(0, lines.count - empty - 1))
    }

    private static func isRepeated(_ meaning: SIPMeaning) -> Bool { if case .retransmits = meaning { true } else { false } }
}

/// An instant as people write it: date and time of day in UTC, milliseconds.
public struct CalendarTime: Hashable, Sendable, CustomStringConvertible {
    public let year: Int64
    public let month: Int64
    public let day: Int64
    /// Of the day, in milliseconds.
    public let milliseconds: Int64

    public init(_ instant: Instant) {
        let seconds = instant.unixSeconds
        var days = seconds / 86_400
        if seconds % 86_400 < 0 { days -= 1 }
        milliseconds = (seconds - days * 86_400) * 1000 + (instant.nanoseconds - seconds * 1_000_000_000) / 1_000_000
        // Days since 0000-03-01 in eras of 400 years: leap days then come last in each year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `2007-07-11 08:01:48.000`.
    public var description: String {
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return
            "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2)) \(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2))"
            + ":\(digits(seconds % 60, 2)).\(digits(milliseconds % 1000, 3))"
    }
}
