import Base
import Capture

extension MediaJudge {
    /// A server that answered was heard at once, and then says nothing up to the end while it listens: it records a message, or waits
    /// in a conference with nobody else.
    func isRecording(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> Bool {
        let call = media.calls[number]
        guard quiet == .callee, let said = call.said(leg, caller: false), media.servers.contains(said.packetSource),
            call.answered != CallMedia.unknown, !isLinked(number)
        else { return false }
        let own = streams(of: number, leg).filter { seen[$0].speaker == quiet }
        guard own.allSatisfy({ seen[$0].refusal == nil && seen[$0].isHeard }) else { return false }
        let spans = Spans(own.flatMap { seen[$0].stream.spans }).list
        guard let first = spans.first, let last = spans.last, spans.count == 1 else { return false }
        // Sent off to go elsewhere after the answer.
        guard call.said(leg, caller: false, before: call.answered).map({ $0.goal == said.goal }) != false else { return false }
        // What hold breaks off goes on when it is over.
        let isHeld = call.activePeriods(leg, until: .max).dropLast().contains { abs($0.to - last.to) < 1_000_000_000 }
        guard !isHeld else { return false }
        return first.from <= call.answered + Self.patience && last.to - first.from <= Self.longestGreeting
    }

    /// A greeting or prompt is shorter, nanoseconds.
    static let longestGreeting: Int64 = 30_000_000_000

    /// Another call by the same server goes on at the same time: what falls silent may be its other leg.
    private func isLinked(_ number: Int) -> Bool {
        let call = media.calls[number]
        let hosts = Set(call.events.filter { !$0.isFromCaller }.map(\.packetSource))
        return media.calls.indices.contains { index in
            let other = media.calls[index]
            return index != number && other.file == call.file && other.answered != CallMedia.unknown
                && abs(other.began - call.began) < 120_000_000_000
                && other.began <= (call.ended == CallMedia.unknown ? Int64.max : call.ended)
                && other.events.contains { $0.isFromCaller && hosts.contains($0.packetSource) }
        }
    }

    /// No packet of this end is in the whole capture, although the place of the capture sees what goes into its partner's host and
    /// what leaves it: a tap of one direction alone is ruled out.
    func isHeardNowhere(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> Bool {
        let call = media.calls[number]
        guard let said = call.said(leg, caller: quiet == .caller) else { return false }
        let heard = seen.filter { $0.stream.key.file == call.file && $0.isHeard && $0.stream.statistics.totalReceived >= 10 }
        guard !heard.contains(where: { $0.stream.key.source == said.address || $0.stream.key.source == said.packetSource }) else {
            return false
        }
        return streams(of: number, leg).contains { index in
            guard seen[index].speaker != quiet, seen[index].isHeard else { return false }
            let host = seen[index].stream.key.source
            return heard.contains { $0.stream.key.destination == host }
        }
    }

    /// SIP passed the place of the capture both ways between the very hosts of which one sends audio to the other, who is heard in no
    /// call: an answer would pass it, too.
    func isPassedBothWays(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> Bool {
        let call = media.calls[number]
        guard let speaker = call.said(leg, caller: quiet != .caller), let silent = call.said(leg, caller: quiet == .caller),
            !speaker.packetSource.isUnknown, !silent.packetSource.isUnknown, speaker.packetSource != silent.packetSource
        else { return false }
        guard
            !sendingHosts.contains(FilePlace(file: call.file, place: MediaPlace(silent.packetSource, 0)))
                || !seen.contains(where: {
                    $0.stream.key.file == call.file && $0.isHeard && $0.stream.key.source == silent.packetSource
                })
        else { return false }
        return streams(of: number, leg).contains { index in
            let key = seen[index].stream.key
            return seen[index].speaker != quiet && key.source == speaker.packetSource && key.destination == silent.packetSource
        }
    }
}
