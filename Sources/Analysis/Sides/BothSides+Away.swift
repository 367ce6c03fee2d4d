import Base
import Capture

/// Phones that their router finds nowhere.
extension BothSides {
    /// The router itself says that it finds no host behind the place that was asked.
    func isAway(_ lost: SideLosses.Lost, _ table: SignallingTable) -> Bool {
        guard !lost.isOutbound, lost.status == 0 else { return false }
        let router = PackedAddress(lost.destination.address)
        let flow = PackedFlow(
            source: PackedAddress(lost.source.address), lost.source.port, destination: router, lost.destination.port, .udp)
        return table.errors[flow].map { $0.says == "host unreachable" && $0.source == router } ?? false
    }

    mutating func away(_ lost: SideLosses.Lost, _ cause: Int, _ table: SignallingTable) {
        let router = "the router with the outside address \(lost.destination.address)"
        all[cause].summary =
            "\(Self.harm(lost.method, table.dialogs[lost.dialog])): \(router) finds nobody at that phone's address inside, and says so by ICMP (host unreachable). "
            + "The phone is off, unplugged, or has another address by now."
        all[cause].culprit = .between(router, "the phone")
        all[cause].confidence = .likely
        all[cause].remedies = [
            Remedy(.phone, "See whether the phone runs and is connected, and let it register again when its address changes."),
            Remedy(.server, "Let registrations end sooner, so that a phone that is gone is no longer called."),
        ]
        told.insert(cause)
    }
}
