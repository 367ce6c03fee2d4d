public import Base

/// What an ALG did since it was made, so that its owner can see whether it acts, on what and how often.
///
/// Bounded whatever comes: one entry a field and direction, one a kind of drop, and the last `recentCap` rewrites. Restarts do not reset it.
public struct ALGStatistics: Hashable, Sendable {
    /// One value it replaced, when and where.
    public struct Rewritten: Hashable, Sendable {
        public var rewrite: ALGRewrite
        public var flow: ALGFlow
        public var direction: ALGDirection
        public var at: Instant
    }

    public struct RewriteCount: Hashable, Sendable {
        public var count: UInt64
        public var last: Rewritten
    }

    public struct DropCount: Hashable, Sendable {
        public var count: UInt64
        public var last: ALGDropReason
        public var flow: ALGFlow
        public var at: Instant
    }

    struct RewriteKey: Hashable, Sendable {
        var field: ALGField
        var direction: ALGDirection
    }

    /// How many rewrites are kept to look at.
    public static let recentCap = 64
    /// Characters of a value that are kept.
    static let textCap = 200
    static let dropCap = 64

    /// Messages read, by direction.
    public private(set) var outboundMessages: UInt64 = 0
    public private(set) var inboundMessages: UInt64 = 0
    /// Values replaced, in all.
    public private(set) var rewriteCount: UInt64 = 0
    public private(set) var dropCount: UInt64 = 0
    /// Messages it sat on.
    public private(set) var held: UInt64 = 0
    /// Responses sent to the port in Via.
    public private(set) var redirected: UInt64 = 0
    /// Segments of a stream without a whole message in them.
    public private(set) var splitMessages: UInt64 = 0
    public private(set) var pinholesOpened: UInt64 = 0
    public private(set) var pinholesUsed: UInt64 = 0
    public private(set) var pinholesClosed: UInt64 = 0
    /// Openings that could not have the port they were asked for.
    public private(set) var portsMoved: UInt64 = 0
    /// Mappings that SIP took for itself.
    public private(set) var mappingsTaken: UInt64 = 0
    public private(set) var mappingsReused: UInt64 = 0
    /// Entries that gave way as a table was full.
    public private(set) var evicted: UInt64 = 0
    /// The newest last.
    public private(set) var recent: [Rewritten] = []
    private var rewritesByField: [RewriteKey: RewriteCount] = [:]
    private var dropsByKind: [ALGDropReason: DropCount] = [:]

    public init() {}

    /// By field in the order of `ALGField`, what goes out first.
    public var rewrites: [(field: ALGField, direction: ALGDirection, RewriteCount)] {
        ALGField.allCases.flatMap { field in
            [ALGDirection.outbound, .inbound].compactMap { direction in
                rewritesByField[RewriteKey(field: field, direction: direction)].map { (field, direction, $0) }
            }
        }
    }

    /// The most frequent first.
    public var drops: [DropCount] { dropsByKind.values.sorted { ($1.count, $0.last.text) < ($0.count, $1.last.text) } }

    mutating func noteMessage(_ direction: ALGDirection) {
        switch direction {
        case .outbound: outboundMessages &+= 1
        case .inbound: inboundMessages &+= 1
        }
    }

    mutating func notePortMoved() { portsMoved &+= 1 }

    /// A signalling pinhole let a flow in; it stays.
    mutating func noteSignallingPinholeUsed() { pinholesUsed &+= 1 }

    mutating func count(_ trace: ALGTrace, at now: Instant) {
        switch trace {
        case .rewrote(let rewrite, let flow, let direction):
            let kept = ALGRewrite(
                rewrite.field, before: String(rewrite.before.prefix(Self.textCap)),
                after: String(rewrite.after.prefix(Self.textCap)))
            note(Rewritten(rewrite: kept, flow: flow, direction: direction, at: now))
        case .dropped(let reason, let flow, _):
            dropCount &+= 1
            let kind = reason.kind
            guard dropsByKind[kind] != nil || dropsByKind.count < Self.dropCap else { return }
            dropsByKind[kind] = DropCount(count: (dropsByKind[kind]?.count ?? 0) &+ 1, last: reason, flow: flow, at: now)
        case .held: held &+= 1
        case .redirected: redirected &+= 1
        case .splitMessage: splitMessages &+= 1
        case .opened: pinholesOpened &+= 1
        case .closed(_, let end):
            pinholesClosed &+= 1
            if end == .used { pinholesUsed &+= 1 }
        case .tookMapping(_, let isFresh, _):
            if isFresh { mappingsTaken &+= 1 } else { mappingsReused &+= 1 }
        case .evicted: evicted &+= 1
        default: break
        }
    }

    private mutating func note(_ rewritten: Rewritten) {
        rewriteCount &+= 1
        let key = RewriteKey(field: rewritten.rewrite.field, direction: rewritten.direction)
        rewritesByField[key] = RewriteCount(count: (rewritesByField[key]?.count ?? 0) &+ 1, last: rewritten)
        if recent.count == Self.recentCap { recent.removeFirst() }
        recent.append(rewritten)
    }
}

extension ALGDropReason {
    /// The reason without what differs from message to message.
    package var kind: ALGDropReason {
        switch self {
        case .rule(let rule, _): .rule(rule, offset: 0)
        case .noFreePort(let wanted): .noFreePort(Endpoint(wanted.address.isIPv6 ? .v6(.any) : .v4(.any), 0))
        case .alreadyExpected(let wanted): .alreadyExpected(Endpoint(wanted.address.isIPv6 ? .v6(.any) : .v4(.any), 0))
        default: self
        }
    }
}

/// The gateway's traces, each counted on its way, whether or not anybody listens.
struct ALGNotes: Sendable {
    private var box: TraceBox<ALGTrace>
    var statistics = ALGStatistics()
    /// As the gateway was last told.
    var now = Instant.epoch

    init(isOn: Bool) { box = TraceBox(isOn: isOn) }

    var isOn: Bool {
        get { box.isOn }
        set { box.isOn = newValue }
    }

    mutating func note(_ trace: ALGTrace) {
        statistics.count(trace, at: now)
        box.note(trace)
    }

    mutating func next() -> ALGTrace? { box.next() }
}
