import Base
import Capture

/// RTP that came to a box and did not leave it, or not whole.
extension BothSides {
    /// Audio that came to the box, of which the other side shows nothing while it shows the opposite direction of the same call.
    mutating func mediaDropped(by side: SideComparison, _ table: SignallingTable) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        let (inside, outside) = (shown[side.inside] ?? [], shown[side.outside] ?? [])
        let matched = inside.intersection(outside)
        guard !matched.isEmpty else { return }
        var pairs: [Int: SideComparison.DialogPair] = [:]
        for pair in side.dialogs.reversed() { (pairs[pair.inside], pairs[pair.outside]) = (pair, pair) }
        for stream in streams where stream.vantage == side.inside || stream.vantage == side.outside {
            guard let dialog = stream.dialog, let isOutbound = way(of: stream, side), stream.packets >= Self.fewest,
                !(stream.vantage == side.inside ? outside : inside).contains(stream.ssrc),
                isOutbound ? side.worn.crossesOut : side.worn.crossesIn,
                isOutbound == (stream.vantage == side.inside), table.dialogs.indices.contains(dialog),
                let opposite = ofCall(dialog).first(where: { other in
                    matched.contains(other.ssrc) && other.vantage == stream.vantage && way(of: other, side) == !isOutbound
                        && other.first < stream.last && stream.first < other.last
                }), let pair = pairs[dialog]
            else { continue }
            if isOutbound, !side.worn.peers.contains(PackedAddress(stream.destination.address)),
                opposite.source.address != stream.destination.address
            {
                continue
            }
            let victims = media(of: pair)
            guard let cause = victims.min(by: { all[$0].confidence < all[$1].confidence }), told.insert(cause).inserted else {
                continue
            }
            if isOutbound || isAnswer(stream, side) {
                blame(stream, opposite, isOutbound, side, cause, table.dialogs[dialog])
            } else {
                blameSource(of: stream, opposite, side, cause, table.dialogs[dialog])
            }
            absorb(victims, into: cause)
            contradict(pair)
        }
    }

    /// Somebody inside sends to where it comes from: a NAT lets in what answers (RFC 4787 5).
    private func isAnswer(_ stream: StreamSummary, _ side: SideComparison) -> Bool {
        guard let dialog = stream.dialog else { return true }
        return kin(of: dialog).contains { other in
            ofCall(other).contains {
                $0.vantage == stream.vantage && $0.destination == stream.source && way(of: $0, side) == true
            }
        }
    }

    /// Audio from a place that nobody inside sends to.
    private mutating func blameSource(
        of stream: StreamSummary, _ opposite: StreamSummary, _ side: SideComparison, _ cause: Int, _ dialog: DialogState
    ) {
        let dropper = Dropper(side, stream.destination.address, sources, lacking: side.inside)
        let listener =
            stream.speaker.map { String(decoding: $0 == .caller ? dialog.to : dialog.from, as: UTF8.self) } ?? "One end"
        all[cause].summary =
            "\(listener) hears nothing: \(counted(stream.packets, "RTP packet")) come from \(stream.source), while its own audio goes to "
            + "\(opposite.destination): \(dropper.name) lets in only what answers, and none appeared inside."
        all[cause].culprit = .between("\(stream.source)", dropper.name)
        all[cause].confidence = .likely
        all[cause].details = [
            "A NAT that filters by address and port does right there (RFC 4787 5): audio has to come from where the other end's audio goes to (symmetric RTP, RFC 4961)."
        ]
        all[cause].evidence.append(
            Evidence(
                place: stream.firstPlace, time: stream.first, source: stream.source, destination: stream.destination,
                excerpt: MediaJudge.describe(stream),
                says: "from a place that nobody inside sends to; none of them appeared inside"))
        all[cause].remedies = [
            Remedy(
                .server,
                "Send audio from the address and port that the SDP names (symmetric RTP), or name the place it comes from.")
        ]
    }

    func ofCall(_ dialog: Int) -> [StreamSummary] { (streamsOf[dialog] ?? []).map { streams[$0] } }

    /// Whether a stream goes from the inside to the outside; nil: neither.
    func way(of stream: StreamSummary, _ side: SideComparison) -> Bool? {
        let own = stream.vantage == side.inside ? side.worn.inside : side.worn.outside
        let (from, to) = (PackedAddress(stream.source.address), PackedAddress(stream.destination.address))
        let (isFrom, isTo) = (own.contains { $0.address == from }, own.contains { $0.address == to })
        return isFrom == isTo ? nil : isFrom
    }

    private mutating func blame(
        _ stream: StreamSummary, _ opposite: StreamSummary, _ isOutbound: Bool, _ side: SideComparison, _ cause: Int,
        _ dialog: DialogState
    ) {
        let lacking = isOutbound ? side.outside : side.inside
        let dropper = Dropper(
            side, isOutbound ? side.translatedTo?.address : stream.destination.address, sources,
            lacking: lacking, isLossy: lossy[lacking] != nil,
            stretch: stretch(of: stream, isOutbound: isOutbound, side) { ($0?.packets ?? 0) >= Self.fewest },
            peer: "\(isOutbound ? stream.destination : stream.source)", phone: isOutbound ? "\(stream.source)" : nil)
        let there = isOutbound ? "outside" : "inside"
        let listener =
            stream.speaker.map { String(decoding: $0 == .caller ? dialog.to : dialog.from, as: UTF8.self) } ?? "One end"
        let speaker = stream.speaker.map { "the \($0.rawValue) (\(stream.source))" } ?? "\(stream.source)"
        // The phone's own audio opened another port: what comes to this one has nowhere to go.
        let isMapped = isOutbound || opposite.source == stream.destination
        all[cause].summary =
            "\(listener) hears nothing: \(counted(stream.packets, "RTP packet")) of \(speaker) "
            + (isMapped
                ? dropper.stretch.map { "to \(stream.destination) got lost \($0)." }
                    ?? "came to \(dropper.name), which passed none of them on: none appeared \(there)."
                : "came to \(dropper.name), at \(stream.destination), for which it has no mapping: the audio of the other end leaves it from \(opposite.source).")
        all[cause].details = ["The audio of the other direction crossed it in that time, as both captures show."]
        all[cause].blame(dropper, culprit: isMapped ? nil : .between("\(stream.source)", dropper.name))
        all[cause].evidence.append(
            Evidence(
                place: stream.firstPlace, time: stream.first, source: stream.source, destination: stream.destination,
                excerpt: MediaJudge.describe(stream), says: "none of them appeared \(there)"))
        let filter = Remedy(
            .router,
            "Let UDP from \(stream.source) to \(stream.destination) pass: look for a filter rule on the RTP ports, and for a SIP helper that opens none for them."
        )
        let latch = Remedy(
            .server, "Send audio to where it comes from (symmetric RTP, latching), not to the place in the SDP.")
        all[cause].remedies =
            !isMapped
            ? [latch, .disableALG]
            : dropper.stretch.map { [Self.path($0)] + (dropper.isRouterPossible ? [filter] : []) } ?? [filter, MediaJudge.relay]
    }

    /// What one side took for audio both ways.
    private mutating func contradict(_ pair: SideComparison.DialogPair) {
        for index in all.indices where all[index].name == .natPrivateSDP && !all[index].severity.accuses {
            guard all[index].subject.dialogs.contains(where: { $0 == pair.inside || $0 == pair.outside }) else { continue }
            all[index].details.removeAll { $0.hasPrefix(Judge.bothWays) }
        }
    }
}
