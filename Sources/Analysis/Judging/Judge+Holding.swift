import Base
import Capture

/// An offer and its answer (RFC 3264), as indices into a dialog's steps.
struct Exchange: Sendable {
    var offer: Int
    var answer: Int
}

extension Judge {
    /// Silence that a resume in two steps, as a third party's control makes it, never lasts.
    static let longestResume: Int64 = 5 * second
    private static let fields = ["CSeq", "c", "m", "a"]

    /// Offers that were answered in a 2xx or an ACK, in order.
    func exchanges(_ c: DialogCase) -> [Exchange] {
        c.steps.indices.compactMap { index in
            let step = c.steps[index]
            guard step.sdp >= 0, step.isFirst, isAnswerCarrier(step), step.isRequest || step.status >= 200,
                let offer = offer(for: index, c)
            else { return nil }
            return Exchange(offer: offer, answer: index)
        }
    }

    /// A call that stays on hold although who held it takes it up again: the other end, which holds nothing, answers with less than
    /// `sendrecv`, and leaves it at that.
    mutating func stuckOnHold(_ c: inout DialogCase, _ table: SignallingTable) {
        guard c.steps.lazy.filter({ $0.sdp >= 0 && $0.isFirst }).count > 3 else { return }
        let all = exchanges(c)
        struct Leg {
            var wasUp = false
            /// Who holds: the client, the server.
            var holds = [false, false]
        }
        var legs: [UInt8: Leg] = [:]
        for (number, exchange) in all.enumerated() {
            let (asked, answer) = (c.steps[exchange.offer], c.steps[exchange.answer])
            guard let offered = table.description(asked), let answered = table.description(answer), offered.isAudio,
                answered.isAudio, offered.port != 0, answered.port != 0
            else { continue }
            var leg = legs[asked.leg] ?? Leg()
            defer { legs[asked.leg] = leg }
            let offerer = asked.flags.contains(.fromClient) ? 0 : 1
            if offered.isBothWays, answered.isBothWays {
                leg = Leg(wasUp: true)
                continue
            }
            if offered.isBothWays, leg.wasUp, leg.holds[offerer], !leg.holds[1 - offerer] {
                let next = all[(number + 1)...].first { other in
                    c.steps[other.offer].leg == asked.leg && table.description(c.steps[other.offer])?.isBothWays == true
                        && table.description(c.steps[other.answer])?.isBothWays == true
                }
                let bye = c.steps.first { $0.isRequest && $0.method == .bye }
                let end = next.map { c.steps[$0.answer] } ?? bye
                let silent = end.flatMap { c.gap(answer, $0) } ?? c.silence(after: answer)
                if silent > Self.longestResume {
                    tellStuck(exchange, answered, silent, isMended: next != nil, &c, table)
                    return
                }
            }
            leg.holds[offerer] = !offered.isBothWays
        }
    }

