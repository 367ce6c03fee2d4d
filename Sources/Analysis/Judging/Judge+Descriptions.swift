import Base
import Capture

extension Judge {
    /// sdp.mismatch and srtp.mismatch: offers refused for their media, and answers that do not fit the offer (RFC 3264).
    mutating func descriptions(_ c: inout DialogCase, _ table: SignallingTable) {
        if let refusal = c.steps.firstIndex(where: {
            !$0.isRequest && $0.method == .invite && ($0.status == 488 || $0.status == 606) && $0.isFirst
        }) {
            refused(refusal, &c, table)
        }
        if unanswered(&c, table) || offerless(&c, table) { return }
        unansweredChange(&c, table)
        notePlaces(c, table)
        answeredPlace(&c, table)
        stuckOnHold(&c, table)
        resumeRefused(&c, table)
        var unprotected: Unprotected?
        var unfit: (offer: Int, answer: Int, why: String)?
        for (index, step) in c.steps.enumerated() where step.sdp >= 0 && step.isFirst && isAnswerCarrier(step) {
            guard let offerIndex = offer(for: index, c), let offer = table.description(c.steps[offerIndex]),
                let answer = table.description(step), step.flags.union(c.steps[offerIndex].flags).isDisjoint(with: .truncated)
            else { continue }
            Self.protection(&unprotected, offerIndex, index, c, table)
            if unfit == nil, let why = disagreement(offer, answer) { unfit = (offerIndex, index, why) }
        }
        if let unprotected { report(unprotected, &c, table) }
        if let unfit { self.unfit(unfit.offer, unfit.answer, unfit.why, &c, table) }
    }

    /// A call that is accepted without any media: an answer that takes none of the offered streams, or none at all (RFC 3264 6, RFC 3261 13.3.1.4).
    private mutating func unanswered(_ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        guard
            let index = c.steps.firstIndex(where: {
                !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300 && $0.isFirst
            })
        else { return false }
        let accept = c.steps[index]
        guard accept.record.place.kind == .frame, !accept.flags.contains(.truncated),
            let offerIndex = c.steps[..<index].lastIndex(where: { $0.isRequest && c.isAnswer(accept, to: $0) && $0.sdp >= 0 }),
            !c.steps[offerIndex].flags.contains(.truncated), let offer = table.description(c.steps[offerIndex]), offer.isWhole,
            offer.isAudio, offer.port != 0
        else { return false }
        if accept.sdp < 0 {
            // An earlier answer, in a provisional response, stands.
            let isEarlier = c.steps[offerIndex..<index].contains { !$0.isRequest && $0.sdp >= 0 && $0.leg == accept.leg }
            guard !isEarlier, Self.bytes(accept, table).map({ !Self.hasBody($0) }) ?? false else { return false }
            unfit(offerIndex, index, "the 200 has no session description, though the INVITE offered one", &c, table)
            return true
        }
        guard let answer = table.description(accept), answer.isWhole, answer.isAudio, answer.acceptedCount == 0 else {
            return false
        }
        unfit(offerIndex, index, "the answer refuses the offered audio (port 0) and takes nothing else", &c, table)
        return true
    }

    private static func hasBody(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { p in MessageFacts(p).map { $0.body.count > 2 } ?? true }
    }

    func isAnswerCarrier(_ step: Step) -> Bool {
        if step.isRequest { return step.method == .ack }
        return (step.method == .invite || step.method == .update) && step.status >= 183 && step.status < 300
    }

    /// The other description of the exchange: in the request, or in the 2xx an ACK answers.
    func offer(for index: Int, _ c: DialogCase) -> Int? {
        let step = c.steps[index]
        if step.isRequest {
            let asked = c.steps[..<index].contains {
                $0.isRequest && $0.method == .invite && $0.record.sequence == step.record.sequence && $0.leg == step.leg
                    && $0.sdp >= 0
            }
            guard !asked else { return nil }
            return c.steps[..<index].lastIndex {
                !$0.isRequest && $0.method == .invite && $0.record.sequence == step.record.sequence && $0.leg == step.leg
                    && $0.sdp >= 0
                    && $0.status >= 200
            }
        }
        return c.steps[..<index].lastIndex { $0.isRequest && c.isAnswer(step, to: $0) && $0.sdp >= 0 }
    }

    private func disagreement(_ offer: SDPFacts, _ answer: SDPFacts) -> String? {
        guard offer.isWhole, answer.isWhole, offer.isAudio, answer.isAudio, offer.port != 0 else { return nil }
        if answer.acceptedCount == 0 { return nil }
        guard answer.port != 0 else { return nil }
        if !offer.sharesFormat(with: answer) { return "the answer names no codec that was offered" }
        return nil
    }

