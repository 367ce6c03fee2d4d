import Base
import Packet

/// One end of one TCP connection (RFC 9293 3.3): told of segments, commands and time, it says which segments to send.
///
/// It has no window scaling, no selective acknowledgments, no timestamps, no urgent pointer, no keepalive and no Nagle: SIP sends
/// whole messages and keeps its flows alive itself (RFC 5626). Everything else is there, as the octets pass real NATs.
struct TCPConnection: Sendable {
    enum State: Sendable {
        case synSent
        /// `isActive`: both ends opened at once, and we know it as ours.
        case synReceived(isActive: Bool)
        case established
        case finWait1
        case finWait2(until: Instant)
        case closeWait
        case closing
        case lastACK
        case timeWait(until: Instant)
        /// `.closed` was said; nothing follows.
        case closed
    }

    enum Event: Sendable {
        case segment(TCPSegment)
        case opened
        case received([UInt8])
        case ended
        /// The last; the connection is to be forgotten.
        case closed(TCPEnd)
        case note(TCPTrace)
    }

    /// A segment whose round trip is measured.
    struct Timing: Sendable {
        var end: SequenceNumber
        var sentAt: Instant
    }

    let id: TCPConnectionID
    let local: Endpoint
    let remote: Endpoint
    let settings: TCPSettings
    var state: State
    var events = Outbox<Event>()

    /// SND.UNA, SND.NXT, and SND.NXT at its furthest: a timeout sets SND.NXT back.
    var una: SequenceNumber
    var nxt: SequenceNumber
    var highest: SequenceNumber
    /// From SND.UNA on, or from the octet after the SYN while that is unacknowledged.
    var unsent: [UInt8] = []
    /// SND.WND, SND.WL1, SND.WL2, and the widest window seen.
    var window = 0
    var windowSequence: SequenceNumber
    var windowACK: SequenceNumber
    var widestWindow = 0
    var segmentSize: Int
    var congestion: CongestionWindow
    var timeout: RetransmissionTimeout
    var timing: Timing?
    /// When the retransmission timer runs out; nil: nothing is on its way.
    var resendAt: Instant?
    /// Since when nothing was acknowledged that should be.
    var stuckSince: Instant?
    /// When a closed window is asked about, and how long the wait after that is (RFC 9293 3.8.6.1).
    var probeAt: Instant?
    var probeAfter: Duration

    var reception: ReceiveBuffer
    /// RCV.NXT + RCV.WND as last told.
    var advertised: SequenceNumber
    /// When an acknowledgment is due; nil: the peer knows all.
    var ackBy: Instant?
    var unackedOctets = 0
    var challengedAt: Instant?

    private init(
        _ id: TCPConnectionID, local: Endpoint, remote: Endpoint, _ settings: TCPSettings, iss: SequenceNumber,
        irs: SequenceNumber,
        state: State
    ) {
        self.id = id
        self.local = local
        self.remote = remote
        self.settings = settings
        self.state = state
        una = iss
        nxt = iss
        highest = iss
        windowSequence = irs
        windowACK = iss
        segmentSize = min(
            settings.segmentSize(isIPv6: remote.address.isIPv6),
            TCPSettings.defaultSegmentSize(isIPv6: remote.address.isIPv6))
        congestion = CongestionWindow(segment: segmentSize)
        timeout = RetransmissionTimeout(settings)
        probeAfter = max(settings.firstTimeout, .milliseconds(1))
        reception = ReceiveBuffer(next: irs + 1, capacity: settings.receiveBuffer)
        advertised = irs + 1
    }

    /// We open: the SYN goes out.
    init(
        opening id: TCPConnectionID, from local: Endpoint, to remote: Endpoint, _ settings: TCPSettings, iss: SequenceNumber,
        at now: Instant
    ) {
        self.init(id, local: local, remote: remote, settings, iss: iss, irs: SequenceNumber(0), state: .synSent)
        stuckSince = now
        sendSYN(at: now)
    }

    /// A peer opens with `syn`: our SYN goes back.
    init(
        answering syn: TCPSegment, as id: TCPConnectionID, _ settings: TCPSettings, iss: SequenceNumber, at now: Instant
    ) {
        self.init(
            id, local: syn.destination, remote: syn.source, settings, iss: iss, irs: SequenceNumber(syn.sequence),
            state: .synReceived(isActive: false))
        learn(from: syn)
        stuckSince = now
        sendSYN(at: now)
    }

    // MARK: Looking

    var name: TCPState {
        switch state {
        case .synSent: .synSent
        case .synReceived: .synReceived
        case .established: .established
        case .finWait1: .finWait1
        case .finWait2: .finWait2
        case .closeWait: .closeWait
        case .closing: .closing
        case .lastACK: .lastACK
        case .timeWait: .timeWait
        case .closed: .closed
        }
    }

