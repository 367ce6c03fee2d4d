import Base
import Capture
import RTP

/// Judges RTP and RTCP against what SIP signalled: one-way and missing audio, quality, sources.
///
/// Fed in time order by `Analyzer`; holds state per stream and per call that offers media. Packets are counted as they come,
/// who they belong to is settled at the end by address and time, so signalling and media need not come in step.
public struct MediaAnalysis: Sendable {
    /// A pause in which nothing at all was captured.
    struct Hole: Sendable {
        var file: UInt16
        var from: Int64
        var to: Int64
        /// Streams whose numbers went on meanwhile.
        var streams = 0
    }

    /// ICMP errors about one flow, with no long pause among them.
    struct Refusal: Sendable {
        /// The first.
        var record: ICMPRecord
        var count = 1
        var last: Int64
    }

    static let mostCalls = 131_072
    static let mostFormatLists = 4_096
    static let mostHoles = 256
    static let mostRefusals = 1_024
    /// Series of errors that are kept of a flow, and the pause that begins another, nanoseconds: errors are limited to some a second.
    static let mostSeries = 8
    static let refusalsEvery: Int64 = 5_000_000_000
    static let hole: Int64 = 150_000_000
    static let betweenCalls: Int64 = 1_000_000_000

    var table: RTPStreamTable
    var calls: ContiguousArray<CallMedia> = []
    var callOfDialog: [Int: Int] = [:]
    var formatLists: [[OfferedMedia.Format]] = [[]]
    private var formatListIndex: [[OfferedMedia.Format]: UInt16] = [[]: 0]
    var codecs = CodecNames()
    /// Who said last that it wants media at an endpoint, by the list of formats it wants.
    private var expected: [MediaPlace: Expected] = [:]
    /// By where a description came from, with the port it names, as `MediaJudge.translated`: the call of it.
    private var translated: [MediaPlace: Int32] = [:]
    /// The latest call that a host described.
    private var callOfHost: [PackedAddress: Int32] = [:]

    /// What was said last of a place: the formats there, and in which call.
    private struct Expected {
        var formats: UInt16
        var call: Int32
    }
    var holes: [Hole] = []
    /// By file: when the last media packet came.
    var lastSeen: [Int64] = []
    /// By file: when the last fact of signalling came.
    var lastFact: [UInt16: Int64] = [:]
    var reports = ReceiverReports()
    var refusals: [MediaFlow: [Refusal]] = [:]
    var checks = ConnectivityChecks()
    var tunnels = RelayTunnels()
    package var faxes = FaxLedger()
    /// Public addresses from which messages came that name a private one: a router translates there.
    private(set) var routers: Set<PackedAddress> = []
    package var outsides = OutsideAddresses()
    /// Addresses that a server answers calls from.
    private(set) var servers: Set<PackedAddress> = []
    /// Addresses from which passwords are asked for.
    private var askers: Set<PackedAddress> = []
    var handshakes = DTLSLedger()
    var outcomes: [Int: MediaOutcome] = [:]
    var protections: [Int: MediaProtection] = [:]
    /// Ends that audio was sent to at a place that can be reached.
    var reached: Set<CallEnd> = []
    /// Ends whose far side sends to where audio comes from, as its other calls show.
    private var overcome: Set<CallEnd> = []
    /// Ends for whom audio goes to a private address where they are not.
    private var astray: Set<CallEnd> = []
    /// Dialogs in which digits went as events.
    private var digits: Set<Int> = []
    /// When each end was heard.
    private var heard: [CallEnd: [RTPStream.Activity]] = [:]
    /// Ends that fell silent, or were silent, while the other spoke and both wanted to be heard.
    private var quiet: Set<CallEnd> = []
    /// Ends whose last word was RTCP's BYE.
    private(set) var goodbyes: [CallEnd: Goodbye] = [:]

    public init() { self.init(mostStreams: 16_384) }

    /// `mostStreams`: how many may be sent at once.
    package init(mostStreams: Int) { table = RTPStreamTable(capacity: mostStreams) }

    /// Streams being followed, and packets of those that found no room.
    package var openStreams: Int { table.streams.count }
    package var untrackedPackets: Int { table.untrackedPackets }

    /// One UDP payload that looks like RTP or RTCP (`record.content`), in place; the pointer is good during the call only.
    public mutating func packet(_ record: PayloadRecord, file: UInt16, _ payload: UnsafeRawBufferPointer) {
        packet(record, file: file, payload, .plain)
    }

