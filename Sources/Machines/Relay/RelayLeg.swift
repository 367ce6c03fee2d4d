import Base
import MediaControl
import RTP

/// One end of a stream as the data path sees it: who is believed, what was agreed, what was counted.
struct RelayLeg: Sendable {
    /// Where accepted packets go.
    enum Role: Hashable, Sendable {
        case idle
        /// The slot of the other leg.
        case bridged(Int)
        case echo
        /// To whoever makes sound for this leg.
        case served
        /// Nowhere: a held call.
        case silence
        /// The slot is free.
        case closed
    }

    /// What a packet is to whom it goes.
    enum Sort: Hashable, Sendable { case rtp, rtcp, zrtp, udptl }

    /// What of `remote` is looked at for every packet, beside it: it is large, and not to be copied.
    private struct Way: Sendable {
        var isKnown = false
        var receives = false
        var multiplexesRTCP = false
        var carriesUDPTL = false
        /// Where may be sent to before anything came from there; `isOpen`: anywhere.
        var proven: IPAddress?
        var isOpen = false
    }

    let id: MediaLegID
    let setup: MediaLegSetup
    private(set) var remote: MediaRemote?
    private var way = Way()
    private(set) var role = Role.idle
    var rtp = SourceLatch()
    var rtcp = SourceLatch()
    var srtp: SRTPContext?
    /// There since it first was an echo.
    var echo: EchoStream?
    /// SRTP was agreed but no transform could be made: nothing may pass in the clear.
    private(set) var lacksSRTP = false
    private(set) var agreed = PayloadTypes()
    private(set) var events = PayloadTypes()

    /// There since fax was first agreed on.
    private var fax: FaxReception?
    private(set) var reception = ReceptionStatistics(clockRate: 8_000)
    /// RTP packets that were looked at, those that were only weighed included.
    private var looked: UInt64 = 0
    private var received: UInt64 = 0
    private var bytes: UInt64 = 0
    private var sent: UInt64 = 0
    private var strangers: UInt64 = 0
    private var refused: UInt64 = 0
    private var settledBy: UInt64 = 0
    private var firstHeard: Instant?
    private(set) var lastHeard: Instant?
    private var latestType: UInt8 = 0xff
    /// Since when it should have sent.
    private var expectedSince: Instant?
    var isSilenceTold = false
    /// Who sends a stream that nobody vouches for, to be told.
    var outsider: Endpoint?
    private var unproven: Int
    /// Of those who may be the party, and of everybody else: a stranger's flood must not use up what the party may send.
    var own: FloodBucket
    var others: FloodBucket

    init(_ id: MediaLegID, _ setup: MediaLegSetup, _ settings: RelaySettings, at now: Instant) {
        self.id = id
        self.setup = setup
        unproven = settings.unproven
        rtp = SourceLatch(believesAnyone: settings.believesAnyone)
        own = FloodBucket(settings, at: now)
        others = own
    }

    var local: Endpoint { Endpoint(setup.local, setup.port) }
    var localRTCP: Endpoint { Endpoint(setup.local, setup.port &+ 1) }

