import Base

extension MediaJudge {
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
}
