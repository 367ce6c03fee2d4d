/// What became of one packet. Only one that goes on was edited.
public enum NATVerdict: Hashable, Sendable {
    /// Translated; goes on to the other side. The mapping is the one whose external endpoint it leaves from or came to.
    case forward(via: MappingID)
    /// Translated twice; goes back inside (RFC 4787 6).
    case hairpin(from: MappingID, to: MappingID)
    case dropped(NATDropReason)
    /// Refused, and this answer goes back to where the packet came from.
    case icmp([UInt8], NATDropReason)
    /// Kept for now: a fragment waiting for its first one, or an unsolicited SYN (RFC 5382 REQ-4).
    case held(NATHold)
}

/// What a packet is kept for.
public enum NATHold: Hashable, Sendable {
    case fragment
    case unsolicitedSYN
}

/// What the NAT has to send besides the verdict's own packet: fragments released by their first one, ICMP for a SYN held in vain.
public enum NATOutput: Hashable, Sendable {
    case toExternal([UInt8])
    case toInternal([UInt8])
}

public enum NATDirection: UInt8, Hashable, Sendable {
    case outbound, inbound
}

/// Why a packet was not translated.
///
/// docs/nat.md lists them, each with its test.
public enum NATDropReason: Hashable, Sendable {
    /// No IPv4 packet, lengths that contradict each other, or a transport header that is not all there. Byte offset of the trouble.
    case malformed(offset: Int)
    case unsupportedProtocol(UInt8)
    /// From inside, with an external address as its source.
    case spoofedSource
    /// From outside, for an address that is none of ours.
    case notOurAddress
    case noMapping
    /// There is a mapping, but this remote may not use it.
    case filtered
    case hairpinningOff
    case noFreePort
    case mappingLimit
    case hostLimit
    /// The `via` mapping has gone, or belongs to another internal endpoint or protocol.
    case unknownMapping
    /// A TCP segment that is no SYN, of no known connection.
    case noConnection
    case heldSYNLimit
    case fragmentLimit
    /// Too small to hold its transport header, or overlapping one (RFC 1858).
    case tinyFragment
    /// Its first fragment was dropped.
    case firstFragmentDropped
    /// Its first fragment never came in time.
    case fragmentTimeout
    /// An ICMP error whose checksum, or whose embedded packet's, is wrong (RFC 5508 REQ-3).
    case badChecksum
    case unsupportedICMP(type: UInt8)
}
