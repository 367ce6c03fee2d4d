import Base
import Packet

/// The same UDP packet around another payload, lengths and checksums made right: what an ALG needs after it rewrote a message.
///
/// A packet sent without a UDP checksum stays so. nil: not a whole UDP packet over IPv4, or the payload does not fit one.
public func replacingUDPPayload(of packet: [UInt8], with payload: [UInt8]) -> [UInt8]? {
    guard let parsed = try? IPPacket(packet), parsed.fragment == nil, case .v4(let header) = parsed.header,
        case .udp(let udp) = parsed.transport, udp.range.upperBound + payload.count <= 65_535
    else { return nil }
    var bytes = Array(packet[..<udp.range.upperBound])
    bytes.reserveCapacity(bytes.count + payload.count)
    bytes.append(contentsOf: payload)
    bytes.replace(at: IPv4Header.Offset.totalLength, bigEndian: UInt16(bytes.count))
    bytes.replace(at: IPv4Header.Offset.checksum, bigEndian: 0)
    bytes.replace(at: IPv4Header.Offset.checksum, bigEndian: InternetChecksum.of(bytes, in: header.range))
    bytes.replace(at: udp.range.lowerBound + UDPHeader.Offset.length, bigEndian: UInt16(8 + payload.count))
    guard udp.checksum != 0, var made = try? IPPacket(bytes) else { return bytes }
    made.refreshTransportChecksum(in: &bytes)
    return bytes
}