    private mutating func tellStuck(
        _ exchange: Exchange, _ answered: SDPFacts, _ silent: Int64, isMended: Bool, _ c: inout DialogCase,
        _ table: SignallingTable
    ) {
        let (asked, answer) = (c.steps[exchange.offer], c.steps[exchange.answer])
        let isOneWay = answered.direction == .send || answered.direction == .receive
        let name: FindingName = isOneWay ? .mediaOneWay : .mediaNone
        let condition = Draft.Condition.silentStretch(
            dialog: c.number, speakerIsCaller: answer.flags.contains(.fromClient), from: answer.nanoseconds,
            to: answer.nanoseconds == MessageRecord.unknownTime ? answer.nanoseconds : answer.nanoseconds + silent,
            isProof: answered.direction != .send)
        draft(condition, name, .fault, variant: 31, c.server(answer, table), &c) { c in
            let resumer = Self.name(table.endpoints[asked.record.source])
            let holder = Self.name(table.endpoints[answer.record.source])
            let words =
                switch answered.direction {
                case .both: "the address 0.0.0.0"
                case .send: "sendonly"
                case .receive: "recvonly"
                case .none: "inactive"
                }
            let what =
                switch answered.direction {
                case .send: "\(resumer) is not heard"
                case .receive: "\(resumer) hears nothing"
                case .both, .none: "neither end is heard"
                }
            return Finding(
                name, .fault,
                "The call stays on hold: \(resumer) takes it up again (sendrecv), and \(holder) answers \(words), so \(what) for "
                    + "\(spoken(silent))\(isMended ? "." : ", up to the end.")",
                details: [
                    "\(holder) held nothing itself in these messages; who is asked to resume answers sendrecv (RFC 3264 8.4)."
                ],
                evidence: [
                    Self.evidence(asked, table, Self.fields, "takes the call off hold"),
                    Self.evidence(answer, table, Self.fields, "keeps it there"),
                ], culprit: .proved(holder), confidence: .likely,
                remedies: [
                    Remedy(
                        answer.flags.contains(.fromClient) ? .phone : .server,
                        "Find out why \(holder) answers a resume so: a hold state that it keeps, or the other leg of the call that was not "
                            + "taken off hold. Update its software if neither is set."),
                    Remedy(
                        .capture,
                        "If \(holder) joins two calls, capture its other leg: what comes from there may be what it passes on."),
                ], subject: Self.subject(c, answer, table))
        }
    }

    /// Since when one end or both hold the call that ends with a BYE; nil where nobody does.
    func holdAtEnd(_ bye: Step, _ c: DialogCase, _ table: SignallingTable) -> Step? {
        var since: Step?
        for exchange in exchanges(c) where c.steps[exchange.offer].leg == bye.leg {
            guard let offered = table.description(c.steps[exchange.offer]),
                let answered = table.description(c.steps[exchange.answer])
            else { continue }
            if offered.isBothWays && answered.isBothWays { since = nil } else if since == nil { since = c.steps[exchange.answer] }
        }
        return since
    }

    /// sip.timer-drop: a held call, in which no audio has to flow, ended by a timer that waits for audio, as its BYE says.
    mutating func droppedOnHold(
        _ bye: Step, since held: Step, _ reason: String, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let sender = table.endpoints[bye.record.source]
        report(.sipTimerDrop, .fault, variant: 32, sender, &c) { c in
            let after = c.gap(held, bye).map { "\(spoken($0)) after" } ?? "after"
            return Finding(
                .sipTimerDrop, .fault,
                "A timer ended a call on hold, nobody hung up: \(Self.name(sender)) sent BYE \(after) it was put on hold, for want of audio, "
                    + "as it says itself: \(reason).",
                details: ["On hold no audio needs to flow (RFC 3264 8.4), so a timer that waits for RTP ends a healthy call."],
                evidence: [
                    Self.evidence(held, table, Self.fields, "on hold from here on"),
                    Self.evidence(bye, table, ["Reason", "CSeq"], "the reason"),
                ], culprit: .proved(Self.name(sender)), confidence: .proved,
                remedies: [
                    Remedy(
                        .server,
                        "Let the RTP timeout of \(Self.name(sender)) spare calls on hold, or give those a much longer one.",
                        commands: [
                            "Asterisk pjsip: rtp_timeout_hold=0 beside rtp_timeout", "Asterisk chan_sip: rtpholdtimeout=0",
                            "FreeSWITCH: rtp-hold-timeout-sec=1800",
                        ]),
                    Remedy(.phone, "Or let who holds play music (sendonly): then packets flow."),
                ], subject: Self.subject(c, bye, table))
        }
    }
}

extension SDPFacts {
    /// Wants to hear and to be heard, somewhere.
    var isBothWays: Bool { direction == .both && !isNowhere }

    /// `c=` is the unspecified address: no place to send to (RFC 3264 8.4, RFC 6157).
    var isNowhere: Bool { connection.kind == .address && connection.address.isUnspecified }
}
