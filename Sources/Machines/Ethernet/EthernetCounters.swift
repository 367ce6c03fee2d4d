public import Base

/// Why a frame or a packet went no further at a port.
public enum EthernetDropReason: UInt8, Hashable, Sendable, CaseIterable {
    /// Shorter than its headers say, or than they are.
    case truncated
    /// The destination MAC is another port's.
    case foreign
    /// The source MAC is a group's, or zero.
    case badSource
    /// The source MAC is ours: a loop, or forged.
    case ownMAC
    /// The sender's IP address is ours: forged, or a conflict.
    case ownAddress
    /// A VLAN tag: ports are untagged.
    case tagged
    /// IEEE 802.3 with a length where the kind should stand.
    case length
    /// A kind of frame other than IPv4, ARP and IPv6, or IP of another version than the frame says.
    case kind
    /// A group nobody here has joined.
    case group
    /// A single host's IP address in a frame to a group (RFC 1122 3.3.6), or a group's or broadcast address as source.
    case mismatched
    /// ARP of another hardware or with fields that contradict each other.
    case badARP
    /// Neighbour discovery that fails RFC 4861's checks: hop limit, checksum, code, addresses, options.
    case badDiscovery
    /// An answer to a question nobody asked.
    case unasked
    /// ARP or neighbour solicitation for somebody else.
    case otherTarget
    /// A redirect (RFC 4861 8): none are taken.
    case redirect
    /// A sender outside the port's prefixes: not learnt.
    case offLink
    /// To be sent, and not a whole IP packet.
    case malformed
    /// To be sent, and longer than the port's MTU.
    case tooBig
    /// To be sent, on no prefix of the port's and without a gateway.
    case noRoute
    /// To be sent, and the port has no address of that family to ask from.
    case noAddress
    /// Waited for a neighbour's answer, and newer packets needed the room.
    case waitingLimit
    /// The neighbour cache is full of neighbours that may not be forgotten.
    case neighbourLimit
    /// The next hop did not answer.
    case unreachable
}

/// What a port has done since it started. All wrap around.
public struct EthernetCounters: Hashable, Sendable {
    public internal(set) var framesReceived: UInt64 = 0
    public internal(set) var framesSent: UInt64 = 0
    /// IP packets handed on.
    public internal(set) var packetsReceived: UInt64 = 0
    /// IP packets put into frames.
    public internal(set) var packetsSent: UInt64 = 0
    /// Questions of ARP and ND answered.
    public internal(set) var answers: UInt64 = 0
    /// Questions of ARP and ND asked.
    public internal(set) var questions: UInt64 = 0
    /// Somebody else said that one of our addresses is his.
    public internal(set) var conflicts: UInt64 = 0
    private var dropped: [UInt64]

    init() { dropped = Array(repeating: 0, count: EthernetDropReason.allCases.count) }

    public internal(set) subscript(reason: EthernetDropReason) -> UInt64 {
        get { dropped[Int(reason.rawValue)] }
        set { dropped[Int(reason.rawValue)] = newValue }
    }
}

/// What a port noticed.
public enum EthernetTrace: Hashable, Sendable {
    case dropped(EthernetDropReason)
    case resolved(IPAddress, MACAddress)
    /// A neighbour has another MAC address than before.
    case moved(IPAddress, from: MACAddress, to: MACAddress)
    /// A neighbour no longer answers, or room was needed.
    case forgotten(IPAddress)
    /// Somebody else claims an address of ours.
    case conflict(IPAddress, MACAddress)
}
