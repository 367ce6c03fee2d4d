import Analysis
import Base
import Redaction

/// Redacting a whole analysis before it is shown: findings, numbers and times stay, who and where become stand-ins.
extension Redactor {
    /// The result with the same stand-ins that packets get from the same redactor. Files are only numbered.
    public mutating func redact(_ result: AnalysisResult) -> AnalysisResult {
        var redacted = result
        // What was asked for names somebody.
        if result.emptiedBy != nil { redacted.emptiedBy = "the filter" }
        for dialog in result.dialogs.indices { redact(&redacted.dialogs[dialog], result) }
        redacted.endpoints = result.endpoints.map { redact($0) }
        redacted.names = result.names.mapValues { redact(sentence: $0) }
        let names = result.sources.enumerated().flatMap { index, source in
            let stand = Self.fileName(source, index + 1)
            return [(quote: source.name, stand: stand), (quote: ExplainWords.fileName(source.name), stand: stand)]
        }
        for index in redacted.sources.indices {
            redacted.sources[index].name = Self.fileName(result.sources[index], index + 1)
            for spot in redacted.sources[index].blindness.indices {
                redacted.sources[index].blindness[spot].text = redact(
                    sentence: result.sources[index].blindness[spot].text, quotes: names)
            }
        }
        redacted.findings = result.findings.map { redact($0, names) }
        redacted.registrations = result.registrations.map { redact($0) }
        for index in redacted.streams.indices {
            redacted.streams[index].source = redact(redacted.streams[index].source)
            redacted.streams[index].destination = redact(redacted.streams[index].destination)
            redacted.streams[index].codec = redacted.streams[index].codec.map { redact(sentence: $0) }
            redact(&redacted.streams[index].protection)
        }
        redacted.sides = result.sides.map { redact($0) }
        for index in redacted.devices.indices {
            redacted.devices[index].name = redact(device: redacted.devices[index].name)
            redacted.devices[index].remedy = redacted.devices[index].remedy.map { redact($0, []) }
        }
        return redacted
    }

    /// File names may name people as well.
    private static func fileName(_ source: SourceSummary, _ number: Int) -> String {
        switch source.kind {
        case .capture: "capture-\(number).pcap"
        case .log: "log-\(number).txt"
        case .live: "live-\(number)"
        }
    }

    // MARK: Dialogs

    private mutating func redact(_ protection: inout MediaProtection?) {
        if let suite = protection?.suite { protection?.suite = redact(sentence: suite) }
    }

    private mutating func redact(_ dialog: inout DialogSummary, _ result: AnalysisResult) {
        redact(&dialog.protection)
        let ranges = result.recordIndices(of: dialog).compactMap { index -> Range<Int>? in
            let record = result.records[index]
            return record.length > 0 ? Int(record.offset)..<(Int(record.offset) + Int(record.length)) : nil
        }
        var own = self
        dialog.rewrite(
            messages: ranges, callID: { own.redact(callID: $0) }, aor: { own.redact(text: $0) },
            message: { own.redact(message: $0) })
        self = own
    }

    private mutating func redact(_ registration: RegistrationSummary) -> RegistrationSummary {
        var registration = registration
        registration.aor = redact(name: registration.aor)
        registration.server = registration.server.map { redact($0) }
        for index in registration.challenges.indices {
            registration.challenges[index].nonce = redact(name: registration.challenges[index].nonce)
            registration.challenges[index].sentTo = registration.challenges[index].sentTo.map { redact($0) }
            for answer in registration.challenges[index].answers.indices {
                let source = registration.challenges[index].answers[answer].source
                registration.challenges[index].answers[answer].source = source.map { redact($0) }
            }
        }
        for index in registration.mappings.indices {
            registration.mappings[index].client = redact(registration.mappings[index].client)
        }
        return registration
    }

    /// A name, an address of record, a token: nothing of it is known.
    private mutating func redact(name: String) -> String { String(decoding: redact(text: Array(name.utf8)), as: UTF8.self) }

    // MARK: Findings

    private mutating func redact(_ finding: Finding, _ names: [(quote: String, stand: String)]) -> Finding {
        var finding = finding
        var quotes = names
        finding.subject.callID = finding.subject.callID.map { String(decoding: redact(callID: Array($0.utf8)), as: UTF8.self) }
        finding.subject.aor = finding.subject.aor.map { redact(name: $0) }
        finding.subject.client = finding.subject.client.map { redact($0) }
        finding.subject.server = finding.subject.server.map { redact($0) }
        for index in finding.evidence.indices {
            finding.evidence[index].source = finding.evidence[index].source.map { redact($0) }
            finding.evidence[index].destination = finding.evidence[index].destination.map { redact($0) }
            let excerpt = finding.evidence[index].excerpt
            finding.evidence[index].excerpt = redact(excerpt: excerpt, place: finding.evidence[index].place.kind)
            quotes += Self.quotes(excerpt, finding.evidence[index].excerpt)
        }
        for index in finding.evidence.indices {
            finding.evidence[index].says = redact(sentence: finding.evidence[index].says, quotes: quotes)
        }
        finding.summary = redact(sentence: finding.summary, quotes: quotes)
        finding.details = finding.details.map { redact(sentence: $0, quotes: quotes) }
        switch finding.culprit {
        case .unknown: break
        case .between(let a, let b):
            finding.culprit = .between(redact(sentence: a, quotes: quotes), redact(sentence: b, quotes: quotes))
        case .proved(let box): finding.culprit = .proved(redact(sentence: box, quotes: quotes))
        }
        finding.remedies = finding.remedies.map { redact($0, quotes) }
        return finding
    }

