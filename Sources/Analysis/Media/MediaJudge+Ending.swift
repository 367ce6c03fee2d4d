import Base
import Capture

/// Audio that ends long before its call does, without anybody to accuse.
extension MediaJudge {
    /// A shorter rest of a call is a farewell, nanoseconds.
    private static let longRest: Int64 = 20_000_000_000
    /// A server that is silent for less before the end says nothing, seconds.
    private static let shortest = 10.0

    /// `media.none` as a note: both ends fell silent at once, without hold, and the call went on.
    mutating func judgeEnding(_ number: Int) {
        let call = media.calls[number]
        guard call.legs.count == 1, let leg = call.legs.first, call.ended != CallMedia.unknown,
            let period = call.activePeriods(leg, until: .max).last, period.to == call.ended
        else { return }
        let own = streams(of: number, leg).filter {
            seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= Self.fewestToFollow
        }
        func last(_ speaker: StreamSummary.Speaker) -> RTPStream? {
            own.filter { seen[$0].speaker == speaker }.map { seen[$0].stream }.max { $0.last < $1.last }
        }
        guard let caller = last(.caller), let callee = last(.callee), abs(caller.last - callee.last) < 2_000_000_000,
            [caller, callee].allSatisfy({ $0.spurts == 0 && !$0.flags.contains(.sawComfortNoise) }),
            call.ended - max(caller.last, callee.last) >= Self.longRest, period.from < min(caller.last, callee.last),
            !call.events.contains(where: { $0.time > min(caller.last, callee.last) - Self.patience })
        else { return }
        let rest = Self.tenth(Double(call.ended - max(caller.last, callee.last)) / 1e9)
        findings.append(
            Finding(
                .mediaNone, .note,
                "The audio between \(named(call, leg, .caller)) and \(named(call, leg, .callee)) ended both ways at once, \(rest) s before the "
                    + "call did, without hold.",
                details: ["Innocent where both were muted, or where audio went another way from then on."],
                evidence: own.prefix(2).map { evidence(streams[$0], "ends long before the call") }, confidence: .possible,
                remedies: [
                    Remedy(
                        .capture, "If the line went dead then, capture at both ends: something between them stopped the audio.")
                ], subject: subject(call, leg)))
    }

    /// `media.one-way` as a note: a server fell silent after its first words, as one that records a message does.
    mutating func tellRecordings(_ stops: [Stop]) {
        let long = stops.filter { $0.seconds >= Self.shortest }
        let servers = Dictionary(grouping: long) { stop in
            let call = media.calls[stop.call]
            return FilePlace(
                file: call.file, place: MediaPlace(call.said(stop.leg, caller: false)?.packetSource ?? .unknown, 0))
        }
        for group in servers.values.sorted(by: { $0[0].call < $1[0].call }) { tellRecording(group) }
    }

    private mutating func tellRecording(_ long: [Stop]) {
        let first = long[0]
        let call = media.calls[first.call]
        let own = streams(of: first.call, first.leg)
        let spans = Spans(own.filter { seen[$0].speaker == first.quiet }.flatMap { seen[$0].stream.spans }).list
        let after = Self.tenth(Double((spans.last?.to ?? 0) - (spans.first?.from ?? 0)) / 1e9)
        var finding = Finding(
            .mediaOneWay, .note,
            "No audio of \(named(call, first.leg, first.quiet)) came after its first \(after) s, for \(Self.tenth(first.seconds)) s up to the end"
                + (long.count == 1 ? "" : ", and the like in \(long.count - 1) more \(long.count == 2 ? "call" : "calls")")
                + ": right where it records a message or waits for others, a fault where \(name(other(first.quiet))) talked to somebody.",
            evidence: own.prefix(3).map { evidence(streams[$0], seen[$0].speaker == first.quiet ? "ends" : "goes on") },
            confidence: .possible,
            remedies: [
                Remedy(
                    .capture,
                    "If \(name(other(first.quiet))) heard silence instead of a person, capture at the server too: whether it goes on sending."
                )
            ], subject: subject(call, first.leg), count: long.count)
        finding.subject.dialogs = long.map { media.calls[$0.call].dialog }
        findings.append(finding)
    }
}
