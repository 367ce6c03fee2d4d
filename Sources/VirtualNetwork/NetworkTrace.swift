import Base

/// What a network noticed about one packet.
public enum NetworkTrace: Hashable, Sendable {
    /// Put on a link, as it is; `ordinal` counts the link's packets from 1.
    case sent(LinkID, from: InterfaceID, ordinal: UInt64, [UInt8])
    case delivered(LinkID, to: InterfaceID, [UInt8])
    case duplicated(LinkID, from: InterfaceID, [UInt8])
    case reordered(LinkID, from: InterfaceID, [UInt8])
    /// Cut to the link's MTU where it was sent.
    case fragmented(LinkID, from: InterfaceID, count: Int)
    case dropped(LinkID, from: InterfaceID, NetworkDrop, [UInt8])
    case linkChanged(LinkID, isUp: Bool)
}

/// Why a packet was not delivered.
public enum NetworkDrop: Hashable, Sendable {
    /// By chance, or because a test asked for it.
    case lost
    case linkDown
    /// On its way when the link went down.
    case cut
    /// Too many packets on their way.
    case capacity
    /// Nobody on the link has that address.
    case noNeighbour(IPAddress)
    /// Longer than the link's MTU and not to be fragmented; the sender has been told by ICMP.
    case tooBig(mtu: Int)
    case malformed
}
