import Base
import SIP

/// All that was found in one or several captures, logs and live taps.
public struct AnalysisResult: Sendable {
    /// Merged and ordered: `capture.blind` first, then faults, risks, notes; within these by name and place.
    public package(set) var findings: [Finding] = []
    /// In order of their first message.
    public package(set) var dialogs: [DialogSummary] = []
    public package(set) var registrations: [RegistrationSummary] = []
    public package(set) var streams: [StreamSummary] = []
    /// One for each pair of sources that show two sides of the same box.
    public package(set) var sides: [SideComparison] = []
    public package(set) var sources: [SourceSummary] = []
    public package(set) var counts = AnalysisCounts()
    /// Lines of logs that tell in a program's own words what happened, for good or ill.
    public package(set) var understoodLines = 0
    /// Devices that the messages or the prose around them name.
    public package(set) var devices: [RecognisedDevice] = []
    /// Everybody who sent or got a packet, by the index that records use.
    public package(set) var endpoints: [Endpoint] = []
    /// What those are called that a log names by a word, or not at all, by the same index.
    public package(set) var names: [UInt32: String] = [:]
    /// All messages, each linked to the one before in its dialog.
    public package(set) var records: [MessageRecord] = []

    /// A filter left nothing to tell: which one; the verdict then says so and nothing more.
    public package(set) var emptiedBy: String?

    public init() {}

    /// Something of SIP, media or STUN was there, a line of a log was understood, or a finding tells of what was not.
    public var hasSubject: Bool {
        counts.sip + counts.rtp + counts.rtcp + counts.stun + understoodLines > 0
            || findings.contains { $0.name != .captureBlind }
    }

    /// Whether anything accuses: what a program's exit status says. What a capture does not show accuses nobody.
    public var hasAccusations: Bool { findings.contains { $0.severity.accuses && $0.name != .captureBlind } }

    /// Nothing is there to judge because of what could not be read: it is cut off, damaged, encrypted or not understood.
    public var isUnread: Bool { !hasSubject && findings.contains { $0.severity.accuses } }

    /// A call or registration was refused, whoever is to blame.
    public var hasFailures: Bool {
        dialogs.contains { dialog in
            guard dialog.kind == .call || dialog.kind == .registration, case .failed = dialog.outcome else { return false }
            return true
        }
    }

    /// The verdict in at most two sentences.
    public var verdict: String { Verdict(self).text }

    /// Indices into `records` of one dialog's messages, in time order.
    public func recordIndices(of dialog: DialogSummary) -> [Int] {
        var result: [Int] = []
        result.reserveCapacity(dialog.messageCount)
        var at = dialog.lastRecord
        while at >= 0, result.count < records.count {
            result.append(Int(at))
            at = records[Int(at)].previous
        }
        return result.reversed()
    }

    /// Where a dialog's latest message is.
    package func lastPlace(of dialog: Int) -> EvidencePlace? {
        guard dialogs.indices.contains(dialog), records.indices.contains(Int(dialogs[dialog].lastRecord)) else { return nil }
        return records[Int(dialogs[dialog].lastRecord)].place
    }

    /// One dialog's messages in words, for a ladder.
    public func messages(of dialog: DialogSummary) -> [MessageSummary] {
        recordIndices(of: dialog).map { message(records[$0], in: dialog) }
    }

    /// The bytes of a message, nil where they were not kept.
    public func bytes(of record: MessageRecord, in dialog: DialogSummary) -> [UInt8]? {
        guard record.length > 0 else { return nil }
        let range = Int(record.offset)..<(Int(record.offset) + Int(record.length))
        guard range.upperBound <= dialog.text.count else { return nil }
        return Array(dialog.text[range])
    }

    public func message(_ record: MessageRecord, in dialog: DialogSummary) -> MessageSummary {
        let bytes = bytes(of: record, in: dialog)
        let plain =
            record.status == 0
            ? record.method.token
            : "\(record.status) \(MessageExcerpt.reason(of: record.status))"
        return MessageSummary(
            place: record.place, time: record.time, source: endpoint(record.source), destination: endpoint(record.destination),
            sourceName: names[record.source], destinationName: names[record.destination],
            firstLine: bytes.map { MessageExcerpt.firstLine($0) } ?? plain, sequence: record.sequence, method: record.method,
            status: record.status, marks: record.marks, fields: bytes.map { MessageExcerpt.fields($0) } ?? [])
    }

