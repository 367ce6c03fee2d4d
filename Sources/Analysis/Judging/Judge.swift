import Base
import Capture

/// Looks at one dialog after the other and reports what an expert would.
///
/// Each finding has a function of its own in an extension; what several dialogs tell together is kept here until the end.
struct Judge: Sendable {
    /// What a challenged source did: one that tries many names and never gets in is a scanner.
    struct Tally: Sendable {
        var names: Set<UInt64> = []
        var successes = 0
    }

    /// Shortest life of a challenge after which its being unanswered means something.
    static let patience: Int64 = 10 * second

    let options: AnalysisOptions
    var merger = FindingMerger()
    var registrations: [RegistrationSummary] = []
    var tallies: [PackedAddress: Tally] = [:]
    var guesses: [PackedAddress: Guesses] = [:]
    /// Of each router whose mappings expired, how long they live.
    var lives: [FindingMerger.Key: MappingLife] = [:]
    /// By server: the longest call, and how many lasted a quarter of an hour to the second.
    var longestCalls: [PackedAddress: Int64] = [:]
    var quarterHours: [PackedAddress: Int] = [:]
    var callEnds: [UInt64: CallEnds] = [:]
    var accounts: [UInt64: AccountHistory] = [:]
    /// Refusals of an account's password: how many, and when first and last.
    var passwordRefusals: [UInt64: PasswordRefusals] = [:]
    var misses: [UInt64: [AccountHistory.Miss]] = [:]
    /// By account: how often a registration was refused as too short.
    var briefRefusals: [UInt64: Int] = [:]
    var unansweredOptions: [PackedEndpoint: Int] = [:]
    var peers = PeerUse()
    var trunkCalls = TrunkCalls()
    var tries: [Tries.Key: Tries] = [:]
    /// Requests that an end answered only after several sendings, as each capture shows them.
    var outages: [Outage: Int] = [:]
    /// Requests refused with a fresh nonce that used this older one.
    var oldNonces: [UInt64: Int] = [:]
    /// Servers seen to send to where they heard from, whatever Contact said.
    var repairing: Set<PackedAddress> = []
    /// Descriptions that name a host where others name an address.
    var namedPlaces: [NamedPlace] = []
    /// Findings that hold only if nothing seen elsewhere explains them.
    var drafts: [Draft] = []
    var cutMessages = 0
    var timelessMessages = 0
    /// Dialogs by whether messages went both ways, per source: for `capture.blind`. `crossing`: those of `one` whose messages still come
    /// from both ends, as where a port changed or a log names addresses now and then.
    var oneWay: [UInt16: (one: Int, both: Int, crossing: Int)] = [:]
    /// Logs that tell what their program received, and what it sent.
    var receiving: Set<UInt16> = []
    var sending: Set<UInt16> = []
    /// Octets of text kept with dialogs.
    var textKept = 0

    /// Octets of text that accused dialogs keep at most, together.
    static let mostAccusedText = 64 << 20

    /// What an end was late with, in one capture.
    struct Outage: Hashable, Sendable {
        var end: PackedEndpoint
        var vantage: Vantage
    }

