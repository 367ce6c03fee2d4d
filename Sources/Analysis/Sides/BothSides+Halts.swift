import Base
import Capture

/// RTP that a box passed on for a while, and then no more.
extension BothSides {
    /// Shorter silences are everyday.
    private static let longestHalt = Duration.seconds(3)
    private static let slack = Duration.seconds(1)
    private static let fewestHalted = 100

    /// A stream goes on before the box and ends behind it, while the opposite direction of the call still crosses.
    mutating func halted(at side: SideComparison, _ table: SignallingTable) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        var pairs: [Int: SideComparison.DialogPair] = [:]
        for pair in side.dialogs.reversed() { (pairs[pair.inside], pairs[pair.outside]) = (pair, pair) }
        for stream in streams where stream.vantage == side.inside || stream.vantage == side.outside {
            guard let dialog = stream.dialog, table.dialogs.indices.contains(dialog), let pair = pairs[dialog],
                let isOutbound = way(of: stream, side), isOutbound == (stream.vantage == side.inside)
            else { continue }
            let there = isOutbound ? side.outside : side.inside
            let behind = (bySSRC[stream.ssrc] ?? []).map { streams[$0] }.filter { $0.vantage == there }
            guard let last = behind.map(\.last).max() else { continue }
            let offset = isOutbound ? side.clockOffset : .zero - side.clockOffset
            let end = stream.last + offset
            let missing = stream.packets - behind.reduce(0) { $0 + $1.packets }
            guard end > last, end - last >= Self.longestHalt, missing >= Self.fewestHalted,
                let opposite = crossing(against: stream, isOutbound, until: end - Self.slack, side)
            else { continue }
            stopped(stream, opposite, missing, end - last, isOutbound, side, pair, table.dialogs[dialog])
        }
    }

    /// Audio of the same call that goes the other way through the box up to that time, by the clock of the side that lacks the stream.
    private func crossing(
        against stream: StreamSummary, _ isOutbound: Bool, until time: Instant, _ side: SideComparison
    ) -> StreamSummary? {
        let there = isOutbound ? side.outside : side.inside
        return stream.dialog.flatMap { dialog in
            kin(of: dialog).lazy.flatMap(ofCall).first { other in
                other.vantage == there && way(of: other, side) == !isOutbound && other.last >= time
                    && (bySSRC[other.ssrc] ?? []).contains {
                        streams[$0].vantage == stream.vantage && streams[$0].last >= stream.last - Self.slack
                    }
            }
        }
    }

    private mutating func stopped(
        _ stream: StreamSummary, _ opposite: StreamSummary, _ missing: Int, _ time: Duration, _ isOutbound: Bool,
        _ side: SideComparison, _ pair: SideComparison.DialogPair, _ dialog: DialogState
    ) {
        let (there, lacking) = isOutbound ? ("outside", side.outside) : ("inside", side.inside)
        let listener =
            stream.speaker.map { String(decoding: $0 == .caller ? dialog.to : dialog.from, as: UTF8.self) } ?? "One end"
        let seconds = "\(MediaJudge.tenth(Double(time.wholeMilliseconds) / 1_000)) s"
        let victims = media(of: pair)
        // Why it stays away is known: it goes to a place that the listener has left.
        if let cause = victims.first(where: { index in
            !told.contains(index) && all[index].evidence.contains { $0.destination == stream.destination }
                && all[index].severity == .risk
        }) {
            all[cause].severity = .fault
            all[cause].summary += " \(listener) hears nothing of it: for \(seconds) none of its packets appears \(there)."
            told.insert(cause)
            absorb(victims, into: cause)
            return
        }
        guard !victims.contains(where: told.contains) else { return }
        let dropper = Dropper(
            side, isOutbound ? side.translatedTo?.address : stream.destination.address, sources, lacking: lacking,
            isLossy: lossy[lacking] != nil,
            stretch: stretch(of: stream, isOutbound: isOutbound, side) { seen in
                seen.map { $0.packets + missing / 2 >= stream.packets } ?? false
            }, peer: "\(isOutbound ? stream.destination : stream.source)", phone: isOutbound ? "\(stream.source)" : nil)
        let cause = victims.first ?? all.count
        if cause == all.count {
            all.append(
                Finding(
                    .mediaOneWay, .fault, "", culprit: dropper.culprit,
                    subject: FindingSubject(dialogs: [pair.inside, pair.outside], client: side.translatedTo)))
            for dialog in [pair.inside, pair.outside] { ofDialog[dialog, default: []].append(cause) }
        }
        all[cause].severity = .fault
        all[cause].summary =
            "\(listener) no longer hears the other end, for \(seconds) up to the end: \(counted(missing, "RTP packet")) from \(stream.source) to "
            + "\(stream.destination) came to \(dropper.name), and "
            + (dropper.stretch.map { "got lost \($0)." } ?? "it passed none of them on, while it had passed those before.")
        all[cause].details = ["The audio of the other direction crossed it up to the end, as both captures show."]
        all[cause].blame(dropper)
        all[cause].evidence.append(
            Evidence(
                place: stream.lastPlace, time: stream.last, source: stream.source, destination: stream.destination,
                excerpt: MediaJudge.describe(stream), says: "the last packet; the last \(missing) never appeared \(there)"))
        all[cause].evidence.append(
            Evidence(
                place: opposite.lastPlace, time: opposite.last, source: opposite.source, destination: opposite.destination,
                excerpt: MediaJudge.describe(opposite), says: "goes on to cross"))
        all[cause].remedies =
            dropper.stretch.map { [Self.path($0)] }
            ?? [
                Remedy(
                    .router,
                    "See why it closes the way from \(stream.source) to \(stream.destination) in the middle of a call: its SIP helper (hold and resume), a timer, a restart of its firewall."
                ), MediaJudge.relay,
            ]
        told.insert(cause)
        absorb(victims, into: cause)
    }
}
