import Base
import Packet

extension TCPSegment {
    /// The segment in a whole packet; nil where it is something else. Other options than the segment size say nothing to us.
    public init?(_ packet: IPPacket, in bytes: [UInt8]) {
        guard case .tcp(let header) = packet.transport, packet.fragment == nil else { return nil }
        self.init(
            from: Endpoint(packet.source, header.source), to: Endpoint(packet.destination, header.destination),
            sequence: header.sequence, acknowledgment: header.acknowledgment, flags: header.flags, window: header.window,
            maximumSegmentSize: header.maximumSegmentSizeOffset.map { bytes.uint16(at: $0) },
            payload: Array(bytes[header.payload]))
    }

    /// Octets of the sequence space it takes (SEG.LEN).
    var length: Int { payload.count + (flags.contains(.syn) ? 1 : 0) + (flags.contains(.fin) ? 1 : 0) }
}
