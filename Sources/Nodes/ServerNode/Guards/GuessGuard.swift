import Base

/// How often passwords may be guessed: wrong digests over nonces that are good, by account, by source, and by the two together.
///
/// A source that proved an account lately has a budget of its own for it, so that nobody locks an owner out. A source counts only where the
/// nonce was issued to it: what others forge in its name costs it nothing. Known and unknown names are counted alike.
struct GuessGuard: Sendable {
    /// One set of credentials.
    struct Attempt: Sendable {
        /// Keyed hash of the digest user name.
        let account: UInt64
        /// Whether the nonce was issued to where the credentials come from.
        let isIssuedHere: Bool
        fileprivate let flow: FlowID
        fileprivate let source: Source
        /// When that source proved the account last; nil: never, or nobody remembers.
        fileprivate let lastProof: Instant?

        fileprivate var pair: Pair { Pair(account: account, source: source) }
        fileprivate var everywhere: Pair { Pair(account: account, source: nil) }
        fileprivate var scopes: [Source] {
            source.isIPv6 ? [source, Source(flow, prefix: 56), Source(flow, prefix: 48)] : [source]
        }
    }

    fileprivate struct Pair: Hashable, Sendable {
        var account: UInt64
        var source: Source?
    }

    private struct Proof: Sendable {
        var source: Source
        var at: Instant
    }

    private var pairs: TwoGenerations<Pair, Gauge>
    private var sources: TwoGenerations<Source, Gauge>
    /// By account: where it proved itself, the latest last. One that is used from everywhere forgets its own places, not others'.
    private var proofs: TwoGenerations<UInt64, [Proof]>
    private let limits: ServerLimits

    init(limits: ServerLimits) {
        self.limits = limits
        pairs = TwoGenerations(cap: limits.sources)
        sources = TwoGenerations(cap: limits.sources)
        proofs = TwoGenerations(cap: limits.provedAccounts)
    }

    /// Credentials that came by a flow. `account`: keyed hash of the digest user name.
    func attempt(_ account: UInt64, on flow: FlowID, isIssuedHere: Bool) -> Attempt {
        let source = Source(flow)
        let last = proofs[account]?.last { $0.source == source }?.at
        return Attempt(account: account, isIssuedHere: isIssuedHere, flow: flow, source: source, lastProof: last)
    }

    /// Whether credentials are looked at.
    func admits(_ attempt: Attempt, at now: Instant) -> Bool {
        if isProved(attempt, at: now) { return pairs[attempt.pair]?.allows(limits.guessesOfOwner, at: now) ?? true }
        if let rate = limits.guessesPerAccount, pairs[attempt.everywhere]?.allows(rate, at: now) == false { return false }
        guard let rate = limits.badPasswordsPerSource else { return true }
        return attempt.scopes.enumerated().allSatisfy { place, source in
            sources[source]?.allows(rate.times(1 << (2 * UInt32(place))), at: now) ?? true
        }
    }

    /// The digest was wrong over a nonce that is good. Returns whether the account has had more of that than it bears.
    mutating func count(_ attempt: Attempt, at now: Instant) -> Bool {
        if attempt.isIssuedHere, isProved(attempt, at: now) {
            _ = pairs.change(attempt.pair, or: Gauge()) { $0.take(limits.guessesOfOwner, at: now) }
            return false
        }
        if attempt.isIssuedHere, let rate = limits.badPasswordsPerSource {
            for (place, source) in attempt.scopes.enumerated() {
                _ = sources.change(source, or: Gauge()) { $0.take(rate.times(1 << (2 * UInt32(place))), at: now) }
            }
        }
        guard let rate = limits.guessesPerAccount else { return false }
        return pairs.change(attempt.everywhere, or: Gauge()) { gauge in
            gauge.take(rate, at: now) && !gauge.allows(rate, at: now)
        }
    }

    /// The digest was right. What was proved lately counts as it is: most refreshes change nothing.
    mutating func prove(_ attempt: Attempt, at now: Instant) {
        guard attempt.isIssuedHere else { return }
        if let last = attempt.lastProof, now - last < .seconds(3_600) { return }
        let source = attempt.source
        proofs.change(attempt.account, or: []) { [most = limits.provedSourcesPerAccount] places in
            places.removeAll { $0.source == source }
            if places.count >= most { places.removeFirst() }
            places.append(Proof(source: source, at: now))
        }
    }

    private func isProved(_ attempt: Attempt, at now: Instant) -> Bool {
        guard let last = attempt.lastProof else { return false }
        return now - last < limits.proofLasts
    }
}