    mutating func set(_ new: MediaRemote, _ provider: SRTPProvider?, _ settings: RelaySettings, at now: Instant) {
        let old = remote
        remote = new
        way = Way(
            isKnown: true, receives: new.receives, multiplexesRTCP: new.multiplexesRTCP, carriesUDPTL: new.carriesUDPTL,
            proven: new.unheard == .signallingSource ? new.signallingSource : nil,
            isOpen: !new.latches || new.unheard == .anywhere)
        if old.map({ new.epoch > $0.epoch }) ?? true {
            let needsICE = setup.ice != nil && new.ice != nil
            rtp.open(
                signalled: new.rtp.flatMap(Self.reachable), kin: new.signallingSource, latches: new.latches, needsICE: needsICE,
                at: now)
            let control = new.rtcp ?? new.rtp.map { Endpoint($0.address, $0.port &+ 1) }
            rtcp.open(
                signalled: control.flatMap(Self.reachable), kin: nil, latches: new.latches,
                needsICE: needsICE && !new.multiplexesRTCP,
                at: now)
            if old?.rtp != new.rtp { unproven = settings.unproven }
            isSilenceTold = false
            expectedSince = now
        } else if old?.sends != new.sends {
            isSilenceTold = false
            expectedSince = now
        }
        if new.carriesUDPTL, fax == nil { fax = FaxReception() }
        agreed = PayloadTypes()
        events = PayloadTypes()
        for format in new.formats {
            agreed.insert(format.payloadType)
            if format.isTelephoneEvent { events.insert(format.payloadType) }
        }
        latestType = 0xff
        if new.srtp != old?.srtp || old == nil {
            srtp = new.srtp.flatMap { parameters in provider?.make(parameters).map { SRTPContext(parameters, $0) } }
            lacksSRTP = new.srtp != nil && srtp == nil
        }
    }

    mutating func follow(to address: IPAddress) {
        guard let remote, remote.signallingSource != address else { return }
        self.remote!.signallingSource = address
        if remote.unheard == .signallingSource { way.proven = address }
        rtp.follow(to: address)
    }

    mutating func take(_ role: Role, at now: Instant) {
        if self.role == .idle, role != .idle {
            expectedSince = now
            isSilenceTold = false
        }
        self.role = role
    }

    /// Lets go of everything; the slot is free.
    mutating func close() {
        role = .closed
        srtp = nil
        remote = nil
        way = Way()
    }

    /// Port 0 and the unspecified address mean "nowhere" (RFC 3264 8.4, and RFC 2543's way of holding); an IPv4 address in IPv6 clothes is
    /// what it is.
    private static func reachable(_ endpoint: Endpoint) -> Endpoint? {
        guard endpoint.port != 0, !endpoint.address.isUnspecified else { return nil }
        if case .v6(let v6) = endpoint.address, let v4 = v6.mappedIPv4 { return Endpoint(.v4(v4), endpoint.port) }
        return endpoint
    }

    // MARK: - What came of a packet

    mutating func refuse() { refused &+= 1 }
    /// RTP that is not taken came from there. The party's own address, and any before the party is known, accuses nobody.
    mutating func meetStranger(_ source: Endpoint) {
        guard let remote, let kin = remote.signallingSource else { return }
        guard source.address != kin, source.address != remote.rtp?.address, source.address != rtp.source?.address else { return }
        strangers &+= 1
    }

    @inline(__always)
    mutating func look() { looked &+= 1 }

    mutating func settle() {
        settledBy = looked
        received &+= UInt64(rtp.weighedBefore)
    }

    @inline(__always)
    mutating func count(_ length: Int, _ header: RTPHeader, at now: Instant) {
        received &+= 1
        bytes &+= UInt64(length)
        if header.payloadType != latestType { change(to: header.payloadType) }
        if firstHeard == nil { firstHeard = now }
        lastHeard = now
        isSilenceTold = false
        reception.receive(header, at: now, timesJitter: !events.contains(header.payloadType))
    }

    /// A UDPTL datagram was taken.
    mutating func countFax(_ length: Int, _ sequence: UInt16, at now: Instant) {
        received &+= 1
        bytes &+= UInt64(length)
        if firstHeard == nil { firstHeard = now }
        lastHeard = now
        fax?.receive(sequence)
    }

    /// Whether a packet may be UDPTL at all: what looks like RTP and does not go on from its numbers is the sound's before it.
    func mayBeFax(_ firstByte: UInt8, _ sequence: UInt16) -> Bool {
        firstByte & 0xc0 != 0x80 || (fax?.isNear(sequence) ?? false)
    }

