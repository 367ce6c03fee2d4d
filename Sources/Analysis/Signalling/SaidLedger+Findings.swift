import Capture
import SIP

/// What each saying comes to.
extension SaidLedger {
    /// A finding without its evidence.
    private struct Meaning {
        var name: FindingName
        var severity: Severity
        /// Goes on behind "The log says once that".
        var words: String
        var remedy: Remedy
        var confidence = Confidence.proved
    }

    func finding(_ saying: LogSaying, _ entry: Entry, _ file: UInt16) -> Finding? {
        if saying == .unreachable { return lost(entry, file) }
        guard let meaning = Self.meaning(saying, entry) else { return nil }
        let of = entry.subjects.isEmpty ? "" : " (\(Self.list(entry.subjects)))"
        let status = entry.status.map { " with \(Self.status($0))" } ?? ""
        let over = entry.isHealed ? " It was taken later: it healed." : ""
        return Self.made(
            meaning.name, entry.isHealed ? .note : meaning.severity,
            "The log says \(Self.times(entry.count)) that \(meaning.words)\(status)\(of).\(over)", entry, file,
            confidence: meaning.confidence, meaning.remedy)
    }

    private static func status(_ status: Int) -> String {
        let phrase = SIPStatus.phrase(status).description
        return phrase.isEmpty ? "\(status)" : "\(status) \(phrase)"
    }

    private static func meaning(_ saying: LogSaying, _ entry: Entry) -> Meaning? {
        registrationMeaning(saying, entry) ?? callMeaning(saying, entry) ?? otherMeaning(saying)
    }

    private static let credentials = "Compare account, authentication name, password and domain with what that provider gave."

    private static func registrationMeaning(_ saying: LogSaying, _ entry: Entry) -> Meaning? {
        switch saying {
        case .trunkSilent:
            Meaning(
                name: .sipRetransmit, severity: entry.count == 1 ? .risk : .fault,
                words: "a registration at another server was never answered",
                remedy: Remedy(
                    .network,
                    "See whether name, address and port of that server are right and whether anything comes back from it."
                ))
        case .trunkRefused:
            Meaning(
                name: .sipRefused, severity: .fault, words: "another server refused a registration",
                remedy: Remedy(.server, credentials))
        case .credentialsDenied:
            Meaning(
                name: .authBadDigest, severity: .fault, words: "another server did not accept name or password of a registration",
                remedy: Remedy(.server, credentials))
        case .credentialsMissing:
            Meaning(
                name: .authNoAnswer, severity: .fault,
                words: "another server asks for a password, and the program has none for it",
                remedy: Remedy(
                    .server, "Set the account's credentials where it calls or registers, for the realm that is asked for."))
        case .registrationUnclear:
            Meaning(
                name: .sipRefused, severity: .risk, words: "a registration failed, and not why",
                remedy: Remedy(.capture, "See what stands before it in the log, and which answer the server gave."),
                confidence: .possible)
        case .connectionRefused:
            Meaning(
                name: .tcpRefused, severity: .fault, words: "a connection to another server was refused",
                remedy: Remedy(
                    .network, "See that address and port are right, and that something listens there with that transport."))
        case .connectionSilent:
            Meaning(
                name: .tcpUnanswered, severity: .fault, words: "a connection to another server was never answered",
                remedy: Remedy(.network, "See that address and port are right, and that no firewall on the way drops it."))
        case .unsendable:
            Meaning(
                name: .sipRetransmit, severity: .fault,
                words: "nothing could be sent: its own host has no way there or forbids it",
                remedy: Remedy(.network, "Check address, routes and firewall of the host that writes this log."))
        case .dnsFailed:
            Meaning(
                name: .dnsFailed, severity: .fault, words: "a name could not be resolved",
                remedy: Remedy(.network, "Check the name and the resolver that the program asks."))
        case .tlsFailed, .certificateRefused:
            Meaning(
                name: .tlsFailed, severity: .fault,
                words: saying == .tlsFailed
                    ? "TLS could not be set up" : "a certificate was refused: its issuer or name is not trusted",
                remedy: Remedy(
                    .server, "Give the whole chain of a certificate that the other side trusts, for the name it asks for."))
        default: nil
        }
    }

    private static func callMeaning(_ saying: LogSaying, _ entry: Entry) -> Meaning? {
        switch saying {
        case .noACK:
            Meaning(
                name: .sipNoACK, severity: .fault, words: "the answer to a call was never acknowledged, and gave the call up",
                remedy: Remedy(.server, "Make the Contact in the 200 reachable for the caller: the ACK goes there."))
        case .noAnswer, .asideUnanswered:
            // Once a phone was switched off, or closed as it was asked.
            Meaning(
                name: .sipRetransmit,
                severity: saying == .asideUnanswered && entry.count < fewestUnanswered ? .note : .risk,
                words: "a request was repeated until its time was over, and nobody answered",
                remedy: Remedy(.network, "Find where it gets lost: capture where it leaves and where it should arrive."))
        case .callSilent:
            Meaning(
                name: .sipRetransmit, severity: .risk, words: "a call drew no answer at all from where it was sent",
                remedy: Remedy(
                    .network,
                    "See whether that phone or server is there, and whether requests reach it: capture where they arrive."))
        case .callRefused:
            Meaning(
                name: .sipRefused, severity: .fault, words: "a call was refused for a fault of the far end or of the way there",
                remedy: Remedy(.server, "Ask the provider, with time and number: its own log says why."),
                confidence: .likely)
        case .callForbidden:
            Meaning(
                name: .sipRefused, severity: .risk, words: "another server refused a call as forbidden",
                remedy: Remedy(
                    .server,
                    "Compare account, password, the caller's number and the called one with what that provider allows; it knows why."
                ))
        case .numberUnknown:
            Meaning(
                name: .sipRefused, severity: .note, words: "a call went to a number that is not known there",
                remedy: Remedy(.server, "Compare the number with what the dialplan and the provider expect."))
        case .absent:
            Meaning(
                name: .sipRefused, severity: .note, words: "a call went to a phone or line that is not registered or not there",
                remedy: Remedy(.phone, "See whether that phone is on and registered."))
        case .timerExpired:
            Meaning(
                name: .sipTimerDrop, severity: .fault,
                words: "a call was ended because nobody answered or acknowledged what was sent until its time was over",
                remedy: Remedy(
                    .server,
                    "Of an answered call: make the Contact in the 200 reachable for the caller, as the ACK goes there; otherwise find where requests get lost."
                ))
        case .mediaTimeout:
            Meaning(
                name: .mediaNone, severity: .fault, words: "a call was ended because no media came",
                remedy: Remedy(.network, "Open the media ports, and see that the SDP names a place that can be reached."),
                confidence: .likely)
        case .incompatibleMedia:
            Meaning(
                name: .sdpMismatch, severity: .fault, words: "a call failed because both sides share no media format",
                remedy: Remedy(.server, "Allow a codec that both sides offer."))
        case .protectionMismatch:
            Meaning(
                name: .srtpMismatch, severity: .fault,
                words: "a call failed because one side uses SRTP and the other does not",
                remedy: Remedy(.server, "Set the same media encryption (SRTP or none) on both sides."))
        default: nil
        }
    }

