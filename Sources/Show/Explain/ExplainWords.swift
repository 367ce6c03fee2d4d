import Analysis
import Base
import ShowText

/// The words that terminal, page and JSON share.
enum ExplainWords {
    /// `3.2 s`, `12 min 5 s`, `340 ms`.
    static func duration(_ duration: Duration) -> String {
        let milliseconds = max(0, duration.wholeMilliseconds)
        if milliseconds < 1_000 { return "\(milliseconds) ms" }
        if milliseconds < 120_000 {
            let tenths = milliseconds / 100
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
        }
        let seconds = milliseconds / 1_000
        if seconds < 7_200 { return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    }

    static func count(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(grouped(count)) \(count == 1 ? one : many ?? one + "s")"
    }

    /// `1,290,000`.
    static func grouped(_ count: Int) -> String {
        let digits = String(count)
        guard digits.count > 4 else { return digits }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    // MARK: Sources

    /// `inside.pcap: 109 frames, 2026-11-22 13:13:28.524 UTC, 2 s long`.
    static func source(_ source: SourceSummary) -> String {
        var text = fileName(source.name) + ": "
        switch source.kind {
        case .capture: text += count(source.frames, "frame")
        case .log: text += count(source.frames, "line")
        case .live: text += count(source.frames, "message")
        }
        if let first = source.first, let last = source.last {
            text += ", \(moment(first, isLogged: source.kind == .log)), \(duration(last - first)) long"
        }
        if source.side == .inside { text += "; it shows both sides of a router, which are told apart as two captures" }
        return text
    }

    /// What a source's times are good for. A log without date counts from 1970, one that only lacks the year from 1972.
    enum Clock: String {
        case utc, unzoned, noYear, noDate

        init(_ instant: Instant, isLogged: Bool) {
            switch CalendarTime(instant).date.year {
            case ..<1972: self = .noDate
            case ..<1990: self = .noYear
            default: self = isLogged ? .unzoned : .utc
            }
        }

        init?(_ source: SourceSummary) {
            guard let first = source.first else { return nil }
            self.init(first, isLogged: source.kind == .log)
        }
    }

    /// Only what is known of it: no date that a log did not write, and no zone.
    static func moment(_ instant: Instant, isLogged: Bool) -> String {
        let text = "\(CalendarTime(instant))"
        switch Clock(instant, isLogged: isLogged) {
        case .noDate: return String(text.drop { $0 != " " }.dropFirst())
        case .noYear: return String(text.drop { $0 != "-" }.dropFirst())
        case .unzoned: return text
        case .utc: return text + " UTC"
        }
    }

    static func counts(_ counts: AnalysisCounts) -> String {
        var parts: [String] = []
        func add(_ number: Int, _ one: String) { if number > 0 { parts.append(count(number, one)) } }
        add(counts.sip, "SIP message")
        add(counts.dialogs, "dialog")
        add(counts.rtp, "RTP packet")
        add(counts.rtcp, "RTCP packet")
        add(counts.stun, "STUN message")
        add(counts.icmp, "ICMP error")
        add(counts.malformed, "malformed message")
        return parts.joined(separator: ", ")
    }

    /// What one source does not show, in words, the worst first.
    static func blindSpots(of source: Int, _ result: AnalysisResult) -> [(severity: Severity, text: String)] {
        result.findings.filter { $0.name == .captureBlind && Int($0.subject.vantage?.index ?? 0) == source }
            .sorted { $0.severity < $1.severity }.map { finding in
                // Beside the source's name the sentence need not name it again.
                var text = finding.summary
                if let colon = text.firstRange(of: " does not show everything: ") { text = String(text[colon.upperBound...]) }
                if finding.severity.accuses, let remedy = finding.remedies.first {
                    text += " \(remedy.text)" + (remedy.commands.first.map { " (\($0))" } ?? "")
                }
                return (finding.severity, text)
            }
    }

    /// The last component of a path.
    static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    /// What a vantage is called: `router.pcap`, `router.pcap (outside)`.
    static func place(of vantage: Vantage, _ result: AnalysisResult) -> String {
        guard Int(vantage.index) < result.sources.count else { return "source \(vantage.index)" }
        let source = result.sources[Int(vantage.index)]
        return fileName(source.name) + (source.side.map { " (\($0.rawValue))" } ?? "")
    }

    /// `frame 12`, with the file's name where there are several.
    static func place(_ place: EvidencePlace, _ result: AnalysisResult) -> String {
        guard result.sources.count > 1, Int(place.file) < result.sources.count else { return "\(place)" }
        return "\(Self.place(of: place.vantage, result)) \(place)"
    }

    /// An address that a log had left out is not told.
    static func endpoint(_ endpoint: Endpoint) -> String {
        guard endpoint.address.isUnspecified else { return "\(endpoint)" }
        return endpoint.port == 0 ? "an address not told" : "port \(endpoint.port)"
    }

    // MARK: Findings

    /// Whom a finding points to, as a sentence.
    static func culprit(_ culprit: Culprit) -> String {
        switch culprit {
        case .unknown: "It cannot be told from what was seen."
        case .between(let a, let b): "Something between \(a) and \(b)."
        case .proved(let box): box.prefix(1).uppercased() + box.dropFirst() + (box.hasSuffix(".") ? "" : ".")
        }
    }

    static func certainty(_ confidence: Confidence) -> String {
        switch confidence {
        case .proved: "Proved by what was seen."
        case .likely: "Likely: it explains all that was seen."
        case .possible: "Possible: something had to be inferred, or is not in the capture."
        }
    }

    /// Messages that prove faults and risks.
    static func accusingPlaces(_ result: AnalysisResult) -> Set<EvidencePlace> {
        Set(result.findings.filter { $0.severity.accuses && $0.name != .captureBlind }.flatMap { $0.evidence.map(\.place) })
    }

    static func tone(_ severity: Severity) -> ReportTone {
        switch severity {
        case .fault: .bad
        case .risk: .warning
        case .note: .accent
        }
    }

    static func mark(_ severity: Severity, _ isUnicode: Bool) -> String {
        switch severity {
        case .fault: isUnicode ? "✗" : "X"
        case .risk: isUnicode ? "▲" : "!"
        case .note: isUnicode ? "·" : "-"
        }
    }

    static func short(_ nonce: String) -> String { nonce.count <= 14 ? nonce : "\(nonce.prefix(14))~" }

    // MARK: Dialogs

    static func outcome(_ outcome: DialogOutcome) -> String {
        switch outcome {
        case .open: "nothing final was seen"
        case .established: "set up, not ended in what was seen"
        case .ended: "set up and ended by BYE"
        case .cancelled: "cancelled"
        case .registered(let expires): expires.map { "registered for \($0) s" } ?? "registered"
        case .unregistered: "unregistered"
        case .answered(let status): "answered \(status)"
        case .failed(let status) where (300..<400).contains(status): "redirected (\(status))"
        case .failed(let status): "failed with \(status)"
        case .unanswered: "nobody answered"
        }
    }

    static func kind(_ kind: DialogKind) -> String {
        switch kind {
        case .call: "Call"
        case .registration: "Registration"
        case .subscription: "Subscription"
        case .message: "Message"
        case .options: "OPTIONS"
        case .other: "Dialog"
        }
    }

    /// `Call alice@a to bob@b: set up and ended by BYE (Call-ID 1)`.
    static func title(_ dialog: DialogSummary) -> String {
        var text = kind(dialog.kind)
        if !dialog.from.isEmpty { text += (dialog.kind == .call ? " " : " of ") + dialog.from }
        if dialog.kind != .registration, !dialog.to.isEmpty, dialog.kind == .call || dialog.to != dialog.from {
            text += " to \(dialog.to)"
        }
        let identity = dialog.isLinkedByOrder ? "no Call-ID shown: linked by CSeq, nonce and order" : "Call-ID \(dialog.callID)"
        return "\(text): \(outcome(dialog.outcome)) (\(identity))"
    }

    /// What was measured of the mapping and what keeps it.
    static func mappingFacts(_ registration: RegistrationSummary) -> [String] {
        var facts: [String] = []
        if let interval = registration.keepaliveInterval {
            facts.append("Something kept the mapping alive every \(duration(interval)).")
        }
        if let lived = registration.mappingLivedAtLeast {
            facts.append("The mapping still worked after \(duration(lived)) of silence.")
        }
        if let gone = registration.mappingGoneAfter { facts.append("The mapping was gone after \(duration(gone)) of silence.") }
        return facts
    }
}
