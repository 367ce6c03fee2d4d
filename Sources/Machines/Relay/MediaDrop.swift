/// Why a packet on a media port went nowhere.
public enum MediaDrop: UInt8, Hashable, Sendable, CaseIterable {
    /// The port belongs to no leg: it came before the call or after it.
    case noLeg
    /// Neither RTP, RTCP nor STUN.
    case notMedia
    /// RTP or RTCP by its first byte, but with lengths that do not fit.
    case malformed
    /// A payload type nobody agreed to.
    case payloadType
    /// Not from the party's source.
    case stranger
    /// One of the first packets: its sender is not believed yet.
    case weighed
    /// SRTP: no keys, wrong, or replayed.
    case notAuthentic
    /// More packets a second than any sound needs.
    case flood
    /// The leg is neither bridged nor served.
    case noPeer
    /// The other side said that it does not receive, or where is not known.
    case notReceiving
    /// To an address from which nothing came and which signalling did not prove.
    case unproven
    /// It would go to a media port of ours, and round and round from there.
    case ownPort
    /// An echo of our own echo.
    case looped
    /// A connectivity check that does not prove who sent it, or on a leg without ICE.
    case badCheck
}
