public import ALG
public import DHCP
public import DNSForwarder
public import NAT
public import PortControl
import Base

/// What a router noticed: its own doings, its NAT's and its SIP helper's.
public enum RouterTrace: Hashable, Sendable {
    case nat(NATTrace)
    case alg(ALGTrace)
    /// A packet that went no further.
    case dropped(RouterDropReason, RouterInterface)
    /// An ICMP error that was not sent: too many had been, that way (RFC 1812 4.3.2.8).
    case errorWithheld(RouterInterface)
    /// The SIP helper's hold is over and the packet went on.
    case released(heldFor: Duration)
    case rebooting(until: Instant, heldPacketsLost: Int)
    case up
    case algSwitched(isOn: Bool)
    case command(String)
    case dhcp(DHCPServerTrace)
    case dns(DNSForwarderTrace)
    case portControl(PortControlTrace)
    /// The outside address's.
    case outsideDHCP(DHCPClientTrace)
}

/// Why a router itself did not forward a packet.
public enum RouterDropReason: Hashable, Sendable {
    /// Not a whole IP packet; byte offset of the trouble.
    case malformed(offset: Int)
    case down
    case timeToLive
    /// Larger than the way out allows, and not to be fragmented.
    case tooBig(mtu: Int)
    case noRoute
    /// The next hop does not answer ARP or neighbour solicitations.
    case nextHopSilent
    /// For the router itself, which does not speak that.
    case notSpoken
    /// An address that may not cross a router: link-local, multicast, broadcast, loopback.
    case unroutable
    /// It contradicts or overlaps others of its datagram, or there are too many of them.
    case fragment
    /// A rule of the firewall's.
    case firewall
    /// The held packets' table is full: it went on at once.
    case holdLimit
    /// The SIP helper.
    case alg(ALGDropReason)
    /// The NAT.
    case nat(NATDropReason)
}
