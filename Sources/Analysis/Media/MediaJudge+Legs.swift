import Base
import Capture

/// The two calls that a server in the middle joins: what it does not hear on one it cannot say on the other.
extension MediaJudge {
    /// Begun, answered and ended within this, nanoseconds: a server with an address on each side passes a call on.
    private static let closely: Int64 = 500_000_000
    /// Calls that are looked at for one that begins at nearly the same time.
    private static let mostNeighbours = 4_096

    /// The other leg of the same call: begun and ended together, with a host in common, or at the very same time where the server has an
    /// address on each side. `isIncoming`: this one came to the server first. Nil where none, or more than one, fits.
    func bridged(_ number: Int) -> (call: Int, isIncoming: Bool)? {
        let call = media.calls[number]
        guard call.ended != CallMedia.unknown else { return nil }
        func hosts(_ call: CallMedia, caller: Bool) -> Set<PackedAddress> {
            Set(call.events.filter { $0.isFromCaller == caller && !$0.packetSource.isUnknown }.map(\.packetSource))
        }
        var found: (call: Int, isIncoming: Bool)?
        let first = callsByBegin.partition { media.calls[$0].began > call.began - 2_000_000_000 }
        for index in callsByBegin[first...].prefix(Self.mostNeighbours) where index != number {
            let other = media.calls[index]
            guard other.began < call.began + 2_000_000_000 else { break }
            guard other.file == call.file, other.ended != CallMedia.unknown else { continue }
            let apart = (abs(other.began - call.began), abs(other.ended - call.ended))
            guard apart.1 < 1_000_000_000 else { continue }
            let isIncoming = call.began <= other.began
            let (first, second) = isIncoming ? (call, other) : (other, call)
            let isShared = !hosts(first, caller: false).isDisjoint(with: hosts(second, caller: true))
            // Two calls of one host are not one that is passed on.
            let isApart =
                hosts(first, caller: true).isDisjoint(with: hosts(second, caller: true))
                && hosts(first, caller: false).isDisjoint(with: hosts(second, caller: false))
            let isClose =
                apart.0 < Self.closely && apart.1 < Self.closely && other.answered != CallMedia.unknown
                && call.answered != CallMedia.unknown && abs(other.answered - call.answered) < Self.closely
            guard isShared || isApart && isClose else { continue }
            guard found == nil else { return nil }
            found = (index, isIncoming)
        }
        return found
    }

    /// The silence on the other leg of the same call that this one only passes on: a back-to-back user agent has nothing to say where
    /// it hears nothing.
    func root(of index: Int, _ places: [Reference: Int]) -> Int? {
        let stop = stops[index]
        let isCaller = stop.quiet == .caller
        return relayed[Reference(call: stop.call, isCaller: isCaller)].flatMap { places[Reference(call: $0, isCaller: isCaller)] }
    }

    /// The silent end is a server in the middle, which hears the far end of the same call on its other leg.
    func notPassedOn(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        guard let hub = call.said(leg, caller: quiet == .caller)?.packetSource, !hub.isUnknown else { return nil }
        let heard = relayed[Reference(call: number, isCaller: quiet == .caller)].flatMap { index in
            (ofCall[index] ?? []).first {
                seen[$0].speaker == quiet && seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 100
            }
        }
        guard let heard else { return nil }
        return SilenceCause(
            sentence:
                "\(hub) receives the audio of \(streams[heard].source) on the other leg of the call and sends none of it on.",
            culprit: .proved("\(hub)"), confidence: .likely, evidence: [evidence(streams[heard], "arrives at \(hub)")],
            remedies: [
                Remedy(
                    .server,
                    "See in the log of \(hub) why it does not join the two legs: codecs to be transcoded, hold, a bridge that failed."
                )
            ])
    }
}

extension [Int] {
    /// The first place from which on `isBeyond` holds; it holds from some place on up to the end.
    func partition(_ isBeyond: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
