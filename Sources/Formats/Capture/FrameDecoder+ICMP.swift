import Base

extension FrameDecoder {
    /// Keeps errors and what they quote; echoes and neighbour discovery are counted only.
    mutating func icmp(
        _ batch: inout PayloadBatch, _ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ context: Context, isIPv6: Bool
    ) {
        guard at + 8 <= end else {
            notes.malformed &+= 1
            return
        }
        let type = base.load(fromByteOffset: at, as: UInt8.self)
        let isError = isIPv6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12
        guard isError else {
            notes.otherProtocols[isIPv6 ? 58 : 1, default: 0] &+= 1
            return
        }
        let code = base.load(fromByteOffset: at + 1, as: UInt8.self)
        var mtu: UInt32 = 0
        if isIPv6, type == 2 { mtu = base.word(at + 4) }
        if !isIPv6, type == 3, code == 4 { mtu = UInt32(base.half(at + 6)) }
        var record = ICMPRecord(
            frame: context.frame, time: Instant(nanoseconds: context.time), source: context.source,
            destination: context.destination, isIPv6: isIPv6, type: type, code: code, quoted: nil, quotedProtocol: 0, quotedID: 0,
            mtu: mtu)
        quote(base, at + 8, end, &record)
        batch.icmp.append(record)
    }

    private func quote(_ base: UnsafeRawPointer, _ at: Int, _ end: Int, _ record: inout ICMPRecord) {
        guard at < end else { return }
        let source: PackedAddress
        let destination: PackedAddress
        let ports: Int
        if base.load(fromByteOffset: at, as: UInt8.self) >> 4 == 4 {
            guard at + 20 <= end else { return }
            record.quotedProtocol = base.load(fromByteOffset: at + 9, as: UInt8.self)
            record.quotedID = base.half(at + 4)
            source = PackedAddress(v4: base.word(at + 12))
            destination = PackedAddress(v4: base.word(at + 16))
            ports = at + Int(base.load(fromByteOffset: at, as: UInt8.self) & 15) * 4
            // A later fragment has no ports.
            guard base.half(at + 6) & 0x1fff == 0 else { return }
        } else {
            guard at + 40 <= end else { return }
            record.quotedProtocol = base.load(fromByteOffset: at + 6, as: UInt8.self)
            source = PackedAddress(high: base.long(at + 8), low: base.long(at + 16))
            destination = PackedAddress(high: base.long(at + 24), low: base.long(at + 32))
            ports = at + 40
        }
        guard record.quotedProtocol == 17 || record.quotedProtocol == 6, ports + 4 <= end else { return }
        record.quoted = PackedFlow(
            source: source, base.half(ports), destination: destination, base.half(ports + 2),
            record.quotedProtocol == 17 ? .udp : .tcp)
    }
}
