import Base

/// The server's side of digest authentication for one realm (RFC 3261 22, RFC 7616, RFC 8760).
///
/// Use: `attempt` picks the credentials out of a request, the owner looks the account up, `judge` decides, and where it
/// did not accept, `challenges` says what to answer with. Never waits and never fails.
public struct DigestAuthenticator: Sendable {
    public struct Settings: Hashable, Sendable {
        public var realm: String
        /// In the order in which they are offered: strongest first (RFC 8760 2.4). Old phones take what they know.
        public var algorithms: [DigestAlgorithm]
        /// Offered qualities of protection; empty gives challenges in the form of RFC 2069.
        public var qop: [DigestQOP]
        /// Whether an answer without qop is good although qop was offered. Phones of 2007 answer so.
        public var acceptsLegacy: Bool
        /// Whether a digest over another URI than the request's is refused.
        public var checksURI: Bool
        public var offersUserHash: Bool
        public var opaque: [UInt8]?

        public init(
            realm: String, algorithms: [DigestAlgorithm] = [.sha256, .md5], qop: [DigestQOP] = [.auth],
            acceptsLegacy: Bool = true,
            checksURI: Bool = true, offersUserHash: Bool = false, opaque: [UInt8]? = nil
        ) {
            precondition(!algorithms.isEmpty, "a realm offers an algorithm")
            self.realm = realm
            self.algorithms = algorithms
            self.qop = qop
            self.acceptsLegacy = acceptsLegacy
            self.checksURI = checksURI
            self.offersUserHash = offersUserHash
            self.opaque = opaque
        }
    }

    /// Where nonces come from.
    public enum Nonces: Sendable {
        /// Pinhole's own: any nonce that has not expired is good, each count of it once.
        case stateless(NonceIssuer, counts: CountWindow = CountWindow())
        /// chan_sip's: one nonce a dialog.
        case onePerDialog(SingleNonceBook)
    }

    /// What a request brought along.
    public enum Attempt: Hashable, Sendable {
        /// No digest credentials, or only for others' realms.
        case none
        case credentials(DigestAnswer)
        /// Digest credentials for a realm that is not ours, none for ours.
        case otherRealm(DigestAnswer)
        case malformed(DigestSyntaxError)

        /// Those to look the account up by.
        public var credentials: DigestAnswer? {
            switch self {
            case .credentials(let credentials): credentials
            case .none, .otherRealm, .malformed: nil
            }
        }
    }

    public let settings: Settings
    public private(set) var counts = DigestCounts()
    public var traces: TraceBox<DigestTrace>
    /// Digests computed so far; equal work for known and unknown users is a requirement.
    package private(set) var digestsComputed: UInt64 = 0

    private let realm: [UInt8]
    /// What stands around the nonce in each challenge, by algorithm in the order offered.
    private let frames: [(head: [UInt8], tail: [UInt8])]
    private let staleFrames: [(head: [UInt8], tail: [UInt8])]
    private var issuer: NonceIssuer?
    private var window: CountWindow
    private var book: SingleNonceBook?
    private let nobody: DigestSecret

    public init(settings: Settings, nonces: Nonces, entropy: inout Entropy, traces: TraceBox<DigestTrace> = TraceBox()) {
        self.settings = settings
        self.traces = traces
        realm = DigestOffer(realm: settings.realm, nonce: []).realm
        frames = Self.offers(settings, nonce: [], isStale: false).map(\.frame)
        staleFrames = Self.offers(settings, nonce: [], isStale: true).map(\.frame)
        nobody = DigestSecret(unknowable: &entropy)
        switch nonces {
        case .stateless(let issuer, let counts):
            self.issuer = issuer
            window = counts
        case .onePerDialog(let book):
            self.book = book
            window = CountWindow(cap: 1)
        }
    }

    // MARK: Decisions

    /// Picks the credentials for our realm out of the values of all Authorization (or Proxy-Authorization) header fields.
    public func attempt(_ values: [ArraySlice<UInt8>]) -> Attempt {
        var result = Attempt.none
        for value in values.prefix(16) {
            do throws(DigestSyntaxError) {
                let credentials = try DigestAnswer(parsing: value)
                if credentials.realm.elementsEqual(realm) { return .credentials(credentials) }
                result = .otherRealm(credentials)
            } catch {
                // Another scheme is none of our business.
                if error.reason != .otherScheme { result = .malformed(error) }
            }
        }
        return result
    }

