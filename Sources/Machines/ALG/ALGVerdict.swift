import Base

/// What becomes of one payload.
public enum ALGVerdict: Hashable, Sendable {
    case pass(ALGPassage)
    /// The same, but not before the instant.
    case hold(ALGPassage, until: Instant)
    case drop(ALGDropReason)
}

/// A payload that goes on, perhaps rewritten, perhaps to another port than the NAT would send it to.
public struct ALGPassage: Hashable, Sendable {
    public var bytes: [UInt8]
    /// Every change made, in the order made; empty: the bytes are as they came.
    public var rewrites: [ALGRewrite]
    /// Where an inbound datagram goes instead of the mapping's inside endpoint; nil: there.
    public var destination: Endpoint?

    public init(bytes: [UInt8], rewrites: [ALGRewrite] = [], destination: Endpoint? = nil) {
        self.bytes = bytes
        self.rewrites = rewrites
        self.destination = destination
    }
}

/// One value an ALG replaced.
public struct ALGRewrite: Hashable, Sendable, CustomStringConvertible {
    public var field: ALGField
    public var before: String
    public var after: String

    public init(_ field: ALGField, before: String, after: String) {
        self.field = field
        self.before = before
        self.after = after
    }

    public var description: String { "\(field.title): \(before) became \(after)" }
}

/// Why an ALG let a message vanish.
public enum ALGDropReason: Hashable, Sendable {
    /// A profile's rule; `offset`: where in the message.
    case rule(ALGDropRule, offset: Int)
    /// It had to write there and found nothing to write to.
    case nothingToRewrite(ALGField)
    /// Every port from the wanted one up is taken.
    case noFreePort(Endpoint)
    /// Another flow's media, or other media of this one, are expected there already.
    case alreadyExpected(Endpoint)

    public var text: String {
        switch self {
        case .rule(.unreadableCSeq, _): "no CSeq number that can be read"
        case .rule(.unreadableStatus, _): "no status code that can be read"
        case .rule(.lowMediaPort, _): "a media port below 1024"
        case .rule(.mediaWithoutConnection, _): "a medium without a connection address"
        case .rule(.lowContactPort, _): "a Contact with a port below 1024"
        case .nothingToRewrite(let field): "no \(field.title) to write to"
        case .noFreePort(let wanted): "no free port from \(wanted) up"
        case .alreadyExpected(let wanted): "other media are expected at \(wanted) already"
        }
    }
}

/// Which mapping a datagram has to leave by.
public enum ALGMappingChoice: Hashable, Sendable {
    /// The one the NAT gives.
    case ordinary
    /// The SIP mapping with this external endpoint.
    case reuse(Endpoint)
    /// A new SIP mapping that lives `idle` unused; tell the gateway which it became by `assigned(_:to:)`.
    case fresh(ALGSlotID, idle: Duration)
}

/// One of the mappings SIP has for itself.
public struct ALGSlotID: Hashable, Sendable {
    package var inside: Endpoint
    package var number: UInt64
}

/// What the gateway wants of the NAT besides translation.
public enum ALGRequest: Hashable, Sendable {
    case open(ALGPinhole)
    case close(ALGPinhole)
}

/// What an ALG noticed and did.
public enum ALGTrace: Hashable, Sendable {
    case rewrote(ALGRewrite, ALGFlow, ALGDirection)
    case dropped(ALGDropReason, ALGFlow, ALGDirection)
    case held(until: Instant, ALGFlow)
    /// The response leaves to the port in Via.
    case redirected(to: Endpoint, ALGFlow)
    /// A stream's segment without a whole message in it: passed as it is.
    case splitMessage(ALGFlow, ALGDirection)
    case opened(ALGPinhole)
    /// The registrar granted: open until then.
    case activated(ALGPinhole)
    case closed(ALGPinhole, ALGPinhole.End)
    /// A SIP mapping was chosen for a request; `busy`: how many others carry a transaction just now.
    case tookMapping(Endpoint, isFresh: Bool, busy: Int)
    /// A table is full: the oldest entry went.
    case evicted(ALGTable)
}

/// The gateway's tables, each with a cap.
public enum ALGTable: Hashable, Sendable { case flows, pinholes, slots, transactions }
