import Base

/// Edits in place with incremental checksum updates (RFC 1624), as a NAT makes them. Each keeps the parsed value and the
/// buffer in step.
extension IPPacket {
    public enum Side: Sendable { case source, destination }

    /// Puts another address (of the same family) and, where the packet has ports, another port on one side.
    ///
    /// Works on whole packets, first and later fragments, and on packets quoted in ICMP errors; a quoted packet's checksums
    /// are updated where they lie within the quotation. A UDP checksum of 0 stays 0.
    public mutating func rewrite(_ side: Side, to endpoint: Endpoint, in bytes: inout [UInt8]) {
        rewrite(side, address: endpoint.address, in: &bytes)
        rewrite(side, port: endpoint.port, in: &bytes)
    }

    /// Puts another address of the same family on one side.
    public mutating func rewrite(_ side: Side, address: IPAddress, in bytes: inout [UInt8]) {
        let old = side == .source ? source : destination
        guard old != address, old.isIPv6 == address.isIPv6 else { return }
        switch address {
        case .v4(let v4):
            let at = range.lowerBound + (side == .source ? IPv4Header.Offset.source : IPv4Header.Offset.destination)
            bytes.replace(at: at, bigEndian: UInt16(truncatingIfNeeded: v4.bits >> 16))
            bytes.replace(at: at + 2, bigEndian: UInt16(truncatingIfNeeded: v4.bits))
            let sumAt = range.lowerBound + IPv4Header.Offset.checksum
            bytes.replace(at: sumAt, bigEndian: InternetChecksum.update(bytes.uint16(at: sumAt), from: old, to: address))
            if case .v4(var header) = header {
                if side == .source { header.source = v4 } else { header.destination = v4 }
                header.checksum = bytes.uint16(at: sumAt)
                self.header = .v4(header)
            }
        case .v6(let v6):
            let at = range.lowerBound + (side == .source ? IPv6Header.Offset.source : IPv6Header.Offset.destination)
            for (index, group) in v6.groups.enumerated() { bytes.replace(at: at + 2 * index, bigEndian: group) }
            if case .v6(var header) = header {
                if side == .source { header.source = v6 } else { header.destination = v6 }
                self.header = .v6(header)
            }
        }
        if side == .source { source = address } else { destination = address }
        guard protocolNumber != .icmpv4, let at = transportChecksumOffset else { return }
        store(InternetChecksum.update(bytes.uint16(at: at), from: old, to: address), at: at, in: &bytes)
    }

    /// Puts another UDP or TCP port on one side; without ports, nothing.
    public mutating func rewrite(_ side: Side, port: UInt16, in bytes: inout [UInt8]) {
        guard let portsAt = portsOffset else { return }
        let at = side == .source ? portsAt : portsAt + 2
        let old = bytes.uint16(at: at)
        guard old != port else { return }
        bytes.replace(at: at, bigEndian: port)
        switch transport {
        case .udp(var udp):
            if side == .source { udp.source = port } else { udp.destination = port }
            transport = .udp(udp)
        case .tcp(var tcp):
            if side == .source { tcp.source = port } else { tcp.destination = port }
            transport = .tcp(tcp)
        case .icmp, .other, .laterFragment: break
        }
        guard let sumAt = transportChecksumOffset else { return }
        store(InternetChecksum.update(bytes.uint16(at: sumAt), from: old, to: port), at: sumAt, in: &bytes)
    }

    /// Puts another identifier into an ICMP echo; for other packets, nothing.
    public mutating func rewriteEchoIdentifier(to identifier: UInt16, in bytes: inout [UInt8]) {
        guard case .icmp(var icmp) = transport, icmp.meaning == .echoRequest || icmp.meaning == .echoReply else { return }
        let at = icmp.range.lowerBound + ICMPHeader.Offset.identifier
        let sumAt = icmp.range.lowerBound + ICMPHeader.Offset.checksum
        let sum = InternetChecksum.update(bytes.uint16(at: sumAt), from: bytes.uint16(at: at), to: identifier)
        bytes.replace(at: at, bigEndian: identifier)
        bytes.replace(at: sumAt, bigEndian: sum)
        icmp.rest = UInt32(identifier) << 16 | icmp.rest & 0xffff
        icmp.checksum = sum
        transport = .icmp(icmp)
    }

    /// Takes one from Time to Live or Hop Limit; false, and nothing changed, where that would make it 0.
    public mutating func decrementTimeToLive(in bytes: inout [UInt8]) -> Bool {
        switch header {
        case .v4(var v4):
            guard v4.timeToLive > 1 else { return false }
            let at = range.lowerBound + IPv4Header.Offset.timeToLive
            let old = bytes.uint16(at: at)
            v4.timeToLive -= 1
            bytes[at] = v4.timeToLive
            let sumAt = range.lowerBound + IPv4Header.Offset.checksum
            v4.checksum = InternetChecksum.update(bytes.uint16(at: sumAt), from: old, to: bytes.uint16(at: at))
            bytes.replace(at: sumAt, bigEndian: v4.checksum)
            header = .v4(v4)
        case .v6(var v6):
            guard v6.hopLimit > 1 else { return false }
            v6.hopLimit -= 1
            bytes[range.lowerBound + IPv6Header.Offset.hopLimit] = v6.hopLimit
            header = .v6(v6)
        }
        return true
    }

    /// Computes the transport's checksum afresh over the bytes as they are now, and stores it. For whole packets only.
    public mutating func refreshTransportChecksum(in bytes: inout [UInt8]) {
        guard fragment == nil, let at = transportChecksumOffset else { return }
        bytes.replace(at: at, bigEndian: 0)
        var covered = payload
        if case .udp(let udp) = transport { covered = udp.range.lowerBound..<udp.payload.upperBound }
        var checksum = InternetChecksum()
        if protocolNumber != .icmpv4 { checksum.addPseudoHeader(source, destination, protocolNumber, length: covered.count) }
        checksum.add(bytes, in: covered)
        let value = protocolNumber == .udp && checksum.value == 0 ? 0xffff : checksum.value
        bytes.replace(at: at, bigEndian: value)
        noteChecksum(value)
    }

    private mutating func store(_ checksum: UInt16, at: Int, in bytes: inout [UInt8]) {
        var checksum = checksum
        if protocolNumber == .udp {
            guard bytes.uint16(at: at) != 0 else { return }
            if checksum == 0 { checksum = 0xffff }
        }
        bytes.replace(at: at, bigEndian: checksum)
        noteChecksum(checksum)
    }

    private mutating func noteChecksum(_ checksum: UInt16) {
        switch transport {
        case .udp(var udp):
            udp.checksum = checksum
            transport = .udp(udp)
        case .tcp(var tcp):
            tcp.checksum = checksum
            transport = .tcp(tcp)
        case .icmp(var icmp):
            icmp.checksum = checksum
            transport = .icmp(icmp)
        case .other, .laterFragment: break
        }
    }
}
