import Base
import Capture

extension MediaJudge {
    /// `media.wrong-source`: audio from a host that no description names and nobody signals from.
    mutating func judgeSources(_ number: Int) {
        let call = media.calls[number]
        var strangers: [Int] = []
        for index in ofCall[number] ?? [] where !seen[index].isSourceKnown && !seen[index].isLooped {
            let source = seen[index].stream.key.source
            guard seen[index].stream.statistics.totalReceived >= 10, !isOfCall(source, call) else { continue }
            strangers.append(index)
        }
        guard let first = strangers.first else { return }
        let heard = (ofCall[number] ?? []).filter { seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 10 }
        let works = Set(heard.compactMap { seen[$0].speaker }).count == 2
        var clash: (Int, Int)?
        for one in strangers where clash == nil { clash = drowned(one, heard).map { (one, $0) } }
        let isWhole =
            !stops.contains { $0.call == number } && !(ofCall[number] ?? []).contains { seen[$0].stray != nil }
        let speaker = seen[first].speaker ?? .callee
        let leg = call.legs.first ?? 0
        let said = call.said(leg, caller: speaker == .caller)
        var finding = Finding(
            .mediaWrongSource, works && clash == nil ? .note : .risk,
            "Audio for \(name(other(speaker))) came from \(streams[first].source), which nobody signalled"
                + (said.map { ": \(name(speaker)) named \($0.endpoint)" } ?? "") + "."
                + (clash.map {
                    " It arrives at the same port at the same time as the audio of \(streams[$0.1].source): two voices, or a garbled one."
                } ?? "")
                + (clash != nil
                    ? ""
                    : works
                        ? isWhole ? " It did no harm here: audio went both ways." : ""
                        : " A phone or relay that takes audio only from the signalled address drops it."),
            details: [
                "Symmetric RTP through a NAT is ruled out: the address is neither in an SDP or ICE candidate of the call nor that of a "
                    + "signalling packet. A media server, or a NAT that gives audio another public address, would look like this."
            ], confidence: .likely,
            remedies: works
                ? clash.map { [Self.stopSending(streams[$0.0].source)] } ?? []
                : [
                    Remedy(
                        .server,
                        "Name the address that sends the audio in SDP, or let the relay latch on to it only after the signalled one stayed silent."
                    ),
                    Remedy(.network, "Give SIP and RTP of one phone the same public address (paired pooling, RFC 4787 4.1)."),
                ], subject: subject(call, leg), count: strangers.count)
        if let said { finding.evidence.append(evidence(said, "the place that \(name(speaker)) named")) }
        for index in strangers.prefix(3) { finding.evidence.append(evidence(streams[index], "comes from elsewhere")) }
        findings.append(finding)
    }

    /// The stream of the signalled source that one of another arrives together with, at one port and for long.
    private func drowned(_ index: Int, _ heard: [Int]) -> Int? {
        let (stream, goal) = (seen[index].stream, flow(index).destination)
        guard seen[index].isHeard, !stream.flags.contains(.isVideo), stream.statistics.totalReceived >= Self.fewestToFollow else {
            return nil
        }
        return heard.first { other in
            seen[other].isSourceKnown && seen[other].speaker == seen[index].speaker && flow(other).destination == goal
                && seen[other].stream.key.ssrc != stream.key.ssrc && !seen[other].stream.flags.contains(.isVideo)
                && Spans(stream.spans).clipped(to: seen[other].heardSpans).total > Self.patience * 2
        }
    }

    private static func stopSending(_ source: Endpoint) -> Remedy {
        Remedy(.server, "See at \(source.address) for which call it goes on sending: one that ended there without its knowing.")
    }

    func isOfCall(_ address: PackedAddress, _ call: CallMedia) -> Bool {
        call.events.contains { $0.address == address || $0.packetSource == address || $0.packetDestination == address }
            || call.candidates.contains { $0.address == address }
    }
}