    /// A finding with the condition it still depends on.
    struct Draft: Sendable {
        enum Condition: Sendable {
            /// Nor was the challenge with that nonce answered after all; 0 for none.
            case noScanner(PackedAddress, nonce: UInt64)
            case notRepaired(PackedAddress)
            /// Audio did not reach the end that said so: the caller or the callee.
            case media(dialog: Int, toCaller: Bool)
            /// As `media`, of the second end that names a private address: told where the other is not to blame.
            case mediaInstead(dialog: Int, toCaller: Bool)
            /// Nor did a call by that server last longer; a second of the same length proves it.
            case quarterHour(PackedAddress)
            /// The credentials' nonce is used again and again, and the fresh one never; by whom.
            case oldNonce(UInt64, fresh: UInt64, PackedAddress)
            /// An end that answers again later makes a note of it.
            case comesBack(PackedEndpoint, after: Int64)
            /// One short outage of an end that answers all else makes a note of it.
            case answeredAtLast(Outage)
            /// That end of the call fell silent before it ended; with the private Contact that the other had named.
            case fellSilent(dialog: Int, isCaller: Bool, HostPort?)
            /// An end that answers other requests makes a note of it, and one whose watcher calls through others that answer.
            case answersOthers(PackedEndpoint, from: PackedAddress)
            /// An end that just then heard and answered all else makes a note of it.
            case hears(PackedEndpoint)
            /// An end that serves its asker otherwise, and ignores that alone, makes a note of it.
            case servesOtherwise(Extra, asker: PackedAddress, end: PackedAddress)
            /// Audio that went both ways makes a note of it.
            case audioLost(dialog: Int)
            /// Nor did a DTLS handshake for the call's media complete.
            case noHandshake(dialog: Int)
            /// As `noScanner`, and a note where another registrar took the account: one of a pair stands by.
            case registration(PackedAddress, UInt64)
            /// As `noScanner`, and a note where the same host registered the account after the last refusal of its password.
            case refusedPassword(PackedAddress, UInt64)
            /// As `noScanner`; where the caller turns out to be a provider, its trunk is not known to who asks it.
            case unknownCaller(TrunkCalls.Pair, nonce: UInt64, host: UInt64, asksAsServer: Bool)
            /// Unless proved, no more than the outcome that the plain words tell.
            case refusal(RefusalCause.Proof, Finding, Attempt?)
            /// That end of the call was heard after this time.
            case goesOn(dialog: Int, isCaller: Bool, from: Int64)
            /// The other end was heard after this time, and that one not.
            case unheard(dialog: Int, isCaller: Bool, from: Int64)
            /// Nor does media show what was not heard.
            /// Nor heard it at all, where the end is given that sent audio up to that time: then it is lost farther on.
            case silence(dialog: Int, speakerIsCaller: Bool?, until: Int64)
            /// Nor did the digits go as audio's events.
            case digits(dialog: Int)
            /// They did.
            case digitsTwice(dialog: Int)
            /// One end, if it was heard between these times, makes a note of it. `isProof`: its not being seen is not needed.
            case silentStretch(dialog: Int, speakerIsCaller: Bool, from: Int64, to: Int64, isProof: Bool)
            /// The same call was taken soon after with other media, which makes a note of it.
            case notRetried(Attempt)
            /// Another server took the same call soon after, which makes a note of it.
            case noFailover(Attempt)
            /// The account was refused as too short often enough, and not registered after this time.
            case neverGranted(UInt64, after: Int64)
            /// The registration went on after this time, after that wait if it is known, which makes a note of it.
            case notRegisteredAgain(dialog: Int, after: Int64, wait: Int64?)
        }

        var condition: Condition
        var key: FindingMerger.Key
        var dialogs: [Int]
        var finding: Finding
    }

    init(options: AnalysisOptions) { self.options = options }

    /// Judges what is open of a dialog. What was reported of it before is not reported again.
    mutating func judge(_ number: Int, in table: inout SignallingTable, end: Int64, isFinal: Bool) {
        var c = DialogCase(number, table, end: end, isFinal: isFinal)
        guard !c.steps.isEmpty else { return }
        judge(&c, table)
        table.dialogs[number].reported = c.dialog.reported
        table.dialogs[number].progress = c.dialog.progress
    }

    private mutating func judge(_ c: inout DialogCase, _ table: SignallingTable) {
        let isFinal = c.isFinal
        if isFinal { noteDirections(c, table) }
        // What belongs to what cannot be told.
        guard !c.steps.contains(where: { $0.flags.contains(.unnumbered) }) else { return }
        addresses(&c, table)
        authentication(&c, table)
        if c.dialog.kind == .registration {
            mappings(&c, table)
        } else if c.steps.contains(where: { $0.method == .invite }) {
            movedCaller(&c, table)
        }
        transactions(&c, table)
        if c.dialog.kind == .call { descriptions(&c, table) }
        if isFinal { staleInWords(&c, table) }
        if isFinal { flapping(&c, table) }
        if isFinal { unlisted(&c, table) }
        if isFinal { lampsRefused(&c, table) }
        if isFinal { unbound(&c, table) }
        if isFinal { byeReason(&c, table) }
        if isFinal, c.dialog.kind == .call {
            insideCalls(&c, table)
            unfinished(&c, table)
            cancelAstray(&c, table)
            ghost(&c, table)
            rungByScanner(&c, table)
        }
        noteAccount(c, table)
        if isFinal { noteGuesses(c, table) }
        if isFinal { noteEnd(c, table) }
        if isFinal { oldNonce(&c, table) }
        if isFinal { lostDialog(&c, table) }
        if isFinal { challengedBye(&c, table) }
        if isFinal { deafToBye(&c, table) }
        if isFinal, c.dialog.kind == .call { unansweredOverStream(&c, table) }
        if isFinal { noteTries(c, table) }
        if isFinal { holdRefused(&c, table) }
        if isFinal { foreignNonce(&c, table) }
        if isFinal { refused(&c, table) }
        if isFinal { peers.note(c) }
        if isFinal { trunkCalls.note(c, table) }
        peers.noteService(c, table)
    }