    /// Decides. `secret` is nil for a user who is not known, which costs the same and looks the same.
    ///
    /// `acceptsOtherURI`: whether a right digest will do although it is over another URI than the request's.
    public mutating func judge(
        _ attempt: Attempt, of subject: DigestSubject, secret: DigestSecret?, at now: Instant,
        acceptsOtherURI: Bool = false
    ) -> DigestVerdict {
        let verdict: DigestVerdict
        switch attempt {
        case .none: verdict = .absent
        case .malformed(let error): verdict = .mangled(.malformed(error))
        case .otherRealm(let credentials):
            switch status(of: credentials.nonce, subject, at: now) {
            case .foreign: verdict = .absent
            case .valid, .expired, .superseded, .spent: verdict = .mangled(.realm(found: Array(credentials.realm)))
            }
        case .credentials(let credentials):
            verdict = judge(credentials, subject, secret, at: now, acceptsOtherURI: acceptsOtherURI)
        }
        counts.add(verdict)
        traces.note(Self.trace(verdict, of: attempt, subject))
        return verdict
    }

    /// What to challenge with after `verdict`: one challenge for each algorithm, in order of preference.
    public mutating func challenges(for subject: DigestSubject, after verdict: DigestVerdict, at now: Instant) -> [DigestOffer] {
        Self.offers(settings, nonce: issueNonce(subject, after: verdict, at: now), isStale: verdict.isStale)
    }

    /// The same challenges as header lines: `write` is given each value in three parts, the second being the nonce, which is returned.
    public mutating func writeChallenges(
        for subject: DigestSubject, after verdict: DigestVerdict, at now: Instant,
        _ write: (_ head: [UInt8], _ nonce: [UInt8], _ tail: [UInt8]) -> Void
    ) -> [UInt8] {
        let nonce = issueNonce(subject, after: verdict, at: now)
        for frame in verdict.isStale ? staleFrames : frames { write(frame.head, nonce, frame.tail) }
        return nonce
    }

    /// Issues nonces with `key` from now on (stateless nonces only).
    public mutating func rotate(to key: NonceKey) { issuer?.rotate(to: key) }

    /// Whether a nonce that is ours was issued to whoever has this tag; chan_sip's carry none.
    public func isIssued(_ nonce: ArraySlice<UInt8>, to origin: UInt32) -> Bool {
        issuer == nil || NonceIssuer.origin(nonce) == origin
    }

    /// What `nonce` is in the dialog of `callID`; for debug views.
    public mutating func status(of nonce: ArraySlice<UInt8>, callID: ArraySlice<UInt8>, at now: Instant) -> NonceStatus {
        if let issuer { return issuer.check(nonce, at: now) }
        return book?.check(nonce, callID: callID, at: now) ?? .foreign
    }

    // MARK: Details

    private static func offers(_ settings: Settings, nonce: [UInt8], isStale: Bool) -> [DigestOffer] {
        settings.algorithms.map { algorithm in
            DigestOffer(
                realm: settings.realm, nonce: nonce, algorithm: algorithm, qop: settings.qop, opaque: settings.opaque,
                isStale: isStale, offersUserHash: settings.offersUserHash)
        }
    }

    private static func trace(_ verdict: DigestVerdict, of attempt: Attempt, _ subject: DigestSubject) -> DigestTrace {
        let shown: DigestAnswer? =
            switch attempt {
            case .credentials(let credentials), .otherRealm(let credentials): credentials
            case .none, .malformed: nil
            }
        return DigestTrace(
            verdict: verdict, callID: Array(subject.callID), sequence: subject.sequence,
            username: shown.map { Array($0.username) } ?? [], nonce: shown.map { Array($0.nonce) } ?? [])
    }

    private mutating func issueNonce(_ subject: DigestSubject, after verdict: DigestVerdict, at now: Instant) -> [UInt8] {
        counts.challenges &+= 1
        if let issuer { return issuer.issue(callID: subject.callID, sequence: subject.sequence, origin: subject.origin, at: now) }
        if verdict.isStale { return book?.reissue(callID: subject.callID, at: now) ?? [] }
        return book?.issue(callID: subject.callID, at: now) ?? []
    }

    private mutating func status(of nonce: ArraySlice<UInt8>, _ subject: DigestSubject, at now: Instant) -> NonceStatus {
        status(of: nonce, callID: subject.callID, at: now)
    }

