import Base
import Capture

extension MediaJudge {
    /// Legs of one call through a host begin this near to each other, nanoseconds.
    private static let together: Int64 = 5_000_000_000
    /// The same where the host wears another address on each side, and they also end together.
    private static let closely: Int64 = 500_000_000

    /// Calls that a back-to-back user agent makes on behalf of others: `inbound` reaches it, and `outbound` is what it makes of it.
    private func isJoined(_ inbound: Int, _ outbound: Int) -> Bool {
        let (a, b) = (media.calls[inbound], media.calls[outbound])
        guard inbound != outbound, a.file == b.file, a.answered != CallMedia.unknown, b.answered != CallMedia.unknown,
            let entry = a.legs.first.flatMap({ a.said($0, caller: false) })?.packetSource,
            let exit = b.legs.first.flatMap({ b.said($0, caller: true) })?.packetSource, !entry.isUnknown
        else { return false }
        if entry == exit {
            return b.said(b.legs[0], caller: false)?.packetSource != exit && abs(b.began - a.began) < Self.together
        }
        // Two calls between the same hosts are not one that is passed on.
        guard a.said(a.legs[0], caller: true)?.packetSource != exit, b.said(b.legs[0], caller: false)?.packetSource != entry
        else {
            return false
        }
        return isClose(a, b)
            && media.calls.filter { $0.file == a.file && $0.dialog != a.dialog && (isClose(a, $0) || isClose($0, b)) }.count == 1
    }

    /// Begun, answered and ended within a moment, in the order of a call that is passed on.
    private func isClose(_ a: CallMedia, _ b: CallMedia) -> Bool {
        guard a.ended != CallMedia.unknown, b.ended != CallMedia.unknown, a.answered != CallMedia.unknown,
            b.answered != CallMedia.unknown
        else { return false }
        return (0..<Self.closely).contains(b.began - a.began) && abs(a.answered - b.answered) < Self.closely
            && abs(a.ended - b.ended) < Self.closely
    }

    /// The silence on the other leg of the same call that this one only passes on: a back-to-back user agent has nothing to say where
    /// it hears nothing.
    func root(of index: Int) -> Int? {
        let stop = stops[index]
        return stops.indices.first { other in
            let far = stops[other]
            return far.quiet == stop.quiet
                && (stop.quiet == .callee ? isJoined(stop.call, far.call) : isJoined(far.call, stop.call))
        }
    }

    /// The silent end is a server in the middle, which hears the far end of the same call on its other leg.
    func notPassedOn(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        guard let hub = call.said(leg, caller: quiet == .caller)?.packetSource, !hub.isUnknown else { return nil }
        for index in media.calls.indices where quiet == .callee ? isJoined(number, index) : isJoined(index, number) {
            let heard = (ofCall[index] ?? []).first {
                seen[$0].speaker == quiet && seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 100
            }
            guard let heard else { continue }
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
        return nil
    }
}
