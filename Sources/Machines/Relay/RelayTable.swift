import Base
import MediaControl
import RTP

/// What to do with a datagram that came to a media port.
public enum RelayVerdict {
    case drop(MediaDrop)
    /// The first `length` bytes of the buffer leave from `from` to `to`.
    case forward(length: Int, from: Endpoint, to: Endpoint)
    /// Plain RTP for whoever makes sound for the leg in `slot`; its length in the buffer.
    case deliver(slot: Int, RTPHeader, length: Int)
    /// Plain RTCP likewise.
    case deliverRTCP(slot: Int, length: Int)
    /// Dealt with; an answer may wait in `nextDatagram`.
    case consumed
}

/// Legs by port, and what passes between them: latching, SRTP, ICE-lite, RTCP (RFC 3550, 3711, 5761, 7983, 8445).
///
/// A packet finds its leg through a flat array indexed by port, is judged in place and leaves in the same buffer: no allocation,
/// no hashing, no copy but SRTP's own.
public struct RelayTable: Sendable {
    /// A telephone-event packet that passed through a bridge.
    public struct PassingDigit: Sendable {
        public var slot: Int
        public var event: TelephoneEvent
        public var timestamp: UInt32
    }

    /// RTCP as a party sent it, decrypted, whatever becomes of it then.
    public struct PassingReport: Sendable {
        /// Of the party's dialog; empty where its leg was opened without.
        public var callID: String
        public var source: Endpoint
        /// Our port that it came to.
        public var local: Endpoint
        /// A compound packet (RFC 3550 6.1).
        public var bytes: [UInt8]
    }

    public let settings: RelaySettings
    private let provider: SRTPProvider?
    /// By slot; those of free slots are closed.
    private var legs: [RelayLeg] = []
    private var free: [Int] = []
    private var slots: [MediaLegID: Int] = [:]
    /// By port; -1: nobody's.
    private var slotOfPort = [Int32](repeating: -1, count: 65_536)
    private var datagrams = Outbox<Datagram>()
    private var events = Outbox<MediaEvent>()
    private var passing = Outbox<PassingDigit>()
    private var reports = Outbox<PassingReport>()
    /// How many packets went nowhere: indexed by `MediaDrop.rawValue`.
    public private(set) var drops = [UInt64](repeating: 0, count: MediaDrop.allCases.count)

    public init(settings: RelaySettings = RelaySettings(), srtp provider: SRTPProvider? = nil) {
        self.settings = settings
        self.provider = provider
    }

    public mutating func nextDatagram() -> Datagram? { datagrams.next() }
    public mutating func nextEvent() -> MediaEvent? { events.next() }
    public mutating func nextPassingDigit() -> PassingDigit? { passing.next() }
    /// Where `RelaySettings.tellsReports`: to be fetched after each packet, apart from `hasNews`.
    public mutating func nextPassingReport() -> PassingReport? { reports.next() }
    /// Whether anything waits to be fetched.
    @inline(__always)
    public var hasNews: Bool { !passing.isEmpty || !events.isEmpty || !datagrams.isEmpty }

    // MARK: - Signalling's edits

    /// Nil: too many legs, or the port is in use: the leg exists no more than before, and `.closed` is due at once.
    public mutating func open(_ id: MediaLegID, _ setup: MediaLegSetup, at now: Instant) -> Int? {
        guard slots[id] == nil, slotOfPort[Int(setup.port)] < 0, setup.port < .max, slotOfPort[Int(setup.port) + 1] < 0,
            slots.count < settings.legs
        else { return nil }
        let leg = RelayLeg(id, setup, settings, at: now)
        let slot: Int
        if let old = free.popLast() {
            slot = old
            legs[slot] = leg
        } else {
            slot = legs.count
            legs.append(leg)
        }
        slots[id] = slot
        slotOfPort[Int(setup.port)] = Int32(slot)
        slotOfPort[Int(setup.port) + 1] = Int32(slot)
        return slot
    }

    public mutating func remote(_ slot: Int, _ remote: MediaRemote, at now: Instant) {
        guard isUsed(slot) else { return }
        legs[slot].set(remote, provider, settings, at: now)
    }

    public mutating func follow(_ slot: Int, to address: IPAddress) {
        guard isUsed(slot) else { return }
        legs[slot].follow(to: address)
    }

