import RTP

/// What one side says of ICE for a stream (RFC 8839 5).
public struct SDPICE: Hashable, Sendable {
    public var ufrag: String
    public var password: String
    /// Whether it only answers checks (RFC 8445 2.5).
    public var isLite: Bool
    public var candidates: [ICECandidate]
    /// No more candidates will come (RFC 8838).
    public var endsCandidates: Bool

    public init(
        ufrag: String, password: String, isLite: Bool = false, candidates: [ICECandidate] = [], endsCandidates: Bool = false
    ) {
        self.ufrag = ufrag
        self.password = password
        self.isLite = isLite
        self.candidates = candidates
        self.endsCandidates = endsCandidates
    }

    /// RFC 8839 5.4: 4 to 256 and 22 to 256 of letters, digits, `+` and `/`. Others than those characters are let through.
    static func isUsable(ufrag: String, password: String) -> Bool {
        (4...256).contains(ufrag.utf8.count) && (22...256).contains(password.utf8.count)
            && (ufrag + password).utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
}

extension MediaDescription {
    /// Replaces all that the section says of ICE; nil removes it. `ice-lite` belongs to the session and is not touched.
    public mutating func setICE(_ ice: SDPICE?) {
        section.remove([
            "ice-ufrag", "ice-pwd", "ice-options", "candidate", "end-of-candidates", "remote-candidates", "ice-mismatch",
        ])
        guard let ice else { return }
        section.add("ice-ufrag", ice.ufrag)
        section.add("ice-pwd", ice.password)
        for candidate in ice.candidates { section.add("candidate", candidate.attributeValue) }
        if ice.endsCandidates { section.add("end-of-candidates") }
    }
}
