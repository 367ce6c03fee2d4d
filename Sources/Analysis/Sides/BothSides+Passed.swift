import Base
import Capture

/// What a box passed on rightly, and what nevertheless looks on one side as if it had been lost.
extension BothSides {
    /// A request that nobody answered and that came through: the silence lies behind the box.
    mutating func passed(by side: SideComparison) {
        guard side.isInsideProved, let outer = side.translatedTo?.address else { return }
        for index in all.indices where all[index].name == .sipRetransmit && all[index].severity.accuses && !gone.contains(index) {
            guard !told.contains(index), case .between = all[index].culprit, let place = all[index].evidence.first?.place,
                let arrival = side.arrivals[place], all[index].subject.dialogs.allSatisfy({ links[$0] != nil })
            else { continue }
            let kin = all[index].subject.dialogs.reduce(into: Set<Int>()) { $0.formUnion(self.kin(of: $1)) }
            // Answers that were sent and lost are another story.
            guard !side.lost.contains(where: { $0.status > 0 && kin.contains($0.dialog) }) else { continue }
            let router = "the router with the outside address \(outer)"
            told.insert(index)
            guard !arrival.isOutbound else {
                all[index].culprit = .between(router, "\(arrival.destination)")
                all[index].details.append("It left \(router): what answers nothing, or loses it, lies beyond.")
                continue
            }
            let phone = "\(arrival.destination)"
            all[index].summary += " It came through the router, which passed it on to \(phone): that end is silent."
            all[index].culprit = .between(router, phone)
            all[index].details.append("Both captures show it: from \(arrival.source) to \(phone) inside.")
            all[index].remedies = [
                Remedy(
                    .phone,
                    "See why \(phone) does not answer: whether it hangs, listens on that port, and takes requests from \(arrival.source) (a list of trusted servers, a firewall of its own)."
                )
            ]
        }
    }

    /// Audio that goes to the NAT's public place is not lost because of the private one in the session description.
    mutating func publicAudio() {
        for index in all.indices where all[index].name == .natPrivateSDP && all[index].severity == .fault {
            guard let said = all[index].evidence.first, let nat = said.source?.address, all[index].subject.dialogs.count == 1,
                let dialog = all[index].subject.dialogs.first
            else { continue }
            // Seen where the capture that shows the description does not reach.
            let there = kin(of: dialog).flatMap(ofCall).contains { stream in
                stream.vantage != said.place.vantage && stream.destination.address == nat && stream.packets >= Self.fewest
                    && sides.contains { $0.outside == stream.vantage && $0.translatedTo?.address == nat }
            }
            if there { gone.insert(index) }
        }
    }

    /// Captures that lack what passed them: further on it is there.
    mutating func noteLossy(_ side: SideComparison) {
        guard side.isInsideProved, !side.worn.inside.isEmpty else { return }
        for stream in streams where stream.vantage == side.inside || stream.vantage == side.outside {
            guard let isOutbound = way(of: stream, side), isOutbound == (stream.vantage == side.inside),
                stream.lost >= Self.fewestLacking, stream.lost > stream.lostByCapture,
                let twin = streams.first(where: {
                    $0.ssrc == stream.ssrc && $0.vantage == (isOutbound ? side.outside : side.inside)
                }), twin.expected * 10 >= stream.expected * 8, twin.lossRate * 4 <= stream.lossRate
            else { continue }
            // A few lost by chance are few here and more there.
            let share = stream.lossRate * 3 + 3 / Double(max(1, stream.expected))
            lossy[stream.vantage] = max(lossy[stream.vantage] ?? 0, share)
        }
    }

    private static let fewestLacking = 2
}
