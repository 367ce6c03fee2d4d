import Base
import Capture

extension Judge {
    private static let fields = ["CSeq", "c", "o", "m", "Server"]
    /// A second description may mend the first, as where a third party joins two ends.
    private static let shortestDeafness: Int64 = 3 * second

    /// Answers that accept a call and name no place the caller can send to: 0.0.0.0, or an address of the other family.
    mutating func answeredPlace(_ c: inout DialogCase, _ table: SignallingTable) {
        guard !c.isContinued,
            let index = c.steps.firstIndex(where: {
                !$0.isRequest && $0.method == .invite && $0.status >= 200 && $0.status < 300 && $0.isFirst
            })
        else { return }
        let accept = c.steps[index]
        guard let offerIndex = offer(for: index, c), let offered = table.description(c.steps[offerIndex]),
            let answered = table.description(accept), offered.isWhole, answered.isWhole, offered.isAudio
        else { return }
        fewerLines(offerIndex, index, offered, answered, &c, table)
        guard answered.isAudio, offered.port != 0, answered.port != 0, answered.connection.kind == .address,
            answered.direction == .both, offered.isBothWays, !offered.hasCandidates, !answered.hasCandidates
        else { return }
        let from = accept.flags.contains(.fromClient)
        let later = c.steps[(index + 1)...].first {
            $0.sdp >= 0 && $0.leg == accept.leg && $0.flags.contains(.fromClient) == from
                && table.description($0).map { $0.connection.address != answered.connection.address } ?? false
        }
        let end = later ?? c.steps[(index + 1)...].first { $0.isRequest && $0.method == .bye }
        guard end.flatMap({ c.gap(accept, $0) }) ?? c.silence(after: accept) >= Self.shortestDeafness else { return }
        if answered.isNowhere {
            nowhere(offerIndex, index, &c, table)
        } else if offered.connection.kind == .address,
            offered.connection.address.isIPv4 != answered.connection.address.isIPv4,
            !Self.names(c.steps[offerIndex], table, answered.connection.address.isIPv4 ? "IP4" : "IP6"),
            !Self.names(accept, table, answered.connection.address.isIPv4 ? "IP6" : "IP4")
        {
            otherFamily(offerIndex, index, answered, &c, table)
        }
    }

    /// Whether a description names an address of a family, in `c=` or another way (RFC 4091, RFC 6947); true where it is not kept.
    private static func names(_ step: Step, _ table: SignallingTable, _ family: String) -> Bool {
        guard let bytes = Self.bytes(step, table) else { return true }
        return MessageExcerpt.lines(bytes).contains { line in
            let text = String(decoding: bytes[line], as: UTF8.self)
            return text.contains(" \(family) ") && (text.hasPrefix("c=") || text.hasPrefix("a="))
        }
    }

    private mutating func nowhere(_ offer: Int, _ answer: Int, _ c: inout DialogCase, _ table: SignallingTable) {
        let step = c.steps[answer]
        let (callee, caller) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        draft(.audioLost(dialog: c.number), .natPrivateSDP, .fault, variant: 33, c.server(step, table), &c) { c in
            Finding(
                .natPrivateSDP, .fault,
                "\(Self.name(callee)) accepts the call and asks for its audio at the address 0.0.0.0: \(Self.name(caller)) has no place to send "
                    + "to and is not heard.",
                details: [
                    "In a first answer that holds nothing that is no hold: the sender does not know its own address, or was told none to write."
                ],
                evidence: [Self.evidence(step, table, Self.fields, "c= names no place")], culprit: .proved(Self.name(callee)),
                confidence: .likely,
                remedies: [
                    Remedy(
                        step.flags.contains(.fromClient) ? .phone : .server,
                        "Tell \(Self.name(callee)) the address for its audio: an interface or name that cannot be resolved, or a wildcard "
                            + "in its settings, ends in 0.0.0.0.",
                        commands: [
                            "Asterisk pjsip: media_address= in the endpoint, external_media_address= in the transport",
                            "FreeSWITCH: rtp-ip and ext-rtp-ip of the profile",
                            "RTPengine: interface= with an address, not 0.0.0.0",
                        ])
                ], subject: Self.subject(c, step, table))
        }
    }

