public import Base
public import DHCP
public import Ethernet

/// The two sides of a router.
public enum RouterInterface: UInt8, Hashable, Sendable, CaseIterable {
    /// Towards the hosts it serves.
    case lan
    /// Towards the rest: the Internet, or another router's LAN.
    case wan

    public var other: RouterInterface { self == .lan ? .wan : .lan }
}

/// What a router is told.
public enum RouterInput: Hashable, Sendable {
    /// A whole IP packet came in.
    case packet(RouterInterface, [UInt8])
    /// A packet that it had sent out on that side, and whose next hop does not answer.
    case unreachable(RouterInterface, [UInt8])
    /// A line typed at the command line; the answer is a `.text`.
    case command(String)
    /// Power off and on again: it forgets mappings and ALG state and is down for `RouterSettings.rebootTime`.
    case reboot
}

/// What a router does.
public enum RouterOutput: Hashable, Sendable {
    case packet(RouterInterface, [UInt8])
    /// The command line's answer, prompt included.
    case text(String)
    /// Where a host that has no address yet is to be reached by the next packet; nil: to be asked for as anybody again.
    case neighbour(RouterInterface, IPAddress, MACAddress?)
    /// The outside address, its prefix and its gateway are these from now on; nil: there are none.
    case outside(DHCPConfiguration?)
}
