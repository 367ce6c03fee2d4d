/// Why what an offer and its answer say of protection does not fit (RFC 4568 5.1, RFC 5763 5).
struct SecurityFault: Hashable, Sendable {
    enum Kind: UInt8, Hashable, Sendable { case profile, keys, suite, fingerprint, roles }

    var kind: Kind
    /// A clause: what the two say.
    var why: String
    /// Who has to mend it; nil for either.
    var isOffer: Bool?

    private init(_ kind: Kind, _ why: String, isOffer: Bool? = nil) {
        self.kind = kind
        self.why = why
        self.isOffer = isOffer
    }

    /// nil: they fit, or do not tell. `isWire`: nobody copied them by hand and left something out.
    static func between(_ offer: SDPFacts, _ answer: SDPFacts, isWire: Bool) -> SecurityFault? {
        guard offer.isWhole, answer.isWhole, offer.isAudio, answer.isAudio, offer.port != 0, answer.port != 0,
            answer.acceptedCount > 0, offer.audioCount == 1 || offer.mediaCount == answer.mediaCount
        else { return nil }
        let (a, b) = (offer.security, answer.security)
        if a.hasOtherWays || b.hasOtherWays { return nil }
        let sharesSuite = a.cryptos.contains { one in b.cryptos.contains { $0.suite == one.suite } }
        let bothFingerprints = a.hasFingerprint && b.hasFingerprint
        if a.isSecure != b.isSecure {
            // Protection as an extra to plain RTP is written either way.
            if sharesSuite || bothFingerprints { return nil }
            return SecurityFault(
                .profile,
                a.isSecure
                    ? "encrypted media (SRTP) was offered, plain was answered"
                    : "plain media was offered, encrypted (SRTP) was answered")
        }
        guard a.isSecure else {
            // RFC 8643: an answer that has no keys takes plain RTP.
            return a.cryptos.isEmpty || b.cryptos.isEmpty || bothFingerprints ? nil : suites(a, b, isWire)
        }
        if !a.cryptos.isEmpty, !b.cryptos.isEmpty { return bothFingerprints ? nil : suites(a, b, isWire) }
        if bothFingerprints { return roles(a, b) }
        return keys(a, b, isWire)
    }

    /// Secure both, and not keyed by the same way.
    private static func keys(_ a: MediaSecurity, _ b: MediaSecurity, _ isWire: Bool) -> SecurityFault? {
        let offersDTLS = a.profile == .dtls || !a.fingerprints.isEmpty
        let answersDTLS = b.profile == .dtls || !b.fingerprints.isEmpty
        if offersDTLS, a.cryptos.isEmpty, !b.cryptos.isEmpty, b.fingerprints.isEmpty {
            return SecurityFault(.keys, "keys by DTLS were offered, SDES keys (a=crypto) were answered")
        }
        if !a.cryptos.isEmpty, !offersDTLS, answersDTLS {
            return SecurityFault(.keys, "SDES keys (a=crypto) were offered, keys by DTLS were answered")
        }
        for (side, isOffer) in [(a, true), (b, false)] where isOffer ? offersDTLS && a.cryptos.isEmpty : offersDTLS {
            if side.hasFingerprint || !side.cryptos.isEmpty { continue }
            if let bad = side.fingerprints.first {
                // A short one may have been shortened by whoever copied it.
                guard bad.digest.isEmpty || isWire else { return nil }
                return SecurityFault(
                    .fingerprint,
                    bad.digest.isEmpty
                        ? "the \(word(isOffer))'s DTLS fingerprint is empty"
                        : "the \(word(isOffer))'s DTLS fingerprint has \(bad.digest.count) octets, which \(bad.hash) does not make",
                    isOffer: isOffer)
            }
            guard !side.isKeyedElsewhere, isWire || side.setup != .unsaid else { return nil }
            return SecurityFault(.fingerprint, "the \(word(isOffer)) has no DTLS fingerprint", isOffer: isOffer)
        }
        if offersDTLS { return nil }
        // Both without: the keys come another way, or were taken out by whoever handed the capture on.
        if a.cryptos.isEmpty, b.cryptos.isEmpty { return nil }
        for (side, isOffer) in [(a, true), (b, false)] where side.cryptos.isEmpty && side.fingerprints.isEmpty {
            guard isWire, !side.isKeyedElsewhere else { return nil }
            return SecurityFault(
                .keys, "the \(word(isOffer)) names a secure profile and no key (neither a=crypto nor a=fingerprint)",
                isOffer: isOffer)
        }
        return nil
    }

    private static func suites(_ a: MediaSecurity, _ b: MediaSecurity, _ isWire: Bool) -> SecurityFault? {
        guard a.cryptos.count < MediaSecurity.mostCryptos else { return nil }
        let shared = b.cryptos.filter { taken in a.cryptos.contains { $0.suite == taken.suite } }
        if shared.isEmpty {
            return SecurityFault(
                .suite,
                "the answer takes the suite \(b.cryptos[0].suite), offered were \(a.cryptos.map(\.suite).joined(separator: ", "))",
                isOffer: false)
        }
        guard isWire else { return nil }
        for (side, isOffer) in [(a, true), (b, false)] {
            let keys = side.cryptos.filter { key in shared.contains { $0.suite == key.suite } }
            if let bad = keys.first, keys.allSatisfy({ !$0.isKeyWhole }) {
                return SecurityFault(
                    .suite, "the \(word(isOffer))'s key has not the length that \(bad.suite) takes", isOffer: isOffer)
            }
        }
        return nil
    }

    private static func roles(_ a: MediaSecurity, _ b: MediaSecurity) -> SecurityFault? {
        switch (a.setup, b.setup) {
        case (.active, .active):
            SecurityFault(.roles, "both ends are to begin the DTLS handshake (a=setup:active)", isOffer: false)
        case (.passive, .passive):
            SecurityFault(.roles, "both ends wait for the other to begin the DTLS handshake (a=setup:passive)", isOffer: false)
        default: nil
        }
    }

    private static func word(_ isOffer: Bool) -> String { isOffer ? "offer" : "answer" }

    /// What to do.
    var remedy: String {
        switch kind {
        case .profile, .keys:
            "Set the same kind of media encryption for both ends: none, SDES, or DTLS-SRTP."
        case .suite: "Enable one and the same SRTP suite on both ends; AES_CM_128_HMAC_SHA1_80 is the one that all have."
        case .fingerprint:
            "Give the \(isOffer == true ? "caller" : "answering end") a certificate and a private key that it can read (PEM, permissions of the file); "
                + "without them it has no fingerprint."
        case .roles: "Let the answering end take the other role in a=setup (RFC 5763 5): active to actpass."
        }
    }
}
