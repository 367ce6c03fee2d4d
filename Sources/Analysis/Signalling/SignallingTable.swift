import Base
import Capture

/// All dialogs of an analysis with the messages of those still open: links what belongs together, judges nothing.
///
/// Hot: one call a message, no allocation but what a new dialog keeps.
struct SignallingTable: Sendable {
    static let mostDialogs = 1 << 22
    static let mostOpenSteps = 1 << 22
    /// Back this many messages a repetition is looked for.
    static let repetitionWindow = 24
    static let mostLegs = 8

    var dialogs: ContiguousArray<DialogState> = []
    /// With whom somebody registered, by client.
    var registered: [PackedAddress: Set<PackedAddress>] = [:]
    /// Addresses that granted registrations.
    var registrars: Set<PackedAddress> = []
    /// Of closed dialogs.
    var records: [MessageRecord] = []
    var endpoints = EndpointTable()
    var ends = EndTable()
    /// Hosts that were heard to speak SIP, whatever the transport.
    var speakers: Set<PackedAddress> = []
    var programs = ProgramTable()
    var unnamed = UnnamedEnds()
    var flows = FlowTable()
    var stun = STUNLedger()
    var texts: TextStore
    /// Of accused dialogs that are still open, out of the window's reach.
    var kept = TextStore(capacity: Judge.mostAccusedText)
    /// By dialog.
    var expiries: [Int: [Expiry]] = [:]
    /// By dialog.
    var remarks: [Int: [Remark]] = [:]
    var errors: [PackedFlow: ICMPNote] = [:]
    /// The registration of each phone, by name and address.
    var phones: [UInt64: Int] = [:]
    static let mostPhones = 1 << 18
    /// By branch.
    var strays: [UInt64: StrayAnswer] = [:]
    /// Private Contacts registered from public addresses, by the source that shows it, and where they really are: behind the NAT, in a
    /// capture of its inside, requests rightly go to what Contact says.
    var privateContacts: [SeenPlace: PackedEndpoint] = [:]
    /// Public endpoints from which somebody registered a private Contact: a router's mappings.
    var mapped: Set<PackedEndpoint> = []
    /// The latest time of each source's messages.
    var latest: [UInt16: Int64] = [:]
    var counts = AnalysisCounts()
    /// Messages that a full table did not take.
    private(set) var refused = 0
    private var lastTime: (file: UInt16, time: Int64) = (0, .min)

    var steps: ContiguousArray<Step> = []
    private var freeSteps: [Int32] = []
    var descriptions: [SDPFacts?] = []
    private var freeDescriptions: [Int32] = []
    private var byCallID: [UInt64: Int32] = [:]
    /// Where a Call-ID is a stand-in: by tag and vantage.
    var byTag: [UInt64: Int32] = [:]
    /// Messages with such a one.
    var sharedCallIDs = 0
    /// Where a log shows no Call-ID, or a cut message none: the latest dialog by vantage and method of CSeq, of cut messages by their ends, too.
    private var byOrder: [Order: Int32] = [:]
    private struct Order: Hashable, Sendable {
        var file: UInt16
        /// 255 for all of a call.
        var method: UInt8
        /// The lower number first.
        var ends: SIMD2<UInt32> = .zero
    }
    /// Open dialogs, in order of their beginning.
    var open: [Int32] = []
    /// Nonces that some request used.
    private(set) var usedNonces: Set<UInt64> = []

    init(textCapacity: Int) { texts = TextStore(capacity: textCapacity) }

