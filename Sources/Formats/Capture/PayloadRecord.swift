import Base

/// What carried a payload, as far as a capture shows it.
public enum PayloadTransport: UInt8, Hashable, Sendable {
    case udp
    case tcp
    /// WebSocket over TCP in the clear (RFC 6455, RFC 7118).
    case ws
    /// Only a log or HEP can say so: TLS is not decrypted here.
    case tls, wss

    public init(_ transport: SIPTransport) {
        switch transport {
        case .udp: self = .udp
        case .tcp: self = .tcp
        case .tls: self = .tls
        case .ws: self = .ws
        case .wss: self = .wss
        }
    }

    public var sipTransport: SIPTransport {
        switch self {
        case .udp: .udp
        case .tcp: .tcp
        case .ws: .ws
        case .tls: .tls
        case .wss: .wss
        }
    }
}

/// One payload seen in a capture: a datagram, or one whole message out of a stream. Fixed size, no references.
///
/// Its octets lie in the `PayloadBatch` that holds the record and are gone when the batch is used again.
public struct PayloadRecord: Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public var rawValue: UInt16

        @inlinable
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// The capture holds less of the payload than was on the wire (snap length): `length` < the real length.
        public static let truncated = Flags(rawValue: 1)
        /// The IP packet came in fragments and was put together; `frame` is the one that completed it.
        public static let reassembled = Flags(rawValue: 2)
        /// Framed out of a TCP stream; `frame` is the segment that completed it.
        public static let fromStream = Flags(rawValue: 4)
        /// Octets of the stream before it are missing from the capture.
        public static let afterGap = Flags(rawValue: 8)
        /// A stream message that ended without its whole body: the stream closed, or the capture ended.
        public static let cutShort = Flags(rawValue: 16)
        /// Came out of a tunnel (6in4, IP in IP): the addresses are the inner ones.
        public static let tunnelled = Flags(rawValue: 32)
        /// The UDP length field contradicts the IP length.
        public static let lengthLies = Flags(rawValue: 64)
        /// The packet was fragmented by IP, whether or not it came from fragments put together here (first fragment only).
        public static let ipFragment = Flags(rawValue: 256)
        /// Told by a capture agent (HEPv3): addresses are those it saw, not those of the packet.
        public static let encapsulated = Flags(rawValue: 512)
        /// A message of a stream behind which more octets came than its Content-Length says, or that another one began in.
        public static let miscounted = Flags(rawValue: 1024)
        /// Bytes are in the batch's own area, not in the input buffer.
        package static let inArea = Flags(rawValue: 1 << 15)
    }

    /// 1-based number of the frame in its file; of the frame that completed it where several frames carried it.
    public var frame: UInt64
    public var time: Instant
    public var source: PackedAddress
    public var destination: PackedAddress
    /// Where the octets begin: use `PayloadBatch.payload(of:)`.
    package var offset: UInt32
    /// Octets of the payload that the capture holds.
    public var length: UInt32
    /// Octets of the whole frame on the wire.
    public var wireLength: UInt32
    /// Which frames carried it, when more than one: `PayloadBatch.frames(of:)`.
    package var framesStart: UInt32
    package var framesCount: UInt32
    /// TCP sequence number of the first octet, for what was framed out of a stream as it lies there; 0 otherwise.
    package var sequence: UInt32 = 0
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    /// IPv4 identification; 0 for IPv6.
    public var ipID: UInt16
    public var flags: Flags
    /// Time to live, or hop limit; 0 when unknown.
    public var ttl: UInt8
    public var transport: PayloadTransport
    /// What the octets look like.
    public var content: ContentGuess

    @inlinable
    public var flow: PackedFlow {
        PackedFlow(source: source, sourcePort, destination: destination, destinationPort, transport)
    }

    public var sourceEndpoint: Endpoint { Endpoint(source.address, sourcePort) }
    public var destinationEndpoint: Endpoint { Endpoint(destination.address, destinationPort) }
}

/// An ICMP error seen in a capture, with the packet it quotes (RFC 792, RFC 4443): a port that nobody listens on, a path too narrow.
public struct ICMPRecord: Hashable, Sendable {
    public var frame: UInt64
    public var time: Instant
    /// Who reports, and to whom.
    public var source: PackedAddress
    public var destination: PackedAddress
    public var isIPv6: Bool
    public var type: UInt8
    public var code: UInt8
    /// The flow of the packet complained about, as that packet was sent; nil when the quote is too short to tell.
    public var quoted: PackedFlow?
    /// IP protocol of the quoted packet: 17, 6 or another.
    public var quotedProtocol: UInt8
    /// IPv4 identification of the quoted packet.
    public var quotedID: UInt16
    /// Next-hop MTU of "fragmentation needed" and "packet too big"; 0 otherwise.
    public var mtu: UInt32

    public init(
        frame: UInt64, time: Instant, source: PackedAddress, destination: PackedAddress, isIPv6: Bool, type: UInt8, code: UInt8,
        quoted: PackedFlow?, quotedProtocol: UInt8, quotedID: UInt16, mtu: UInt32
    ) {
        self.frame = frame
        self.time = time
        self.source = source
        self.destination = destination
        self.isIPv6 = isIPv6
        self.type = type
        self.code = code
        self.quoted = quoted
        self.quotedProtocol = quotedProtocol
        self.quotedID = quotedID
        self.mtu = mtu
    }
}

/// What became of a TCP connection in a capture, apart from the messages it carried.
public struct StreamEvent: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The handshake's first segment.
        case opening
        /// The first segment again; `isAnswered`: although the capture shows its answer.
        case reopening(isAnswered: Bool)
        /// SYN and ACK were seen: the connection stands.
        case opened
        /// A RST answered the SYN.
        case refused
        case reset
        /// A FIN of `flow.source`.
        case closed
        /// Octets that never came into the capture.
        case gap(octets: UInt64)
        /// The next segment that the other side waits for was sent so many times, first at `since`, and is not acknowledged. `longest`:
        /// octets of the longest segment that was; `isAwaited`: the other side has spoken since.
        case stalled(octets: Int, longest: Int, sends: Int, since: Instant, isAwaited: Bool)
        /// What stalled was acknowledged.
        case moved
        /// It speaks TLS: nothing of it can be read.
        case tls
        /// An alert in the clear (RFC 8446 6): its description.
        case tlsAlert(UInt8)
        /// A client that was asked for its certificate has none: an empty Certificate in the clear (RFC 5246 7.4.6).
        case tlsNoCertificate
        /// WebSocket; `subprotocolSIP`: `Sec-WebSocket-Protocol: sip` was offered or chosen (RFC 7118).
        case webSocket(subprotocolSIP: Bool)
        /// What came after the last whole message is no SIP: octets skipped until the next start line.
        case resynchronised(octets: UInt64)
    }

    public var frame: UInt64
    public var time: Instant
    public var flow: PackedFlow
    public var kind: Kind

    package init(frame: UInt64, time: Instant, flow: PackedFlow, kind: Kind) {
        self.frame = frame
        self.time = time
        self.flow = flow
        self.kind = kind
    }
}
