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
        guard let view = IPView(base, at, end) else { return }
        record.quotedProtocol = view.number
        record.quotedID = view.identification
        // A later fragment has no ports.
        guard view.isFirst, view.number == 17 || view.number == 6, view.payload + 4 <= end else { return }
        record.quoted = PackedFlow(
            source: view.source, base.half(view.payload), destination: view.destination, base.half(view.payload + 2),
            view.number == 17 ? .udp : .tcp)
    }
}
