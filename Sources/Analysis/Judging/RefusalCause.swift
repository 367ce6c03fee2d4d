import Base
import Capture

/// What a call's refusal tells beyond its number: what has to change, and where.
struct RefusalCause: Sendable {
    /// When the refusal is a fault rather than an outcome.
    enum Proof: Sendable {
        /// At once.
        case itself
        /// When calls under one key were refused so often, and none under the other was taken.
        case never(refused: UInt64, accepted: UInt64, least: Int)
        /// Unless who refuses took more than twice as many calls.
        case mostly(UInt64)
    }

    var proof: Proof
    var summary: String
    var details: [String]
    var culprit: Culprit
    var remedies: [Remedy]
}

/// How calls that have something in common end.
struct CallEnds: Sendable {
    var accepted = 0
    var refused = 0
}

extension Judge {
    static let mostCallEnds = 1 << 18

    /// Nil where the status says all there is.
    mutating func cause(_ status: Int, _ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        switch status {
        case 302: turnedInCircle(step, c, table)
        case 400: malformed(step, c, table)
        case 403: fromAnother(step, c, table) ?? notAllowed(status, step, c, table)
        case 428, 436, 437, 438: notAllowed(status, step, c, table)
        case 404: unknownToItself(step, c, table) ?? unknownNumbers(step, c, table)
        case 420: unknownExtension(step, c, table)
        case 422: shortInterval(step, c, table)
        case 482, 483: circle(status, step, c, table)
        case 500..<600: unheardPRACK(step, c, table)
        default: nil
        }
    }

    // MARK: Counting

    /// Counts how a call ended, for what only several show together.
    mutating func noteEnd(_ c: DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .call else { return }
        // Who rings lets its caller in.
        if let ring = c.steps.first(where: { !$0.isRequest && $0.method == .invite && (180..<300).contains($0.status) }) {
            count(ends(ring, c, table)) { $0.accepted += 1 }
        }
        guard c.dialog.progress.contains(.answered),
            let accept = c.steps.first(where: { !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300 })
        else { return }
        noteTalk(accept, c, table)
        count(pair(c)) { $0.accepted += 1 }
        count(end(table.endpoints[accept.record.source], c)) { $0.accepted += 1 }
        count(way(accept, c, table)) { $0.accepted += 1 }
        count(caller(at: table.endpoints[accept.record.source], c)) { $0.accepted += 1 }
    }

    mutating func count(_ key: UInt64, _ change: (inout CallEnds) -> Void) {
        guard callEnds.count < Self.mostCallEnds || callEnds[key] != nil else { return }
        change(&callEnds[key, default: CallEnds()])
    }

    /// Who calls whom, at one vantage.
    private func pair(_ c: DialogCase) -> UInt64 {
        hash(c.dialog.from) &* 31 ^ hash(c.dialog.to) ^ UInt64(c.dialog.vantage.index) << 48
    }

    /// Who takes or refuses, at one vantage.
    func end(_ endpoint: PackedEndpoint, _ c: DialogCase) -> UInt64 {
        (endpoint.address.low &* 0x9e37_79b9_7f4a_7c15 ^ endpoint.address.high) &+ UInt64(endpoint.port) << 16
            ^ UInt64(c.dialog.vantage.index)
    }

    /// Which of its callers one takes or refuses.
    func way(_ answer: Step, _ c: DialogCase, _ table: SignallingTable) -> UInt64 {
        end(table.endpoints[answer.record.source], c) &* 31 ^ hash(c.dialog.from)
            ^ table.endpoints[answer.record.destination].address.low << 1
    }

    /// Who calls through a server, from wherever.
    func caller(at server: PackedEndpoint, _ c: DialogCase) -> UInt64 {
        (hash(c.dialog.from) ^ UInt64(c.dialog.vantage.index) << 48) &* 0x9e37_79b9_7f4a_7c15 ^ server.address.low
            ^ server.address.high
    }

