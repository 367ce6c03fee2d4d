import Analysis
import Base
import ShowText

/// The analysis as JSON. `schema` names its version: members may be added under the same one, never removed or given another meaning.
/// docs/explain.md describes it.
public struct ExplainJSON: Sendable {
    public static let schema = "pinhole-explain/1"

    let result: AnalysisResult
    private let accusing: Set<EvidencePlace>
    /// Messages of so many dialogs are listed, those with findings first.
    let mostLadders: Int

    public init(_ result: AnalysisResult, mostLadders: Int = 100) {
        self.result = result
        accusing = ExplainWords.accusingPlaces(result)
        self.mostLadders = mostLadders
    }

    public var value: JSONValue {
        let counts = result.counts
        return .object([
            ("schema", .string(Self.schema)),
            ("verdict", .string(result.verdict)),
            ("accuses", .bool(result.hasAccusations)),
            (
                "counts",
                .object([
                    ("sip", .integer(counts.sip)), ("stun", .integer(counts.stun)), ("rtp", .integer(counts.rtp)),
                    ("rtcp", .integer(counts.rtcp)), ("icmp", .integer(counts.icmp)), ("other", .integer(counts.other)),
                    ("duplicates", .integer(counts.duplicates)), ("retransmissions", .integer(counts.retransmissions)),
                    ("malformed", .integer(counts.malformed)), ("dialogs", .integer(counts.dialogs)),
                    ("healthyDialogs", .integer(counts.healthyDialogs)),
                ])
            ),
            ("sources", .array(result.sources.map(source))),
            ("devices", .array(result.devices.map(device))),
            ("findings", .array(result.findings.map(finding))),
            ("dialogs", .array(dialogs)),
            ("registrations", .array(result.registrations.prefix(1_000).map(registration))),
            ("streams", .array(result.streams.prefix(10_000).map { StreamTable.json($0) })),
            ("sides", .array(result.sides.map { SideTable.json($0, result) })),
        ])
    }

    private func source(_ source: SourceSummary) -> JSONValue {
        .object([
            ("name", .string(source.name)), ("kind", .string(source.kind.rawValue)), ("frames", .integer(source.frames)),
            ("side", source.side.map { .string($0.rawValue) } ?? .null),
            ("first", Self.time(source.first)), ("last", Self.time(source.last)),
            ("clock", ExplainWords.Clock(source).map { .string($0.rawValue) } ?? .null),
            (
                "blindness",
                .array(
                    source.blindness.map {
                        .object([
                            ("kind", .string($0.kind.rawValue)), ("text", .string($0.text)), ("count", .integer($0.count)),
                            ("place", $0.place.map(place) ?? .null),
                        ])
                    })
            ),
        ])
    }

    private func device(_ device: RecognisedDevice) -> JSONValue {
        .object([
            ("role", .string(device.role.rawValue)), ("name", .string(device.name)), ("place", place(device.place)),
            ("remedy", device.remedy.map(remedy) ?? .null),
        ])
    }

    private func finding(_ finding: Finding) -> JSONValue {
        .object([
            ("name", .string(finding.name.rawValue)), ("severity", .string(finding.severity.rawValue)),
            ("summary", .string(finding.summary)), ("details", .array(finding.details.map { .string($0) })),
            ("confidence", .string(finding.confidence.rawValue)), ("culprit", culprit(finding.culprit)),
            ("count", .integer(finding.count)),
            (
                "subject",
                .object([
                    ("dialogs", .array(finding.subject.dialogs.map { .integer($0) })),
                    ("callID", Self.text(finding.subject.callID)), ("aor", Self.text(finding.subject.aor)),
                    ("client", Self.endpoint(finding.subject.client)), ("server", Self.endpoint(finding.subject.server)),
                    ("file", finding.subject.vantage.map { .integer(Int($0.index)) } ?? .null),
                ])
            ),
            (
                "evidence",
                .array(
                    finding.evidence.map { evidence in
                        .object([
                            ("place", place(evidence.place)), ("time", Self.time(evidence.time)),
                            ("source", Self.endpoint(evidence.source)), ("destination", Self.endpoint(evidence.destination)),
                            ("says", .string(evidence.says)), ("excerpt", .string(evidence.excerpt)),
                        ])
                    })
            ),
            ("remedies", .array(finding.remedies.map(remedy))),
        ])
    }

    private func culprit(_ culprit: Culprit) -> JSONValue {
        switch culprit {
        case .unknown: .null
        case .between(let a, let b): .object([("between", .array([.string(a), .string(b)]))])
        case .proved(let box): .object([("proved", .string(box))])
        }
    }

