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

/// One packet under translation: its bytes, what its headers say, and which kind of thing it is to a NAT.
///
/// The caller's buffer moves in and, edited in place, out again: it is never copied.
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

    /// Empty until the buffer has moved in.
    var bytes: [UInt8] = []
    var parsed: IPPacket
    let direction: NATDirection
    let subject: Subject
    /// As it came. For an ICMP query the identifier stands as the internal side's port, and the remote's is 0.
    let source: PackedEndpoint
    let destination: PackedEndpoint

    init(_ packet: IPPacket, _ direction: NATDirection) throws(Unfit) {
        parsed = packet
        self.direction = direction
        let proto = parsed.protocolNumber.rawValue
        guard case .v4(let from) = parsed.source, case .v4(let to) = parsed.destination else {
            throw Unfit(reason: .unsupportedProtocol(proto), proto: proto)
        }
        var fromPort: UInt16 = 0
        var toPort: UInt16 = 0
        var reason: NATDropReason?
        switch parsed.transport {
        case .udp(let udp):
            (fromPort, toPort) = (udp.source, udp.destination)
            subject = .flow(.udp, [])
        case .tcp(let tcp):
            (fromPort, toPort) = (tcp.source, tcp.destination)
            subject = .flow(.tcp, tcp.flags)
        case .icmp(let icmp) where icmp.meaning.isError:
            subject = .icmpError(icmp)
            if parsed.fragment != nil { reason = .unsupportedICMP(type: icmp.type) }
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
            case .tcp where parsed.fragment?.offset == 8: reason = .tinyFragment
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

    /// Puts another endpoint on one side; for an ICMP query the port is the identifier.
    mutating func rewrite(_ side: IPPacket.Side, to endpoint: PackedEndpoint) {
        parsed.rewrite(side, to: endpoint.endpoint, in: &bytes)
        rewriteQueryIdentifier(of: parsed, to: endpoint.port, in: &bytes)
    }
}

/// Puts another identifier into an ICMP query (or a quotation of one) and updates its checksum; for other packets, nothing.
func rewriteQueryIdentifier(of packet: IPPacket, to identifier: UInt16, in bytes: inout [UInt8]) {
    guard case .icmp(let icmp) = packet.transport, !icmp.meaning.isError else { return }
    let at = icmp.range.lowerBound + ICMPHeader.Offset.identifier
    let sumAt = icmp.range.lowerBound + ICMPHeader.Offset.checksum
    let sum = InternetChecksum.update(bytes.uint16(at: sumAt), from: bytes.uint16(at: at), to: identifier)
    bytes.replace(at: at, bigEndian: identifier)
    bytes.replace(at: sumAt, bigEndian: sum)
}
