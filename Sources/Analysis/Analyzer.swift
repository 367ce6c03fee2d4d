import Base
import Capture
import SIP

/// Turns captures, logs and live observations into findings.
///
/// One pass in time order per source; memory goes with open dialogs, closed ones keep where their messages lie. Nothing that
/// is fed can make it trap; every table has a cap.
public struct Analyzer: Sendable {
    /// Octets of message text held so that findings can quote: a window over the latest messages.
    static let textWindow = 16 << 20
    /// Messages between two looks for dialogs that are over.
    static let sweepEvery = 8_192

    /// Remarks of a log on one dialog.
    static let mostRemarks = 256

    let options: AnalysisOptions
    var sources: [SourceSummary]
    var media = MediaAnalysis()
    /// Only with two sources or more.
    var sides: SideMatching?
    /// By source: of those that show both sides of a router, how they are split, and the number of what is the outside.
    var splits: [(split: SideSplit, outside: UInt16)?]
    /// By source; looks for such.
    var scouts: [TranslationScout]
    var table = SignallingTable(textCapacity: Analyzer.textWindow)
    var judge: Judge
    var devices = DeviceLedger()
    /// A log's words about stale nonces where no message is shown, by source.
    var lonelyStale: [UInt16: (first: Remark, count: Int)] = [:]
    /// Captures whose packets bear no time, as dumps in hexadecimal may: read like a log without times.
    public var timeless: Set<UInt16> = []
    /// What logs say of programs and phones, in words.
    var said = SaidLedger()
    var connections = ConnectionLedger()
    var names = NameLedger()
    var handshakes = HandshakeLedger()
    var relays = RelayLedger()
    var sinceSweep = 0
    var octetsSinceSweep = 0
    /// Of the latest message: what a remark of a log judges.
    var latestRequest: (dialog: Int, place: EvidencePlace)?

    /// Sources in the order of their `Vantage`s.
    public init(sources: [SourceSummary], options: AnalysisOptions = AnalysisOptions()) {
        self.sources = sources
        self.options = options
        judge = Judge(options: options)
        sides = sources.count > 1 ? SideMatching() : nil
        splits = Array(repeating: nil, count: sources.count)
        scouts = Array(repeating: TranslationScout(), count: sources.count)
    }

    /// For reading the same sources once more, where some turned out to show both sides of a router in one: these are split then, and what
    /// lies outside becomes a source of its own behind the others. nil: nothing needs that.
    public func splitting() -> Analyzer? {
        let found = scouts.map(\.split)
        guard found.contains(where: { $0 != nil }) else { return nil }
        var split = sources.map { SourceSummary(name: $0.name, kind: $0.kind) }
        var numbers: [(SideSplit, UInt16)?] = []
        for (index, side) in found.enumerated() {
            guard let side, split.count < SideMatching.mostSources else {
                numbers.append(nil)
                continue
            }
            numbers.append((side, UInt16(split.count)))
            var other = split[index]
            split[index].side = .inside
            other.side = .outside
            other.holder = index
            split.append(other)
        }
        var again = Analyzer(sources: split, options: options)
        again.splits = numbers + Array(repeating: nil, count: split.count - numbers.count)
        again.scouts = []
        return again
    }

    /// What a source turned out not to show.
    public mutating func blind(_ blindness: Blindness, in vantage: Vantage) {
        guard Int(vantage.index) < sources.count else { return }
        sources[Int(vantage.index)].blindness.append(blindness)
    }

