import Base
import Codecs
import Conference
import MediaControl
import RTP
import Relay

/// The data path of one media loop: legs bridged by the relay table, legs served with sound, and what signalling is told of them.
///
/// Driven synchronously by whoever owns the sockets: commands and datagrams in, verdicts, datagrams and events out. All legs that ever
/// meet belong to one plane.
public struct MediaPlane: Sendable {
    /// What to do with a datagram that came.
    public enum Verdict: Sendable {
        case drop(MediaDrop)
        /// The first `length` bytes of the buffer leave from `from` to `to`.
        case forward(length: Int, from: Endpoint, to: Endpoint)
        /// Dealt with; datagrams of our own may wait in `nextDatagram`.
        case consumed
    }

    /// How often legs are looked at for silence.
    static let watchInterval = Duration.seconds(1)

    var table: RelayTable
    var sound: SoundPlane
    var entropy: Entropy
    var datagrams = Outbox<Datagram>()
    private var events = Outbox<MediaEvent>()
    /// By slot: legs that sent a telephone event through a bridge or an echo.
    private var digits: [Int: DTMFReceiver] = [:]
    private var nextWatch: Instant?
    var reports: [Int: ReportState] = [:]
    /// Commands that named an unknown leg, or opened a known one.
    public private(set) var strayCommands: UInt64 = 0

    /// `srtp` nil: legs that agreed on SRTP get nothing through. `speech` nil: announcements are given in Morse.
    public init(
        settings: RelaySettings = RelaySettings(), sound: SoundSettings = SoundSettings(), codecs: CodecRegistry = .g711,
        speech: SpeechProvider? = nil, srtp: SRTPProvider? = nil, entropy: Entropy
    ) {
        self.entropy = entropy
        table = RelayTable(settings: settings, srtp: srtp)
        self.sound = SoundPlane(settings: sound, codecs: codecs, speech: speech, entropy: self.entropy.fork())
    }

    public mutating func nextDatagram() -> Datagram? { datagrams.next() }
    public mutating func nextEvent() -> MediaEvent? { events.next() }
    /// What rooms that are recorded sound like; to be fetched whenever events are.
    public mutating func nextRecording() -> RecordingEvent? { sound.nextRecording() }

    /// What RTCP said in passing, where `RelaySettings.tellsReports`; to be fetched after each packet.
    public mutating func nextReport() -> RelayTable.PassingReport? { table.nextPassingReport() }

    // MARK: - Signalling

    public mutating func command(_ command: MediaCommand, at now: Instant) {
        switch command {
        case .open(let id, let setup): open(id, setup, at: now)
        case .remote(let id, let remote):
            guard let slot = slot(id) else { return }
            table.remote(slot, remote, at: now)
            if table.isServed(slot) { sound.update(slot: slot, remote: remote, at: now) }
        case .follow(let id, let address):
            guard let slot = slot(id) else { return }
            table.follow(slot, to: address)
        case .bridge(let a, let b):
            guard let first = slot(a), let second = slot(b) else { return }
            leaveService(first, at: now)
            leaveService(second, at: now)
            table.bridge(first, second, at: now)
        case .serve(let id, let service):
            guard let slot = slot(id) else { return }
            serve(slot, id, service, at: now)
        case .room(let name, let command): sound.room(name, command, at: now)
        case .digit(let id, let digit):
            guard let slot = slot(id), table.isServed(slot) else { return }
            sound.digit(slot: slot, digit, at: now)
        case .close(let id):
            guard let slot = slot(id) else { return }
            leaveService(slot, at: now)
            digits[slot] = nil
            fetchSound()
            guard let verdict = table.close(id, at: now) else { return }
            events.append(.closed(id, verdict))
        }
        fetchSound()
        if table.hasNews { fetchNews() }
        if table.legCount == 0 { nextWatch = nil } else if nextWatch == nil { nextWatch = now + Self.watchInterval }
    }

    private mutating func slot(_ id: MediaLegID) -> Int? {
        let slot = table.slot(of: id)
        if slot == nil { strayCommands &+= 1 }
        return slot
    }

    private mutating func open(_ id: MediaLegID, _ setup: MediaLegSetup, at now: Instant) {
        guard table.slot(of: id) == nil else {
            strayCommands &+= 1
            return
        }
        if table.open(id, setup, at: now) == nil { events.append(.closed(id, MediaVerdict())) }
    }

