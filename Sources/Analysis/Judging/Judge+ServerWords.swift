import Base
import Capture

/// What a server says itself: in its challenges, in its log.
extension Judge {
    static let credentialFields = ["CSeq", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Via"]

    /// Each of its challenges names SHA-256, and none MD5, which a challenge without algorithm means.
    static func asksForSHA256Alone(_ step: Step, _ table: SignallingTable) -> Bool {
        guard let bytes = Self.bytes(step, table) else { return false }
        let challenges = MessageExcerpt.fields(bytes).filter { $0.name == "WWW-Authenticate" || $0.name == "Proxy-Authenticate" }
        return !challenges.isEmpty
            && challenges.allSatisfy { challenge in
                challenge.value.lowercased().split(separator: ",").contains { $0.contains("algorithm") && $0.contains("sha-256") }
            }
    }

    /// The server says itself that it forgot the nonce of right credentials, and the messages around it are not at hand.
    mutating func staleInWords(_ c: inout DialogCase, _ table: SignallingTable) {
        guard !wasReported(.authStaleOutOfOrder, c), !wasReported(.authStaleLate, c), !c.dialog.progress.contains(.answered),
            let remark = (table.remarks[c.number] ?? []).first(where: { $0.remark == .staleNonce }),
            let step = c.steps.first(where: { $0.record.place == remark.request })
        else { return }
        report(.authStaleLate, .fault, variant: 1, c.server(step, table), &c) { c in
            Finding(
                .authStaleLate, .fault,
                "\(c.opening) is refused although its password is right: the server says that it answered with a stale nonce.",
                details: [
                    "A stale nonce is an old challenge: answered late, or after a newer one. The challenge itself is not in what was read."
                ],
                evidence: [Self.evidence(step, table, Self.credentialFields, "the credentials"), Self.evidence(remark, table)],
                culprit: .unknown, confidence: .proved,
                remedies: [
                    Remedy(.phone, "Let the phone answer the newest challenge, and have one REGISTER in flight."),
                    Remedy(.server, "Keep older nonces valid for some time."),
                    Remedy(.capture, "Record from the first REGISTER on: then it shows which of the two it was."),
                ], subject: Self.subject(c, step, table))
        }
    }

    /// The same transaction comes again after its challenge: the answer is lost on its way.
    mutating func challengeLost(_ request: Step, _ challenge: Step, _ c: inout DialogCase, _ table: SignallingTable) {
        let source = table.endpoints[request.record.source]
        let (sent, answered) = (table.endpoints[request.record.destination], table.endpoints[challenge.record.source])
        let isElsewhere = sent.address == answered.address && sent.port != answered.port
        // An answer bears the Via of its request (RFC 3261 8.2.6.2), to the letter.
        let isAltered =
            request.viaCount == 1 && challenge.viaCount == 1 && request.via.kind == .address && challenge.via.kind == .address
            && (request.via.address != challenge.via.address || request.via.portOrDefault != challenge.via.portOrDefault)
        if isAltered {
            alteredVia(request, challenge, &c, table)
            return
        }
        report(.sipRetransmit, .fault, variant: 4, c.server(request, table), &c) { c in
            Finding(
                .sipRetransmit, .fault,
                "\(c.opening) cannot get on: the server's challenge to its \(request.method.token) never arrives, and the same request "
                    + "comes again and again.",
                details: (isElsewhere
                    ? [
                        "The answer comes from another port than the request went to: from port \(answered.port) instead of "
                            + "\(sent.port). A NAT lets only the latter pass."
                    ] : []) + [
                        "The branch is the same each time: the phone has not seen the answer, so this says nothing about its credentials.",
                        "The answer went to \(Self.name(table.endpoints[challenge.record.destination])), the request came from "
                            + "\(Self.name(source)).",
                    ],
                evidence: [
                    Self.evidence(request, table, Self.credentialFields, "no credentials"),
                    Self.evidence(challenge, table, Self.credentialFields, "the challenge that is not heard"),
                ],
                culprit: Self.between(c, request, table), confidence: .likely,
                remedies: [
                    Remedy(.network, "Find where the answers get lost: capture on the phone's side too."),
                    Remedy(
                        .server,
                        "Answer to where the phone listens: to the source port behind a NAT, to the port in Via for phones that send from another."
                    ),
                ], subject: Self.subject(c, request, table))
        }
    }

    /// The challenge arrives with another address in Via than the phone wrote: it is dropped there (RFC 3261 18.1.2).
    private mutating func alteredVia(_ request: Step, _ challenge: Step, _ c: inout DialogCase, _ table: SignallingTable) {
        let phone = Self.name(table.endpoints[request.record.source])
        report(.sipRetransmit, .fault, variant: 41, c.server(request, table), &c) { c in
            Finding(
                .sipRetransmit, .fault,
                "\(c.opening) cannot get on: the challenge to its \(request.method.token) comes back with another address in Via than \(phone) wrote, so "
                    + "\(phone) has to drop it, and the same request comes again and again.",
                details: [
                    "The phone wrote \(request.via.address.address):\(request.via.portOrDefault), the answer says \(challenge.via.address.address):\(challenge.via.portOrDefault): a helper (ALG) changed the one on the way out and did not change it back."
                ],
                evidence: [
                    Self.evidence(request, table, ["Via", "CSeq"], "as the phone wrote it"),
                    Self.evidence(challenge, table, ["Via", "CSeq"], "as it comes back"),
                ], culprit: Self.between(c, request, table), confidence: .likely,
                remedies: [.disableALG, Remedy(.phone, "Or use TLS or TCP, which helpers mostly leave alone.")],
                subject: Self.subject(c, request, table))
        }
    }

    /// A log tells of stale nonces and shows no message.
    func staleInLog(_ first: Remark, _ count: Int, _ table: SignallingTable) -> Finding {
        Finding(
            .authStaleLate, .fault,
            "The server's log says \(count == 1 ? "once" : "\(count) times") that somebody answered with a stale nonce: right credentials, refused.",
            details: [
                "The log shows no SIP message, so it does not tell whether the answer was late or to an older challenge."
            ],
            evidence: [Self.evidence(first, table)], culprit: .unknown, confidence: .proved,
            remedies: [
                Remedy(
                    .capture, "Log the messages too, or capture them: then it shows which.",
                    commands: [
                        "Asterisk: pjsip set logger on, sip set debug on", "Kamailio: sip_trace() or the sipdump module",
                        "sngrep -O case.pcap",
                    ]),
                Remedy(.server, "Keep older nonces valid for some time."),
            ], subject: FindingSubject(vantage: Vantage(first.place.file)), count: count)
    }
}
