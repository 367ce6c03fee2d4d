import Base
import Packet

/// Runs everything this module does with bytes from outside over `bytes`: for fuzzers and corpus replay. Traps only on a
/// bug of ours.
///
/// Parses the packet and what it quotes, verifies, rewrites both sides and compares incremental with full checksums, fragments
/// what fits and reassembles it.
package func exercisePacketParser(_ bytes: [UInt8]) {
    guard var packet = try? IPPacket(bytes) else { return }
    if case .icmp(let icmp) = packet.transport, icmp.meaning.isError, packet.fragment == nil,
        var quoted = try? IPPacket(quotedIn: bytes, icmp.payload)
    {
        var copy = bytes
        quoted.rewrite(.source, to: Endpoint(quoted.destination, 1), in: &copy)
        quoted.rewrite(.destination, to: Endpoint(quoted.source, 2), in: &copy)
    }
    var copy = bytes
    let right = (try? packet.verifyChecksums(bytes)) != nil
    let other: IPAddress =
        packet.source.isIPv6 ? .v6(IPv6Address(high: 0x2001_0db8 << 32, low: 99)) : .v4(IPv4Address(192, 0, 2, 99))
    packet.rewrite(.source, to: Endpoint(other, 52_899), in: &copy)
    packet.rewrite(.destination, to: Endpoint(other, 5060), in: &copy)
    packet.rewriteEchoIdentifier(to: 7, in: &copy)
    _ = packet.decrementTimeToLive(in: &copy)
    if right {
        precondition((try? packet.verifyChecksums(copy)) != nil, "an edit broke a checksum")
        precondition((try? IPPacket(copy)) == packet, "the parsed value and its buffer disagree after an edit")
    }
    guard packet.fragment == nil, packet.range.count == copy.count,
        let fragments = try? IPPacket.fragments(of: copy, mtu: 296, identification: 5), fragments.count > 1
    else { return }
    var reassembler = Reassembler()
    for fragment in fragments.dropLast() {
        precondition(reassembler.receive(fragment, at: .epoch) == .waiting, "an incomplete datagram did not wait")
    }
    guard case .whole(let whole) = reassembler.receive(fragments[fragments.count - 1], at: .epoch) else {
        preconditionFailure("our own fragments did not come together")
    }
    precondition(whole.count == copy.count, "our own fragments came together to another length")
}
