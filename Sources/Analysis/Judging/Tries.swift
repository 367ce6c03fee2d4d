import Base
import Capture

/// Requests of one kind that one end sends another again and again, each a transaction of its own: how many in a row stay without an answer.
struct Tries: Sendable {
    struct Key: Hashable, Sendable {
        var source: PackedEndpoint
        var destination: PackedEndpoint
        var method: MessageMethod
        var vantage: Vantage
    }

    /// Who asks which host, at whatever port.
    struct Pair: Hashable {
        var caller: PackedEndpoint
        var host: PackedAddress
    }

    static let most = 1 << 14
    /// In a row, and over so long: less is a restart or a line that was down.
    static let least = 6
    static let shortest: Int64 = 120 * second

    var count = 0
    var first: Evidence?
    var last: Evidence?
    var dialogs: [Int] = []
    var answered = 0
    var lastAnswered = Int64.min

    mutating func answer(at time: Int64) {
        answered += 1
        lastAnswered = max(lastAnswered, time)
        if let began = first?.time?.nanoseconds, began < time { (count, first, last, dialogs) = (0, nil, nil, []) }
    }

    mutating func miss(_ evidence: Evidence, _ dialog: Int) {
        count += 1
        if first == nil { first = evidence }
        last = evidence
        if dialogs.last != dialog, dialogs.count < 1_000 { dialogs.append(dialog) }
    }

    var span: Int64 { elapsed(first?.time?.nanoseconds ?? .max, last?.time?.nanoseconds ?? .max) ?? 0 }
}

extension Judge {
    /// Notes what a dialog shows of requests that can be answered at once, outside calls.
    mutating func noteTries(_ c: DialogCase, _ table: SignallingTable) {
        guard c.dialog.kind == .options || c.dialog.kind == .registration else { return }
        for (index, step) in c.steps.enumerated()
        where step.isRequest && step.isFirst && !step.isOverStream && step.toTag == 0
            && (step.method == .options || step.method == .register) && step.nanoseconds != MessageRecord.unknownTime
            && step.flags.isDisjoint(with: [.scanner, .truncated])
        {
            let key = Tries.Key(
                source: table.endpoints[step.record.source], destination: table.endpoints[step.record.destination],
                method: step.method, vantage: c.dialog.vantage)
            guard tries[key] != nil || tries.count < Tries.most else { return }
            if c.response(to: step, from: index, atLeast: 100) != nil {
                tries[key, default: Tries()].answer(at: step.nanoseconds)
            } else if step.nanoseconds > tries[key]?.lastAnswered ?? .min, c.silence(after: step) > 4 * second,
                !isRefused(step, table),
                // Who sends again is told of by itself.
                !c.steps.contains(where: { $0.isRequest && !$0.isFirst && $0.branch == step.branch })
            {
                tries[key, default: Tries()].miss(Self.evidence(step, table, ["CSeq", "To"], "never answered"), c.number)
            }
        }
    }

    /// sip.retransmit of many tries in a row that nobody answers.
    ///
    /// Innocent: an end that answers other requests meanwhile and ignores that one, one that never was asked anything else and is but a
    /// spare, a registrar whose partner takes the account, and captures that show one direction only.
    mutating func unansweredTries(_ table: SignallingTable) -> [Finding] {
        let attackers = attacks()
        let runs = tries.compactMap { key, run in run.first.map { (key: key, run: run, first: $0) } }
            .filter { $0.run.count >= Tries.least && $0.run.span >= Tries.shortest }.sorted { $0.first.place < $1.first.place }
        let ends = Dictionary(grouping: tries) { Tries.Pair(caller: $0.key.source, host: $0.key.destination.address) }
        var result: [Finding] = []
        for (key, run, first) in runs where result.count < 50 {
            guard let last = run.last, let began = first.time?.nanoseconds, !attackers.contains(key.source.address),
                oneWay[key.vantage.index]?.both ?? 0 > 0, !key.destination.address.isMulticast
            else { continue }
            let seen = table.activity(of: key.destination)
            guard seen.lastAnswer == MessageRecord.unknownTime || seen.lastAnswer < began else { continue }
            // It has moved to another port, and is asked there.
            let others = ends[Tries.Pair(caller: key.source, host: key.destination.address)] ?? []
            if others.contains(where: { $0.key.destination != key.destination && $0.value.lastAnswered > began }) { continue }
            // Some never answer OPTIONS and do all else.
            if run.answered == 0, key.method == .options,
                seen.othersAnswered > 0 || peers.isSpare(key.destination, of: key.source.address)
            {
                continue
            }
            if key.method == .register, let number = run.dialogs.first, table.dialogs.indices.contains(number),
                peers.isRegistered(String(decoding: table.dialogs[number].to, as: UTF8.self), besides: key.destination.address)
            {
                continue
            }
            let (here, there) = (Self.name(key.source), Self.name(key.destination))
            result.append(
                Finding(
                    .sipRetransmit, .fault,
                    "\(there) \(run.answered > 0 ? "no longer answers" : "answers nothing to") \(here): \(run.count) \(key.method.token) in a row, over \(spoken(run.span)), "
                        + "stayed without an answer\(run.answered > 0 ? ", though \(run.answered) before were answered." : ".")",
                    details: [
                        "Each was sent once, as a request of its own. Answers to others are in this capture, so it shows both directions.",
                        "As long as that lasts, no call to \(there) gets through.",
                    ], evidence: [first, last], culprit: .between(here, there), confidence: .likely,
                    remedies: [
                        Remedy(.network, "See whether the requests arrive: capture at \(there) too, and see whether it is up."),
                        Remedy(
                            .router,
                            "Where it stands behind a NAT, its mapping may be gone: let it register more often or send keepalives."
                        ),
                    ],
                    subject: FindingSubject(
                        dialogs: run.dialogs, client: key.source.isKnown ? key.source.endpoint : nil,
                        server: key.destination.isKnown ? key.destination.endpoint : nil, vantage: key.vantage)))
        }
        return result
    }
}