    private mutating func serve(_ slot: Int, _ id: MediaLegID, _ service: MediaService, at now: Instant) {
        leaveService(slot, at: now)
        switch service {
        case .echo: table.echo(slot, ssrc: UInt32(truncatingIfNeeded: entropy.next()), at: now)
        case .silence: table.silence(slot, at: now)
        case .tone, .announcement, .room:
            table.serve(slot, at: now)
            sound.serve(slot: slot, id: id, service: service, remote: table.remote(of: slot), at: now)
            beginReports(slot, at: now)
        }
    }

    private mutating func leaveService(_ slot: Int, at now: Instant) {
        guard table.isServed(slot) else { return }
        sound.leave(slot: slot, at: now)
        reports[slot] = nil
    }

    // MARK: - Packets

    /// `packet`: the whole buffer, of which `length` bytes arrived; SRTP may need up to 64 more.
    public mutating func receive(
        _ packet: UnsafeMutableRawBufferPointer, length: Int, on port: UInt16, from source: Endpoint, at now: Instant
    ) -> Verdict {
        let verdict = table.receive(packet, length: length, on: port, from: source, at: now)
        if table.hasNews { fetchNews() }
        switch verdict {
        case .drop(let why): return .drop(why)
        case .forward(let length, let from, let to): return .forward(length: length, from: from, to: to)
        case .deliver(let slot, let header, _):
            let payload = UnsafeRawBufferPointer(rebasing: packet[header.payloadStart..<header.payloadEnd])
            sound.packet(slot: slot, header: header, payload: payload, at: now)
            fetchSound()
            return .consumed
        case .deliverRTCP(let slot, let length):
            receiveReport(slot, UnsafeRawBufferPointer(rebasing: packet[0..<length]), at: now)
            return .consumed
        case .consumed: return .consumed
        }
    }

    /// The same for a datagram as a value: what is forwarded of it. Datagrams of our own may wait in `nextDatagram` besides.
    public mutating func receive(_ datagram: Datagram, at now: Instant) -> Datagram? {
        var result: Datagram?
        withUnsafeTemporaryAllocation(byteCount: datagram.payload.count + 64, alignment: 8) { buffer in
            buffer.copyBytes(from: datagram.payload)
            let port = datagram.destination.port
            let verdict = receive(buffer, length: datagram.payload.count, on: port, from: datagram.source, at: now)
            if case .forward(let length, let from, let to) = verdict {
                result = Datagram(from: from, to: to, Array(buffer[0..<length]))
            }
        }
        return result
    }

    private mutating func fetchNews() {
        while let event = table.nextEvent() { events.append(event) }
        while let datagram = table.nextDatagram() { datagrams.append(datagram) }
        while let passing = table.nextPassingDigit() {
            guard let id = table.id(of: passing.slot) else { continue }
            if let digit = digits[passing.slot, default: DTMFReceiver()].receive(passing.event, timestamp: passing.timestamp) {
                events.append(.digit(id, digit))
            }
        }
    }

    private mutating func fetchSound() {
        while let packet = sound.nextPacket() {
            if let datagram = table.send(packet.bytes, to: packet.slot) { datagrams.append(datagram) }
        }
        while let event = sound.nextEvent() { events.append(event) }
    }

    // MARK: - Time

    /// When `advance(to:)` next has work; nil: never.
    public var nextDeadline: Instant? {
        guard let tick = sound.nextDeadline else { return nextWatch }
        return nextWatch.map { min($0, tick) } ?? tick
    }

    public mutating func advance(to now: Instant) {
        if let tick = sound.nextDeadline, tick <= now {
            sound.advance(to: now)
            fetchSound()
        }
        if let due = nextWatch, due <= now {
            nextWatch = now + Self.watchInterval
            table.watchSilence(at: now)
            sendReports(at: now)
        }
        if table.hasNews { fetchNews() }
    }

    // MARK: - Queries

    public var legCount: Int { table.legCount }
    public func verdict(of id: MediaLegID) -> MediaVerdict? { table.verdict(of: id) }
    /// Who is in a room, in the order of entry.
    public func members(of room: String) -> [MediaLegID] { sound.members(of: room) }
    /// How many packets went nowhere, by reason.
    public var dropCounts: [MediaDrop: UInt64] { table.dropCounts }
    /// The same, indexed by `MediaDrop.rawValue`.
    public var drops: [UInt64] { table.drops }
    /// Rooms with somebody in them.
    public var roomCount: Int { sound.roomCount }
}
