import Base

extension MediaJudge {
    /// Nobody waits longer for the next source to be put on the line, nanoseconds.
    private static let longestHandover: Int64 = 60_000_000_000
    /// A network behind a server may need as long to carry the first sound after the answer, nanoseconds.
    private static let longestStart: Int64 = 5_000_000_000
    /// Fewer packets prove no source.
    private static let fewestOfSource = 25

    /// Pauses that the sender made itself, with nothing lost.
    ///
    /// Numbers that go on without a gap under another SSRC are the same program's, which sent nothing meanwhile; and another source from
    /// the same place of a server, after a pause, is another one put on the line: an agent after the prompt, a transfer, a conference.
    func ownPauses(
        of quiet: StreamSummary.Speaker, _ heard: [Int], _ call: CallMedia, _ leg: Int16, _ periods: [RTPStream.Activity]
    ) -> [RTPStream.Activity] {
        let isServer = isServerSide(quiet, call, leg)
        let streams = heard.filter {
            seen[$0].speaker == quiet && seen[$0].stream.statistics.totalReceived >= Self.fewestOfSource
        }
        .map { seen[$0].stream }.sorted { $0.first < $1.first }
        var pauses: [RTPStream.Activity] = []
        for (before, next) in zip(streams, streams.dropFirst()) {
            let pause = next.first &- before.last
            guard pause > 0, pause <= Self.longestHandover, next.key.ssrc != before.key.ssrc,
                next.key.source == before.key.source, next.key.destination == before.key.destination
            else { continue }
            let step = next.statistics.firstSequence &- UInt16(truncatingIfNeeded: before.statistics.highestSequence)
            let goesOn = next.statistics.restarts == 0 && before.statistics.restarts == 0 && step == 1
            if goesOn || isServer { pauses.append(RTPStream.Activity(from: before.last, to: next.first)) }
        }
        if isServer, let start = periods.first?.from, let first = streams.first?.first, first > start,
            first - start <= Self.longestStart
        {
            pauses.append(RTPStream.Activity(from: start, to: first))
        }
        return pauses
    }

    /// A server or what stands for one at the other end of a phone: it answers registrations, asks for passwords, names its program, or
    /// is reached on the open net from within a private one.
    private func isServerSide(_ end: StreamSummary.Speaker, _ call: CallMedia, _ leg: Int16) -> Bool {
        guard let own = call.said(leg, caller: end == .caller), let other = call.said(leg, caller: end != .caller),
            !own.packetSource.isUnknown
        else { return false }
        if media.isServer(own.packetSource) { return true }
        return other.packetSource.isPrivateNetwork && !own.packetSource.isPrivateNetwork && !own.address.isPrivateNetwork
            && !media.isServer(other.packetSource) && !media.routers.contains(own.packetSource)
    }
}
