import Base
import Capture

/// What the programs' own words in logs come to: counted as they are read, told once each.
///
/// Where the log shows requests, those are judged, with the words beside them; only what no message can show is told from words alone then.
struct SaidLedger: Sendable {
    struct Entry: Sendable {
        var first: Evidence
        var count = 0
        var subjects: Set<String> = []
    }

    /// Moments in nanoseconds: of the first loss, and of the latest return.
    struct Swing: Sendable {
        var lost = 0
        var back = 0
        var lostAt = MessageRecord.unknownTime
        var backAt = MessageRecord.unknownTime
    }

    private struct Key: Hashable {
        var file: UInt16
        var saying: LogSaying
    }

    /// Who is kept apart, at most.
    private static let mostSubjects = 1_000
    /// So many names from one place are guessed, not mistyped.
    private static let fewestGuesses = 3
    /// Fewer requests besides calls that nobody answers are everyday.
    private static let fewestUnanswered = 3
    /// So many with wrong passwords, each tried once or so: a site's phones, whose password was changed, come back to theirs.
    private static let fewestTried = 5

    private var entries: [Key: Entry] = [:]
    /// Logs that show requests.
    private var talking: Set<UInt16> = []
    /// How often a phone was lost and came back, by name.
    private(set) var swings: [String: Swing] = [:]
    /// Refused registrations by where they came from.
    private var refusals: [String: (file: UInt16, names: Set<String>, entry: Entry, isKnown: Bool)] = [:]

    /// From where an account was refused, by its user.
    private var refusedFrom: [String: Set<String>] = [:]
    /// Names that were refused from there and registered afterwards.
    private var healed: [String: Set<String>] = [:]

    /// The log shows requests, too.
    mutating func talks(_ file: UInt16) { talking.insert(file) }