    public mutating func bridge(_ a: Int, _ b: Int, at now: Instant) {
        guard a != b, isUsed(a), isUsed(b), legs[a].role != .bridged(b) else { return }
        unlink(a, at: now)
        unlink(b, at: now)
        legs[a].take(.bridged(b), at: now)
        legs[b].take(.bridged(a), at: now)
    }

    /// Every packet goes back to its sender, under `ssrc`. As all of these, it ends a bridge the leg is in.
    public mutating func echo(_ slot: Int, ssrc: UInt32, at now: Instant) {
        assign(.echo, slot, at: now)
        if isUsed(slot), legs[slot].echo == nil { legs[slot].echo = EchoStream(ssrc: ssrc) }
    }

    /// Packets are delivered to whoever makes sound for the leg.
    public mutating func serve(_ slot: Int, at now: Instant) { assign(.served, slot, at: now) }

    /// Packets are counted, no more.
    public mutating func silence(_ slot: Int, at now: Instant) { assign(.silence, slot, at: now) }

    private mutating func assign(_ role: RelayLeg.Role, _ slot: Int, at now: Instant) {
        guard isUsed(slot) else { return }
        unlink(slot, at: now)
        legs[slot].take(role, at: now)
    }

    /// The leg's verdict; nil: there was none.
    public mutating func close(_ id: MediaLegID, at now: Instant) -> MediaVerdict? {
        guard let slot = slots.removeValue(forKey: id) else { return nil }
        unlink(slot, at: now)
        let port = Int(legs[slot].setup.port)
        slotOfPort[port] = -1
        slotOfPort[port + 1] = -1
        let verdict = legs[slot].verdict
        legs[slot].close()
        free.append(slot)
        return verdict
    }

    private mutating func unlink(_ slot: Int, at now: Instant) {
        if case .bridged(let other) = legs[slot].role { legs[other].take(.idle, at: now) }
        legs[slot].take(.idle, at: now)
    }

    private func isUsed(_ slot: Int) -> Bool { legs.indices.contains(slot) && legs[slot].role != .closed }

    // MARK: - Packets

    /// `packet`: the whole buffer, of which `length` bytes arrived; SRTP may need up to 64 more.
    public mutating func receive(
        _ packet: UnsafeMutableRawBufferPointer, length: Int, on port: UInt16, from source: Endpoint, at now: Instant
    ) -> RelayVerdict {
        let slot = Int(slotOfPort[Int(port)])
        guard slot >= 0 else { return dropped(.noLeg) }
        guard length >= 2, length <= packet.count else { return refused(slot, .malformed) }
        if legs[slot].carriesUDPTL { return receiveFax(packet, length, slot, port, source, at: now) }
        let isRTCP: Bool
        switch MediaPacketKind(packet[0], packet[1]) {
        case .rtp: isRTCP = false
        case .rtcp: isRTCP = true
        case .stun:
            check(UnsafeRawBufferPointer(rebasing: packet[0..<length]), slot, port, source, at: now)
            return .consumed
        case .zrtp: return passZRTP(packet, length, slot, port, source, at: now)
        case .dtls, .turnChannel, .unknown: return refused(slot, .notMedia)
        }
        let onRTCPPort = port != legs[slot].setup.port
        guard isRTCP || !onRTCPPort else { return refused(slot, .notMedia) }
        let admission = legs[slot].admit(packet, length, isRTCP, onRTCPPort: onRTCPPort, from: source, settings, at: now)
        if settings.tellsReports, case .rtcp(let length) = admission {
            let setup = legs[slot].setup
            reports.append(
                PassingReport(
                    callID: setup.callID, source: source, local: Endpoint(setup.local, port), bytes: Array(packet[0..<length])))
        }
        return pass(admission, packet, slot)
    }

    private mutating func pass(_ admission: RelayLeg.Admission, _ packet: UnsafeMutableRawBufferPointer, _ slot: Int)
        -> RelayVerdict
    {
        switch admission {
        case .drop(let why):
            if let outsider = legs[slot].outsider.take() { events.append(.disbelieved(legs[slot].id, outsider)) }
            return dropped(why)
        case .rtp(let header, let length, let settled):
            if settled { tellSource(slot) }
            return pass(packet, length, header, slot)
        case .rtcp(let length):
            switch legs[slot].role {
            case .bridged(let other): return forward(packet, length, from: slot, to: other, .rtcp)
            case .served: return .deliverRTCP(slot: slot, length: length)
            case .idle, .closed, .echo, .silence: return .consumed
            }
        case .fax(let length, let settled):
            if settled { tellSource(slot) }
            guard case .bridged(let other) = legs[slot].role, legs[other].carriesUDPTL else { return dropped(.noPeer) }
            return forward(packet, length, from: slot, to: other, .udptl)
        }
    }