    // MARK: Reporting

    /// Reports a finding about a dialog once at each severity or worse. `make` is called only for a cause not seen before.
    mutating func report(
        _ name: FindingName, _ severity: Severity, variant: UInt64 = 0, _ c: inout DialogCase, server: PackedAddress,
        also: [Int] = [], _ make: () -> Finding
    ) {
        guard claim(name, severity, &c) else { return }
        let key = FindingMerger.Key(name: name, severity: severity, variant: variant, server: server, vantage: c.dialog.vantage)
        if !merger.merge(key, dialogs: [c.number] + also) {
            var finding = make()
            finding.subject.dialogs = [c.number] + also
            merger.insert(finding, key)
        }
    }

    mutating func draft(
        _ condition: Draft.Condition, _ name: FindingName, _ severity: Severity, variant: UInt64 = 0, _ c: inout DialogCase,
        server: PackedAddress, _ make: () -> Finding
    ) {
        guard claim(name, severity, &c) else { return }
        var finding = make()
        finding.subject.dialogs = [c.number]
        drafts.append(
            Draft(
                condition: condition,
                key: .init(name: name, severity: severity, variant: variant, server: server, vantage: c.dialog.vantage),
                dialogs: [c.number], finding: finding))
    }

    func claim(_ name: FindingName, _ severity: Severity, _ c: inout DialogCase) -> Bool {
        guard c.dialog.reported.raise(name, to: severity) else { return false }
        if severity.accuses { c.dialog.progress.insert(.accused) }
        return true
    }

    func wasReported(_ name: FindingName, _ c: DialogCase) -> Bool { c.dialog.reported.accuses(name) }

    static func subject(_ c: DialogCase, _ step: Step, _ table: SignallingTable) -> FindingSubject {
        let (client, server) = (c.client(step, table), c.server(step, table))
        return FindingSubject(
            dialogs: [c.number], callID: c.dialog.callIDLength > 0 ? String(decoding: c.dialog.callID, as: UTF8.self) : nil,
            aor: c.aor.isEmpty ? nil : c.aor, client: client.isKnown || client.port != 0 ? client.endpoint : nil,
            server: server.isKnown ? server.endpoint : nil, vantage: c.dialog.vantage)
    }

    /// Quotes a message.
    static func evidence(_ step: Step, _ table: SignallingTable, _ fields: [String], _ says: String) -> Evidence {
        Self.evidence(step.record, table, fields, says)
    }

    static func evidence(_ record: MessageRecord, _ table: SignallingTable, _ fields: [String], _ says: String) -> Evidence {
        let excerpt: String
        if let text = table.text(of: record) {
            excerpt = MessageExcerpt.excerpt(Array(text), fields)
        } else {
            excerpt =
                record.isRequest
                ? "\(record.method.token) (CSeq \(record.sequence))"
                : "SIP/2.0 \(record.status) \(MessageExcerpt.reason(of: record.status)) (CSeq \(record.sequence))"
        }
        let (source, destination) = (table.endpoints[record.source], table.endpoints[record.destination])
        return Evidence(
            place: record.place, time: record.time, source: source.isKnown || source.port != 0 ? source.endpoint : nil,
            destination: destination.isKnown || destination.port != 0 ? destination.endpoint : nil, excerpt: excerpt, says: says)
    }

    static func bytes(_ step: Step, _ table: SignallingTable) -> [UInt8]? {
        table.text(of: step.record).map { Array($0) }
    }

    /// How a reader calls an end: its address, or what stands for its name until the end.
    static func name(_ endpoint: PackedEndpoint) -> String {
        // Some logs tell an address alone.
        if endpoint.isKnown { return endpoint.port == 0 ? "\(endpoint.address.address)" : endpoint.endpoint.description }
        if let number = endpoint.address.unnamed { return UnnamedEnds.stand(number, port: endpoint.port) }
        return endpoint.port == 0 ? "an end without an address" : "port \(endpoint.port)"
    }

    static func between(_ c: DialogCase, _ step: Step, _ table: SignallingTable) -> Culprit {
        .between(Self.name(c.client(step, table)), Self.name(c.server(step, table)))
    }

    func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.withUnsafeBytes { $0.hash(Span(0, $0.count)) }
    }
}
