import Base
import Capture

/// Two sources that are the two sides of one box, and what the box did to the messages that crossed it.
public struct SideComparison: Sendable {
    /// What the box between the two sides is, as far as its work shows.
    public enum Box: String, Hashable, Sendable {
        /// Every message left as it came in; addresses of packets may differ.
        case transparent
        /// It rewrites messages that were not sent to it: an ALG.
        case helper
        /// The phone addresses it: a proxy, SBC or B2BUA that does its work by design.
        case proxy
    }

    public var inside: Vantage
    public var outside: Vantage
    /// Private addresses on one side tell which is inside; otherwise the order of the sources decides.
    public var isInsideProved: Bool
    /// To be added to the inside's times to get the outside's.
    public var clockOffset: Duration
    /// How much faster the outside's clock runs, parts per million; 0 where the capture is too short to tell.
    public var clockDrift: Double
    public var matchedMessages: Int
    /// Matched messages whose bytes differ.
    public var changedMessages: Int
    /// Seen on one side alone though the other was being captured then.
    public var insideOnly: Int
    public var outsideOnly: Int
    /// Dialogs, of either side, of which every matched message has the same bytes on both.
    public var untouchedDialogs: Set<Int>
    public var box: Box
    /// The address that the packets wear outside, where it differs.
    public var translatedTo: Endpoint?
    /// Each field that was changed, the most frequent first.
    public var fields: [ChangedField]
    /// The first changed messages, field by field.
    public var messages: [ComparedMessage]
    /// Known boxes, the best fit first; empty where nothing was changed.
    public var fits: [BoxFit]
    /// The same dialog on both sides, once each.
    var dialogs: [DialogPair] = []
    /// Places for media that the box put in place of others, once each dialog and place.
    var mediaRewrites: [MediaRewrite] = []
    /// What was sent towards the other side and never appeared there.
    var lost: [SideLosses.Lost] = []
    var worn = SideLosses.Worn()
    /// Places for requests that the box wrote in place of others, and where it wrote them; not those that the packet itself wears.
    var contactRewrites: [ContactRewrite] = []
    /// From one place of capture to the other and back; nil where nothing crossed both ways.
    var roundTrip: Duration?
    /// Outside, answers follow requests at once, as at the one who gives them.
    var isOuterAtServer = false
    /// What the box wrote into requests and left in their answers.
    var unrestored: [SideEchoes.Unrestored] = []
    /// What it broke, by dialog.
    var harms: [DialogPair: Set<SideDifference.Harm>] = [:]
    /// What it did that may have broken something else.
    var blows: [SideBlow] = []
    /// Hosts that it put in place of others in Record-Route.
    var routeRewrites: [ContactRewrite] = []
    /// Whole before the box, a first fragment behind it.
    var cut: [DialogPair] = []
    /// Answers that it made itself.
    var ownAnswers: [OwnAnswers.Answer] = []

    /// Requests that crossed, by where either side shows them.
    var arrivals: [EvidencePlace: Arrival] = [:]

    /// How a request came out of the box.
    struct Arrival: Hashable, Sendable {
        var isOutbound: Bool
        var source: Endpoint
        var destination: Endpoint
    }

    struct ContactRewrite: Hashable, Sendable {
        var dialogs: DialogPair
        var written: MediaPlace
        var place: EvidencePlace
    }

    struct DialogPair: Hashable, Sendable {
        var inside: Int
        var outside: Int
    }

    struct MediaRewrite: Hashable, Sendable {
        var dialogs: DialogPair
        /// From the inside to the outside.
        var isOutbound: Bool
        /// The session description is the caller's: it came in a request.
        var isOfCaller: Bool
        /// What `c=` and each `m=` said when the message left the box.
        var address: PackedAddress
        var ports: Set<UInt16>
        var place: EvidencePlace
    }

    /// The dialog as the other side shows it.
    func partner(of dialog: Int) -> Int? {
        for pair in dialogs {
            if pair.inside == dialog { return pair.outside }
            if pair.outside == dialog { return pair.inside }
        }
        return nil
    }
}

/// A field that the box changes, over all messages.
public struct ChangedField: Hashable, Sendable {
    public var field: SideField
    public var count: Int
    /// Messages in which the field was there and left alone.
    public var untouched: Int
    /// Of the first message in which it was changed.
    public var inside: String
    public var outside: String
}

/// One message on both sides.
public struct ComparedMessage: Hashable, Sendable {
    public var insidePlace: EvidencePlace
    public var outsidePlace: EvidencePlace
    /// As it was sent: the first line of the side where it came from.
    public var firstLine: String
    public var callID: String
    /// From the inside to the outside.
    public var isOutbound: Bool
    /// How long the box took; nil where a clock is missing.
    public var delay: Duration?
    public var changes: [FieldChange]
}

/// A value before and after. Nil: the field is not there on that side.
public struct FieldChange: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// The address (and port) of the packet on one side became that of the other side.
        case translated
        /// Counted anew, rightly, after the body changed.
        case recounted
        /// Content-Length contradicts the body on the outgoing side.
        case miscounted
        case added, removed, changed
        /// Moved to another place, or other spacing or case, with the same meaning.
        case reshaped
    }

    public var field: SideField
    public var kind: Kind
    public var inside: String?
    public var outside: String?
}

/// A place in a message, finer than a header.
public enum SideField: Hashable, Sendable, Comparable, CustomStringConvertible {
    case requestURI, via, viaBranch, viaReceived, viaRport, viaMaddr, contact, from, to, callID, cseq, authorization
    case contentLength, maxForwards, userAgent, route, recordRoute
    case sdpOrigin, sdpConnection, sdpMediaPort, sdpRTCP, sdpCandidate, body
    /// Any other header, by its canonical name, and any other line of a session description, as `SDP x=`.
    case other(String)
    /// The order of headers, or spacing.
    case layout

    /// As people name it.
    public var description: String {
        switch self {
        case .requestURI: "Request-URI"
        case .via: "Via"
        case .viaBranch: "Via branch"
        case .viaReceived: "Via received"
        case .viaRport: "Via rport"
        case .viaMaddr: "Via maddr"
        case .contact: "Contact"
        case .from: "From"
        case .to: "To"
        case .callID: "Call-ID"
        case .cseq: "CSeq"
        case .authorization: "Authorization"
        case .contentLength: "Content-Length"
        case .maxForwards: "Max-Forwards"
        case .userAgent: "User-Agent"
        case .route: "Route"
        case .recordRoute: "Record-Route"
        case .sdpOrigin: "SDP o="
        case .sdpConnection: "SDP c="
        case .sdpMediaPort: "SDP m= port"
        case .sdpRTCP: "SDP a=rtcp"
        case .sdpCandidate: "SDP a=candidate"
        case .body: "body"
        case .other(let name): name
        case .layout: "layout"
        }
    }
}

/// How well a known box explains what was changed and what was not.
public struct BoxFit: Hashable, Sendable {
    /// As in the catalogue: `Linux nf_nat_sip`.
    public var box: String
    /// Changes that the box would have made as well.
    public var explained: Int
    /// All changes.
    public var changes: Int
    /// Values that the box would have changed and that were left alone.
    public var contradicted: Int
    /// The rewriting of this box was read in its source or seen in captures, not only told.
    public var isProved: Bool

    /// 0...1.
    public var share: Double {
        let all = changes + contradicted
        return all == 0 ? 0 : Double(explained) / Double(all)
    }
}