    /// A packet of our own making for the leg's party.
    public mutating func send(_ packet: [UInt8], isRTCP: Bool = false, to slot: Int) -> Datagram? {
        guard isUsed(slot) else { return nil }
        var result: Datagram?
        withUnsafeTemporaryAllocation(byteCount: packet.count + 64, alignment: 8) { buffer in
            buffer.copyBytes(from: packet)
            guard let (length, from, to) = legs[slot].emit(buffer, packet.count, isRTCP ? .rtcp : .rtp), !isOurs(to, from) else {
                return
            }
            result = Datagram(from: from, to: to, Array(buffer[0..<length]))
        }
        if result == nil { _ = dropped(legs[slot].isUnproven ? .unproven : .notReceiving) }
        return result
    }

    private mutating func pass(_ packet: UnsafeMutableRawBufferPointer, _ length: Int, _ header: RTPHeader, _ slot: Int)
        -> RelayVerdict
    {
        switch legs[slot].role {
        case .bridged(let other):
            // Either side's numbers may be used: an answer can renumber what an offer said. Static types of audio pass as well,
            // since phones send comfort noise and old codecs unasked; a dynamic number nobody gave a meaning does not.
            let type = header.payloadType
            let isAgreed = legs[slot].agreed.contains(type) || legs[other].agreed.contains(type)
            guard isAgreed || type < 35 || legs[slot].agreed.isEmpty else { return refused(slot, .payloadType) }
            if legs[slot].events.contains(type)
                || (isAgreed && !legs[slot].agreed.contains(type) && legs[other].events.contains(type))
            {
                notice(packet, header, slot)
            }
            return forward(packet, length, from: slot, to: other, .rtp)
        case .echo:
            if legs[slot].events.contains(header.payloadType) { notice(packet, header, slot) }
            guard legs[slot].echo?.rewrite(packet, header) ?? false else { return dropped(.looped) }
            return forward(packet, length, from: slot, to: slot, .rtp)
        case .served: return .deliver(slot: slot, header, length: length)
        case .silence:
            if legs[slot].events.contains(header.payloadType) { notice(packet, header, slot) }
            return .consumed
        case .idle, .closed: return dropped(.noPeer)
        }
    }

    @inline(__always)
    private mutating func forward(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, from slot: Int, to other: Int, _ sort: RelayLeg.Sort
    ) -> RelayVerdict {
        guard let (length, from, to) = legs[other].emit(packet, length, sort) else {
            return dropped(legs[other].isUnproven ? .unproven : .notReceiving)
        }
        guard !isOurs(to, from) else { return dropped(.ownPort) }
        return .forward(length: length, from: from, to: to)
    }

    /// Two legs whose SDPs name each other's ports would play one packet back and forth for ever.
    @inline(__always)
    private func isOurs(_ destination: Endpoint, _ own: Endpoint) -> Bool {
        slotOfPort[Int(destination.port)] >= 0 && destination.address == own.address
    }

    private mutating func notice(_ packet: UnsafeMutableRawBufferPointer, _ header: RTPHeader, _ slot: Int) {
        guard header.payloadCount >= 4 else { return }
        let octets = Array(packet[header.payloadStart..<(header.payloadStart + 4)])
        guard let event = TelephoneEvent(octets[...]) else { return }
        passing.append(PassingDigit(slot: slot, event: event, timestamp: header.timestamp))
    }

    /// Nothing but ICE's checks is told apart from UDPTL, where ICE was agreed on, by their magic cookie.
    private mutating func receiveFax(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, _ slot: Int, _ port: UInt16, _ source: Endpoint, at now: Instant
    ) -> RelayVerdict {
        // There is no RTCP: what comes there is late.
        guard port == legs[slot].setup.port else { return dropped(.notMedia) }
        if legs[slot].setup.ice != nil, length >= 20, packet[0] < 4, Self.word(packet) == 0x2112_a442 {
            check(UnsafeRawBufferPointer(rebasing: packet[0..<length]), slot, port, source, at: now)
            return .consumed
        }
        return pass(legs[slot].admitFax(packet, length, from: source, settings, at: now), packet, slot)
    }

