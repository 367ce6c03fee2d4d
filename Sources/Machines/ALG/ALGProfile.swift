import Base

/// What one kind of box does to the SIP messages that cross it, as data: a name and a handful of rules.
///
/// A profile decides nothing by itself; `ApplicationGateway` reads it. A new box is a new value of this type.
public struct ALGProfile: Hashable, Sendable {
    /// How much is known about the box behind a profile.
    public enum Evidence: Hashable, Sendable {
        /// Read in the box's source and confirmed by captures of both its sides.
        case sourceAndCaptures
        /// Vendor's manuals or maintainers' words.
        case documented
        /// A mechanism chosen because it yields published symptoms; the firmware itself was not seen.
        case modelled
        /// Invented, or told without evidence.
        case synthetic
    }

    /// As a configuration names it: lower case, no spaces.
    public var name: String
    /// One line for people.
    public var summary: String
    public var evidence: Evidence
    /// Which values are replaced, in this order. A field that is not listed is never touched.
    public var rewrites: [ALGRewriteRule] = []
    /// Which session description (RFC 4566) values are replaced; nil: bodies pass untouched.
    public var sessionDescription: ALGSessionDescriptionRule?
    public var contentLength: ALGContentLengthRule = .leave
    public var drops: Set<ALGDropRule> = []
    /// Where a response to a request leaves to.
    public var responsePort: ALGResponsePortRule = .asMapped
    /// Whether a REGISTER lets the registrar in by itself; nil: it does not.
    public var signallingPinhole: ALGSignallingPinholeRule?
    public var holds: [ALGHoldRule] = []
    public var mapping: ALGMappingRule = .ordinary
    public var streams: ALGStreamRule = .untouched
    /// How long the mapping of a flow that carries SIP lives unused; nil: as long as any other.
    public var signallingIdle: Duration?

    public init(name: String, summary: String, evidence: Evidence) {
        self.name = name
        self.summary = summary
        self.evidence = evidence
    }
}

/// One field and when its value is replaced.
public struct ALGRewriteRule: Hashable, Sendable {
    public enum Scope: Hashable, Sendable {
        /// Only where address and port are exactly the packet's own source or destination (a missing port counts as 5060).
        case flowEndpoint
        /// Where the address is the packet's own source or destination, whatever the port.
        case flowAddress
    }

    public enum Form: Hashable, Sendable {
        /// `192.0.2.1:5060`: a port appears where there was none.
        case addressAndPort
        /// The address alone; the port that stood there stays.
        case addressOnly
    }

    public var field: ALGField
    public var scope: Scope
    public var form: Form

    public init(_ field: ALGField, _ scope: Scope = .flowEndpoint, _ form: Form = .addressAndPort) {
        self.field = field
        self.scope = scope
        self.form = form
    }
}

/// What happens to addresses and ports in a session description, and which pinholes it opens.
public struct ALGSessionDescriptionRule: Hashable, Sendable {
    public enum MediaPeers: Hashable, Sendable {
        /// Media are expected from the host that signals, and only offered addresses equal to the packet's source count.
        case signallingPeerOnly
        /// Media may come from anywhere and any offered address counts.
        case anyone
    }

    public var peers: MediaPeers
    /// How long an unused media pinhole stays.
    public var lifetime: Duration
    /// Pinholes of audio, and of video, one flow may have; the oldest gives way.
    public var pinholesAFlow: Int
    /// How many active media of one description are looked at.
    public var mediaCap: Int

    public init(
        peers: MediaPeers = .signallingPeerOnly, lifetime: Duration = .seconds(180), pinholesAFlow: Int = 4, mediaCap: Int = 3
    ) {
        self.peers = peers
        self.lifetime = lifetime
        self.pinholesAFlow = pinholesAFlow
        self.mediaCap = mediaCap
    }
}

public enum ALGContentLengthRule: Hashable, Sendable {
    case leave
    /// Counted anew after a body changed.
    case recompute
}

/// What makes a message vanish. What else a box cannot repair (no `o=` to write to) drops it by itself.
public enum ALGDropRule: Hashable, Sendable, CaseIterable {
    /// A method or response it follows has no CSeq number, or zero.
    case unreadableCSeq
    /// A status line whose code is no number, or zero.
    case unreadableStatus
    /// An `m=` port from 1 to 1023.
    case lowMediaPort
    /// An active medium without a connection address.
    case mediaWithoutConnection
    /// A REGISTER whose Contact has a port below 1024.
    case lowContactPort
}

public enum ALGResponsePortRule: Hashable, Sendable {
    /// To where the request came from.
    case asMapped
    /// To the port in Via, where the Via's address is the sender's and its port is not (phones that send from one port and
    /// listen on another).
    case viaPort
}

/// The opening a REGISTER makes for requests from the registrar.
public struct ALGSignallingPinholeRule: Hashable, Sendable {
    /// Only the registrar's address may use it.
    public var registrarOnly: Bool
    /// How long it waits for the registrar's 200, which then sets its life to the granted time.
    public var lifetime: Duration
    /// How many a flow may have; the oldest gives way.
    public var pinholesAFlow: Int

    public init(registrarOnly: Bool = true, lifetime: Duration = .seconds(3600), pinholesAFlow: Int = 1) {
        self.registrarOnly = registrarOnly
        self.lifetime = lifetime
        self.pinholesAFlow = pinholesAFlow
    }
}

/// Messages a box sits on before it lets them through. Datagrams only.
public enum ALGHoldRule: Hashable, Sendable {
    case inboundResponses(Duration)
}

/// Which mapping carries a SIP datagram that leaves.
public enum ALGMappingRule: Hashable, Sendable {
    /// The one the NAT gives to anything from that endpoint.
    case ordinary
    /// SIP has mappings of its own, each with at most one outstanding transaction: the oldest that has none is taken, else a
    /// fresh one. `idle`: how long an unused one lives. `transaction`: when an unanswered transaction stops counting.
    case oneTransactionEach(idle: Duration, transaction: Duration)
}

/// What is done to SIP on a stream.
public enum ALGStreamRule: Hashable, Sendable {
    case untouched
    /// Messages that begin and end inside one segment; one split over segments passes as it is.
    case wholeMessages
}
