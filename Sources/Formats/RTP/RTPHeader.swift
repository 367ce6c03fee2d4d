import Base

/// The header of an RTP packet (RFC 3550 5.1), read in place: no bytes are copied.
@frozen
public struct RTPHeader: Hashable, Sendable {
    public var marker: Bool
    /// 0...127.
    public var payloadType: UInt8
    public var sequenceNumber: UInt16
    public var timestamp: UInt32
    public var ssrc: UInt32
    /// How many contributing sources follow the fixed header.
    public var contributorCount: UInt8
    /// Where the payload starts, from the first byte of the packet.
    public var payloadStart: Int
    /// Where it ends: padding follows.
    public var payloadEnd: Int

    /// nil: not version 2, or lengths that reach past the end.
    @inlinable
    public init?(_ packet: UnsafeRawBufferPointer) {
        let count = packet.count
        guard count >= 12, packet[0] & 0xc0 == 0x80 else { return nil }
        let first = packet[0]
        var start = 12 + 4 * Int(first & 0x0f)
        guard start <= count else { return nil }
        if first & 0x10 != 0 {
            guard start + 4 <= count else { return nil }
            start += 4 + 4 * (Int(packet[start + 2]) << 8 | Int(packet[start + 3]))
            guard start <= count else { return nil }
        }
        var end = count
        if first & 0x20 != 0 {
            let padding = Int(packet[count - 1])
            guard padding > 0, padding <= count - start else { return nil }
            end = count - padding
        }
        let second = packet[1]
        marker = second & 0x80 != 0
        payloadType = second & 0x7f
        sequenceNumber = UInt16(packet[2]) << 8 | UInt16(packet[3])
        timestamp = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        ssrc = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        contributorCount = first & 0x0f
        payloadStart = start
        payloadEnd = end
    }

    /// The same over an array.
    @inlinable
    public init?(_ packet: [UInt8]) {
        guard let header = packet.withUnsafeBytes({ RTPHeader($0) }) else { return nil }
        self = header
    }

    /// The same over a part of an array; offsets count from the part's first byte.
    @inlinable
    public init?(_ packet: ArraySlice<UInt8>) {
        guard let header = packet.withUnsafeBytes({ RTPHeader($0) }) else { return nil }
        self = header
    }

    @inlinable
    public var payloadCount: Int { payloadEnd - payloadStart }
}

/// An RTP packet as values, for writing one (RFC 3550 5.1).
public struct RTPPacket: Hashable, Sendable {
    public var marker: Bool
    /// 0...127; the highest bit is dropped.
    public var payloadType: UInt8
    public var sequenceNumber: UInt16
    public var timestamp: UInt32
    public var ssrc: UInt32
    /// 15 at most; further ones are left out.
    public var contributors: [UInt32]
    public var payload: [UInt8]

    public init(
        marker: Bool = false, payloadType: UInt8, sequenceNumber: UInt16, timestamp: UInt32, ssrc: UInt32,
        contributors: [UInt32] = [], payload: [UInt8]
    ) {
        self.marker = marker
        self.payloadType = payloadType
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.contributors = contributors
        self.payload = payload
    }

    /// Copies out of `bytes`; header extension and padding are left out. nil as `RTPHeader`.
    public init?(parsing bytes: [UInt8]) {
        guard let header = RTPHeader(bytes) else { return nil }
        self.init(
            marker: header.marker, payloadType: header.payloadType, sequenceNumber: header.sequenceNumber,
            timestamp: header.timestamp, ssrc: header.ssrc,
            contributors: (0..<Int(header.contributorCount)).map { bytes.uint32(at: 12 + 4 * $0) },
            payload: Array(bytes[header.payloadStart..<header.payloadEnd]))
    }

    /// As it goes on the wire.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(12 + 4 * contributors.count + payload.count)
        let listed = contributors.prefix(15)
        result.append(0x80 | UInt8(listed.count))
        result.append(payloadType & 0x7f | (marker ? 0x80 : 0))
        result.append(bigEndian: sequenceNumber)
        result.append(bigEndian: timestamp)
        result.append(bigEndian: ssrc)
        for contributor in listed { result.append(bigEndian: contributor) }
        result += payload
        return result
    }
}
