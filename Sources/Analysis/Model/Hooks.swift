import Base

/// What signalling says about a call's media.
public struct CallFact: Sendable {
    public enum What: Sendable {
        /// A session description in a request (`isAnswer` false or true) or response. `retransmission`s are not told again.
        case description([UInt8], isAnswer: Bool)
        /// 2xx to the first INVITE.
        case answered
        /// ACK to that 2xx.
        case acknowledged
        /// BYE or a final failure.
        case ended
        /// CANCEL: the caller has gone, whatever is answered after it.
        case cancelled
    }

    /// Index in `AnalysisResult.dialogs`.
    public var dialog: Int
    /// Which hop of the same Call-ID: a capture on a proxy sees several.
    public var leg: Int
    public var place: EvidencePlace
    public var time: Instant?
    /// Of the packet, not of the message.
    public var source: Endpoint?
    public var destination: Endpoint?
    /// The source sent the dialog's first INVITE on this leg.
    public var isFromCaller: Bool
    /// Others on its way can read it: it did not come over TLS.
    public var isReadable: Bool
    public var what: What

    public init(
        dialog: Int, leg: Int, place: EvidencePlace, time: Instant?, source: Endpoint?, destination: Endpoint?,
        isFromCaller: Bool, isReadable: Bool = true, what: What
    ) {
        self.dialog = dialog
        self.leg = leg
        self.place = place
        self.time = time
        self.source = source
        self.destination = destination
        self.isFromCaller = isFromCaller
        self.isReadable = isReadable
        self.what = what
    }
}

/// Which directions of a call's media were seen.
public enum MediaOutcome: Hashable, Sendable {
    /// The capture holds no media of this call and cannot tell.
    case unknown
    case bothWays
    case oneWay
    /// Both ends were heard, but one of them not for a long time.
    case interrupted
    /// None, while the capture holds other calls' media.
    case none
}

/// One SIP message as handed to the matching of sides.
public struct SideMessage: Sendable {
    public var place: EvidencePlace
    public var time: Instant?
    public var source: Endpoint?
    public var destination: Endpoint?
    public var isStream: Bool
    public var bytes: [UInt8]
    /// Index in `AnalysisResult.dialogs`, -1 where unknown: findings then name the Call-ID alone.
    public var dialog = -1
    /// The source shows only its beginning: a first fragment, a packet cut short.
    public var isCut = false

    public init(
        place: EvidencePlace, time: Instant?, source: Endpoint?, destination: Endpoint?, isStream: Bool, bytes: [UInt8],
        dialog: Int = -1, isCut: Bool = false
    ) {
        self.place = place
        self.time = time
        self.source = source
        self.destination = destination
        self.isStream = isStream
        self.bytes = bytes
        self.dialog = dialog
        self.isCut = isCut
    }
}
