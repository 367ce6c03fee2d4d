import Base
import Capture

extension MediaJudge {
    /// Streams at places that nobody named: only one call under way names the host, though with another port. A NAT, or a helper, gave it
    /// a new one. It may as well be of a call whose signalling is not seen (another account, TLS, H.323), so all else has to fit.
    mutating func attributeByAddress() {
        for (number, call) in media.calls.enumerated() {
            for event in call.events where event.port > 0 {
                for address in [event.address, event.packetSource] {
                    let place = FilePlace(file: call.file, place: MediaPlace(address, 0))
                    let known = addresses[place] ?? []
                    guard !known.contains(where: { $0.call == number && $0.isCaller == event.isFromCaller }), known.count < 256
                    else { continue }
                    addresses[place, default: []].append(Reference(call: number, isCaller: event.isFromCaller))
                }
            }
        }
        var named: [Int: [Int]] = [:]
        for index in seen.indices { if let call = seen[index].call { named[call, default: []].append(index) } }
        for index in seen.indices where seen[index].call == nil {
            guard let (call, speaker) = guess(index), fits(index, call, speaker, named) else { continue }
            // Both directions between two places are one conversation: of this call, or of another.
            let back = (flows[flow(index).reversed] ?? []).prefix(Self.mostAlike).filter { overlaps($0, index) }
            guard back.allSatisfy({ fits($0, call, other(speaker), named) }) else { continue }
            assign(index, call, speaker, source: false, destination: false)
            seen[index].isGuessed = true
        }
        for index in seen.indices where seen[index].call == nil { attributeByAnswer(index) }
    }

    private func guess(_ index: Int) -> (call: Int, speaker: StreamSummary.Speaker)? {
        let flow = flow(index)
        func only(_ place: MediaPlace) -> Reference? {
            let found = (addresses[FilePlace(file: flow.file, place: MediaPlace(place.address, 0))] ?? []).filter {
                isDuring(media.calls[$0.call], seen[index].stream)
            }
            if found.count == 1 { return found[0] }
            // One call after the other: that in which it began.
            let first = seen[index].stream.first
            let now = found.filter { reference in
                let call = media.calls[reference.call]
                return call.began <= first && (call.ended == CallMedia.unknown || first <= call.ended)
            }
            return now.count == 1 ? now[0] : nil
        }
        if let match = only(flow.destination) { return (match.call, match.isCaller ? .callee : .caller) }
        return only(flow.source).map { ($0.call, $0.isCaller ? .caller : .callee) }
    }

    /// Both hosts take part in the call, one end named the format, and the speaker is not heard at the place it named already, unless
    /// the stream is the same (its SSRC) and merely moved.
    private func fits(_ index: Int, _ number: Int, _ speaker: StreamSummary.Speaker, _ named: [Int: [Int]]) -> Bool {
        let (stream, call) = (seen[index].stream, media.calls[number])
        guard isOfCall(stream.key.source, call), isOfCall(stream.key.destination, call) else { return false }
        let types = call.events.map(\.types).filter { !$0.isEmpty }
        guard
            types.isEmpty || types.contains(where: { $0.contains(stream.payloadType) }) || [13, 19].contains(stream.payloadType)
        else { return false }
        return !(named[number] ?? []).prefix(Self.mostAlike).contains { other in
            seen[other].speaker == speaker && seen[other].stream.key.ssrc != stream.key.ssrc && overlaps(other, index)
        }
    }
}
