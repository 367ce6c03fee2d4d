import Base

/// One thing an expert would report, with what proves it and what to do about it.
public struct Finding: Hashable, Sendable {
    public var name: FindingName
    public var severity: Severity
    /// What happened, in one or two plain sentences.
    public var summary: String
    /// What had to be inferred, what rules a false alarm out, what the numbers are: a sentence each.
    public var details: [String]
    /// The messages that prove it, in their order.
    public var evidence: [Evidence]
    public var culprit: Culprit
    public var confidence: Confidence
    /// The best first.
    public var remedies: [Remedy]
    public var subject: FindingSubject
    /// How many dialogs, registrations or streams show the same with the same cause; `evidence` is of the first.
    public var count: Int

    public init(
        _ name: FindingName, _ severity: Severity, _ summary: String, details: [String] = [], evidence: [Evidence] = [],
        culprit: Culprit = .unknown, confidence: Confidence = .likely, remedies: [Remedy] = [],
        subject: FindingSubject = FindingSubject(), count: Int = 1
    ) {
        self.name = name
        self.severity = severity
        self.summary = summary
        self.details = details
        self.evidence = evidence
        self.culprit = culprit
        self.confidence = confidence
        self.remedies = remedies
        self.subject = subject
        self.count = count
    }
}

/// Whom a finding is about. All that is known is filled in.
public struct FindingSubject: Hashable, Sendable {
    /// Indices into `AnalysisResult.dialogs`; several where the same cause showed in several.
    public var dialogs: [Int]
    public var callID: String?
    /// `user@host`, without the scheme.
    public var aor: String?
    /// The end that has the trouble, as the capture shows it.
    public var client: Endpoint?
    public var server: Endpoint?
    /// Nil where both sides or several captures show it.
    public var vantage: Vantage?

    public init(
        dialogs: [Int] = [], callID: String? = nil, aor: String? = nil, client: Endpoint? = nil, server: Endpoint? = nil,
        vantage: Vantage? = nil
    ) {
        self.dialogs = dialogs
        self.callID = callID
        self.aor = aor
        self.client = client
        self.server = server
        self.vantage = vantage
    }
}

/// A message, packet or line that proves something.
public struct Evidence: Hashable, Sendable {
    public var place: EvidencePlace
    public var time: Instant?
    public var source: Endpoint?
    public var destination: Endpoint?
    /// The first line and the fields that matter, a line each; never the whole message.
    public var excerpt: String
    /// What this message shows, in a few words; empty where the excerpt speaks for itself.
    public var says: String

    public init(
        place: EvidencePlace, time: Instant? = nil, source: Endpoint? = nil, destination: Endpoint? = nil, excerpt: String,
        says: String = ""
    ) {
        self.place = place
        self.time = time
        self.source = source
        self.destination = destination
        self.excerpt = excerpt
        self.says = says
    }
}

/// Who did it. A box is blamed only with observations on both of its sides, an ICMP source, or a local/remote pair.
public enum Culprit: Hashable, Sendable {
    /// Not to be told from what was seen.
    case unknown
    /// Somewhere on the path between two places, both of which are named.
    case between(String, String)
    /// Proved: the box or program that did it.
    case proved(String)
}

/// What to do.
public struct Remedy: Hashable, Sendable {
    public enum Actor: String, Hashable, Sendable {
        case phone, server, router, network, capture
    }

    public var actor: Actor
    /// One sentence in the imperative.
    public var text: String
    /// The device the commands are for, where it is known.
    public var device: String?
    /// Commands or settings to copy, a line each.
    public var commands: [String]

    public init(_ actor: Actor, _ text: String, device: String? = nil, commands: [String] = []) {
        self.actor = actor
        self.text = text
        self.device = device
        self.commands = commands
    }
}
