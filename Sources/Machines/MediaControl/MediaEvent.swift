import Base

/// What the data path tells signalling.
public enum MediaEvent: Sendable {
    /// The source of the leg's media is known and locked (again after a new epoch).
    case locked(MediaLegID, MediaSource)
    /// A stream comes from where neither the party's SIP comes from nor its SDP says, and nothing from the party itself: it is not taken. Said
    /// once an epoch.
    case disbelieved(MediaLegID, Endpoint)
    /// Nothing came from the party for this long though it should send. Said once a silence.
    case silent(MediaLegID, seconds: Int)
    /// A whole DTMF digit (RFC 4733): 0-9, *, #, A-D.
    case digit(MediaLegID, Character)
    /// The service asks for a BYE: PIN wrong too often, kicked, announcement over, room locked or full.
    case finished(MediaLegID, reason: MediaEnd)
    /// The leg is closed; its ports are free.
    case closed(MediaLegID, MediaVerdict)
    case room(name: String, RoomEvent)
}

public enum MediaEnd: String, Hashable, Sendable {
    case announced = "announcement over"
    case wrongPIN = "wrong PIN"
    case kicked = "removed by the owner"
    case locked = "the room is locked"
    case full = "the room is full"
    case noCodec = "no codec we can mix"
}

public enum RoomEvent: Hashable, Sendable {
    case entered(MediaLegID, party: String)
    case left(MediaLegID, party: String)
    case muted(MediaLegID, Bool)
    case locked(Bool)
    /// Who is heard now, loudest first. Said when it changes.
    case speaking([MediaLegID])
}

/// Where media came from, and how we came to believe it.
public struct MediaSource: Hashable, Sendable {
    public enum Means: String, Hashable, Sendable {
        /// The SDP's address and port themselves.
        case signalled
        /// Learnt from the first packets, or by those of a better source.
        case learnt
        /// Changed after silence: same SSRC, sequence continuing.
        case moved
        /// Nominated by ICE.
        case ice
    }

    public var endpoint: Endpoint
    public var means: Means
    /// Which packet of the leg settled it, from 1.
    public var packet: UInt64

    public init(endpoint: Endpoint, means: Means, packet: UInt64) {
        self.endpoint = endpoint
        self.means = means
        self.packet = packet
    }
}

/// What became of the media of one leg: "SDP said 192.168.1.10:16384, RTP came from 203.0.113.7:52011, locked at packet 3, 0.2 % lost".
public struct MediaVerdict: Hashable, Sendable {
    /// What the SDP said last.
    public var signalled: Endpoint?
    public var source: MediaSource?
    /// RTP and UDPTL, here and in what follows.
    public var packetsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// Sent to the party.
    public var packetsSent: UInt64 = 0
    /// RFC 3550 A.3: expected less received; 0 where duplicates outweigh.
    public var lost: UInt64 = 0
    /// RFC 3550 A.8, milliseconds.
    public var jitter: Double = 0
    /// RTP from addresses that neither its SIP nor its SDP vouches for, dropped; the party's other ports, RTCP, and what came before anything
    /// was known of it are not among them.
    public var strangers: UInt64 = 0
    /// Dropped for other reasons (not RTP, SRTP failed, wrong payload type, flood).
    public var refused: UInt64 = 0
    /// Whether the SDPs agreed that the party sends to us, and we to it.
    public var shouldSend = true
    public var shouldReceive = true
    public var isSRTP = false
    public var codec: String = ""
    /// From the first to the last packet.
    public var seconds: Double = 0
    /// What of the packets was fax; nil: none was agreed on.
    public var fax: Fax?

    /// UDPTL (T.38).
    public struct Fax: Hashable, Sendable {
        public var received: UInt64 = 0
        public var sent: UInt64 = 0
        /// By sequence numbers; what redundancy made good is among them.
        public var lost: UInt64 = 0

        public init(received: UInt64 = 0, sent: UInt64 = 0, lost: UInt64 = 0) {
            self.received = received
            self.sent = sent
            self.lost = lost
        }
    }

    public init(signalled: Endpoint? = nil, source: MediaSource? = nil) {
        self.signalled = signalled
        self.source = source
    }

    /// Lost packets in percent of those expected.
    public var lossPercent: Double {
        let expected = Double(packetsReceived) + Double(lost)
        return expected > 0 ? 100 * Double(lost) / expected : 0
    }
}
