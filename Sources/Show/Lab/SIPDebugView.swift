import Base
import PhoneNode
import RegistrationClient
import SIP
import Secrets
import ServerNode
import ShowText

/// SIP traffic as `sip set debug` shows it, each message followed by one line that says what it means.
public struct SIPDebugView: Sendable {
    public var style: ReportStyle
    /// Stands as `(NAT)` or `(no NAT)` where messages leave: what is configured, not what was found. Nil leaves it out.
    public var natHandling: Bool?
    /// Whether each block begins with the time.
    public var showsTime: Bool
    /// Whether digests, keys, passwords and people's texts are shown; otherwise `(hidden)` stands in their place.
    public var showsSecrets: Bool

    public init(
        _ style: ReportStyle = .plain, natHandling: Bool? = nil, showsTime: Bool = true, showsSecrets: Bool = false
    ) {
        self.showsSecrets = showsSecrets
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
        case .bound, .unbound, .flowDead, .flowRevived, .refused, .dropped, .commitFailed, .storageWorks, .probed, .call:
            return notice(trace.text, at: now)
        case .notice: return notice(trace.text, at: now)
        case .challenged, .keepalive, .restored, .stunAnswered: return nil
        }
    }

    /// The same for a phone.
    public func text(_ trace: PhoneTrace, at now: Instant? = nil) -> String? {
        switch trace {
        case .received(let message):
            received(message.transport, message.remote, message.bytes, meaning: message.meaning.text, at: now)
        case .sent(let message):
            sent(
                message.transport, message.remote, message.bytes, meaning: message.meaning.text,
                isRepeated: Self.isRepeated(message.meaning),
                at: now)
        case .stunObserved, .stunSilent, .stunRefused, .found, .notFound, .decided, .call, .connects, .connectionLost,
            .dropped:
            notice(trace.text, at: now)
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

    private func block(_ lines: [String]) -> String {
        (showsSecrets ? lines : SIPSecrets.hidden(lines)).map { printable($0) + "\n" }.joined()
    }

    private func stamp(_ now: Instant?) -> String {
        guard showsTime, let now else { return "" }
        return style.paint("\(CalendarTime(now))", .dim) + " "
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
