import Base

extension IPPacket {
    /// Puts another payload into a whole UDP or TCP packet over IPv4, at the start of its buffer; lengths and checksums follow.
    /// One too long for a packet is not put in.
    public mutating func replacePayload(_ old: Range<Int>, with new: [UInt8], in bytes: inout [UInt8]) {
        guard case .v4(var header) = header, let total = UInt16(exactly: bytes.count - old.count + new.count) else { return }
        bytes.replaceSubrange(old, with: new)
        let sumAt = IPv4Header.Offset.checksum
        let lengthAt = IPv4Header.Offset.totalLength
        header.checksum = InternetChecksum.update(bytes.uint16(at: sumAt), from: bytes.uint16(at: lengthAt), to: total)
        header.totalLength = Int(total)
        bytes.replace(at: sumAt, bigEndian: header.checksum)
        bytes.replace(at: lengthAt, bigEndian: total)
        self.header = .v4(header)
        range = 0..<Int(total)
        payload = payload.lowerBound..<Int(total)
        switch transport {
        case .udp(var udp):
            udp.length = new.count + 8
            udp.payload = old.lowerBound..<(old.lowerBound + new.count)
            bytes.replace(
                at: udp.range.lowerBound + UDPHeader.Offset.length, bigEndian: UInt16(truncatingIfNeeded: udp.length))
            transport = .udp(udp)
        case .tcp(var tcp):
            tcp.payload = old.lowerBound..<(old.lowerBound + new.count)
            transport = .tcp(tcp)
        case .icmp, .other, .laterFragment: break
        }
        refreshTransportChecksum(in: &bytes)
    }
}