    /// A server's own trouble: told as a fault unless it took most calls.
    mutating func trouble(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause.Proof {
        let key = end(table.endpoints[step.record.source], c)
        count(key) { $0.refused += 1 }
        return .mostly(key)
    }

    /// A refusal that its hearer could have mended by asking again, and did not: once it had the time, else when it repeats.
    private mutating func unmended(_ step: Step, _ c: DialogCase) -> RefusalCause.Proof {
        let key = pair(c) ^ UInt64(step.record.status)
        count(key) { $0.refused += 1 }
        return .never(refused: key, accepted: pair(c), least: c.silence(after: step) > Self.patience ? 1 : 2)
    }

    /// Whether what a proof asks for was seen.
    func isProved(_ proof: RefusalCause.Proof) -> Bool {
        switch proof {
        case .itself: return true
        case .never(let refused, let accepted, let least):
            return callEnds[accepted]?.accepted ?? 0 == 0 && callEnds[refused]?.refused ?? 0 >= least
        case .mostly(let key):
            return callEnds[key]?.accepted ?? 0 <= 2 * (callEnds[key]?.refused ?? 0)
        }
    }

    // MARK: What the answers say

    /// Status and phrase as its sender wrote them.
    static func words(_ step: Step, _ table: SignallingTable) -> String {
        let bytes = Self.bytes(step, table) ?? []
        let line =
            bytes.isEmpty
            ? "\(step.status) \(MessageExcerpt.reason(of: step.record.status))" : MessageExcerpt.firstLine(bytes)
        return line.hasPrefix("SIP/2.0 ") ? String(line.dropFirst(8)) : line
    }

    private func said(_ name: String, _ step: Step?, _ table: SignallingTable) -> String? {
        step.flatMap { Self.bytes($0, table) }.flatMap { MessageExcerpt.value(of: name, in: $0) }
    }

    static func invite(before answer: Step, _ c: DialogCase) -> Step? {
        c.steps.last { $0.isRequest && $0.method == .invite && c.isAnswer(answer, to: $0) }
    }

    private static func call(_ c: DialogCase) -> String {
        "The call of \(c.aor) to \(String(decoding: c.dialog.to, as: UTF8.self))"
    }

    private mutating func shortInterval(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause {
        let sender = Self.name(table.endpoints[step.record.source])
        let request = Self.invite(before: step, c)
        let least = said("Min-SE", step, table)
        return RefusalCause(
            proof: unmended(step, c),
            summary: "\(Self.call(c)) failed: \(sender) wants a longer session interval, and the caller does not ask for one "
                + "(422 Session Interval Too Small).",
            details: [
                "The INVITE says Session-Expires \(said("Session-Expires", request, table) ?? "nothing"), the answer Min-SE \(least ?? "nothing").",
                "Who hears 422 asks again with at least that interval (RFC 4028 7.3).",
            ], culprit: .proved(Self.name(c.client(step, table))),
            remedies: [
                Remedy(
                    .phone,
                    "Set the phone's session timer to \(least ?? "what the answer asks for") seconds or more, or switch session timers off."
                ),
                Remedy(
                    .server, "Or lower the shortest session interval at \(sender).",
                    commands: ["Asterisk pjsip: timers_min_se=90", "FreeSWITCH: minimum-session-expires"]),
            ])
    }

    private mutating func unknownExtension(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause {
        let sender = Self.name(table.endpoints[step.record.source])
        let what = said("Unsupported", step, table) ?? said("Require", Self.invite(before: step, c), table) ?? "an extension"
        return RefusalCause(
            proof: unmended(step, c),
            summary: "\(Self.call(c)) failed: the caller requires \(what), which \(sender) does not support (420 Bad Extension).",
            details: ["What is only supported and not required is left out by who does not know it (RFC 3261 8.1.1.9)."],
            culprit: .between(Self.name(c.client(step, table)), sender),
            remedies: [
                Remedy(.phone, "Set \(what) to supported or off in the phone instead of required."),
                Remedy(.server, "Or switch \(what) on at \(sender).", commands: ["Asterisk pjsip: 100rel=yes"]),
            ])
    }

    private mutating func malformed(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause {
        let sender = Self.name(table.endpoints[step.record.source])
        let client = Self.name(c.client(step, table))
        let key = pair(c) ^ 400
        count(key) { $0.refused += 1 }
        let lacksContact =
            Self.invite(before: step, c).map { $0.contact.kind == .none && !$0.flags.contains(.truncated) } ?? false
        // Its length is right here and not where it arrived: something between counted anew, or did not.
        let isChanged =
            Self.words(step, table).lowercased().contains("content-length")
            && Self.invite(before: step, c).map { $0.flags.isDisjoint(with: [.bodyShort, .bodyLong, .truncated]) } ?? false
        return RefusalCause(
            proof: .never(refused: key, accepted: pair(c), least: 2),
            summary:
                "\(Self.call(c)) failed each time: \(sender) finds the INVITE malformed and answered \(Self.words(step, table)).",
            details: (isChanged ? ["In this capture its Content-Length is right: it was changed behind this place."] : [])
                + (lacksContact ? ["The INVITE has no Contact, and every INVITE needs one (RFC 3261 8.1.1.8)."] : []) + [
                    "The answer names what it stumbled over; the other end never saw the call."
                ], culprit: .between(client, sender),
            remedies: (isChanged ? [.disableALG] : []) + [
                Remedy(.phone, "Look at the INVITE of \(client) for what the answer names, and renew the phone's firmware."),
                Remedy(.router, "If the phone sends it well-formed, something on the way changes it: capture at the phone too."),
            ])
    }

    /// Whatever one caller asks of it, it refuses: the caller's number, identity or address is not let in.
    private mutating func notAllowed(_ status: Int, _ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause {
        let (sender, client) = (Self.name(table.endpoints[step.record.source]), Self.name(c.client(step, table)))
        let key = way(step, c, table) ^ UInt64(status) << 40
        count(key) { $0.refused += 1 }
        return RefusalCause(
            proof: .never(refused: key, accepted: way(step, c, table), least: 3),
            summary: "\(Self.call(c)) failed, and each other of that caller: \(sender) answered \(Self.words(step, table)).",
            details: [
                "\(sender) took no call of \(c.aor) from \(client) in this capture: it is the caller that is refused, not the number."
            ], culprit: .between(client, sender),
            remedies: [
                status == 403
                    ? Remedy(
                        .server,
                        "Let \(client) show a number that \(sender) allows it (From, P-Asserted-Identity), and ask who runs \(sender) whether that address and account may call."
                    )
                    : Remedy(
                        .server,
                        "Look at the Identity header (RFC 8224): its signature, certificate and clock at \(client); or let \(sender) take calls without a valid one."
                    )
            ])
    }

    /// Who takes registrations calls one that registered with it, and that one knows the number not: no user mistyped it.
    private mutating func unknownToItself(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let (callee, caller) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        guard !step.flags.contains(.fromClient), table.flows.number(callee, caller, c.dialog.vantage) >= 0 else { return nil }
        let key = end(callee, c)
        count(key) { $0.refused += 1 }
        let number = Self.invite(before: step, c).flatMap { Self.bytes($0, table) }.map(MessageExcerpt.requestUser) ?? ""
        let (called, calling) = (Self.name(callee), Self.name(caller))
        return RefusalCause(
            proof: .never(refused: key, accepted: key, least: 2),
            summary:
                "\(Self.call(c)) does not get in: \(called), which registered with \(calling), answered \(Self.words(step, table))\(number.isEmpty ? "" : " to \(number)").",
            details: [
                "\(calling) reaches \(called), which does not know the number that the Request-URI names.",
                "No call that \(called) took is in the capture.",
            ], culprit: .between(calling, called),
            remedies: [
                Remedy(
                    .server,
                    "If \(calling) is a provider: give \(called) an inbound route for the number as the provider writes it (DID)."
                ),
                Remedy(
                    .server, "If \(called) is a phone: let \(calling) call the user that the phone's Contact names.",
                    commands: ["Asterisk pjsip: Dial(${PJSIP_DIAL_CONTACTS(201)})"]),
            ])
    }

    private mutating func circle(_ status: Int, _ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let sender = Self.name(table.endpoints[step.record.source])
        guard let opening = c.steps.first(where: { $0.isRequest && $0.method == .invite }) else { return nil }
        // Who asks with few hops left wants to know the way.
        let allowed = said("Max-Forwards", opening, table).flatMap { Int($0) } ?? 70
        guard status == 482 || allowed >= 20 else { return nil }
        var ways: [PackedFlow: Int] = [:]
        for request in c.steps where request.isRequest && request.method == .invite && request.isFirst {
            let (source, destination) = (table.endpoints[request.record.source], table.endpoints[request.record.destination])
            ways[
                PackedFlow(
                    source: source.address, source.port, destination: destination.address, destination.port,
                    request.isOverStream ? .tcp : .udp), default: 0] += 1
        }
        let back = ways.filter { way in way.value > 1 && ways[way.key.reversed] ?? 0 > 1 }.max {
            ($0.value, $1.key.source.low) < ($1.value, $0.key.source.low)
        }
        let both = back.map { ("\($0.key.source)", "\($0.key.destination)") }
        return RefusalCause(
            proof: .itself,
            summary:
                "\(Self.call(c)) goes in a circle\(status == 483 ? " until its hops are used up" : ""): \(sender) answered \(Self.words(step, table)).",
            details: (both.map {
                ["\($0.0) and \($0.1) send the INVITE to one another, \(back?.value ?? 0) times each way in this capture."]
            } ?? ["The circle itself lies behind \(sender), out of the capture's sight."]) + [
                status == 483
                    ? "Each hop lowers Max-Forwards by one, and at 0 the call is refused (RFC 3261 16.3)."
                    : "The request came back to a hop that it had passed before (RFC 3261 16.3)."
            ], culprit: both.map { .between($0.0, $0.1) } ?? .unknown,
            remedies: [
                Remedy(
                    .server,
                    both.map {
                        "Let \($0.0) or \($0.1) end the circle: one sends the number back to where it came from. Look at the routes of both."
                    } ?? "Look at the routes for that number at \(sender) and at whom it passes calls to: one sends it back.")
            ])
    }

    private mutating func turnedInCircle(_ step: Step, _ c: DialogCase, _ table: SignallingTable) -> RefusalCause? {
        let turned = c.steps.filter { !$0.isRequest && $0.method == .invite && $0.status == 302 && $0.isFirst }
        guard turned.count >= 3 else { return nil }
        let targets = turned.compactMap { Self.invite(before: $0, c) }.compactMap { Self.bytes($0, table) }.map(
            MessageExcerpt.requestUser)
        let different = targets.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        guard targets.count >= 3, different.count < targets.count else { return nil }
        let sender = Self.name(table.endpoints[step.record.source])
        return RefusalCause(
            proof: .itself,
            summary:
                "\(Self.call(c)) is turned in a circle: \(sender) answered 302 Moved Temporarily \(turned.count) times, back to numbers that were tried before.",
            details: ["In this order: \(targets.prefix(8).joined(separator: ", "))."], culprit: .proved(sender),
            remedies: [
                Remedy(
                    .server,
                    "Take back one of the diversions (call forwarding) of \(different.prefix(4).joined(separator: " and ")).")
            ])
    }
}
