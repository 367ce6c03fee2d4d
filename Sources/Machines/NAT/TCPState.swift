import Packet

/// A TCP connection as the NAT sees it go by (RFC 5382 2.1; the states of RFC 6146 3.5.2, which RFC 7857 2 takes over).
public enum TCPState: UInt8, Hashable, Sendable {
    /// A SYN went out, none came back.
    case outboundSYN
    /// A SYN came in, none went out.
    case inboundSYN
    /// A SYN each way, in whatever order.
    case established
    case outboundFIN
    case inboundFIN
    /// A FIN each way.
    case closed
    /// A RST went by while it was established. Anything but another RST shows that it was not meant for the peer, and revives it.
    case reset

    /// Every state but these lives for the transitory time only.
    var isEstablished: Bool {
        switch self {
        case .established, .outboundFIN, .inboundFIN: true
        case .outboundSYN, .inboundSYN, .closed, .reset: false
        }
    }

    /// The state of a connection whose first segment is this SYN.
    static func opened(_ direction: NATDirection) -> TCPState { direction == .outbound ? .outboundSYN : .inboundSYN }

    /// The state after a segment.
    func after(_ flags: TCPHeader.Flags, _ direction: NATDirection) -> TCPState {
        let isOutbound = direction == .outbound
        switch self {
        case .outboundSYN:
            return !isOutbound && flags.contains(.syn) ? .established : self
        case .inboundSYN:
            return isOutbound && flags.contains(.syn) ? .established : self
        case .established:
            if flags.contains(.rst) { return .reset }
            return flags.contains(.fin) ? (isOutbound ? .outboundFIN : .inboundFIN) : self
        case .outboundFIN:
            return flags.contains(.fin) && !isOutbound ? .closed : self
        case .inboundFIN:
            return flags.contains(.fin) && isOutbound ? .closed : self
        case .closed:
            return flags.opens ? .opened(direction) : self
        case .reset:
            if flags.opens { return .opened(direction) }
            return flags.contains(.rst) ? self : .established
        }
    }
}

extension TCPHeader.Flags {
    /// The first segment of a connection: SYN without ACK or RST.
    var opens: Bool { contains(.syn) && isDisjoint(with: [.ack, .rst]) }
}
