import Base
import Packet

/// Why a packet is not translated, and what its sender hears of it.
struct Refusal: Error {
    enum Answer {
        case none
        /// ICMP administratively prohibited, towards the inside.
        case prohibited
        /// As `NATSettings.unsolicited` says.
        case unsolicited
        case holdSYN(SessionKey)
    }

    var reason: NATDropReason
    var answer: Answer = .none

    init(_ reason: NATDropReason, _ answer: Answer = .none) {
        self.reason = reason
        self.answer = answer
    }
}

/// What a packet under translation is to a NAT. The packet itself stays where the caller has it.
struct PacketWork {
    /// A packet that is not even worth looking at.
    struct Unfit: Error {
        var reason: NATDropReason
        var proto: UInt8 = 0
        var source = Endpoint(.v4(IPv4Address(bits: 0)), 0)
        var destination = Endpoint(.v4(IPv4Address(bits: 0)), 0)
    }

    enum Subject {
        /// UDP, TCP or an ICMP query, whole or a first fragment.
        case flow(NATProtocol, TCPHeader.Flags)
        case icmpError(ICMPHeader)
        case laterFragment
    }

    let direction: NATDirection
    let subject: Subject
    /// IP protocol number.
    let proto: UInt8
    /// As it came. For an ICMP query the identifier stands as the internal side's port, and the remote's is 0.
    let source: PackedEndpoint
    let destination: PackedEndpoint

    init(_ packet: IPPacket, _ direction: NATDirection) throws(Unfit) {
        self.direction = direction
        proto = packet.protocolNumber.rawValue
        guard case .v4(let from) = packet.source, case .v4(let to) = packet.destination else {
            throw Unfit(reason: .unsupportedProtocol(proto), proto: proto)
        }
        var fromPort: UInt16 = 0
        var toPort: UInt16 = 0
        var reason: NATDropReason?
        switch packet.transport {
        case .udp(let udp):
            (fromPort, toPort) = (udp.source, udp.destination)
            subject = .flow(.udp, [])
        case .tcp(let tcp):
            (fromPort, toPort) = (tcp.source, tcp.destination)
            subject = .flow(.tcp, tcp.flags)
        case .icmp(let icmp) where icmp.meaning.isError:
            subject = .icmpError(icmp)
            if packet.fragment != nil { reason = .unsupportedICMP(type: icmp.type) }
        case .icmp(let icmp):
            subject = .flow(.icmp, [])
            // Echo, timestamp, information, address mask: request and reply.
            switch (icmp.type, direction) {
            case (8, .outbound), (13, .outbound), (15, .outbound), (17, .outbound): fromPort = icmp.identifier
            case (0, .inbound), (14, .inbound), (16, .inbound), (18, .inbound): toPort = icmp.identifier
            case (8, .inbound), (13, .inbound), (15, .inbound), (17, .inbound): reason = .noMapping
            case (_, .outbound), (_, .inbound): reason = .unsupportedICMP(type: icmp.type)
            }
        case .laterFragment:
            subject = .laterFragment
            switch NATProtocol(rawValue: proto) {
            case nil: reason = .unsupportedProtocol(proto)
            case .tcp where packet.fragment?.offset == 8: reason = .tinyFragment
            case .tcp, .udp, .icmp: break
            }
        case .other:
            subject = .laterFragment
            reason = .unsupportedProtocol(proto)
        }
        source = PackedEndpoint(from, fromPort)
        destination = PackedEndpoint(to, toPort)
        if let reason {
            throw Unfit(reason: reason, proto: proto, source: source.endpoint, destination: destination.endpoint)
        }
    }

    /// Why bytes that are no packet are dropped.
    static func reason(_ error: PacketError, _ bytes: [UInt8]) -> Unfit {
        // A first fragment without its whole transport header is an attack rather than an accident.
        let isFragment = bytes.count >= 20 && bytes[0] >> 4 == 4 && bytes.uint16(at: 6) & 0x3fff == 0x2000
        if isFragment, case .truncated(let part) = error.reason, part == .udp || part == .tcp || part == .icmp {
            return Unfit(reason: .tinyFragment, proto: bytes[9])
        }
        return Unfit(reason: .malformed(offset: error.offset))
    }
}

extension IPPacket {
    /// Puts another endpoint on one side; for an ICMP query (or a quotation of one) the port is the identifier.
    mutating func put(_ side: Side, to endpoint: PackedEndpoint, in bytes: inout [UInt8]) {
        rewrite(side, to: endpoint.endpoint, in: &bytes)
        guard protocolNumber == .icmpv4, case .icmp(let icmp) = transport, !icmp.meaning.isError else { return }
        let at = icmp.range.lowerBound + ICMPHeader.Offset.identifier
        let sumAt = icmp.range.lowerBound + ICMPHeader.Offset.checksum
        let sum = InternetChecksum.update(bytes.uint16(at: sumAt), from: bytes.uint16(at: at), to: endpoint.port)
        bytes.replace(at: at, bigEndian: endpoint.port)
        bytes.replace(at: sumAt, bigEndian: sum)
    }
}
