import Base
import Capture

extension Judge {
    /// sdp.mismatch of calls that are taken without an agreement: an INVITE that offers nothing has to be answered with an offer, and that
    /// offer with an answer in the ACK (RFC 3261 13.2.1).
    ///
    /// Innocent: descriptions in provisional answers, PRACK or UPDATE, a change that mends it, bodies that the capture cuts.
    mutating func offerless(_ c: inout DialogCase, _ table: SignallingTable) -> Bool {
        guard !c.isContinued,
            let index = c.steps.firstIndex(where: {
                !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) && $0.isFirst
            }), let asked = c.steps[..<index].last(where: { $0.isRequest && c.isAnswer(c.steps[index], to: $0) })
        else { return false }
        let accept = c.steps[index]
        guard accept.record.place.kind == .frame, asked.sdp < 0, hasNoBody(asked, table),
            !c.steps.contains(where: { $0.sdp >= 0 && $0.leg == accept.leg && $0.record.place != accept.record.place })
        else { return false }
        let (caller, callee) = (
            Self.name(table.endpoints[asked.record.source]), Self.name(table.endpoints[accept.record.source])
        )
        if accept.sdp < 0 {
            // Calls that only test signalling last; who wanted to speak hangs up at once.
            guard hasNoBody(accept, table), let bye = c.steps[index...].first(where: { $0.isRequest && $0.method == .bye }),
                let lasted = c.gap(accept, bye), lasted < Self.shortestTalk
            else { return false }
            report(.sdpMismatch, .fault, variant: 41, c.server(accept, table), &c) { c in
                Finding(
                    .sdpMismatch, .fault,
                    "\(callee) takes a call without any media, and it ends at once: the INVITE offers none, and its 200 has no session description either.",
                    details: ["A 2xx to an INVITE without an offer has to make one (RFC 3261 13.2.1)."],
                    evidence: [
                        Self.evidence(asked, table, ["CSeq", "Content-Length"], "no offer"),
                        Self.evidence(accept, table, ["CSeq", "Content-Length", "Server"], "no offer here, either"),
                    ], culprit: .proved(callee), confidence: .likely,
                    remedies: [
                        Remedy(
                            accept.flags.contains(.fromClient) ? .phone : .server,
                            "Renew the software of \(callee): it has to offer media to an INVITE that brings none (late offer)."),
                        Remedy(.server, "Or let \(caller) offer media in its INVITE (early offer)."),
                    ], subject: Self.subject(c, accept, table))
            }
            return true
        }
        guard
            let ack = c.steps[index...].first(where: {
                $0.isRequest && $0.method == .ack && $0.leg == accept.leg && $0.record.sequence == accept.record.sequence
            }), hasNoBody(ack, table), let offered = table.description(accept), offered.isWhole, offered.isAudio,
            offered.port != 0
        else { return false }
        draft(.audioLost(dialog: c.number), .sdpMismatch, .fault, variant: 42, c.server(accept, table), &c) { c in
            Finding(
                .sdpMismatch, .fault,
                "\(caller) never says where it wants its audio: its INVITE offers none, \(callee) offers in its 200, and the ACK has no answer.",
                details: ["The answer to an offer in a 2xx goes into the ACK (RFC 3261 13.2.1)."],
                evidence: [
                    Self.evidence(accept, table, ["CSeq", "m"], "the offer"),
                    Self.evidence(ack, table, ["CSeq", "Content-Length", "User-Agent"], "no answer"),
                ], culprit: .proved(caller), confidence: .likely,
                remedies: [
                    Remedy(
                        accept.flags.contains(.fromClient) ? .server : .phone,
                        "Renew the software of \(caller): its ACK has to answer the offer; or let it offer media in its INVITE (early offer)."
                    )
                ], subject: Self.subject(c, accept, table))
        }
        return true
    }

    /// A change of a call that is accepted without an answer: what counts from then on is not known.
    mutating func unansweredChange(_ c: inout DialogCase, _ table: SignallingTable) {
        guard let first = c.steps.firstIndex(where: { !$0.isRequest && $0.method == .invite && (200..<300).contains($0.status) })
        else { return }
        for index in c.steps.indices where index > first {
            let accept = c.steps[index]
            guard !accept.isRequest, accept.method == .invite, (200..<300).contains(accept.status), accept.isFirst,
                accept.sdp < 0,
                accept.record.place.kind == .frame,
                let asked = c.steps[..<index].last(where: { $0.isRequest && c.isAnswer(accept, to: $0) }), asked.sdp >= 0,
                asked.record.sequence != c.steps[first].record.sequence
                    || asked.flags.contains(.fromClient) != c.steps[first].flags.contains(.fromClient),
                !asked.flags.contains(.truncated), hasNoBody(accept, table),
                !c.steps[..<index].contains(where: { !$0.isRequest && $0.sdp >= 0 && c.isAnswer($0, to: asked) }),
                !c.steps[index...].contains(where: { !$0.isRequest && $0.sdp >= 0 })
            else { continue }
            let callee = Self.name(table.endpoints[accept.record.source])
            draft(.audioLost(dialog: c.number), .sdpMismatch, .fault, variant: 43, c.server(accept, table), &c) { c in
                Finding(
                    .sdpMismatch, .fault,
                    "\(callee) accepts a change of the call without saying to what: its 200 has no session description, though the re-INVITE offered one.",
                    details: ["An offer in an INVITE is answered in its 2xx (RFC 3261 13.2.1, RFC 3264 8)."],
                    evidence: [
                        Self.evidence(asked, table, ["CSeq", "c", "m"], "the offer"),
                        Self.evidence(accept, table, ["CSeq", "Content-Length", "Server"], "no answer"),
                    ], culprit: .proved(callee), confidence: .likely,
                    remedies: [
                        Remedy(
                            accept.flags.contains(.fromClient) ? .phone : .server,
                            "Renew the software of \(callee), or switch off what changes the call at the other end (direct media, session timers by re-INVITE)."
                        )
                    ], subject: Self.subject(c, accept, table))
            }
            return
        }
    }

    /// Known to be empty: neither cut nor gone from memory.
    private func hasNoBody(_ step: Step, _ table: SignallingTable) -> Bool {
        guard step.flags.isDisjoint(with: [.truncated, .bodyShort]), let bytes = Self.bytes(step, table) else { return false }
        return bytes.withUnsafeBytes { p in MessageFacts(p).map { $0.isHeaderWhole && $0.body.count <= 2 } ?? false }
    }
}
