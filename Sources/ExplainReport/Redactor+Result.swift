import Analysis
import Base

/// Redacting a whole analysis before it is shown: findings, numbers and times stay, who and where become stand-ins.
extension Redactor {
    /// The result with the same stand-ins that messages and packets get from this redactor. Files are only numbered.
    public mutating func redact(_ result: AnalysisResult) -> AnalysisResult {
        var redacted = result
        for dialog in result.dialogs.indices { redact(&redacted.dialogs[dialog], result) }
        // Messages first: sentences may show the names that stand in them.
        redacted.endpoints = result.endpoints.map { redact($0) }
        let names = result.sources.enumerated().map { index, source in (source.name, Self.fileName(source, index + 1)) }
        for index in redacted.sources.indices {
            redacted.sources[index].name = names[index].1
            for spot in redacted.sources[index].blindness.indices {
                redacted.sources[index].blindness[spot].text = sentence(result.sources[index].blindness[spot].text, names)
            }
        }
        redacted.findings = result.findings.map { redact($0, names) }
        redacted.registrations = result.registrations.map { redact($0) }
        for index in redacted.streams.indices {
            redacted.streams[index].source = redact(redacted.streams[index].source)
            redacted.streams[index].destination = redact(redacted.streams[index].destination)
        }
        redacted.sides = result.sides.map { redact($0) }
        for index in redacted.devices.indices { redacted.devices[index].name = hardware(redacted.devices[index].name) }
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

    private mutating func sentence(_ text: String, _ names: [(String, String)]) -> String {
        var text = text
        for (name, stand) in names where !name.isEmpty {
            text = text.replacing(name, with: stand)
            let last = ExplainWords.fileName(name)
            if last != name { text = text.replacing(last, with: stand) }
        }
        return redact(text: text)
    }

    // MARK: Dialogs

    private mutating func redact(_ dialog: inout DialogSummary, _ result: AnalysisResult) {
        let ranges = result.recordIndices(of: dialog).compactMap { index -> Range<Int>? in
            let record = result.records[index]
            return record.length > 0 ? Int(record.offset)..<(Int(record.offset) + Int(record.length)) : nil
        }
        var own = self
        dialog.rewrite(
            messages: ranges, callID: { own.redact(callID: $0) }, aor: { own.redact(aor: $0) },
            message: { own.redact(message: $0) })
        self = own
    }

    private mutating func redact(_ registration: RegistrationSummary) -> RegistrationSummary {
        var registration = registration
        registration.aor = redact(aor: registration.aor)
        registration.server = registration.server.map { redact($0) }
        for index in registration.challenges.indices {
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

    // MARK: Findings

    private mutating func redact(_ finding: Finding, _ names: [(String, String)]) -> Finding {
        var finding = finding
        finding.subject.callID = finding.subject.callID.map { String(decoding: redact(callID: Array($0.utf8)), as: UTF8.self) }
        finding.subject.aor = finding.subject.aor.map { redact(aor: $0) }
        finding.subject.client = finding.subject.client.map { redact($0) }
        finding.subject.server = finding.subject.server.map { redact($0) }
        for index in finding.evidence.indices {
            finding.evidence[index].source = finding.evidence[index].source.map { redact($0) }
            finding.evidence[index].destination = finding.evidence[index].destination.map { redact($0) }
            finding.evidence[index].excerpt = redact(excerpt: finding.evidence[index].excerpt)
            finding.evidence[index].says = sentence(finding.evidence[index].says, names)
        }
        finding.summary = sentence(finding.summary, names)
        finding.details = finding.details.map { sentence($0, names) }
        switch finding.culprit {
        case .unknown: break
        case .between(let a, let b): finding.culprit = .between(sentence(a, names), sentence(b, names))
        case .proved(let box): finding.culprit = .proved(sentence(box, names))
        }
        for index in finding.remedies.indices { finding.remedies[index].text = sentence(finding.remedies[index].text, names) }
        return finding
    }

    /// Lines of a message, or a log's own words.
    private mutating func redact(excerpt: String) -> String {
        excerpt.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let bytes = Array(line.utf8)
            return Self.isOfMessage(bytes) ? String(decoding: redact(line: bytes), as: UTF8.self) : redact(text: String(line))
        }.joined(separator: "\n")
    }

    /// A start line, a header or a line of a session description.
    private static func isOfMessage(_ line: [UInt8]) -> Bool {
        if line.count > 1, line[1] == UInt8(ascii: "=") { return true }
        if String(decoding: line, as: UTF8.self).contains("SIP/2.0") { return true }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        return line[..<colon].allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    // MARK: Sides

    private mutating func redact(_ side: SideComparison) -> SideComparison {
        var side = side
        side.translatedTo = side.translatedTo.map { redact($0) }
        for index in side.fields.indices {
            side.fields[index].inside = value(side.fields[index].inside, side.fields[index].field)
            side.fields[index].outside = value(side.fields[index].outside, side.fields[index].field)
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
            }
        }
        return side
    }

    /// A value as it stands in a field of that name.
    private mutating func value(_ text: String, _ field: SideField) -> String {
        let lead: String
        switch field {
        case .contact, .from, .to, .callID, .via, .route, .recordRoute, .authorization, .userAgent: lead = "\(field): "
        case .sdpOrigin: lead = "o="
        case .sdpConnection: lead = "c="
        case .body:
            return text.split(separator: "\n", omittingEmptySubsequences: false).map {
                String(decoding: redact(line: Array($0.utf8)), as: UTF8.self)
            }.joined(separator: "\n")
        case .other(let name): lead = name.hasPrefix("SDP ") ? String(name.dropFirst(4)) : "\(name): "
        default: return redact(text: text)
        }
        let line = redact(line: Array((lead + text).utf8))
        return String(decoding: line.dropFirst(lead.utf8.count), as: UTF8.self)
    }

    // MARK: Pieces

    /// `user@host` as reports name people.
    mutating func redact(aor: String) -> String { String(decoding: redact(aor: Array(aor.utf8)), as: UTF8.self) }

    mutating func redact(aor: [UInt8]) -> [UInt8] {
        guard let sign = aor.lastIndex(of: UInt8(ascii: "@")) else { return host(aor) }
        let user = Array(aor[..<sign])
        learn(user)
        return redact(word: user) + [UInt8(ascii: "@")] + host(Array(aor[(sign + 1)...]))
    }

    /// With or without a port.
    private mutating func host(_ host: [UInt8]) -> [UInt8] {
        if IPAddress(utf8: host) != nil { return redact(host: host) }
        guard let colon = host.lastIndex(of: UInt8(ascii: ":")), host.first != UInt8(ascii: "[") else {
            return redact(host: host)
        }
        return redact(host: Array(host[..<colon])) + host[colon...]
    }

    mutating func redact(callID: [UInt8]) -> [UInt8] {
        let line = redact(line: Array("Call-ID: ".utf8) + callID)
        return Array(line.dropFirst(9))
    }
}
