import Base

/// A whole IP packet, parsed: what its headers say and where in the buffer each thing lies. It holds no bytes itself,
/// so that whoever owns the buffer may edit it in place.
public struct IPPacket: Hashable, Sendable {
    public enum Header: Hashable, Sendable {
        case v4(IPv4Header)
        case v6(IPv6Header)
    }

    /// What the payload is. In a first fragment and in a quotation the transport's data may be cut short.
    public enum Transport: Hashable, Sendable {
        case udp(UDPHeader)
        case tcp(TCPHeader)
        case icmp(ICMPHeader)
        /// A protocol not parsed here, or a quotation too short for its transport header.
        case other
        /// A fragment other than the first: it begins amid the payload.
        case laterFragment
    }

    /// A fragment's place in its datagram.
    public struct Fragment: Hashable, Sendable {
        public var identification: UInt32
        /// Octets, a multiple of 8.
        public var offset: Int
        public var more: Bool

        public init(identification: UInt32, offset: Int, more: Bool) {
            self.identification = identification
            self.offset = offset
            self.more = more
        }
    }

    public var header: Header
    public var transport: Transport
    public var source: IPAddress
    public var destination: IPAddress
    public var protocolNumber: IPProtocol
    /// nil for a packet that is whole.
    public var fragment: Fragment?
    /// The packet's own bytes; a buffer may be longer (link padding).
    public var range: Range<Int>
    /// What follows the IP header and its extensions.
    public var payload: Range<Int>

    /// Parses the packet at the start of `bytes`.
    public init(_ bytes: [UInt8]) throws(PacketError) {
        try self.init(bytes, in: 0..<bytes.count, quoted: false)
    }

    /// Parses the beginning of a packet that an ICMP error quotes: it may be cut anywhere after its IP header.
    public init(quotedIn bytes: [UInt8], _ range: Range<Int>) throws(PacketError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range outside the bytes")
        try self.init(bytes, in: range, quoted: true)
    }

    private init(_ bytes: [UInt8], in range: Range<Int>, quoted: Bool) throws(PacketError) {
        guard let first = range.first else { throw PacketError(.truncated(quoted ? .quote : .ipv4), at: range.lowerBound) }
        switch bytes[first] >> 4 {
        case 4:
            let v4 = try IPv4Header(bytes, in: range, quoted: quoted)
            header = .v4(v4)
            source = .v4(v4.source)
            destination = .v4(v4.destination)
            protocolNumber = v4.protocolNumber
            if v4.moreFragments || v4.fragmentOffset > 0 {
                fragment = Fragment(
                    identification: UInt32(v4.identification), offset: v4.fragmentOffset, more: v4.moreFragments)
            } else {
                fragment = nil
            }
            self.range = first..<min(range.upperBound, first + v4.totalLength)
            payload = v4.range.upperBound..<self.range.upperBound
        case 6:
            let v6 = try IPv6Header(bytes, in: range, quoted: quoted)
            header = .v6(v6)
            source = .v6(v6.source)
            destination = .v6(v6.destination)
            protocolNumber = v6.upperProtocol
            fragment = v6.fragment.map { Fragment(identification: $0.identification, offset: $0.offset, more: $0.more) }
            self.range = first..<min(range.upperBound, first + 40 + v6.payloadLength)
            payload = v6.range.upperBound..<self.range.upperBound
        case let version:
            throw PacketError(.version(version), at: first)
        }
        transport = .other
        if let fragment, fragment.offset > 0 {
            transport = .laterFragment
            return
        }
        let partial = quoted || (fragment?.more ?? false)
        do {
            switch protocolNumber {
            case .udp: transport = .udp(try UDPHeader(bytes, in: payload, partial: partial))
            case .tcp: transport = .tcp(try TCPHeader(bytes, in: payload))
            case .icmpv4 where !source.isIPv6: transport = .icmp(try ICMPHeader(bytes, in: payload, isIPv6: false))
            case .icmpv6 where source.isIPv6: transport = .icmp(try ICMPHeader(bytes, in: payload, isIPv6: true))
            default: break
            }
        } catch {
            guard quoted else { throw error }
        }
    }

    /// Source and destination ports of UDP and TCP, also of a quotation that holds only the first four octets; else nil.
    public func ports(_ bytes: [UInt8]) -> (source: UInt16, destination: UInt16)? {
        guard let at = portsOffset else { return nil }
        return (bytes.uint16(at: at), bytes.uint16(at: at + 2))
    }

    /// Where the source port lies (the destination port follows it); nil for what has no ports here.
    public var portsOffset: Int? {
        if case .laterFragment = transport { return nil }
        guard protocolNumber == .udp || protocolNumber == .tcp, payload.count >= 4 else { return nil }
        return payload.lowerBound
    }

    /// Where the transport's checksum lies, if the transport has one and it is within the buffer.
    public var transportChecksumOffset: Int? {
        if case .laterFragment = transport { return nil }
        let offset: Int
        switch protocolNumber {
        case .udp: offset = UDPHeader.Offset.checksum
        case .tcp: offset = TCPHeader.Offset.checksum
        case .icmpv4, .icmpv6: offset = ICMPHeader.Offset.checksum
        default: return nil
        }
        return payload.count >= offset + 2 ? payload.lowerBound + offset : nil
    }

    /// IPv4 Time to Live or IPv6 Hop Limit.
    public var timeToLive: UInt8 {
        switch header {
        case .v4(let v4): v4.timeToLive
        case .v6(let v6): v6.hopLimit
        }
    }

    /// Checks the IPv4 header checksum and, for a whole UDP, TCP or ICMP packet, the transport's. A UDP checksum of 0 is
    /// right over IPv4 (none computed) and wrong over IPv6 (RFC 8200 8.1).
    public func verifyChecksums(_ bytes: [UInt8]) throws(PacketError) {
        if case .v4(let v4) = header, !v4.hasRightChecksum(bytes) {
            throw PacketError(.checksum(.ipv4), at: v4.range.lowerBound + IPv4Header.Offset.checksum)
        }
        guard fragment == nil, let at = transportChecksumOffset else { return }
        var covered = payload
        let part: PacketError.Part
        switch transport {
        case .udp(let udp):
            if udp.checksum == 0 {
                guard source.isIPv6 else { return }
                throw PacketError(.checksum(.udp), at: at)
            }
            covered = udp.range.lowerBound..<udp.payload.upperBound
            part = .udp
        case .tcp: part = .tcp
        case .icmp: part = .icmp
        case .other, .laterFragment: return
        }
        var checksum = InternetChecksum()
        if protocolNumber != .icmpv4 {
            checksum.addPseudoHeader(source, destination, protocolNumber, length: covered.count)
        }
        checksum.add(bytes, in: covered)
        guard checksum.value == 0 else { throw PacketError(.checksum(part), at: at) }
    }
}
