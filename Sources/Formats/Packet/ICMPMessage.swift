import Base

/// An ICMP message to be sent, in whichever version its addresses ask for (RFC 792, RFC 4443).
public enum ICMPMessage: Hashable, Sendable {
    case echoRequest(identifier: UInt16, sequence: UInt16, data: [UInt8])
    case echoReply(identifier: UInt16, sequence: UInt16, data: [UInt8])
    /// Errors quote the packet that caused them.
    case noRoute(quoting: [UInt8])
    case hostUnreachable(quoting: [UInt8])
    case prohibited(quoting: [UInt8])
    case portUnreachable(quoting: [UInt8])
    /// Fragmentation Needed (RFC 1191 4) or Packet Too Big; `mtu`: the next hop's, octets.
    case packetTooBig(mtu: Int, quoting: [UInt8])
    case timeExceeded(quoting: [UInt8])
    case reassemblyTimeExceeded(quoting: [UInt8])

    /// The whole IP packet. Throws `.mixedFamilies`, and `.tooLong` for an echo beyond the format.
    ///
    /// An error quotes as much as fits 576 octets over IPv4 (RFC 1812 4.3.2.3) and 1,280 over IPv6 (RFC 4443 2.4 c).
    public func packet(from source: IPAddress, to destination: IPAddress, timeToLive: UInt8 = 64) throws(PacketError) -> [UInt8] {
        let v6 = destination.isIPv6
        var type: UInt8
        var code: UInt8 = 0
        var rest: UInt32 = 0
        var body: [UInt8]
        switch self {
        case .echoRequest(let identifier, let sequence, let data):
            (type, rest, body) = (v6 ? 128 : 8, UInt32(identifier) << 16 | UInt32(sequence), data)
        case .echoReply(let identifier, let sequence, let data):
            (type, rest, body) = (v6 ? 129 : 0, UInt32(identifier) << 16 | UInt32(sequence), data)
        case .noRoute(let packet): (type, code, body) = (v6 ? 1 : 3, 0, packet)
        case .hostUnreachable(let packet): (type, code, body) = (v6 ? 1 : 3, v6 ? 3 : 1, packet)
        case .prohibited(let packet): (type, code, body) = (v6 ? 1 : 3, v6 ? 1 : 13, packet)
        case .portUnreachable(let packet): (type, code, body) = (v6 ? 1 : 3, v6 ? 4 : 3, packet)
        case .packetTooBig(let mtu, let packet):
            let mtu = UInt32(clamping: mtu)
            (type, code, rest, body) = v6 ? (2, 0, mtu, packet) : (3, 4, min(mtu, 65_535), packet)
        case .timeExceeded(let packet): (type, code, body) = (v6 ? 3 : 11, 0, packet)
        case .reassemblyTimeExceeded(let packet): (type, code, body) = (v6 ? 3 : 11, 1, packet)
        }
        switch self {
        case .echoRequest, .echoReply: break
        case .noRoute, .hostUnreachable, .prohibited, .portUnreachable, .packetTooBig, .timeExceeded, .reassemblyTimeExceeded:
            let most = v6 ? 1_280 - 48 : 576 - 28
            if body.count > most { body.removeLast(body.count - most) }
        }
        let number: IPProtocol = v6 ? .icmpv6 : .icmpv4
        let length = 8 + body.count
        var bytes = try IPPacket.header(from: source, to: destination, number, length, IPOptions(timeToLive: timeToLive))
        let start = bytes.count
        bytes.append(type)
        bytes.append(code)
        bytes.append(bigEndian: UInt16(0))
        bytes.append(bigEndian: rest)
        bytes.append(contentsOf: body)
        var checksum = InternetChecksum()
        if v6 { checksum.addPseudoHeader(source, destination, number, length: length) }
        checksum.add(bytes, in: start..<bytes.count)
        bytes.replace(at: start + ICMPHeader.Offset.checksum, bigEndian: checksum.value)
        return bytes
    }

    /// Whether an ICMP error may be sent about `packet` at all (RFC 1122 3.2.2, RFC 4443 2.4 e): not about another ICMP
    /// error, a later fragment, or a packet from or to an address that is not one host's.
    public static func mayAnswer(_ packet: IPPacket) -> Bool {
        switch packet.transport {
        case .laterFragment: return false
        case .icmp(let icmp) where icmp.meaning.isError: return false
        case .udp, .tcp, .icmp, .other: break
        }
        return isOneHost(packet.source) && isOneHost(packet.destination)
    }

    private static func isOneHost(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let v4): v4.bits != 0 && v4.bits >> 28 < 0xe
        case .v6(let v6): (v6.high, v6.low) != (0, 0) && v6.high >> 56 != 0xff
        }
    }
}