    /// Another payload type may run on another clock; digits run on that of the sound around them (RFC 4733 2.1).
    private mutating func change(to type: UInt8) {
        latestType = type
        guard !events.contains(type) else { return }
        let format = remote?.formats.first { $0.payloadType == type } ?? MediaFormat(staticPayloadType: type)
        if let rate = format?.clockRate, rate > 0 { reception.clockRate = UInt32(clamping: rate) }
        if let format, !format.isAuxiliary { codec = format.encoding }
    }
    private var codec: String?

    mutating func report(lastSenderReport: UInt32, delay: UInt32) -> RTCPReportBlock? {
        reception.report(lastSenderReport: lastSenderReport, delay: delay)
    }

    // MARK: - Out

    /// Protects a packet for this leg's party and says where it goes; nil: it must not be sent.
    mutating func emit(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, _ sort: Sort
    ) -> (length: Int, from: Endpoint, to: Endpoint)? {
        guard way.isKnown, !lacksSRTP, sort == .rtcp || way.receives else { return nil }
        var from = local
        guard var to = rtp.destination else { return nil }
        if sort == .rtcp, !way.multiplexesRTCP {
            guard let control = rtcp.destination else { return nil }
            from = localRTCP
            to = control
        }
        if !isProven(to.address) {
            guard unproven > 0 else { return nil }
            unproven -= 1
        }
        var length = length
        if let srtp {
            guard let protected = srtp.protect(packet, length, isRTCP: sort == .rtcp) else { return nil }
            length = protected
        }
        if sort == .rtp || sort == .udptl { sent &+= 1 }
        if sort == .udptl { fax?.sent &+= 1 }
        return (length, from, to)
    }

    /// Whether who is there wants our packets: something believable came from there, signalling came from there, or the account says
    /// that addresses in SDP are to be trusted.
    @inline(__always)
    private func isProven(_ address: IPAddress) -> Bool {
        rtp.source?.address == address || way.proven == address || rtcp.source?.address == address
            || way.isOpen
    }

    /// Whether it is for want of proof that nothing is sent.
    var isUnproven: Bool {
        guard way.isKnown, let to = rtp.destination else { return false }
        return !isProven(to.address) && unproven == 0
    }

    // MARK: - Queries

    var carriesUDPTL: Bool { way.carriesUDPTL }

    /// Whether ZRTP may run across: nothing is unlocked and locked again here.
    var isWithoutKeys: Bool { srtp == nil && !lacksSRTP && !way.carriesUDPTL }

    /// Seconds without a packet, if the party should send. Who receives a fax is silent for pages.
    func silence(at now: Instant) -> Int? {
        guard !way.carriesUDPTL, role != .idle, role != .closed, let expectedSince, remote?.sends ?? false else { return nil }
        return Int(clamping: (now - max(expectedSince, lastHeard ?? expectedSince)).wholeSeconds)
    }

    var source: MediaSource? {
        rtp.settled.map { MediaSource(endpoint: $0.endpoint, means: $0.means, packet: settledBy) }
    }

    var verdict: MediaVerdict {
        // A new epoch that nothing has come of yet does not unsay where media came from.
        let known = source ?? lastSource
        var verdict = MediaVerdict(signalled: remote?.rtp, source: known)
        verdict.packetsReceived = received
        verdict.bytesReceived = bytes
        verdict.packetsSent = sent
        verdict.lost = reception.lost + (fax?.verdict.lost ?? 0)
        verdict.fax = fax?.verdict
        verdict.jitter = reception.jitterMilliseconds
        verdict.strangers = strangers
        verdict.refused = refused
        verdict.shouldSend = remote?.sends ?? false
        verdict.shouldReceive = remote?.receives ?? false
        verdict.isSRTP = srtp != nil
        verdict.codec = codec ?? remote?.formats.first { !$0.isAuxiliary }?.encoding ?? (fax == nil ? "" : "T.38")
        if let firstHeard, let lastHeard {
            verdict.seconds = Double((lastHeard - firstHeard).wholeMilliseconds) / 1_000
        }
        return verdict
    }

    /// The latest that settled, as it was told.
    var lastSource: MediaSource?
}