    /// The peer began and has not yet shown that it hears us.
    var isHalfOpen: Bool { if case .synReceived(isActive: false) = state { true } else { false } }

    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// Our SYN is not acknowledged.
    var isOpening: Bool {
        switch state {
        case .synSent, .synReceived: true
        case .established, .finWait1, .finWait2, .closeWait, .closing, .lastACK, .timeWait, .closed: false
        }
    }

    /// A FIN of ours follows what is in the buffer.
    var hasFIN: Bool {
        switch state {
        case .finWait1, .closing, .lastACK: true
        case .synSent, .synReceived, .established, .finWait2, .closeWait, .timeWait, .closed: false
        }
    }

    /// Where our data end, and the FIN stands.
    var end: SequenceNumber { una + unsent.count + (isOpening ? 1 : 0) }

    var nextDeadline: Instant? {
        var soonest = resendAt
        for other in [probeAt, ackBy, stateDeadline] {
            if let other { soonest = soonest.map { min($0, other) } ?? other }
        }
        return soonest
    }

    private var stateDeadline: Instant? {
        switch state {
        case .finWait2(let until), .timeWait(let until): until
        case .synSent, .synReceived, .established, .finWait1, .closeWait, .closing, .lastACK, .closed: nil
        }
    }

    // MARK: Commands

    mutating func send(_ bytes: [UInt8], at now: Instant) {
        switch state {
        case .synSent, .synReceived, .established, .closeWait:
            guard unsent.count + bytes.count <= settings.sendBuffer else { return abort(.overrun) }
            unsent += bytes
            transmit(at: now)
        // After a close there is nothing more to say.
        case .finWait1, .finWait2, .closing, .lastACK, .timeWait, .closed: break
        }
    }

    mutating func close(at now: Instant) {
        switch state {
        case .synSent: finish(.closed)
        case .synReceived: abort(nil)
        case .established:
            become(.finWait1)
            transmit(at: now)
        case .closeWait:
            become(.lastACK)
            transmit(at: now)
        case .finWait1, .finWait2, .closing, .lastACK, .timeWait, .closed: break
        }
    }

    /// RFC 9293 3.10.5. `end`: what its user is told; nil: nothing.
    mutating func abort(_ end: TCPEnd?) {
        switch state {
        case .synReceived, .established, .finWait1, .finWait2, .closeWait: emit(.rst, at: nxt)
        case .synSent, .closing, .lastACK, .timeWait, .closed: break
        }
        finish(end ?? .closed)
    }

    mutating func hold(_ isHeld: Bool, at now: Instant) {
        reception.hold(isHeld)
        guard !isHeld else { return }
        deliver()
        // The peer may stand still: it has to hear that there is room again (RFC 9293 3.8.6.2.2).
        if reception.next + reception.window - advertised >= min(settings.receiveBuffer / 2, segmentSize) { acknowledge() }
    }

    /// Hands over what is in order and, after it, the end.
    mutating func deliver() {
        let bytes = reception.read()
        if !bytes.isEmpty { events.append(.received(bytes)) }
        if reception.readEnd() { events.append(.ended) }
    }

    // MARK: Shared

    mutating func become(_ state: State) {
        self.state = state
        events.append(.note(.state(id, name)))
    }

    mutating func finish(_ end: TCPEnd) {
        guard !isClosed else { return }
        become(.closed)
        resendAt = nil
        probeAt = nil
        ackBy = nil
        events.append(.closed(end))
    }

    /// What a SYN tells: where its numbers begin, how large its segments may be, how wide its window is.
    mutating func learn(from syn: TCPSegment) {
        let isIPv6 = remote.address.isIPv6
        let theirs = syn.maximumSegmentSize.map { Int($0) } ?? TCPSettings.defaultSegmentSize(isIPv6: isIPv6)
        segmentSize = min(settings.segmentSize(isIPv6: isIPv6), max(theirs, TCPSettings.leastSegmentSize))
        congestion = CongestionWindow(segment: segmentSize)
        window = Int(syn.window)
        widestWindow = window
        windowSequence = SequenceNumber(syn.sequence)
        reception = ReceiveBuffer(next: SequenceNumber(syn.sequence) + 1, capacity: settings.receiveBuffer)
        advertised = reception.next
    }

    /// The way is narrower than thought (RFC 1191): what is on its way is sent again in smaller segments.
    mutating func narrow(toMTU mtu: Int, at now: Instant) {
        let size = max(TCPSettings.leastSegmentSize, mtu - (remote.address.isIPv6 ? 60 : 40))
        guard size < segmentSize else { return }
        segmentSize = size
        congestion.resize(to: size)
        events.append(.note(.segmentSize(id, size)))
        guard !isOpening, nxt != una else { return }
        nxt = una
        timing = nil
        transmit(at: now)
    }
}
