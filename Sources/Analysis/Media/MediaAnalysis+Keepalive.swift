import RTP

extension MediaAnalysis {
    /// Sound is longer, octets.
    private static let mostOfKeepalive = 3

    /// A packet with no sound in it, of a payload type that nobody agreed to: it keeps a mapping open while its sender is silent
    /// (RFC 6263 4.6; no or hardly any payload).
    func isKeepalive(_ type: UInt8, _ payload: UnsafeRawBufferPointer, _ key: RTPStreamKey) -> Bool {
        // Comfort noise is as short (RFC 3389).
        guard payload.count < 64, type != 13, type != 19, let header = RTPHeader(payload),
            header.payloadCount <= Self.mostOfKeepalive
        else { return false }
        let formats = formatLists[Int(formatList(key))]
        return formats.isEmpty ? header.payloadCount == 0 : !formats.contains { $0.payloadType == type }
    }
}