    private func remedy(_ remedy: Remedy) -> JSONValue {
        .object([
            ("actor", .string(remedy.actor.rawValue)), ("text", .string(remedy.text)), ("device", Self.text(remedy.device)),
            ("commands", .array(remedy.commands.map { .string($0) })),
        ])
    }

    private var dialogs: [JSONValue] {
        var drawn: Set<Int> = []
        for drawing in DialogLadder.worthDrawing(result, withHealthy: true).prefix(mostLadders) {
            drawn.insert(drawing.dialog)
            if let outside = drawing.outside { drawn.insert(outside) }
        }
        return result.dialogs.prefix(10_000).map { dialog in
            .object([
                ("id", .integer(dialog.id)), ("kind", .string(dialog.kind.rawValue)),
                ("outcome", .string(ExplainWords.outcome(dialog.outcome))), ("file", .integer(Int(dialog.vantage.index))),
                ("callID", .string(dialog.callID)), ("from", .string(dialog.from)), ("to", .string(dialog.to)),
                ("began", Self.time(dialog.began)), ("ended", Self.time(dialog.ended)),
                ("messageCount", .integer(dialog.messageCount)), ("linkedByOrder", .bool(dialog.isLinkedByOrder)),
                ("transport", Self.text(ExplainWords.transport(dialog, result))),
                ("protection", Self.protection(dialog.protection)),
                ("messages", drawn.contains(dialog.id) ? .array(result.messages(of: dialog).prefix(400).map(message)) : .null),
            ])
        }
    }

    private func message(_ message: MessageSummary) -> JSONValue {
        .object([
            ("place", place(message.place)), ("time", Self.time(message.time)), ("source", Self.endpoint(message.source)),
            ("destination", Self.endpoint(message.destination)), ("firstLine", .string(message.firstLine)),
            ("cseq", .integer(Int(message.sequence))), ("method", .string(message.method.token)),
            ("status", message.isRequest ? .null : .integer(Int(message.status))),
            ("accused", .bool(accusing.contains(message.place))),
            ("retransmission", .bool(message.marks.contains(.retransmission))),
        ])
    }

    private func registration(_ registration: RegistrationSummary) -> JSONValue {
        .object([
            ("dialog", .integer(registration.dialog)), ("aor", .string(registration.aor)),
            ("server", Self.endpoint(registration.server)),
            ("grantedExpires", registration.grantedExpires.map { .integer(Int($0)) } ?? .null),
            ("keepaliveInterval", Self.seconds(registration.keepaliveInterval)),
            ("mappingLivedAtLeast", Self.seconds(registration.mappingLivedAtLeast)),
            ("mappingGoneAfter", Self.seconds(registration.mappingGoneAfter)),
            (
                "mappings",
                .array(
                    registration.mappings.map {
                        .object([
                            ("client", Self.endpoint($0.client)), ("place", place($0.place)), ("messages", .integer($0.messages)),
                            ("first", Self.time($0.first)), ("last", Self.time($0.last)),
                        ])
                    })
            ),
            (
                "challenges",
                .array(
                    registration.challenges.map { challenge in
                        .object([
                            ("nonce", .string(challenge.nonce)), ("place", place(challenge.place)),
                            ("time", Self.time(challenge.time)), ("cseq", .integer(Int(challenge.sequence))),
                            ("sentTo", Self.endpoint(challenge.sentTo)), ("stale", .bool(challenge.isStale)),
                            ("outstanding", .integer(challenge.outstanding)),
                            (
                                "answers",
                                .array(
                                    challenge.answers.map {
                                        .object([
                                            ("place", place($0.place)), ("time", Self.time($0.time)),
                                            ("cseq", .integer(Int($0.sequence))), ("source", Self.endpoint($0.source)),
                                            ("superseded", .bool($0.isSuperseded)),
                                            ("status", $0.status.map { .integer($0) } ?? .null),
                                        ])
                                    })
                            ),
                        ])
                    })
            ),
        ])
    }

    private func place(_ place: EvidencePlace) -> JSONValue {
        .object([
            ("file", .integer(Int(place.file))), (place.kind.word, .integer(Int(place.number))),
        ])
    }

    static func time(_ time: Instant?) -> JSONValue { time.map { .string("\($0)") } ?? .null }
    static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    static func endpoint(_ endpoint: Endpoint?) -> JSONValue { endpoint.map { .string("\($0)") } ?? .null }
    static func seconds(_ duration: Duration?) -> JSONValue {
        duration.map { .number(Double($0.wholeMilliseconds) / 1_000) } ?? .null
    }
}

extension EvidencePlace.Kind {
    /// The member that holds the number.
    var word: String {
        switch self {
        case .frame: "frame"
        case .line: "line"
        case .live: "message"
        }
    }
}