    private mutating func judge(
        _ credentials: DigestAnswer, _ subject: DigestSubject, _ secret: DigestSecret?, at now: Instant,
        acceptsOtherURI: Bool
    ) -> DigestVerdict {
        guard settings.algorithms.contains(credentials.algorithm) else {
            return .mangled(.algorithmNotOffered(credentials.algorithm))
        }
        switch credentials.protection {
        case .legacy:
            guard settings.acceptsLegacy || settings.qop.isEmpty else { return .mangled(.qopNotOffered(nil)) }
        case .qop(let qop, _, _, _):
            guard settings.qop.contains(qop) else { return .mangled(.qopNotOffered(qop)) }
        }
        let status = status(of: credentials.nonce, subject, at: now)
        // Whether the digest is right is not looked at: guesses over nonces that count for nothing would be free.
        if issuer != nil, status != .valid { return .stale(status) }
        let stored = secret?[credentials.algorithm.hash]
        guard let ha1 = stored ?? nobody[credentials.algorithm.hash] else { return .absent }
        let isKnown = stored != nil
        let isRight = matches(credentials, subject, ha1, credentials.uri, credentials.protection)
        guard isRight, isKnown else {
            let mangling = mangling(credentials, subject, ha1)
            if isKnown, let mangling { return .mangled(mangling) }
            return .wrongPassword(DigestFailure(nonce: status, isUserKnown: secret != nil))
        }
        switch status {
        case .expired, .foreign, .superseded, .spent: return .stale(status)
        case .valid: break
        }
        let isSame = credentials.uri.elementsEqual(subject.uri)
        let isElsewhere = settings.checksURI && !isSame && !isSameResource(credentials.uri, subject.uri)
        if isElsewhere, !acceptsOtherURI {
            return .mangled(.requestURI(digest: Array(credentials.uri), request: Array(subject.uri)))
        }
        var acceptance = DigestAcceptance(
            algorithm: credentials.algorithm, count: nil, isURIDifferent: !isSame, isURIElsewhere: isElsewhere)
        if issuer == nil {
            book?.spend(callID: subject.callID)
        } else {
            // Without a count, a nonce is good once.
            let count: UInt32 = if case .qop(_, _, let count, _) = credentials.protection { count } else { 1 }
            guard use(count, of: credentials.nonce, at: now) else { return .replayed(count: count) }
        }
        if case .qop(_, _, let count, _) = credentials.protection { acceptance.count = count }
        return .accepted(acceptance)
    }

    private mutating func use(_ count: UInt32, of nonce: ArraySlice<UInt8>, at now: Instant) -> Bool {
        guard let issuer, let (key, issued) = issuer.use(of: nonce, at: now), window.isFresh(count, of: key, issued: issued)
        else {
            return false
        }
        // A nonce issued now, or at most one granularity ago, lives at most this long from now.
        window.use(count, of: key, until: now + issuer.settings.lifetime + issuer.settings.granularity + .seconds(1), at: now)
        return true
    }

    private mutating func matches(
        _ credentials: DigestAnswer, _ subject: DigestSubject, _ ha1: HashValue, _ uri: ArraySlice<UInt8>,
        _ protection: DigestAnswer.Protection
    ) -> Bool {
        digestsComputed &+= 1
        let right = digestResponse(
            ha1: ha1, algorithm: credentials.algorithm, method: subject.method, uri: uri, body: subject.body,
            nonce: credentials.nonce, protection: protection)
        return right == credentials.response
    }

    /// Looks for the change that would make a wrong digest right. Tries the same whatever it finds.
    private mutating func mangling(_ credentials: DigestAnswer, _ subject: DigestSubject, _ ha1: HashValue) -> DigestMangling? {
        var result: DigestMangling?
        if !credentials.uri.elementsEqual(subject.uri), matches(credentials, subject, ha1, subject.uri, credentials.protection) {
            result = .digestURI(digest: Array(credentials.uri), request: Array(subject.uri))
        }
        if credentials.protection != .legacy, !credentials.algorithm.isSession,
            matches(credentials, subject, ha1, credentials.uri, .legacy)
        {
            result = .qop
        }
        return result
    }
}

/// Whether the URI that was signed and the Request-URI name the same user at the same host, whatever ports, parameters and headers they
/// carry. Phones leave those out of the digest's URI or add them (RFC 7616 3.4.6 asks for equivalence, not for equal bytes); SIPp signs the
/// host alone, whoever is called.
func isSameResource(_ signed: ArraySlice<UInt8>, _ request: ArraySlice<UInt8>) -> Bool {
    let (signed, request) = (core(signed), core(request))
    if signed.elementsEqual(request, by: { lowerCased($0) == lowerCased($1) }) { return true }
    guard !signed.contains(UInt8(ascii: "@")), let at = request.lastIndex(of: UInt8(ascii: "@")),
        let scheme = request.firstIndex(of: UInt8(ascii: ":"))
    else { return false }
    let withoutUser = request[...scheme] + request[(at + 1)...]
    return signed.elementsEqual(withoutUser) { lowerCased($0) == lowerCased($1) }
}

/// Scheme, user and host.
private func core(_ uri: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let scheme = uri.firstIndex(of: UInt8(ascii: ":")) else { return uri }
    let at = uri.lastIndex(of: UInt8(ascii: "@"))
    let host = at.map { $0 + 1 } ?? scheme + 1
    var end = host
    var isBracketed = false
    while end < uri.endIndex {
        switch uri[end] {
        case UInt8(ascii: "["): isBracketed = true
        case UInt8(ascii: "]"): isBracketed = false
        case UInt8(ascii: ":") where !isBracketed: return uri[..<end]
        case UInt8(ascii: ";"), UInt8(ascii: "?"), UInt8(ascii: ">"): return uri[..<end]
        default: break
        }
        end += 1
    }
    return uri
}