    /// Files one SIP message, tells media and sides, and now and then closes what is over.
    mutating func message(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) {
        let filed = table.message(facts, p, envelope)
        if sides != nil {
            sides?.message(
                SideMessage(
                    place: envelope.place,
                    time: envelope.time == MessageRecord.unknownTime ? nil : Instant(nanoseconds: envelope.time),
                    source: envelope.source.isKnown ? envelope.source.endpoint : nil,
                    destination: envelope.destination.isKnown ? envelope.destination.endpoint : nil, isStream: envelope.isStream,
                    bytes: Array(p), dialog: filed?.dialog ?? -1, isCut: envelope.isTruncated))
        }
        guard let (dialog, index) = filed else { return }
        let source = Int(envelope.place.file)
        if envelope.place.kind != .live, source < scouts.count {
            scouts[source].message(table.steps[Int(index)], table.endpoints)
        }
        if envelope.isStream {
            if facts.method != .ack || !facts.isRequest {
                connections.message(
                    from: envelope.source, to: envelope.destination, dialog: dialog, place: envelope.place, time: envelope.time,
                    isRequest: facts.isRequest, size: p.count)
            }
        }
        if facts.isRequest { latestRequest = (dialog, envelope.place) }
        if options.analyzesMedia { noteOutside(dialog, table.steps[Int(index)], facts, p) }
        if options.analyzesMedia, table.dialogs[dialog].kind == .call { tellMedia(dialog, table.steps[Int(index)], facts, p) }
        sinceSweep += 1
        octetsSinceSweep += p.count
        // Before the text of what went quiet leaves the window.
        if sinceSweep >= Self.sweepEvery || octetsSinceSweep > Self.textWindow / 4 {
            sinceSweep = 0
            octetsSinceSweep = 0
            sweep(at: envelope.time)
        }
    }

    private mutating func tellMedia(_ dialog: Int, _ step: Step, _ facts: MessageFacts, _ p: Bytes) {
        guard step.isFirst else { return }
        let sender = table.endpoints[step.record.source].address
        if !sender.isUnknown, !sender.isPrivateNetwork,
            step.isRequest && step.viaCount == 1
                && (step.via.isPrivateAddress || step.flags.contains(.privateCallID) && step.flags.contains(.fromClient))
                || step.contact.isPrivateAddress
        {
            media.translates(at: sender)
        }
        if !step.isRequest, step.status == 401 || step.status == 407 { media.asksForPasswords(at: sender) }
        if !step.isRequest, step.method == .invite, step.status == 200,
            // A proxy passes the Contact of whoever answered on.
            table.registrars.contains(sender) && (step.contact.kind != .address || step.contact.address == sender)
                || ServerRole.isServer(facts, p)
        {
            media.serves(at: sender)
        }
        let what: CallFact.What
        switch (step.isRequest, step.method) {
        case (true, .bye): what = .ended
        case (true, .cancel): what = .cancelled
        case (true, .ack) where step.sdp < 0: what = .acknowledged
        case (false, .invite) where step.status >= 300 && step.status != 401 && step.status != 407: what = .ended
        default:
            let isAnswered = !step.isRequest && step.method == .invite && step.status >= 200 && step.status < 300
            if step.sdp >= 0 {
                tell(dialog, step, .description(p.array(facts.body), isAnswer: isAnswer(step, dialog)))
            }
            guard isAnswered else { return }
            what = .answered
        }
        tell(dialog, step, what)
        if step.isRequest, step.method == .ack, step.sdp >= 0 { tell(dialog, step, .acknowledged) }
    }

    /// A description is an answer when the transaction's request carried one, or in the ACK to an offer in the response.
    private func isAnswer(_ step: Step, _ dialog: Int) -> Bool {
        if step.isRequest { return step.method == .ack || step.method == .prack }
        var at = step.record.previous
        while at >= 0 {
            let other = table.steps[Int(at)]
            if other.isRequest, other.record.sequence == step.record.sequence, other.method == step.method, other.leg == step.leg
            {
                return other.sdp >= 0
            }
            at = other.record.previous
        }
        return true
    }

    private mutating func tell(_ dialog: Int, _ step: Step, _ what: CallFact.What) {
        let source = table.endpoints[step.record.source]
        let destination = table.endpoints[step.record.destination]
        media.call(
            CallFact(
                dialog: dialog, leg: Int(step.leg), place: step.record.place, time: step.record.time,
                source: source.isKnown ? source.endpoint : nil, destination: destination.isKnown ? destination.endpoint : nil,
                isFromCaller: step.flags.contains(.fromClient),
                isReadable: !step.record.marks.contains(.overTLS), what: what))
    }
}
