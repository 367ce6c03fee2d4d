/// What an expert would report, by a stable dotted name.
public enum FindingName: String, Hashable, Sendable, CaseIterable, Comparable {
    case captureBlind = "capture.blind"
    case authStaleOutOfOrder = "auth.stale-out-of-order"
    case authStaleLate = "auth.stale-late"
    case authNonceReuse = "auth.nonce-reuse"
    case authBadDigest = "auth.bad-digest"
    case authNoAnswer = "auth.no-answer"
    case natPortJump = "nat.port-jump"
    case natMappingExpired = "nat.mapping-expired"
    case natRegisterLongerThanMapping = "nat.register-longer-than-mapping"
    case natPrivateContact = "nat.private-contact"
    case natPrivateSDP = "nat.private-sdp"
    case natRportMissing = "nat.rport-missing"
    case algRewritten = "alg.rewritten"
    case algSuspected = "alg.suspected"
    case stunSDPMismatch = "stun.sdp-mismatch"
    case mediaOneWay = "media.one-way"
    case mediaNone = "media.none"
    case mediaWrongSource = "media.wrong-source"
    case mediaQuality = "media.quality"
    case sipNoACK = "sip.no-ack"
    case sipRetransmit = "sip.retransmit"
    case sipTimerDrop = "sip.timer-drop"
    case sipFragmented = "sip.fragmented"
    case sdpMismatch = "sdp.mismatch"
    case srtpMismatch = "srtp.mismatch"
    case dtlsNeverCompleted = "dtls.never-completed"
    case sipRefused = "sip.refused"
    case tcpRefused = "tcp.refused"
    case tcpUnanswered = "tcp.unanswered"
    case sipUnfinished = "sip.unfinished"
    case regFlapping = "reg.flapping"
    case regLapsed = "reg.lapsed"
    case natWrongExternal = "nat.wrong-external"
    case authStaleLoop = "auth.stale-loop"
    case tlsFailed = "tls.failed"
    case dnsFailed = "dns.failed"
    case turnRefused = "turn.refused"
    case authAttack = "auth.attack"
    case codecNotNegotiated = "codec.not-negotiated"

    /// The order of declaration, which is that of the documentation.
    public static func < (a: FindingName, b: FindingName) -> Bool { a.rank < b.rank }

    var rank: Int { Self.ranks[self] ?? 0 }

    private static let ranks = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}

/// How bad a finding is. Only faults and risks accuse.
public enum Severity: String, Hashable, Sendable, CaseIterable, Comparable {
    /// It broke something in this capture.
    case fault
    /// It will, as soon as a condition holds that the summary names.
    case risk
    /// A fact worth knowing, harmless here.
    case note

    /// Worse ones are less: they sort first.
    public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .fault: 0
        case .risk: 1
        case .note: 2
        }
    }

    public var accuses: Bool { self != .note }
}

/// How sure a finding is.
public enum Confidence: String, Hashable, Sendable, Comparable {
    /// Seen on both sides, recomputed, or written by the program itself.
    case proved
    /// One explanation fits all that was seen.
    case likely
    /// Something had to be inferred or is missing from the capture; the finding says what.
    case possible

    public static func < (a: Confidence, b: Confidence) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .proved: 0
        case .likely: 1
        case .possible: 2
        }
    }
}