    /// Files one message. The numbers of its dialog and step; nil when it was not taken.
    mutating func message(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> (dialog: Int, step: Int32)? {
        counts.sip += 1
        let asked = facts.hasSequence ? nil : request(before: facts, envelope)
        let number = asked?.dialog ?? dialogNumber(facts, p, envelope)
        guard number >= 0, steps.count - freeSteps.count < Self.mostOpenSteps else {
            refused += 1
            return nil
        }
        var envelope = envelope
        let isFromAsking = envelope.isLogged && isFromAsking(number, facts, p)
        if envelope.isLogged, envelope.source == envelope.destination, !envelope.source.isKnown {
            seat(&envelope, number, isFromAsking: isFromAsking)
        }
        var step = Step(
            record: MessageRecord(
                place: envelope.place, nanoseconds: envelope.time, source: endpoints.number(of: envelope.source),
                destination: endpoints.number(of: envelope.destination), sequence: facts.sequence, status: facts.status,
                method: facts.method, marks: [], offset: 0, length: 0, previous: -1))
        fill(&step, facts, p, envelope)
        if let request = asked.map({ steps[Int($0.step)] }) {
            step.record.sequence = request.record.sequence
            step.record.method = request.record.method
            if step.branch == 0 { step.branch = request.branch }
        }
        assignLeg(&step, number, facts, envelope, isFromAsking: isFromAsking)
        markRepetition(&step, number)
        follow(&step, number, facts, p, envelope)
        if let place = texts.append(p) {
            step.record.offset = place
            step.record.length = UInt32(p.count)
        }
        if !step.isRequest { noteStray(step, number) }
        return (number, add(&step, to: number))
    }

    // MARK: Finding the dialog

    private mutating func dialogNumber(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> Int {
        if facts.callID.isEmpty { return numberByOrder(facts, p, envelope) }
        if envelope.isLogged, Self.isStandIn(p, facts.callID) { return numberByTags(facts, p, envelope) }
        let key = p.hash(facts.callID) ^ UInt64(envelope.place.file) &* 0x9e37_79b9_7f4a_7c15
        if let number = byCallID[key] {
            if dialogs[Int(number)].progress.contains(.closed) { reopen(Int(number)) }
            return Int(number)
        }
        let number = newDialog(facts, p, envelope)
        if number >= 0 { byCallID[key] = Int32(number) }
        return number
    }

    /// A log that shows no Call-ID: the same method with a neighbouring CSeq, or a nonce seen before.
    mutating func numberByOrder(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> Int {
        var key = Order(file: envelope.place.file, method: DialogKind(facts.method) == .call ? 255 : facts.method.rawValue)
        if envelope.isTruncated, !envelope.isLogged {
            let (one, other) = (endpoints.number(of: envelope.source), endpoints.number(of: envelope.destination))
            key.ends = [min(one, other), max(one, other)]
        }
        if let number = byOrder[key], let step = lastStep(of: Int(number)) {
            let nonce = p.hash(facts.credentials.isPresent ? facts.credentials.nonce : facts.challenge.nonce)
            let distance = Int(facts.sequence) - Int(step.record.sequence)
            if !facts.hasSequence || abs(distance) <= 8 || (nonce != 0 && knowsNonce(nonce, in: Int(number))) {
                if dialogs[Int(number)].progress.contains(.closed) { reopen(Int(number)) }
                return Int(number)
            }
        }
        let number = newDialog(facts, p, envelope)
        if number >= 0 {
            dialogs[number].progress.insert(.linkedByOrder)
            byOrder[key] = Int32(number)
        }
        return number
    }

    /// What a cut response whose CSeq is lost most likely answers: the latest request between its ends.
    private func request(before facts: MessageFacts, _ envelope: Envelope) -> (dialog: Int, step: Int32)? {
        guard !facts.isRequest, envelope.isTruncated, !envelope.isLogged,
            let source = endpoints.known(envelope.source), let destination = endpoints.known(envelope.destination)
        else { return nil }
        for number in [ends[destination].asked, ends[source].wasAsked] where number >= 0 {
            var at = dialogs[Int(number)].lastStep
            while at >= 0 {
                let step = steps[Int(at)]
                if step.isRequest, step.method != .ack, step.record.source == destination, step.record.destination == source {
                    return (Int(number), at)
                }
                at = step.record.previous
            }
        }
        return nil
    }

    mutating func newDialog(_ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) -> Int {
        guard dialogs.count < Self.mostDialogs else { return -1 }
        var text: [UInt8] = []
        let (call, from, to) = (facts.callID, facts.from, facts.to)
        let lengths = (min(call.count, 512), min(from.count, 256), min(to.count, 256))
        text.reserveCapacity(lengths.0 + lengths.1 + lengths.2)
        for (span, length) in [(call, lengths.0), (from, lengths.1), (to, lengths.2)] where length > 0 {
            text.append(contentsOf: UnsafeRawBufferPointer(rebasing: p[span.start..<(span.start + length)]))
        }
        var dialog = DialogState(
            kind: DialogKind(facts.method), vantage: envelope.place.vantage, text: text, callIDLength: UInt16(lengths.0),
            fromLength: UInt16(lengths.1), toLength: UInt16(lengths.2))
        dialog.began = envelope.time
        if facts.isRequest { dialog.progress.insert(.beganWithRequest) }
        if let sign = p.place(of: 0x40, call.start, call.end), MessageFacts.host(p, sign + 1, call.end).isPrivateAddress {
            dialog.progress.insert(.privateCallID)
        }
        dialogs.append(dialog)
        open.append(Int32(dialogs.count - 1))
        counts.dialogs += 1
        return dialogs.count - 1
    }

    mutating func reopen(_ number: Int) {
        dialogs[number].progress.remove(.closed)
        open.append(Int32(number))
    }

    private func lastStep(of number: Int) -> Step? {
        let at = dialogs[number].lastStep
        return at >= 0 ? steps[Int(at)] : nil
    }

    private func knowsNonce(_ nonce: UInt64, in number: Int) -> Bool {
        var at = dialogs[number].lastStep
        while at >= 0 {
            if steps[Int(at)].nonce == nonce { return true }
            at = steps[Int(at)].record.previous
        }
        return false
    }

    // MARK: Steps

    var openSteps: Int { steps.count - freeSteps.count }

    /// All dialogs are closed.
    mutating func releaseSteps() {
        steps = []
        freeSteps = []
        descriptions = []
        freeDescriptions = []
    }

    @inline(__always)
    private mutating func add(_ step: inout Step, to number: Int) -> Int32 {
        step.record.previous = dialogs[number].lastStep
        let index: Int32
        if let free = freeSteps.popLast() {
            index = free
            steps[Int(free)] = step
        } else {
            index = Int32(steps.count)
            steps.append(step)
        }
        dialogs[number].lastStep = index
        dialogs[number].stepCount += 1
        dialogs[number].messageCount += 1
        dialogs[number].progress.remove(.settled)
        if step.nanoseconds != MessageRecord.unknownTime {
            if dialogs[number].began == MessageRecord.unknownTime { dialogs[number].began = step.nanoseconds }
            dialogs[number].last = max(dialogs[number].last, step.nanoseconds)
            if step.nanoseconds > lastTime.time || lastTime.file != step.record.place.file { noteTime(step) }
        }
        return index
    }

    /// The bytes of a message of an open dialog; nil when the window has moved on.
    func text(of record: MessageRecord) -> ArraySlice<UInt8>? {
        record.marks.contains(.textKept)
            ? kept.text(at: record.offset, length: record.length) : texts.text(at: record.offset, length: record.length)
    }

    /// Puts the texts of an accused dialog where they stay.
    mutating func pin(_ number: Int) {
        var at = dialogs[number].lastStep
        while at >= 0 {
            let index = Int(at)
            if !steps[index].record.marks.contains(.textKept), kept.hasRoom,
                let text = texts.text(at: steps[index].record.offset, length: steps[index].record.length)
            {
                let place = text.withUnsafeBytes { kept.append($0) }
                if let place {
                    steps[index].record.offset = place
                    steps[index].record.marks.insert(.textKept)
                }
            }
            at = steps[index].record.previous
        }
    }

    private mutating func noteTime(_ step: Step) {
        lastTime = (step.record.place.file, step.nanoseconds)
        latest[step.record.place.file] = max(latest[step.record.place.file] ?? step.nanoseconds, step.nanoseconds)
    }

    mutating func keep(_ description: SDPFacts) -> Int32 {
        if let free = freeDescriptions.popLast() {
            descriptions[Int(free)] = description
            return free
        }
        descriptions.append(description)
        return Int32(descriptions.count - 1)
    }

    func description(_ step: Step) -> SDPFacts? { step.sdp >= 0 ? descriptions[Int(step.sdp)] : nil }

    /// A dialog's open steps, the oldest first, by time where it is known.
    func steps(of number: Int) -> [Step] {
        var result: [Step] = []
        result.reserveCapacity(Int(dialogs[number].stepCount))
        var at = dialogs[number].lastStep
        while at >= 0 {
            result.append(steps[Int(at)])
            at = steps[Int(at)].record.previous
        }
        result.reverse()
        // Fragments that stayed alone come out of the decoder late.
        if !Self.isInOrder(result) { sort(&result, Self.times(result)) }
        return result
    }

    private static func isInOrder(_ list: [Step]) -> Bool {
        var latest = MessageRecord.unknownTime
        for step in list where step.nanoseconds != MessageRecord.unknownTime {
            if step.nanoseconds < latest { return false }
            latest = step.nanoseconds
        }
        return true
    }

    /// Of each message; one whose time is not told came when the one before it did.
    private static func times(_ list: [Step]) -> [Int64] {
        var latest = MessageRecord.unknownTime
        return list.map { step in
            if step.nanoseconds != MessageRecord.unknownTime { latest = step.nanoseconds }
            return latest
        }
    }

    /// By time; the earliest of equal messages is the first then.
    private func sort(_ list: inout [Step], _ times: [Int64]) {
        list = zip(list, times).enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }.map(\.element.0)
        for index in list.indices where !list[index].isDuplicate && list[index].branch != 0 {
            let isAgain = list[..<index].contains { other in
                other.branch == list[index].branch && other.method == list[index].method
                    && other.record.status == list[index].record.status
                    && other.record.sequence == list[index].record.sequence && other.nonce == list[index].nonce
                    && other.leg == list[index].leg && other.toTag == list[index].toTag
            }
            if isAgain {
                list[index].record.marks.insert(.retransmission)
            } else {
                list[index].record.marks.remove(.retransmission)
            }
        }
    }

    /// Turns the steps into records but the last `kept`, which stay open; all of them when the dialog closes.
    /// `room`: octets of text that may move into the dialog. Returns how many did.
    mutating func retire(_ number: Int, keeping kept: Int = 0, room: Int) -> Int {
        var used = 0
        var list: [Int32] = []
        var at = dialogs[number].lastStep
        while at >= 0 {
            list.append(at)
            at = steps[Int(at)].record.previous
        }
        let retired = list.dropFirst(kept)
        for index in retired.reversed() {
            var record = steps[Int(index)].record
            if steps[Int(index)].sdp >= 0 {
                descriptions[Int(steps[Int(index)].sdp)] = nil
                freeDescriptions.append(steps[Int(index)].sdp)
            }
            if let text = text(of: record), used + text.count <= room {
                record.offset = UInt32(clamping: dialogs[number].text.count)
                dialogs[number].text.append(contentsOf: text)
                used += text.count
            } else {
                record.length = 0
            }
            record.marks.remove(.textKept)
            record.previous = dialogs[number].lastRecord
            dialogs[number].lastRecord = Int32(records.count)
            records.append(record)
            freeSteps.append(index)
        }
        dialogs[number].stepCount = Int32(min(kept, list.count))
        if kept == 0 || list.isEmpty {
            dialogs[number].lastStep = -1
        } else if kept < list.count {
            steps[Int(list[kept - 1])].record.previous = -1
        }
        return used
    }

    mutating func use(_ nonce: UInt64) { if nonce != 0, usedNonces.count < 1 << 22 { usedNonces.insert(nonce) } }

    /// What an end was seen to do.
    func activity(of end: PackedEndpoint) -> EndTable.Activity { endpoints.known(end).map { ends[$0] } ?? EndTable.Activity() }
}