    mutating func packet(
        _ record: PayloadRecord, file: UInt16, _ payload: UnsafeRawBufferPointer, _ carriage: RelayTunnels.Carriage
    ) {
        let now = record.time.nanoseconds
        let place = Int(file)
        if place < lastSeen.count {
            let quiet = now &- lastSeen[place]
            if quiet > Self.hole { open(hole: file, from: lastSeen[place], to: now) }
            if quiet > 0 { lastSeen[place] = now }
        } else {
            while lastSeen.count <= place { lastSeen.append(now) }
        }
        guard record.content == .rtp else {
            if record.content == .rtcp { reports.read(payload, record, file: file) }
            return
        }
        guard payload.count >= 12 else { return }
        if !tunnels.isEmpty {
            let flow = MediaFlow(
                file: file, source: MediaPlace(record.source, record.sourcePort),
                destination: MediaPlace(record.destination, record.destinationPort))
            guard tunnels.admits(flow, carriage) else { return }
        }
        let second = payload[1]
        let type = second & 0x7f
        let sequence = UInt16(payload[2]) << 8 | UInt16(payload[3])
        let timestamp = UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let key = RTPStreamKey(
            source: record.source, destination: record.destination, sourcePort: record.sourcePort,
            destinationPort: record.destinationPort, file: file,
            ssrc: UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let hash = key.mixed
        let frame = UInt32(truncatingIfNeeded: record.frame)
        let index: Int
        if let found = table.find(key, hash) {
            index = found
            if now &- table.streams[found].last > Self.betweenCalls, isOfNextCall(found) {
                table.renew(found, stream(key, type, timestamp, now, frame, payload))
            }
        } else if let opened = table.open(key, hash, stream(key, type, timestamp, now, frame, payload), at: now) {
            index = opened
        } else {
            return
        }
        var isSound = true
        if type != table.streams[index].payloadType || table.streams[index].flags.contains(.isKeepalive) {
            isSound = turn(index, type, payload)
        }
        if !holes.isEmpty { check(index, sequence, now) }
        // Neither padding, extension nor contributors: what is behind the header is the sound.
        let octets = payload[0] == 0x80 && !record.flags.contains(.truncated) ? payload.count - 12 : 0
        table.receive(
            index, sequence: sequence, timestamp: timestamp, marker: second & 0x80 != 0, isSound: isSound, octets: octets,
            at: now,
            frame: frame)
    }

    /// A message from a public address names a private one as its sender's.
    mutating func translates(at address: PackedAddress) {
        if routers.count < Self.mostCalls { routers.insert(address) }
    }

    /// Who asks for passwords is a server (RFC 3261 22).
    mutating func asksForPasswords(at address: PackedAddress) {
        if askers.count < Self.mostCalls { askers.insert(address) }
    }

    func isServer(_ address: PackedAddress) -> Bool { servers.contains(address) || askers.contains(address) }

    /// A server answered a call from there.
    package mutating func serves(at address: PackedAddress) {
        if servers.count < Self.mostCalls { servers.insert(address) }
    }

    /// An ICMP error: of interest where it refuses somebody's audio.
    public mutating func icmp(_ record: ICMPRecord, file: UInt16) {
        guard let quoted = record.quoted, quoted.transport == .udp else { return }
        // Unreachable, too big, or going round in circles (RFC 792, RFC 4443).
        guard record.isIPv6 ? (1...3).contains(record.type) : record.type == 3 || record.type == 11 else { return }
        let flow = MediaFlow(
            file: file, source: MediaPlace(quoted.source, quoted.sourcePort),
            destination: MediaPlace(quoted.destination, quoted.destinationPort))
        let now = record.time.nanoseconds
        guard var series = refusals[flow] else {
            if refusals.count < Self.mostRefusals { refusals[flow] = [Refusal(record: record, last: now)] }
            return
        }
        if now - series[series.count - 1].last > Self.refusalsEvery, series.count < Self.mostSeries {
            series.append(Refusal(record: record, last: now))
        } else {
            series[series.count - 1].count += 1
            series[series.count - 1].last = max(now, series[series.count - 1].last)
        }
        refusals[flow] = series
    }

    /// A SIP message with SDP went by, or a call was answered or ended.
    public mutating func call(_ fact: CallFact) {
        guard let time = fact.time?.nanoseconds else { return }
        lastFact[fact.place.file] = max(time, lastFact[fact.place.file] ?? time)
        let index: Int
        if let known = callOfDialog[fact.dialog] {
            index = known
        } else {
            guard case .description = fact.what else { return }
            guard calls.count < Self.mostCalls else { return }
            index = calls.count
            callOfDialog[fact.dialog] = index
            calls.append(CallMedia(dialog: fact.dialog, file: fact.place.file, began: time))
        }
        switch fact.what {
        case .description(let bytes, _):
            // A refused re-INVITE or a CANCEL that came too late had not ended it.
            if calls[index].ended != CallMedia.unknown, time > calls[index].ended { calls[index].ended = CallMedia.unknown }
            describe(index, fact, time, bytes)
        case .answered:
            if calls[index].answered == CallMedia.unknown {
                calls[index].answered = time
                calls[index].answeredPlace = fact.place
            }
        case .acknowledged: break
        case .ended, .cancelled:
            if calls[index].ended == CallMedia.unknown { calls[index].ended = time }
            if case .cancelled = fact.what, calls[index].answered == CallMedia.unknown { calls[index].isCancelled = true }
        }
    }

    /// One UDP payload that begins like DTLS.
    public mutating func handshake(_ payload: UnsafeRawBufferPointer, _ record: PayloadRecord, file: UInt16) {
        handshakes.datagram(payload, record, file: file)
    }

    /// A STUN message; of interest where it is a check of ICE, or TURN's.
    mutating func check(_ payload: UnsafeRawBufferPointer, _ record: PayloadRecord, file: UInt16) {
        checks.read(payload, record, file: file)
    }

    /// Who of a call's two ends was heard, for `nat.private-sdp`; known once `finish` was called.
    public func outcome(ofDialog dialog: Int) -> MediaOutcome { outcomes[dialog] ?? .unknown }

    /// Audio for that end was sent to a place that can be reached, whatever its SDP names; known once `finish` was called.
    public func isReached(dialog: Int, caller: Bool) -> Bool { reached.contains(CallEnd(dialog: dialog, isCaller: caller)) }

    /// The far side of that end does not go by a private address in SDP, as its other calls show; known once `finish` was called.
    func isOvercome(dialog: Int, caller: Bool) -> Bool { overcome.contains(CallEnd(dialog: dialog, isCaller: caller)) }

    /// Whether an end of a call was heard for a while between two times; known once `finish` was called.
    func hears(dialog: Int, caller: Bool, from: Int64, to: Int64) -> Bool {
        guard to > from else { return false }
        let spans = Spans(heard[CallEnd(dialog: dialog, isCaller: caller)] ?? [])
        return spans.clipped(to: [RTPStream.Activity(from: from, to: to)]).total > 500_000_000
    }

    /// What is sent to that end, and not what is sent to the other, goes to a private address where it is not; known once `finish` was called.
    func isAstray(dialog: Int, caller: Bool) -> Bool {
        astray.contains(CallEnd(dialog: dialog, isCaller: caller)) && !astray.contains(CallEnd(dialog: dialog, isCaller: !caller))
    }

    /// Whether an end goes on being heard for seconds after a time; known once `finish` was called.
    func isHeardOn(dialog: Int, caller: Bool, from: Int64) -> Bool {
        let rest = RTPStream.Activity(from: from, to: .max)
        return Spans(heard[CallEnd(dialog: dialog, isCaller: caller)] ?? []).clipped(to: [rest]).total > MediaJudge.patience
    }

    /// Findings about media and the streams seen. Dialog indices are those of the facts. `hash`: as in `AnalysisOptions`.
    public mutating func finish(
        hash: (@Sendable (AnalysisHash, [UInt8]) -> [UInt8])? = nil
    ) -> (findings: [Finding], streams: [StreamSummary]) {
        table.closeAll()
        var judge = MediaJudge(self, hash: hash)
        judge.run()
        outcomes = judge.outcomes
        protections = judge.protections
        reached = judge.reachedEnds
        overcome = judge.overcomeEnds
        digits = Set(judge.seen.filter { $0.stream.eventPackets > 0 }.compactMap { $0.call.map { calls[$0].dialog } })
        heard = judge.heardEnds
        astray = judge.astrayEnds
        quiet = judge.quiet
        goodbyes = judge.goodbyes
        return (judge.findings, judge.streams)
    }

    /// That end of a call was not heard for a while although both wanted it; known once `finish` was called.
    func isQuiet(dialog: Int, caller: Bool) -> Bool { quiet.contains(CallEnd(dialog: dialog, isCaller: caller)) }

    /// Digits went beside the audio (RFC 4733); known once `finish` was called.
    public func hasDigits(dialog: Int) -> Bool { digits.contains(dialog) }

    // MARK: Packets

    private mutating func stream(
        _ key: RTPStreamKey, _ type: UInt8, _ timestamp: UInt32, _ now: Int64, _ frame: UInt32, _ payload: UnsafeRawBufferPointer
    ) -> RTPStream {
        var stream = RTPStream(key: key, payloadType: type, timestamp: timestamp, at: now, frame: frame)
        let formats = formatLists[Int(formatList(key))]
        if let events = formats.first(where: { $0.name.lowercased() == "telephone-event" }) {
            stream.eventType = events.payloadType
        }
        let (rate, codec) = codecs.look(up: type, in: formats)
        stream.turn(to: type, clockRate: rate, codec: codec)
        if isKeepalive(type, payload, key) { stream.flags.insert(.isKeepalive) }
        return stream
    }

    func formatList(_ key: RTPStreamKey) -> UInt16 {
        let there = MediaPlace(key.destination, key.destinationPort)
        return (expected[there] ?? expected[MediaPlace(key.source, key.sourcePort)])?.formats ?? 0
    }

    /// A call that began after its last packet named one of its places, or, where nobody named either, is the latest of both its hosts:
    /// some send on from the same port with the same SSRC.
    private func isOfNextCall(_ index: Int) -> Bool {
        let stream = table.streams[index]
        let key = stream.key
        let places = [MediaPlace(key.destination, key.destinationPort), MediaPlace(key.source, key.sourcePort)]
        var known = places.flatMap { [expected[$0]?.call, translated[$0]] }.compactMap { $0 }
        if known.isEmpty, let call = callOfHost[key.source], call == callOfHost[key.destination] { known = [call] }
        return known.contains { calls[Int($0)].began > stream.last }
    }

    /// Another payload type; false for digits, comfort noise and what only keeps a mapping alive.
    private mutating func turn(_ index: Int, _ type: UInt8, _ payload: UnsafeRawBufferPointer) -> Bool {
        if isKeepalive(type, payload, table.streams[index].key) { return false }
        let header = RTPHeader(payload)
        let (count, timestamp) = (header?.payloadCount ?? 0, header?.timestamp ?? 0)
        if table.with(index, { $0.isAuxiliary(type, payloadCount: count, timestamp: timestamp) }) { return false }
        let key = table.streams[index].key
        let (rate, codec) = codecs.look(up: type, in: formatLists[Int(formatList(key))])
        table.with(index) { $0.turn(to: type, clockRate: rate, codec: codec) }
        return true
    }

    private mutating func open(hole file: UInt16, from: Int64, to: Int64) {
        guard holes.count < Self.mostHoles, !table.streams.isEmpty else { return }
        holes.append(Hole(file: file, from: from, to: to))
    }

    /// Whether numbers are missing across the last hole.
    private mutating func check(_ index: Int, _ sequence: UInt16, _ now: Int64) {
        let hole = holes[holes.count - 1]
        let last = table.streams[index].last
        guard last <= hole.from, now >= hole.to, hole.file == table.streams[index].key.file, now &- last < 60_000_000_000 else {
            return
        }
        let ahead = sequence &- UInt16(truncatingIfNeeded: table.streams[index].statistics.highestSequence)
        guard ahead > 1, ahead < 3_000 else { return }
        holes[holes.count - 1].streams += 1
        let number = holes.count - 1
        table.with(index) { $0.lost(Int(ahead) - 1, inHole: number) }
    }

    // MARK: Signalling

    private mutating func describe(_ index: Int, _ fact: CallFact, _ time: Int64, _ bytes: [UInt8]) {
        guard let offered = bytes.withUnsafeBytes({ OfferedMedia($0) }) else { return }
        let list = number(of: offered.formats)
        calls[index].note(
            MediaEvent(
                time: time, place: fact.place, leg: Int16(clamping: fact.leg), isFromCaller: fact.isFromCaller,
                flags: offered.flags, direction: offered.direction, address: offered.address, port: offered.port,
                packetSource: fact.source.map { PackedAddress($0.address) } ?? .unknown,
                packetSourcePort: fact.source?.port ?? 0,
                packetDestination: fact.destination.map { PackedAddress($0.address) } ?? .unknown, security: offered.security,
                isReadable: fact.isReadable, fax: offered.fax.port > 0 ? offered.fax : nil, formats: list,
                types: offered.types))
        let said = Expected(formats: list, call: Int32(truncatingIfNeeded: index))
        if offered.port > 0 {
            expected[MediaPlace(offered.address, offered.port)] = said
            if let source = fact.source.map({ PackedAddress($0.address) }) {
                if source != offered.address { translated[MediaPlace(source, offered.port)] = said.call }
                callOfHost[source] = said.call
            }
        }
        if offered.fax.port > 0 { faxes.expect(offered.fax, from: fact.source) }
        if offered.video > 0 { expected[MediaPlace(offered.videoAddress, offered.video)] = said }
        for candidate in offered.candidates where calls[index].candidates.count < 16 {
            calls[index].candidates.append((candidate.address, candidate.port, fact.isFromCaller))
            expected[MediaPlace(candidate.address, candidate.port)] = said
        }
    }

    private mutating func number(of formats: [OfferedMedia.Format]) -> UInt16 {
        if let known = formatListIndex[formats] { return known }
        guard formatLists.count < Self.mostFormatLists else { return 0 }
        let number = UInt16(formatLists.count)
        formatLists.append(formats)
        formatListIndex[formats] = number
        return number
    }
}
