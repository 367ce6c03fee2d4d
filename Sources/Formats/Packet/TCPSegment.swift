import Base

/// A TCP segment to be sent (RFC 9293 3.1).
public struct TCPSegment: Hashable, Sendable {
    public var source: Endpoint
    public var destination: Endpoint
    public var sequence: UInt32
    public var acknowledgment: UInt32
    public var flags: TCPHeader.Flags
    public var window: UInt16
    /// Sent as an option; nil sends none.
    public var maximumSegmentSize: UInt16?
    public var payload: [UInt8]

    public init(
        from source: Endpoint, to destination: Endpoint, sequence: UInt32, acknowledgment: UInt32 = 0, flags: TCPHeader.Flags,
        window: UInt16 = 65_535, maximumSegmentSize: UInt16? = nil, payload: [UInt8] = []
    ) {
        self.source = source
        self.destination = destination
        self.sequence = sequence
        self.acknowledgment = acknowledgment
        self.flags = flags
        self.window = window
        self.maximumSegmentSize = maximumSegmentSize
        self.payload = payload
    }

    /// The whole IP packet. Throws `.tooLong`, `.mixedFamilies`.
    public func packet(_ options: IPOptions = IPOptions(dontFragment: true)) throws(PacketError) -> [UInt8] {
        let header = maximumSegmentSize == nil ? 20 : 24
        let length = header + payload.count
        var bytes = try IPPacket.header(from: source.address, to: destination.address, .tcp, length, options)
        let start = bytes.count
        bytes.append(bigEndian: source.port)
        bytes.append(bigEndian: destination.port)
        bytes.append(bigEndian: sequence)
        bytes.append(bigEndian: acknowledgment)
        bytes.append(UInt8(header / 4) << 4)
        bytes.append(flags.rawValue)
        bytes.append(bigEndian: window)
        bytes.append(bigEndian: UInt32(0))
        if let maximumSegmentSize {
            bytes.append(2)
            bytes.append(4)
            bytes.append(bigEndian: maximumSegmentSize)
        }
        bytes.append(contentsOf: payload)
        var checksum = InternetChecksum()
        checksum.addPseudoHeader(source.address, destination.address, .tcp, length: length)
        checksum.add(bytes, in: start..<bytes.count)
        bytes.replace(at: start + TCPHeader.Offset.checksum, bigEndian: checksum.value)
        return bytes
    }
}
