import Base
import Capture

/// What is kept of one message for finding it again on the other side: hashes of all that identifies it, none of them required.
struct SideRecord: Sendable {
    /// What may identify a message; a helper changes some of it, never all.
    enum Feature: Int, CaseIterable, Sendable {
        case branch, callID, callName, fromTag, toTag, fromUser, toUser, response, nonce, session

        /// Nobody else's message has it by chance.
        var isStrong: Bool {
            switch self {
            case .branch, .callName, .callID, .fromTag, .toTag, .response, .nonce, .session: true
            case .fromUser, .toUser: false
            }
        }

        /// For it where equal, against it where different.
        var weight: (for: Int, against: Int) {
            switch self {
            case .branch: (4, 1)
            case .callID: (1, 0)
            case .callName: (3, 1)
            case .fromTag: (3, 2)
            case .toTag: (2, 2)
            case .fromUser, .toUser: (1, 1)
            case .response: (4, 1)
            case .nonce: (3, 1)
            case .session: (3, 0)
            }
        }
    }

    let file: UInt16
    let place: EvidencePlace
    /// Nanoseconds; nil where a log tells none.
    let time: Int64?
    let source: MediaPlace
    let destination: MediaPlace
    let dialog: Int32
    /// Method and status.
    let kind: UInt32
    let sequence: UInt32
    /// Of all bytes.
    let whole: UInt64
    let length: UInt32
    /// Only its beginning is there.
    let isCut: Bool
    /// By `Feature.rawValue`; 0: not there.
    let features: InlineFeatures
    /// Empty where memory ran short.
    var bytes: [UInt8]

    /// Nil for what is no SIP message.
    init?(_ message: SideMessage) {
        let made = message.bytes.withUnsafeBytes { p -> (UInt32, UInt32, UInt64, InlineFeatures)? in
            guard let facts = MessageFacts(p, isCut: message.isCut) else { return nil }
            let whole = p.hash(Span(0, p.count))
            return (UInt32(facts.status) << 8 | UInt32(facts.method.rawValue), facts.sequence, whole, Self.features(p, facts))
        }
        guard let made else { return nil }
        (kind, sequence, whole, features) = made
        file = message.place.file
        place = message.place
        time = message.time?.nanoseconds
        source = MediaPlace(message.source.map { PackedAddress($0.address) } ?? .unknown, message.source?.port ?? 0)
        destination = MediaPlace(
            message.destination.map { PackedAddress($0.address) } ?? .unknown, message.destination?.port ?? 0)
        dialog = Int32(clamping: message.dialog)
        length = UInt32(clamping: message.bytes.count)
        isCut = message.isCut
        bytes = message.bytes
    }

    private static func features(_ p: Bytes, _ facts: MessageFacts) -> InlineFeatures {
        var features = InlineFeatures()
        features[.branch] = p.hash(facts.branch)
        features[.callID] = p.hash(facts.callID)
        let sign = p.place(of: 0x40, facts.callID.start, facts.callID.end) ?? facts.callID.end
        // A few characters are everybody's.
        if sign - facts.callID.start >= TalkNames.shortest { features[.callName] = p.hash(Span(facts.callID.start, sign)) }
        features[.fromTag] = p.hash(facts.fromTag)
        features[.toTag] = p.hash(facts.toTag)
        features[.fromUser] = p.hash(user(p, facts.from))
        features[.toUser] = p.hash(user(p, facts.to))
        features[.response] = p.hash(facts.credentials.response)
        features[.nonce] = p.hash(facts.challenge.isPresent ? facts.challenge.nonce : facts.credentials.nonce)
        if facts.isSDP || facts.body.count > 8 { features[.session] = session(p, facts.body) }
        return features
    }

    private static func user(_ p: Bytes, _ address: Span) -> Span {
        Span(address.start, p.place(of: 0x40, address.start, address.end) ?? address.start)
    }

    /// Session id and version of `o=` (RFC 8866 5.2): the address behind them is what helpers change.
    private static func session(_ p: Bytes, _ body: Span) -> UInt64 {
        var at = body.start
        while at + 2 < body.end {
            let end = p.place(of: 0x0a, at, body.end) ?? body.end
            if p[at] == UInt8(ascii: "o"), p[at + 1] == 0x3d {
                guard let first = p.place(of: 0x20, at, end), let second = p.place(of: 0x20, first + 1, end),
                    let third = p.place(of: 0x20, second + 1, end)
                else { return 0 }
                // Short numbers, as `0 0`, are everybody's.
                return third - first > 8 ? p.hash(Span(first, third)) : 0
            }
            at = end + 1
        }
        return 0
    }

    var isRequest: Bool { kind >> 8 == 0 }
    var method: MessageMethod { MessageMethod(rawValue: UInt8(truncatingIfNeeded: kind)) ?? .other }
    /// 0 for a request.
    var status: UInt16 { UInt16(truncatingIfNeeded: kind >> 8) }

    /// What a request and its answers have in common (RFC 3261 17.1.3), within a call.
    struct Transaction: Hashable {
        var branch: UInt64
        var callID: UInt64
        var sequence: UInt32
        var method: MessageMethod
    }

    var transaction: Transaction {
        Transaction(branch: features[.branch], callID: features[.callID], sequence: sequence, method: method)
    }

    /// How well it fits another: the higher the better; nil where nothing proper to it is the same.
    func likeness(_ other: SideRecord) -> Int? {
        guard kind == other.kind else { return nil }
        if whole == other.whole, length == other.length { return Self.identical }
        // Another branch of a fork, or the same name on another day: no helper touches To's tag, nor all that is new in each dialog.
        if differs(.toTag, other) { return nil }
        if differs(.fromTag, other), differs(.branch, other),
            !Self.proper.contains(where: { features[$0] != 0 && features[$0] == other.features[$0] })
        {
            return nil
        }
        var score = 0
        var hasStrong = false
        for feature in Feature.allCases {
            let (a, b) = (features[feature], other.features[feature])
            guard a != 0, b != 0 else { continue }
            if a == b {
                score += feature.weight.for
                if feature.isStrong { hasStrong = true }
            } else {
                score -= feature.weight.against
            }
        }
        score += sequence == other.sequence ? 2 : -2
        if source == other.source || destination == other.destination { score += 2 }
        return hasStrong && score >= Self.least ? score : nil
    }

    static let least = 6
    static let identical = 100
    private static let proper: [Feature] = [.response, .nonce, .session]

    /// Both have it, each its own.
    func differs(_ feature: Feature, _ other: SideRecord) -> Bool {
        features[feature] != 0 && other.features[feature] != 0 && features[feature] != other.features[feature]
    }
}

/// A hash for each feature, in place.
struct InlineFeatures: Sendable {
    private var a: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
    private var b: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)

    subscript(_ feature: SideRecord.Feature) -> UInt64 {
        get {
            switch feature {
            case .branch: a.0
            case .callID: a.1
            case .callName: a.2
            case .fromTag: a.3
            case .toTag: a.4
            case .fromUser: b.0
            case .toUser: b.1
            case .response: b.2
            case .nonce: b.3
            case .session: b.4
            }
        }
        set {
            switch feature {
            case .branch: a.0 = newValue
            case .callID: a.1 = newValue
            case .callName: a.2 = newValue
            case .fromTag: a.3 = newValue
            case .toTag: a.4 = newValue
            case .fromUser: b.0 = newValue
            case .toUser: b.1 = newValue
            case .response: b.2 = newValue
            case .nonce: b.3 = newValue
            case .session: b.4 = newValue
            }
        }
    }
}
