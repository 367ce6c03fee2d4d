import Base
import Capture

/// What ICMP says of a request that nobody answered.
struct UnreachedReason {
    /// Continues a sentence.
    var words: String
    var remedies: [Remedy]
    /// The host itself says that nothing listens: it may come back.
    var isAbsence = false
}

extension Judge {
    /// Who refuses a request by ICMP, and what to do there; nil where the error says too little (RFC 792, RFC 4443).
    func unreached(_ icmp: ICMPNote, _ step: Step, _ table: SignallingTable) -> UnreachedReason? {
        let (source, destination) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        let there = Self.name(destination)
        guard destination.isKnown else { return nil }
        switch (icmp.type, icmp.code) {
        case (3, 3), (1, 4):
            guard icmp.source == destination.address else { return nil }
            var remedies = [
                Remedy(.server, "Let a SIP program listen on UDP port \(destination.port) of \(destination.address.address).")
            ]
            if let other = neighbour(of: destination.address, registeredAt: source.address, table) {
                remedies.insert(
                    Remedy(
                        .router,
                        "Correct the port forwarding: \(other.address.address) of the same network speaks SIP with \(source.address.address)."
                    ),
                    at: 0)
            } else if destination.address.isPrivateNetwork, !source.address.isPrivateNetwork {
                remedies.insert(
                    Remedy(.router, "Correct the port forwarding: it has to lead to the host on which SIP runs."), at: 0)
            }
            return UnreachedReason(
                words: "it arrives, and \(icmp.source) refuses it by ICMP, as nothing listens on port \(destination.port) there",
                remedies: remedies, isAbsence: true)
        case (11, 0):
            return UnreachedReason(
                words: "\(icmp.source) gives it up on the way, as its time to live ends there (ICMP), as in a routing loop",
                remedies: [
                    Remedy(
                        .network,
                        "Mend the routes at \(icmp.source): trace the way to \(destination.address.address) and look for hosts that repeat."
                    )
                ])
        case (3, 0), (3, 1), (1, 0), (1, 3):
            return UnreachedReason(
                words: "\(icmp.source) finds no host \(destination.address.address) (ICMP \(icmp.says))",
                remedies: [
                    Remedy(
                        .network,
                        "See whether \(there) is switched on and has that address, and whether \(icmp.source) has a route to it.")
                ])
        case (3, 9), (3, 10), (3, 13), (1, 1):
            return UnreachedReason(
                words: "a filter at \(icmp.source) refuses it by ICMP",
                remedies: [Remedy(.router, "Let \(icmp.source) pass SIP to \(there): its rules forbid it.")])
        case (3, 4), (2, _):
            return UnreachedReason(
                words: "\(icmp.source) refuses it by ICMP as too big for the next link",
                remedies: [
                    Remedy(.phone, "Send SIP over TCP, or make the request smaller: fewer codecs and headers (RFC 3261 18.1.1)."),
                    Remedy(
                        .network,
                        "Raise the MTU behind \(icmp.source), or let \(source.address.address) heed the ICMP error and fragment."),
                ])
        default: return nil
        }
    }

    /// A host of the same small network that talks SIP with that peer.
    private func neighbour(
        of host: PackedAddress, registeredAt peer: PackedAddress, _ table: SignallingTable
    ) -> PackedEndpoint? {
        guard host.isIPv4, host.isPrivateNetwork else { return nil }
        for dialog in table.dialogs where dialog.progress.contains(.answered) {
            for leg in dialog.legs where leg.server.address == peer && leg.client.address != host {
                if leg.client.address.isIPv4, leg.client.address.low >> 8 == host.low >> 8 { return leg.client }
            }
        }
        return nil
    }
}