    private static func otherMeaning(_ saying: LogSaying) -> Meaning? {
        switch saying {
        case .supersededNonce:
            Meaning(
                name: .authStaleOutOfOrder, severity: .fault,
                words: "a right password was refused, because a newer challenge had been sent",
                remedy: Remedy(.phone, "Let the phone answer the newest challenge, and have one REGISTER in flight."))
        case .staleNonce:
            Meaning(
                name: .authStaleLate, severity: .fault, words: "a right password was refused over an old nonce",
                remedy: Remedy(.server, "Keep older nonces valid for some time."))
        case .reusedNonce:
            Meaning(
                name: .authNonceReuse, severity: .fault, words: "a nonce was used twice with the same count",
                remedy: Remedy(.phone, "Let the phone raise nc with each request."))
        case .rewritten:
            Meaning(
                name: .algRewritten, severity: .fault,
                words: "a digest was right for another URI than arrived: the message was rewritten on its way",
                remedy: Remedy(.router, "Switch the SIP helper (ALG) of the router off."))
        case .portJump:
            Meaning(
                name: .natPortJump, severity: .risk, words: "one Call-ID came from several ports",
                remedy: Remedy(.router, "Switch the SIP helper (ALG) of the router off."))
        case .fragmentsLost:
            Meaning(
                name: .sipFragmented, severity: .fault,
                words: "a large INVITE drew no answer while small requests do: fragments are lost",
                remedy: Remedy(.phone, "Use TCP or TLS, or fewer codecs, so that requests fit into one packet."))
        case .guessed:
            Meaning(
                name: .authAttack, severity: .note, words: "somebody was turned away who is not known to the server",
                remedy: Remedy(
                    .server,
                    "Let a rate limit or fail2ban shut such sources out; if one is a provider's, tell the server its address.")
            )
        case .slow:
            Meaning(
                name: .sipRetransmit, severity: .note, words: "a phone or server answers, but late",
                remedy: Remedy(.network, "See what fills the line to it, or keeps it busy."))
        default: nil
        }
    }

    // MARK: Lost and found

    private func lost(_ entry: Entry, _ file: UInt16) -> Finding? {
        if let all = allLost() {
            return Self.made(
                .sipRetransmit, .risk, all, entry, file, confidence: .likely,
                Remedy(
                    .network, "See what became of the server's own connection at that time: cable, router, provider, a restart."))
        }
        let swinging = swings.filter { entry.subjects.contains($0.key) && $0.value.lost > 1 && $0.value.back > 0 }
        guard swinging.isEmpty else {
            return Self.made(
                .natMappingExpired, .risk,
                "The log says that phones are lost and found again and again: \(Self.list(Set(swinging.keys))). A NAT that forgets them between "
                    + "two requests does that.", entry, file, confidence: .possible,
                Remedy(.server, "Ask more often (Asterisk: qualifyfreq, qualify_frequency), at least every 30 s over UDP."))
        }
        let gone = entry.subjects.filter { (swings[$0].map { $0.back < $0.lost }) ?? false }
        guard !talks(in: file) else { return nil }
        let names = Self.list(gone.isEmpty ? entry.subjects : gone)
        return Self.made(
            .sipRetransmit, .note,
            gone.isEmpty
                ? "The log says that a phone or server stopped answering and came back: \(names)."
                : "The log says that a phone or server stopped answering: \(names). It may be off, or its way lost.",
            entry, file, Remedy(.phone, "See whether it is on and in the network, and whether its NAT keeps the way to it open."))
    }

    static func made(
        _ name: FindingName, _ severity: Severity, _ summary: String, _ entry: Entry, _ file: UInt16,
        confidence: Confidence = .proved,
        _ remedy: Remedy
    ) -> Finding {
        Finding(
            name, severity, summary,
            details: ["These are the program's own words."],
            evidence: [entry.first], culprit: .unknown, confidence: confidence,
            remedies: [
                remedy,
                Remedy(
                    .capture, "Log the messages too, or capture them.",
                    commands: [
                        "Asterisk: pjsip set logger on, sip set debug on", "pinhole serve --sip-debug", "sngrep -O case.pcap",
                    ]),
            ], subject: FindingSubject(vantage: Vantage(file)), count: entry.count)
    }
}