    private mutating func refused(_ index: Int, _ c: inout DialogCase, _ table: SignallingTable) {
        let step = c.steps[index]
        guard
            let asked = c.steps[..<index].lastIndex(where: { $0.isRequest && c.isAnswer(step, to: $0) })
                ?? c.steps[..<index].lastIndex(where: {
                    $0.isRequest && $0.method == .invite
                })
        else { return }
        let wasUp = c.steps[..<index].contains { !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300 }
        let succeeded = c.steps[(index + 1)...].contains {
            !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300
        }
        let request = c.steps[asked]
        let isSecure = table.description(request)?.isSecure ?? false
        let isUnprotected = isAboutSecurity(index, asked, wasUp: wasUp, c, table)
        let name: FindingName = isUnprotected ? .srtpMismatch : .sdpMismatch
        // Inside a call a refused change leaves things as they were; after a second try with other media all is well.
        // Who asked in vain and hangs up in the next moment does so because of it.
        let bye = c.steps[(index + 1)...].first { $0.isRequest && $0.method == .bye }
        // A fax that goes in the audio instead takes longer than this.
        let isFax = Self.codecs(request, table) == "T.38"
        let patience = isFax ? 5 * second : second
        let isEnded =
            wasUp && !succeeded
            && (bye.map { $0.record.source == request.record.source && (c.gap(step, $0) ?? second) < patience } ?? false)
        let severity: Severity = wasUp && !isEnded || succeeded ? .note : .fault
        let attempt = Attempt(
            sameWithin: Self.longestFailover, dialog: c.number, client: table.endpoints[request.record.source].address,
            server: table.endpoints[request.record.destination], first: request.nanoseconds, last: step.nanoseconds)
        draft(.notRetried(attempt), name, severity, c.server(step, table), &c) { c in
            let codecs = Self.codecs(request, table)
            return Finding(
                name, severity,
                "\(Self.name(table.endpoints[step.record.source])) refused the call's media with \(step.status)"
                    + (codecs.isEmpty ? "." : ": offered were \(codecs)\(isSecure ? ", encrypted (SRTP)" : "")")
                    + (isEnded
                        ? ", asked for inside the call that was up, and \(Self.name(table.endpoints[request.record.source])) ended that call \(isFax ? "without a fax" : "at once")."
                        : codecs.isEmpty ? "" : "."),
                details: severity == .note ? [succeeded ? "A later try succeeded." : "The call itself went on."] : [],
                evidence: [
                    Self.evidence(request, table, ["m", "CSeq"], "the offer"),
                    Self.evidence(step, table, ["CSeq", "Warning"], "refused"),
                ],
                culprit: .unknown, confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        isFax
                            ? "Let \(Self.name(table.endpoints[step.record.source])) take T.38, or switch it off at both ends, so that faxes go in the audio (G.711)."
                            : isSecure || isUnprotected
                                ? "Enable SRTP for this peer on both sides, or switch it off on both."
                                : "Enable one of the offered codecs\(codecs.isEmpty ? "" : " (\(codecs))") for this peer"
                                    + (codecs.contains("PCMA") || codecs.contains("PCMU")
                                        ? ", or one that it has on the caller." : ", or PCMA/PCMU on the caller.")
                    )
                ], subject: Self.subject(c, request, table))
        }
    }

    private mutating func unfit(_ offer: Int, _ answer: Int, _ why: String, _ c: inout DialogCase, _ table: SignallingTable) {
        let (asked, step) = (c.steps[offer], c.steps[answer])
        report(.sdpMismatch, .fault, c.server(step, table), &c) { c in
            let (offered, answered) = (Self.codecs(asked, table), Self.codecs(step, table))
            return Finding(
                .sdpMismatch, .fault, "The two ends of the call agreed on nothing: \(why).",
                details: ["Offered: \(offered). Answered: \(answered)."],
                evidence: [
                    Self.evidence(asked, table, ["m", "CSeq"], "the offer"),
                    Self.evidence(step, table, ["m", "CSeq"], "the answer"),
                ],
                culprit: .unknown, confidence: .likely,
                remedies: [Remedy(.server, "Enable a codec that both have\(offered.isEmpty ? "" : ": one of \(offered)").")],
                subject: Self.subject(c, step, table))
        }
    }

    /// Names of the formats of the first audio stream.
    private static func codecs(_ step: Step, _ table: SignallingTable) -> String {
        guard let bytes = Self.bytes(step, table) else { return "" }
        var names: [String] = []
        var mapped: [String: String] = [:]
        var types: [String] = []
        for line in MessageExcerpt.lines(bytes) {
            let text = String(decoding: bytes[line], as: UTF8.self)
            if text.hasPrefix("m=audio"), types.isEmpty {
                types = text.split(separator: " ").dropFirst(3).map(String.init)
            } else if text.hasPrefix("m=image"), text.lowercased().contains("udptl t38"), !text.hasPrefix("m=image 0 ") {
                types = ["t38"]
            } else if text.hasPrefix("a=rtpmap:") {
                let parts = text.dropFirst(9).split(separator: " ", maxSplits: 1).map(String.init)
                if parts.count == 2 { mapped[parts[0]] = parts[1].split(separator: "/").first.map(String.init) }
            }
        }
        let fixed = ["t38": "T.38", "0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729"]
        for type in types {
            guard let name = mapped[type] ?? fixed[type], name.lowercased() != "telephone-event", !names.contains(name) else {
                continue
            }
            names.append(name)
        }
        return names.joined(separator: ", ")
    }
}