    private mutating func redact(_ remedy: Remedy, _ quotes: [(quote: String, stand: String)]) -> Remedy {
        var remedy = remedy
        remedy.text = redact(sentence: remedy.text, quotes: quotes)
        remedy.device = remedy.device.map { redact(sentence: $0) }
        remedy.commands = remedy.commands.map { redact(sentence: $0) }
        return remedy
    }

    /// Lines of a message, a log's own words, or ours.
    private mutating func redact(excerpt: String, place: EvidencePlace.Kind) -> String {
        let lines = excerpt.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        return lines.enumerated().map { index, line in
            if isMessageLine(line) { return String(decoding: redact(line: Array(line.utf8)), as: UTF8.self) }
            // A log's words are foreign, a packet's are ours.
            return place == .line ? redact(log: line) : redact(sentence: line)
        }.joined(separator: "\n")
    }

    /// What sentences may quote: values of headers, what follows the version in a status line, a log's line.
    private static func quotes(_ excerpt: String, _ stand: String) -> [(quote: String, stand: String)] {
        func value(_ line: Substring) -> String {
            if line.hasPrefix("SIP/2.0 ") { return String(line.dropFirst(8)) }
            guard let colon = line.firstIndex(of: ":") else { return String(line) }
            return String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let pairs = zip(excerpt.split(separator: "\n"), stand.split(separator: "\n"))
        return pairs.map { (value($0), value($1)) }.filter { $0.0.utf8.count >= 8 }
    }

    // MARK: Sides

    private mutating func redact(_ side: SideComparison) -> SideComparison {
        var side = side
        side.translatedTo = side.translatedTo.map { redact($0) }
        for index in side.fields.indices {
            let field = side.fields[index].field
            side.fields[index].inside = value(side.fields[index].inside, field)
            side.fields[index].outside = value(side.fields[index].outside, field)
            side.fields[index].field = redact(field)
        }
        for index in side.messages.indices {
            side.messages[index].firstLine = String(
                decoding: redact(line: Array(side.messages[index].firstLine.utf8)), as: UTF8.self)
            side.messages[index].callID = String(decoding: redact(callID: Array(side.messages[index].callID.utf8)), as: UTF8.self)
            for change in side.messages[index].changes.indices {
                let field = side.messages[index].changes[change].field
                side.messages[index].changes[change].inside = side.messages[index].changes[change].inside.map { value($0, field) }
                side.messages[index].changes[change].outside = side.messages[index].changes[change].outside.map {
                    value($0, field)
                }
                side.messages[index].changes[change].field = redact(field)
            }
        }
        return side
    }

    /// Headers nobody registered may be named after somebody.
    private mutating func redact(_ field: SideField) -> SideField {
        guard case .other(let name) = field, !name.hasPrefix("SDP ") else { return field }
        return .other(String(decoding: redact(headerName: Array(name.utf8)), as: UTF8.self))
    }

    /// A value as it stands in a field of that name.
    private mutating func value(_ text: String, _ field: SideField) -> String {
        let lead: String
        switch field {
        case .contact, .from, .to, .callID, .via, .route, .recordRoute, .authorization, .userAgent, .contentLength, .maxForwards,
            .cseq:
            lead = "\(field): "
        case .sdpOrigin: lead = "o="
        case .sdpConnection: lead = "c="
        case .body:
            return text.split(separator: "\n", omittingEmptySubsequences: false).map {
                String(decoding: redact(line: Array($0.utf8)), as: UTF8.self)
            }.joined(separator: "\n")
        case .other(let name): lead = name.hasPrefix("SDP ") ? String(name.dropFirst(4)) : "\(name): "
        case .requestURI: lead = "To: <"
        case .viaBranch: lead = "Via: SIP/2.0/UDP x;branch="
        case .viaReceived, .viaRport, .viaMaddr, .sdpMediaPort, .sdpRTCP, .sdpCandidate, .layout:
            return redact(sentence: text)
        }
        let line = redact(line: Array((lead + text).utf8))
        return String(decoding: line.dropFirst(lead.utf8.count), as: UTF8.self)
    }
}