    private mutating func otherFamily(
        _ offer: Int, _ answer: Int, _ answered: SDPFacts, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        let (asked, step) = (c.steps[offer], c.steps[answer])
        let (callee, caller) = (table.endpoints[step.record.source], table.endpoints[step.record.destination])
        let place = Endpoint(answered.connection.address.address, answered.port)
        let (own, other) = answered.connection.address.isIPv4 ? ("IPv6", "IPv4") : ("IPv4", "IPv6")
        draft(.audioLost(dialog: c.number), .sdpMismatch, .fault, variant: 34, c.server(step, table), &c) { c in
            Finding(
                .sdpMismatch, .fault,
                "\(Self.name(caller)) offers \(own) alone, and \(Self.name(callee)) answers that it wants its audio at the \(other) address \(place): "
                    + "\(Self.name(caller)) cannot send there and is not heard.",
                details: [
                    "Neither description names an address of the other family (RFC 4091, RFC 6947), nor ICE candidates."
                ],
                evidence: [
                    Self.evidence(asked, table, Self.fields, "\(own) alone"),
                    Self.evidence(step, table, Self.fields, "\(other) alone"),
                ], culprit: .proved(Self.name(callee)), confidence: .likely,
                remedies: [
                    Remedy(
                        step.flags.contains(.fromClient) ? .phone : .server,
                        "Make \(Self.name(callee)) answer with an address of the family that was offered, or relay the audio between the two.",
                        commands: [
                            "Asterisk pjsip: rtp_ipv6=\(own == "IPv6" ? "yes" : "no"), media_address= with an \(own) address",
                            "Kamailio: rtpengine_manage(\"address-family=\(own == "IPv6" ? "IP6" : "IP4")\")",
                        ]),
                    Remedy(.phone, "Or give \(Self.name(caller)) \(other), or ICE."),
                ], subject: Self.subject(c, step, table))
        }
    }

    /// An answer has as many media lines as the offer, refused ones with port 0 (RFC 3264 6): who counts them finds another stream's.
    private mutating func fewerLines(
        _ offer: Int, _ answer: Int, _ offered: SDPFacts, _ answered: SDPFacts, _ c: inout DialogCase, _ table: SignallingTable
    ) {
        guard answered.mediaCount < offered.mediaCount, !c.steps[answer].flags.contains(.truncated) else { return }
        let (asked, step) = (c.steps[offer], c.steps[answer])
        // Who offered hangs up in the next moment, for its media as it says.
        let bye = c.steps[(answer + 1)...].first { $0.isRequest && $0.method == .bye && $0.record.source == asked.record.source }
        let reason = bye.flatMap { Self.bytes($0, table) }.flatMap { MessageExcerpt.value(of: "Reason", in: $0) } ?? ""
        let isFatal =
            bye.flatMap { c.gap(step, $0) }.map { $0 < second } ?? false && reason.filter { $0 != " " }.hasPrefix("SIP;cause=488")
        let severity: Severity = isFatal ? .fault : .note
        report(.sdpMismatch, severity, variant: 35, c.server(step, table), &c) { c in
            Finding(
                .sdpMismatch, severity,
                "\(Self.name(table.endpoints[step.record.source])) answers \(counted(answered.mediaCount, "media line")) where "
                    + "\(offered.mediaCount) were offered\(isFatal ? ", and \(Self.name(table.endpoints[asked.record.source])) ends the call at once for it" : ""); "
                    + "a refused one belongs into the answer with port 0 (RFC 3264 6).",
                evidence: [
                    Self.evidence(asked, table, ["m", "CSeq"], "the offer"),
                    Self.evidence(step, table, ["m", "CSeq"], "the answer"),
                ] + (bye.map { isFatal ? [Self.evidence($0, table, ["CSeq", "Reason"], "hangs up")] : [] } ?? []),
                culprit: isFatal ? .proved(Self.name(table.endpoints[step.record.source])) : .unknown, confidence: .proved,
                remedies: [Remedy(.server, "Update the answering program if calls with video or fax fail.")]
                    + (isFatal ? [Remedy(.phone, "As a stopgap switch video or fax off at who offers it.")] : []),
                subject: Self.subject(c, step, table))
        }
    }
}
