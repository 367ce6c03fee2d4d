import Base

extension ALGProfile {
    /// No helper: bytes pass as they are.
    public static let none = ALGProfile(name: "none", summary: "no SIP helper", evidence: .sourceAndCaptures)

    /// A SpeedTouch 780, after a report of 2007.
    ///
    /// A model which reproduces the published symptoms, not the firmware: SIP has mappings of its own, apart from the one STUN
    /// sees; each carries one outstanding transaction; and a response is held back for 200 ms, less than T1 (RFC 3261 17.1.1.1).
    /// A phone that starts a second transaction meanwhile finds its first mapping busy and leaves from another port.
    public static let speedtouch780: ALGProfile = {
        var profile = ALGProfile(
            name: "speedtouch-780", summary: "SIP mappings of one transaction each, responses held back 200 ms",
            evidence: .modelled)
        profile.rewrites = [ALGRewriteRule(.topVia), ALGRewriteRule(.contact)]
        profile.holds = [.inboundResponses(.milliseconds(200))]
        profile.mapping = .oneTransactionEach(idle: .seconds(600), transaction: .seconds(32))
        return profile
    }()

    /// Linux with nf_conntrack_sip and nf_nat_sip, default module parameters.
    public static let linux: ALGProfile = {
        var profile = ALGProfile(
            name: "linux", summary: "nf_conntrack_sip and nf_nat_sip with default parameters", evidence: .sourceAndCaptures)
        profile.rewrites = [
            ALGRewriteRule(.requestURI), ALGRewriteRule(.topVia), ALGRewriteRule(.viaMaddr, .flowAddress, .addressOnly),
            ALGRewriteRule(.viaReceived, .flowAddress, .addressOnly), ALGRewriteRule(.viaRport), ALGRewriteRule(.contact),
            ALGRewriteRule(.from), ALGRewriteRule(.to),
        ]
        profile.sessionDescription = ALGSessionDescriptionRule()
        profile.contentLength = .recompute
        profile.drops = Set(ALGDropRule.allCases)
        profile.responsePort = .viaPort
        profile.signallingPinhole = ALGSignallingPinholeRule()
        profile.streams = .wholeMessages
        profile.signallingIdle = .seconds(3600)
        return profile
    }()

    /// All that ship, by the name a configuration uses.
    public static let known: [ALGProfile] = [.none, .speedtouch780, .linux]

    /// The profile a configuration names, compared without case; nil if none does.
    public static func named(_ name: some StringProtocol) -> ALGProfile? {
        known.first { $0.name == name.lowercased() }
    }
}
