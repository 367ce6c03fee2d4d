import Base
import Packet

/// Packets longer than a frame, as the kernel hands them over where cutting was left to the hardware (generic segmentation offload): cut into those
/// that would have been on the wire.
enum Segments {
    /// The IP packets that `packet` stands for, each with at most `size` octets of TCP or UDP payload. Empty: it is nothing that can be cut.
    static func cut(_ packet: [UInt8], size: Int) -> [[UInt8]] {
        guard size > 0, let parsed = try? IPPacket(packet), parsed.fragment == nil else { return [] }
        let payload: Range<Int>
        switch parsed.transport {
        case .tcp(let tcp): payload = tcp.payload
        case .udp(let udp): payload = udp.payload
        case .icmp, .other, .laterFragment: return []
        }
        var packets: [[UInt8]] = []
        var from = payload.lowerBound
        repeat {
            let part = from..<min(from + size, payload.upperBound)
            guard let piece = self.piece(of: packet, parsed, part, payload, number: packets.count) else { return [] }
            packets.append(piece)
            from = part.upperBound
        } while from < payload.upperBound
        return packets
    }

    private static func piece(
        of packet: [UInt8], _ parsed: IPPacket, _ part: Range<Int>, _ payload: Range<Int>, number: Int
    ) -> [UInt8]? {
        var bytes = Array(packet[..<payload.lowerBound]) + packet[part]
        switch parsed.header {
        case .v4(let header):
            let at = header.range.lowerBound
            bytes.replace(at: at + IPv4Header.Offset.totalLength, bigEndian: UInt16(bytes.count))
            bytes.replace(
                at: at + IPv4Header.Offset.identification,
                bigEndian: UInt16(truncatingIfNeeded: Int(header.identification) + number))
            bytes.replace(at: at + IPv4Header.Offset.checksum, bigEndian: UInt16(0))
            bytes.replace(at: at + IPv4Header.Offset.checksum, bigEndian: InternetChecksum.of(bytes, in: header.range))
        case .v6:
            bytes.replace(at: IPv6Header.Offset.payloadLength, bigEndian: UInt16(bytes.count - 40))
        }
        let at = parsed.payload.lowerBound
        switch parsed.transport {
        case .tcp(let tcp):
            let sequence = tcp.sequence &+ UInt32(truncatingIfNeeded: part.lowerBound - payload.lowerBound)
            bytes.replace(at: at + TCPHeader.Offset.sequence, bigEndian: UInt16(truncatingIfNeeded: sequence >> 16))
            bytes.replace(at: at + TCPHeader.Offset.sequence + 2, bigEndian: UInt16(truncatingIfNeeded: sequence))
            // FIN and PSH belong to the last, CWR to the first (RFC 9293 3.10, RFC 3168 6.1.2).
            if part.upperBound < payload.upperBound { bytes[at + TCPHeader.Offset.flags] &= ~0b1001 }
            if number > 0 { bytes[at + TCPHeader.Offset.flags] &= ~0x80 }
        case .udp: bytes.replace(at: at + UDPHeader.Offset.length, bigEndian: UInt16(part.count + 8))
        case .icmp, .other, .laterFragment: break
        }
        guard var whole = try? IPPacket(bytes) else { return nil }
        whole.refreshTransportChecksum(in: &bytes)
        return bytes
    }
}
