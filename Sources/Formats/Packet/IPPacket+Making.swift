import Base

/// What a sender chooses about the IP header of a new packet.
public struct IPOptions: Hashable, Sendable {
    public var timeToLive: UInt8
    public var trafficClass: UInt8
    /// IPv4 only: routers may not fragment (RFC 791 2.3).
    public var dontFragment: Bool
    /// IPv4 only: needed where the packet may be fragmented (RFC 6864).
    public var identification: UInt16

    public init(timeToLive: UInt8 = 64, trafficClass: UInt8 = 0, dontFragment: Bool = false, identification: UInt16 = 0) {
        self.timeToLive = timeToLive
        self.trafficClass = trafficClass
        self.dontFragment = dontFragment
        self.identification = identification
    }
}

/// Makers of whole packets; all checksums are right.
extension IPPacket {
    /// An IP packet around `payload`, which is taken as it is.
    public static func bytes(
        from source: IPAddress, to destination: IPAddress, _ number: IPProtocol, _ payload: [UInt8],
        _ options: IPOptions = IPOptions()
    ) throws(PacketError) -> [UInt8] {
        var bytes = try header(from: source, to: destination, number, payload.count, options)
        bytes.append(contentsOf: payload)
        return bytes
    }

    /// A UDP datagram over the family of its addresses. Throws `.tooLong`, `.mixedFamilies`.
    public static func bytes(of datagram: Datagram, _ options: IPOptions = IPOptions()) throws(PacketError) -> [UInt8] {
        let length = datagram.payload.count + 8
        let source = datagram.source.address
        let destination = datagram.destination.address
        var bytes = try header(from: source, to: destination, .udp, length, options)
        let start = bytes.count
        bytes.append(bigEndian: datagram.source.port)
        bytes.append(bigEndian: datagram.destination.port)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: length))
        bytes.append(bigEndian: UInt16(0))
        bytes.append(contentsOf: datagram.payload)
        var checksum = InternetChecksum()
        checksum.addPseudoHeader(source, destination, .udp, length: length)
        checksum.add(bytes, in: start..<bytes.count)
        let value = checksum.value
        bytes.replace(at: start + UDPHeader.Offset.checksum, bigEndian: value == 0 ? 0xffff : value)
        return bytes
    }

    /// The IP header alone, for a payload of `length` octets to follow.
    static func header(
        from source: IPAddress, to destination: IPAddress, _ number: IPProtocol, _ length: Int, _ options: IPOptions
    ) throws(PacketError) -> [UInt8] {
        var bytes: [UInt8] = []
        switch (source, destination) {
        case (.v4(let from), .v4(let to)):
            guard length + 20 <= 65_535 else { throw PacketError(.tooLong, at: 65_535) }
            bytes.reserveCapacity(20 + length)
            bytes.append(0x45)
            bytes.append(options.trafficClass)
            bytes.append(bigEndian: UInt16(length + 20))
            bytes.append(bigEndian: options.identification)
            bytes.append(bigEndian: UInt16(options.dontFragment ? 0x4000 : 0))
            bytes.append(options.timeToLive)
            bytes.append(number.rawValue)
            bytes.append(bigEndian: UInt16(0))
            bytes.append(bigEndian: from.bits)
            bytes.append(bigEndian: to.bits)
            bytes.replace(at: IPv4Header.Offset.checksum, bigEndian: InternetChecksum.of(bytes, in: 0..<20))
        case (.v6(let from), .v6(let to)):
            guard length <= 65_535 else { throw PacketError(.tooLong, at: 65_535) }
            bytes.reserveCapacity(40 + length)
            bytes.append(bigEndian: UInt32(6) << 28 | UInt32(options.trafficClass) << 20)
            bytes.append(bigEndian: UInt16(length))
            bytes.append(number.rawValue)
            bytes.append(options.timeToLive)
            bytes.append(bigEndian: from.high)
            bytes.append(bigEndian: from.low)
            bytes.append(bigEndian: to.high)
            bytes.append(bigEndian: to.low)
        case (.v4, .v6), (.v6, .v4):
            throw PacketError(.mixedFamilies, at: 0)
        }
        return bytes
    }
}