    /// Two phones agree on keys of their own in the media (RFC 6189): between legs without ours it passes as it is.
    private mutating func passZRTP(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, _ slot: Int, _ port: UInt16, _ source: Endpoint, at now: Instant
    ) -> RelayVerdict {
        // Header, the shortest message, checksum.
        guard length >= 28, Self.word(packet) == 0x5a52_5450, port == legs[slot].setup.port else {
            return refused(slot, .notMedia)
        }
        guard legs[slot].admitsZRTP(from: source, settings, at: now) else { return dropped(.stranger) }
        guard case .bridged(let other) = legs[slot].role, legs[slot].isWithoutKeys, legs[other].isWithoutKeys else {
            return dropped(.notMedia)
        }
        return forward(packet, length, from: slot, to: other, .zrtp)
    }

    /// Bytes 4 to 7.
    private static func word(_ packet: UnsafeMutableRawBufferPointer) -> UInt32 {
        UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    private mutating func check(
        _ bytes: UnsafeRawBufferPointer, _ slot: Int, _ port: UInt16, _ source: Endpoint, at now: Instant
    ) {
        guard let own = legs[slot].setup.ice else {
            // A phone that keeps its mapping alive this way means no harm: not counted against the leg.
            _ = dropped(.badCheck)
            return
        }
        guard legs[slot].takeFrom(source, settings, at: now) else {
            _ = refused(slot, .flood)
            return
        }
        let check = ConnectivityCheck(Array(bytes), from: source, own: own, peer: legs[slot].remote?.ice)
        let onRTCPPort = port != legs[slot].setup.port
        let local = onRTCPPort ? legs[slot].localRTCP : legs[slot].local
        if let answer = check.answer { datagrams.append(Datagram(from: local, to: source, answer)) }
        guard check.isValid else {
            if !check.isKeepalive { _ = refused(slot, .badCheck) }
            return
        }
        if legs[slot].checked(source, nominates: check.nominates, onRTCPPort: onRTCPPort, at: now) { tellSource(slot) }
    }

    private mutating func tellSource(_ slot: Int) {
        guard let source = legs[slot].source else { return }
        legs[slot].lastSource = source
        events.append(.locked(legs[slot].id, source))
    }

    private mutating func refused(_ slot: Int, _ why: MediaDrop) -> RelayVerdict {
        legs[slot].refuse()
        return dropped(why)
    }

    private mutating func dropped(_ why: MediaDrop) -> RelayVerdict {
        drops[Int(why.rawValue)] &+= 1
        return .drop(why)
    }

    // MARK: - Time

    /// Tells of legs from which nothing comes. To be called about once a second.
    public mutating func watchSilence(at now: Instant) {
        for slot in legs.indices where !legs[slot].isSilenceTold {
            guard let seconds = legs[slot].silence(at: now), seconds >= settings.silence else { continue }
            legs[slot].isSilenceTold = true
            events.append(.silent(legs[slot].id, seconds: seconds))
        }
    }

    // MARK: - Queries

    public var legCount: Int { slots.count }

    public func slot(of id: MediaLegID) -> Int? { slots[id] }
    public func id(of slot: Int) -> MediaLegID? { isUsed(slot) ? legs[slot].id : nil }
    public func remote(of slot: Int) -> MediaRemote? { isUsed(slot) ? legs[slot].remote : nil }
    public func isServed(_ slot: Int) -> Bool { isUsed(slot) && legs[slot].role == .served }
    public func verdict(of id: MediaLegID) -> MediaVerdict? { slots[id].map { legs[$0].verdict } }
    /// What a receiver report says of the leg's source, and what is left for whoever sends to it.
    public mutating func report(_ slot: Int, lastSenderReport: UInt32, delay: UInt32) -> RTCPReportBlock? {
        isUsed(slot) ? legs[slot].report(lastSenderReport: lastSenderReport, delay: delay) : nil
    }

    /// How many packets went nowhere, by reason.
    public var dropCounts: [MediaDrop: UInt64] {
        Dictionary(uniqueKeysWithValues: MediaDrop.allCases.map { ($0, drops[Int($0.rawValue)]) })
    }
}