    private static func evidence(_ text: String, _ place: EvidencePlace, _ time: Int64) -> Evidence {
        Evidence(
            place: place, time: time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: time), excerpt: text,
            says: "the program's own words")
    }

    mutating func note(
        _ saying: LogSaying, _ about: String, _ isLonely: Bool, _ text: String, _ place: EvidencePlace, _ time: Int64
    ) {
        switch saying {
        case .reachable, .unreachable:
            if swings.count < Self.mostSubjects || swings[about] != nil {
                var swing = swings[about] ?? Swing()
                if saying == .unreachable {
                    if swing.lost == 0 { swing.lostAt = time }
                    swing.lost += 1
                } else if swing.lost > 0 {
                    swing.back += 1
                    swing.backAt = time
                }
                swings[about] = swing
            }
            guard saying == .unreachable else { return }
        case .registered:
            registered(about)
            return
        case .wrongPassword, .unknownUser:
            refused(about, "", saying == .unknownUser, isLonely, text, place, time)
            return
        // What no message of the log need show.
        case .tlsFailed, .certificateRefused, .dnsFailed, .mediaTimeout, .trunkSilent: break
        case .staleNonce, .supersededNonce, .reusedNonce, .noACK, .noAnswer, .incompatibleMedia, .rewritten, .portJump,
            .fragmentsLost, .trunkRefused, .timerExpired, .callForbidden, .asideUnanswered:
            guard isLonely else { return }
        }
        let key = Key(file: place.file, saying: saying)
        var entry = entries[key] ?? Entry(first: Self.evidence(text, place, time))
        // Of one call given up two lines may tell.
        if saying == .noACK || saying == .noAnswer || saying == .asideUnanswered, entry.subjects.contains(about) { return }
        entry.count += 1
        if entry.subjects.count < Self.mostSubjects, !about.isEmpty { entry.subjects.insert(about) }
        entries[key] = entry
    }

    /// A registration was refused for its credentials or its name.
    mutating func refused(
        _ name: String, _ remote: String, _ isUnknown: Bool, _ isLonely: Bool, _ text: String, _ place: EvidencePlace,
        _ time: Int64
    ) {
        guard isLonely, refusals.count < Self.mostSubjects || refusals[remote] != nil else { return }
        var known = refusals[remote] ?? (place.file, [], Entry(first: Self.evidence(text, place, time)), false)
        known.entry.count += 1
        if known.names.count < Self.mostSubjects { known.names.insert(name) }
        let user = String(Self.user(name))
        if refusedFrom[user] != nil || refusedFrom.count < Self.mostSubjects { refusedFrom[user, default: []].insert(remote) }
        if !isUnknown { known.isKnown = true }
        refusals[remote] = known
    }

    /// Who was refused before and is taken now typed it wrongly, and mended it.
    private mutating func registered(_ user: String) {
        for remote in refusedFrom.removeValue(forKey: user) ?? [] {
            guard let name = refusals[remote]?.names.first(where: { Self.user($0) == user }) else { continue }
            refusals[remote]?.names.remove(name)
            healed[remote, default: []].insert(name)
        }
    }

    /// `201` of `"Desk" <sip:201@192.0.2.1>`.
    private static func user(_ name: String) -> Substring {
        let address = name.firstRange(of: "sip:").map { name[$0.upperBound...] } ?? name[...]
        return address.prefix { $0 != "@" && $0 != ">" && $0 != ";" }
    }

    // MARK: Findings

    func findings() -> [Finding] {
        var result: [Finding] = []
        for (key, entry) in entries.sorted(by: { ($0.key.file, $0.key.saying.rawValue) < ($1.key.file, $1.key.saying.rawValue) })
        {
            if let finding = finding(key.saying, entry, key.file) { result.append(finding) }
        }
        for (remote, refusal) in refusals.sorted(by: { $0.key < $1.key }) {
            let names = Self.list(refusal.names)
            guard !isGuessed(remote, refusal.names.count, refusal.entry.count, refusal.isKnown) else {
                result.append(
                    Self.made(
                        .authAttack, .note,
                        "\(remote) tried \(refusal.names.count) names \(refusal.isKnown ? "without the password of any" : "that the server does not know"): somebody guesses.",
                        refusal.entry, refusal.file,
                        Remedy(.server, "Let a rate limit or fail2ban shut such sources out, and answer only where it is needed.")
                    ))
                continue
            }
            if refusal.names.isEmpty, let healed = healed[remote] {
                var note = Self.made(
                    .authBadDigest, .note,
                    "The log says \(Self.times(refusal.entry.count)) that credentials were refused, and that the same account registered "
                        + "afterwards: \(Self.list(healed)). It healed.", refusal.entry, refusal.file,
                    Remedy(.phone, "Nothing: a password was mistyped, and corrected."))
                note.remedies = Array(note.remedies.prefix(1))
                result.append(note)
                continue
            }
            let what = refusal.isKnown ? "credentials were refused" : "a name is not known to the server"
            result.append(
                Self.made(
                    // Of the messages beside it the log shows what came of them.
                    .authBadDigest, talking.contains(refusal.file) ? .note : .fault,
                    "The log says \(Self.times(refusal.entry.count)) that \(what)\(names.isEmpty ? "" : ": \(names)").",
                    refusal.entry, refusal.file,
                    Remedy(.phone, "Compare account, authentication name, password and realm with the server's.")))
        }
        return result
    }

    /// A trunk's or a site's many phones are known; guesses mostly are not.
    private func isGuessed(_ remote: String, _ names: Int, _ tries: Int, _ isKnown: Bool) -> Bool {
        guard !remote.isEmpty, names >= Self.fewestGuesses else { return false }
        return !isKnown
            || names >= Self.fewestTried && tries < names * 2
                && IPAddress(remote).map { Judge.isPublic(PackedEndpoint(Endpoint($0, 5_060))) } ?? false
    }

    private func finding(_ saying: LogSaying, _ entry: Entry, _ file: UInt16) -> Finding? {
        let says = "The log says \(Self.times(entry.count)) that"
        let of = entry.subjects.isEmpty ? "" : " (\(Self.list(entry.subjects)))"
        switch saying {
        case .supersededNonce:
            return Self.made(
                .authStaleOutOfOrder, .fault,
                "\(says) a right password was refused, because a newer challenge had been sent\(of).", entry,
                file, Remedy(.phone, "Let the phone answer the newest challenge, and have one REGISTER in flight."))
        case .staleNonce:
            return Self.made(
                .authStaleLate, .fault, "\(says) a right password was refused over an old nonce\(of).", entry, file,
                Remedy(.server, "Keep older nonces valid for some time."))
        case .reusedNonce:
            return Self.made(
                .authNonceReuse, .fault, "\(says) a nonce was used twice with the same count\(of).", entry, file,
                Remedy(.phone, "Let the phone raise nc with each request."))
        case .noACK:
            return Self.made(
                .sipNoACK, .fault, "\(says) the answer to a call was never acknowledged, and gave the call up\(of).", entry, file,
                Remedy(.server, "Make the Contact in the 200 reachable for the caller: the ACK goes there."))
        case .noAnswer, .asideUnanswered:
            // Once a phone was switched off, or closed as it was asked.
            let isRare = saying == .asideUnanswered && entry.count < Self.fewestUnanswered
            return Self.made(
                .sipRetransmit, isRare ? .note : .risk,
                "\(says) a request was repeated until its time was over, and nobody answered\(of).", entry,
                file,
                Remedy(.network, "Find where it gets lost: capture where it leaves and where it should arrive."))
        case .unreachable:
            if let all = allLost() {
                return Self.made(
                    .sipRetransmit, .risk, all, entry, file, confidence: .likely,
                    Remedy(
                        .network,
                        "See what became of the server's own connection at that time: cable, router, provider, a restart."))
            }
            let swinging = swings.filter { entry.subjects.contains($0.key) && $0.value.lost > 1 && $0.value.back > 0 }
            guard !swinging.isEmpty else { return nil }
            return Self.made(
                .natMappingExpired, .risk,
                "The log says that phones are lost and found again and again: \(Self.list(Set(swinging.keys))). A NAT that forgets them between "
                    + "two requests does that.", entry, file, confidence: .possible,
                Remedy(.server, "Ask more often (Asterisk: qualifyfreq, qualify_frequency), at least every 30 s over UDP."))
        case .mediaTimeout:
            return Self.made(
                .mediaNone, .fault, "\(says) a call was ended because no media came\(of).", entry, file, confidence: .likely,
                Remedy(.network, "Open the media ports, and see that the SDP names a place that can be reached."))
        case .incompatibleMedia:
            return Self.made(
                .sdpMismatch, .fault, "\(says) a call failed because both sides share no media format\(of).", entry, file,
                Remedy(.server, "Allow a codec that both sides offer."))
        case .timerExpired:
            return Self.made(
                .sipTimerDrop, .fault,
                "\(says) a call was ended because nobody answered or acknowledged what was sent until its time was over\(of).",
                entry, file,
                Remedy(
                    .server,
                    "Of an answered call: make the Contact in the 200 reachable for the caller, as the ACK goes there; otherwise find where requests get lost."
                ))
        case .callForbidden:
            return Self.made(
                .sipRefused, .risk, "\(says) another server refused a call as forbidden\(of).", entry, file,
                Remedy(
                    .server,
                    "Compare account, password, the caller's number and the called one with what that provider allows; it knows why."
                ))
        case .rewritten:
            return Self.made(
                .algRewritten, .fault,
                "\(says) a digest was right for another URI than arrived: the message was rewritten on its way\(of).", entry,
                file, Remedy(.router, "Switch the SIP helper (ALG) of the router off."))
        case .portJump:
            return Self.made(
                .natPortJump, .risk, "\(says) one Call-ID came from several ports\(of).", entry, file,
                Remedy(.router, "Switch the SIP helper (ALG) of the router off."))
        case .fragmentsLost:
            return Self.made(
                .sipFragmented, .fault, "\(says) a large INVITE drew no answer while small requests do: fragments are lost\(of).",
                entry, file,
                Remedy(.phone, "Use TCP or TLS, or fewer codecs, so that requests fit into one packet."))
        case .trunkSilent:
            return Self.made(
                .sipRetransmit, entry.count == 1 ? .risk : .fault,
                "\(says) a registration at another server was never answered\(of).", entry, file,
                Remedy(
                    .network,
                    "See whether name, address and port of that server are right and whether anything comes back from it."))
        case .trunkRefused:
            return Self.made(
                .sipRefused, .fault, "\(says) another server refused a registration\(of).", entry, file,
                Remedy(.server, "Compare account, authentication name, password and domain with what that provider gave."))
        case .tlsFailed, .certificateRefused:
            return Self.made(
                .tlsFailed, .fault,
                saying == .tlsFailed
                    ? "\(says) TLS could not be set up."
                    : "\(says) a certificate was refused: its issuer or name is not trusted.",
                entry, file,
                Remedy(.server, "Give the whole chain of a certificate that the other side trusts, for the name it asks for."))
        case .dnsFailed:
            return Self.made(
                .dnsFailed, .fault, "\(says) a name could not be resolved.", entry, file,
                Remedy(.network, "Check the name and the resolver that the program asks."))
        case .wrongPassword, .unknownUser, .reachable, .registered: return nil
        }
    }

    private static func made(
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

    private static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }

    private static func list(_ names: Set<String>) -> String {
        let named = names.filter { !$0.isEmpty }.sorted()
        return named.prefix(3).joined(separator: ", ") + (named.count > 3 ? " and \(named.count - 3) more" : "")
    }
}