    /// The index of the source in whose file the packets of a vantage lie.
    public func holder(of vantage: Vantage) -> Int {
        let index = Int(vantage.index)
        return sources.indices.contains(index) ? sources[index].holder ?? index : index
    }

    public func endpoint(_ index: UInt32) -> Endpoint? {
        index < UInt32(endpoints.count) ? endpoints[Int(index)] : nil
    }
}

/// One file, log or live tap.
public struct SourceSummary: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable { case capture, log, live }

    public var name: String
    public var kind: Kind
    /// Frames, or lines.
    public var frames: Int
    public var first: Instant?
    public var last: Instant?
    /// What could not be read, a sentence each; becomes `capture.blind`.
    public var blindness: [Blindness]
    /// Which side of a router it shows, where one file shows both.
    public var side: Side?
    /// The index of the source in whose file its packets lie; nil: its own.
    public var holder: Int?

    public enum Side: String, Hashable, Sendable { case inside, outside }

    public init(
        name: String, kind: Kind, frames: Int = 0, first: Instant? = nil, last: Instant? = nil, blindness: [Blindness] = []
    ) {
        self.name = name
        self.kind = kind
        self.frames = frames
        self.first = first
        self.last = last
        self.blindness = blindness
    }
}

/// Something the capture does not show, and what that means for the verdict.
public struct Blindness: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// The file ends in the middle of a packet.
        case truncatedFile
        /// Packets were cut by a snap length.
        case snapLength
        /// The capturing program lost packets.
        case drops
        /// Messages go one way only.
        case oneDirection
        /// Encrypted signalling.
        case encrypted
        /// Encrypted frames of a wireless network.
        case encryptedRadio
        case undecoded
        case missingFragments
        /// Holes in a TCP stream.
        case streamGaps
        case noSIP
        case cutMessages
        case noTimes
        /// A log's messages whose start line is neither a request's nor a status.
        case unreadMessages
        /// A log's messages whose Call-ID was replaced by a word that others bear, too.
        case sharedCallID
        /// A live tap forgot its oldest.
        case forgotten
    }

    public var kind: Kind
    /// A sentence with the numbers.
    public var text: String
    public var count: Int
    public var place: EvidencePlace?

    public init(_ kind: Kind, _ text: String, count: Int = 1, place: EvidencePlace? = nil) {
        self.kind = kind
        self.text = text
        self.count = count
        self.place = place
    }
}

public struct AnalysisCounts: Hashable, Sendable {
    public var sip = 0
    public var stun = 0
    public var rtp = 0
    public var rtcp = 0
    public var icmp = 0
    public var other = 0
    public var duplicates = 0
    public var retransmissions = 0
    public var malformed = 0
    public var dialogs = 0
    public var healthyDialogs = 0

    public init() {}
}

/// A device or program that a header or the prose names, with its place in the table of routers if it is one.
public struct RecognisedDevice: Hashable, Sendable {
    public enum Role: String, Hashable, Sendable { case phone, server, router }

    public var role: Role
    /// As a reader would call it: `SpeedTouch 780`, `Asterisk PBX 20.20.1`.
    public var name: String
    public var place: EvidencePlace
    /// How to turn the SIP helper off, for a router with one.
    public var remedy: Remedy?
}

/// What the analyzer is told beforehand.
public struct AnalysisOptions: Sendable {
    /// Passwords by user name, to settle digests.
    public var passwords: [String: String]
    /// Octets of message text kept for dialogs that are healthy; those with findings keep theirs beyond it.
    public var textBudget: Int
    /// RTP is counted and judged too.
    public var analyzesMedia: Bool
    /// The hash functions, by whoever has them; without them passwords settle nothing. Returns the digest's octets.
    public var hash: (@Sendable (AnalysisHash, [UInt8]) -> [UInt8])?

    public init(
        passwords: [String: String] = [:], textBudget: Int = 16 << 20, analyzesMedia: Bool = true,
        hash: (@Sendable (AnalysisHash, [UInt8]) -> [UInt8])? = nil
    ) {
        self.passwords = passwords
        self.textBudget = textBudget
        self.analyzesMedia = analyzesMedia
        self.hash = hash
    }
}

/// What a digest's algorithm hashes with (RFC 7616, RFC 8760).
public enum AnalysisHash: Hashable, Sendable {
    case md5, sha256
}
