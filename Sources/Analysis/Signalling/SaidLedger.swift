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
        /// Of those the ones that are no better since; how often they were.
        var open: Set<String> = []
        var healings = 0
        /// The latest.
        var status: Int?

        /// All is well again, and was not lost and found again and again.
        var isHealed: Bool { open.isEmpty && (1..<3).contains(healings) }

        /// `name` is taken now: an account, its server, or what names neither.
        mutating func heal(_ name: String) {
            let healed = open.filter { $0.isEmpty || name.isEmpty || $0.contains(name) || name.contains($0) }
            guard !healed.isEmpty else { return }
            open.subtract(healed)
            healings += 1
        }
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
    static let fewestUnanswered = 3
    /// So many with wrong passwords, each tried once or so: a site's phones, whose password was changed, come back to theirs.
    private static let fewestTried = 5

    /// What a registration that is taken afterwards shows to be over.
    private static let heals: Set<LogSaying> = [
        .trunkSilent, .trunkRefused, .credentialsDenied, .registrationUnclear, .dnsFailed, .connectionRefused, .connectionSilent,
        .unsendable,
    ]
    /// Where the log shows messages, those tell it better.
    private static let yielding: Set<LogSaying> = [
        .credentialsDenied, .credentialsMissing, .registrationUnclear, .callRefused, .callSilent, .numberUnknown, .absent,
        .connectionRefused, .connectionSilent, .unsendable, .protectionMismatch, .guessed, .slow,
    ]

    private var entries: [Key: Entry] = [:]
    /// Lines that were understood, whatever they tell.
    private(set) var understood = 0
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

    func talks(in file: UInt16) -> Bool { talking.contains(file) }

    /// The log shows requests, too.
    mutating func talks(_ file: UInt16) { talking.insert(file) }

    private static func evidence(_ text: String, _ place: EvidencePlace, _ time: Int64) -> Evidence {
        Evidence(
            place: place, time: time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: time), excerpt: text,
            says: "the program's own words")
    }

    mutating func note(
        _ saying: LogSaying, _ about: String, status: Int?, from: String, _ isLonely: Bool, _ text: String,
        _ place: EvidencePlace,
        _ time: Int64
    ) {
        understood += 1
        switch saying {
        case .everyday: return
        case .registrationTaken:
            for key in entries.keys where key.file == place.file && Self.heals.contains(key.saying) { entries[key]?.heal(about) }
            return
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
            refused(about, from, saying == .unknownUser, isLonely, text, place, time)
            return
        // What no message of the log need show.
        case .tlsFailed, .certificateRefused, .dnsFailed, .mediaTimeout, .trunkSilent: break
        case .staleNonce, .supersededNonce, .reusedNonce, .noACK, .noAnswer, .incompatibleMedia, .rewritten, .portJump,
            .fragmentsLost, .trunkRefused, .timerExpired, .callForbidden, .asideUnanswered, .credentialsDenied,
            .credentialsMissing, .registrationUnclear, .callRefused, .callSilent, .numberUnknown, .absent, .connectionRefused,
            .connectionSilent, .unsendable, .protectionMismatch, .guessed, .slow:
            guard isLonely else { return }
        }
        let key = Key(file: place.file, saying: saying)
        var entry = entries[key] ?? Entry(first: Self.evidence(text, place, time))
        // Of one call given up two lines may tell.
        if saying == .noACK || saying == .noAnswer || saying == .asideUnanswered, entry.subjects.contains(about) { return }
        entry.count += 1
        if entry.subjects.count < Self.mostSubjects {
            let name = saying == .guessed ? from : about
            if !name.isEmpty { entry.subjects.insert(name) }
            entry.open.insert(about)
        }
        entry.status = status ?? entry.status
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
            if Self.yielding.contains(key.saying), talking.contains(key.file) { continue }
            // Another line says why.
            if key.saying == .registrationUnclear, entries.keys.contains(where: { isClearer($0, than: key) }) { continue }
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
            if !refusal.isKnown, Self.isPublic(remote) {
                // Every server that can be reached from outside is asked for names that it does not know.
                result.append(
                    Self.made(
                        .authBadDigest, .note,
                        "The log says \(Self.times(refusal.entry.count)) that a name is not known to the server\(names.isEmpty ? "" : ": \(names)"). "
                            + "It came from \(remote): a stranger, as long as no phone of yours is there.", refusal.entry,
                        refusal.file,
                        Remedy(.phone, "If it is a phone of yours: compare account and authentication name with the server's.")))
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

    private func isClearer(_ other: Key, than key: Key) -> Bool {
        other.file == key.file && other.saying != key.saying && Self.heals.contains(other.saying)
    }

    /// A trunk's or a site's many phones are known; guesses mostly are not.
    private func isGuessed(_ remote: String, _ names: Int, _ tries: Int, _ isKnown: Bool) -> Bool {
        guard !remote.isEmpty, names >= Self.fewestGuesses else { return false }
        return !isKnown
            || names >= Self.fewestTried && tries < names * 2
                && Self.isPublic(remote)
    }

    private static func isPublic(_ remote: String) -> Bool {
        IPAddress(remote).map { Judge.isPublic(PackedEndpoint(Endpoint($0, 5_060))) } ?? false
    }

    static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }

    static func list(_ names: Set<String>) -> String {
        let named = names.filter { !$0.isEmpty }.sorted()
        return named.prefix(3).joined(separator: ", ") + (named.count > 3 ? " and \(named.count - 3) more" : "")
    }
}
