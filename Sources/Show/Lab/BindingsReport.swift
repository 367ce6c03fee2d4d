import Base
import ServerNode
import ShowText

/// What is registered, as a person who looks after phones wants it: by public address, and which of them can be reached.
public struct BindingsReport: Sendable {
    /// An account whose password somebody guesses at.
    public struct Guess: Hashable, Sendable {
        public var last: Instant
        /// From where, then.
        public var address: String

        public init(last: Instant, address: String) {
            self.last = last
            self.address = address
        }
    }

    public var bindings: [StoredBinding]
    /// By user name.
    public var guesses: [String: Guess]

    public init(_ bindings: [StoredBinding], guesses: [String: Guess] = [:]) {
        self.bindings = bindings
        self.guesses = guesses
    }

    /// At most 80 columns wide; ends in a line feed.
    public func text(_ style: ReportStyle = .plain, at now: Instant) -> String {
        let width = min(style.width, 80)
        var text = ""
        for (address, group) in groups {
            text += style.paint(address, .strong) + "\n"
            for stored in group {
                let binding = stored.binding
                let name = printable(stored.aor.description)
                let state = Self.state(binding, at: now)
                let lines = wrapped("\(name): \(state.text)", to: width - 4)
                for (index, line) in lines.enumerated() {
                    text += (index == 0 ? "  " : "    ") + style.paint(line, state.tone) + "\n"
                }
                for line in details(stored, at: now) {
                    for piece in wrapped(printable(line), to: width - 4) { text += "    " + style.paint(piece, .dim) + "\n" }
                }
            }
        }
        if bindings.contains(where: { $0.binding.answered != nil }) {
            let note = "Answers to keepalives are stored every five minutes or so: these phones may have been heard later."
            for line in wrapped(note, to: width) { text += style.paint(line, .dim) + "\n" }
        }
        return text
    }

    public func json(at now: Instant) -> JSONValue {
        .object([("bindings", .array(bindings.map { json($0, at: now) }))])
    }

    /// By the address the phones come from; those of one NAT stand together.
    private var groups: [(String, [StoredBinding])] {
        Dictionary(grouping: bindings) { "\($0.binding.flow.remote.address)" }
            .map { ($0.key, $0.value.sorted { $0.aor.description < $1.aor.description }) }.sorted { $0.0 < $1.0 }
    }

    private static func state(_ binding: Binding, at now: Instant) -> (text: String, tone: ReportTone) {
        switch binding.reach {
        case .reachable: ("reachable; \(heard(binding, at: now))", .good)
        case .flowDead(let since):
            ("not reachable for \(ago(since, now)), it answers no keepalive; \(heard(binding, at: now))", .bad)
        case .connectionLost(let since) where binding.opensTo != nil:
            ("reachable by a new connection, the last one ended \(ago(since, now)) ago; \(heard(binding, at: now))", .warning)
        case .connectionLost(let since):
            (
                "not reachable until it comes back, its connection ended \(ago(since, now)) ago; \(heard(binding, at: now))", .bad
            )
        }
    }

    private static func heard(_ binding: Binding, at now: Instant) -> String {
        let (time, means) = lastHeard(binding)
        return "heard \(ago(time, now)) ago (\(means == "keepalive" ? "keepalive answered" : means))"
    }

    private static func lastHeard(_ binding: Binding) -> (Instant, by: String) {
        guard let answered = binding.answered, answered > binding.updated else { return (binding.updated, "REGISTER") }
        return (answered, "keepalive")
    }

    private func details(_ stored: StoredBinding, at now: Instant) -> [String] {
        let binding = stored.binding
        var lines = [
            "\(string(binding.contact)) over \(binding.flow.transport.viaToken) from port \(binding.flow.remote.port) "
                + "to \(binding.flow.local), expires in \(Self.ago(now, binding.expires))"
        ]
        if !binding.userAgent.isEmpty { lines.append(string(binding.userAgent)) }
        if !binding.verdict.text.isEmpty { lines.append(binding.verdict.text) }
        if let guess = guesses[stored.aor.user] {
            lines.append("its password was guessed at \(Self.ago(guess.last, now)) ago, from \(guess.address)")
        }
        return lines
    }

    /// From one instant to a later one, in one unit.
    private static func ago(_ start: Instant, _ end: Instant) -> String {
        let seconds = max(0, (end - start).wholeSeconds)
        switch seconds {
        case 0..<90: return "\(seconds) s"
        case 90..<5_400: return "\(seconds / 60) min"
        case 5_400..<172_800: return "\(seconds / 3_600) h"
        default: return "\(seconds / 86_400) days"
        }
    }

    private func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private func json(_ stored: StoredBinding, at now: Instant) -> JSONValue {
        let binding = stored.binding
        let (heard, means) = Self.lastHeard(binding)
        let (isReachable, since): (Bool, Instant?) =
            switch binding.reach {
            case .reachable: (true, nil)
            case .flowDead(let since): (false, since)
            case .connectionLost(let since): (binding.opensTo != nil, since)
            }
        return .object([
            ("aor", .string(stored.aor.description)), ("contact", .string(string(binding.contact))),
            ("transport", .string(binding.flow.transport.viaToken)), ("remote", .string("\(binding.flow.remote)")),
            ("local", .string("\(binding.flow.local)")), ("expiresIn", .integer(Int((binding.expires - now).wholeSeconds))),
            ("callID", .string(string(binding.callID))), ("cseq", .integer(Int(binding.cseq))),
            ("q", .number(Double(binding.q) / 1000)),
            ("instance", .string(string(binding.instance))), ("regID", .integer(Int(binding.regID))),
            ("path", .string(string(binding.path))), ("userAgent", .string(string(binding.userAgent))),
            ("reachable", .bool(isReachable)),
            ("unreachableSince", since.map { .string("\(CalendarTime($0))") } ?? .null),
            ("lastHeard", .string("\(CalendarTime(heard))")), ("heardBy", .string(means)),
            ("state", .string(Self.state(binding, at: now).text)), ("way", .string(binding.verdict.text)),
            (
                "passwordGuessedAt",
                guesses[stored.aor.user].map { .string("\(CalendarTime($0.last))") } ?? .null
            ),
        ])
    }
}
