import Base
import Codecs
import MediaControl
import RTP
import Relay

/// The audio of one call: RTP in and out of one port, paced by deadlines, with jitter buffer, digits, RTCP and encryption.
struct CallMedia: Sendable {
    enum Event: Sendable {
        case send(Datagram)
        case audio([Int16], rate: Int)
        case digit(Character)
        case digitsSent
        case refused(from: Endpoint, reason: String)
        /// The first audio came, or it comes from elsewhere now.
        case hears(Endpoint)
    }

    /// What an offer and its answer came to, as far as the data path needs it.
    struct Agreement: Sendable {
        /// Theirs by SDP; where audio goes unless it is learnt otherwise.
        var rtp: Endpoint
        /// Where their signalling comes from, which speaks for audio from there; nil: not known.
        var kin: IPAddress?
        /// nil: they take no RTCP.
        var rtcp: Endpoint?
        var multiplexesRTCP: Bool
        var sends: Bool
        var receives: Bool
        /// We hold the other side: it hears silence.
        var holds: Bool
        /// What we send, and what may come.
        var format: MediaFormat
        var codec: AudioCodec
        var accepted: [MediaFormat]
        /// telephone-event as we send it, and as it may come; nil where the other side does not take it.
        var telephoneEvent: MediaFormat?
        /// Milliseconds a packet, 10 to 60.
        var packetTime: Int
        var srtp: SRTPParameters?
    }

    /// A flood beyond so many packets a second, once a burst is used up, is not looked at.
    static let floodRate = 500
    static let floodBurst = 200

    let port: UInt16
    var local: IPAddress
    let ssrc: UInt32
    let symmetric: Bool
    let codecs: CodecRegistry
    private let srtpProvider: SRTPProvider?

    var agreement: Agreement?
    var isMuted = false
    /// Where ICE settled; overrides what SDP and learning say.
    var selected: Endpoint?
    var selectedRTCP: Endpoint?
    /// Addresses that answered or sent ICE checks with our password: whose audio is heard without further proof.
    var proved: Set<Endpoint> = []

    // Sending.
    var sound: PlayedSound
    var encoder: (any AudioEncoder)?
    var dtmf: DTMFSender?
    var digitsQueued = ""
    var sequence: UInt16
    var timestamp: UInt32
    var nextSend: Instant?
    var isTalking = false
    var lastSent: Instant?

    // Receiving.
    /// Whoever calls through a NAT may send from an address that neither SIP nor SDP names: anybody is believed where nothing better comes.
    var latch = SourceLatch(believesAnyone: true)
    /// nil until a codec is agreed.
    var receiver: AudioReceiver?
    var nextPlayout: Instant?
    var srtp: (any SRTPTransform)?
    var floodTokens = CallMedia.floodBurst
    var floodAt: Instant?
    var heard: [Int16] = []
    var heardRate = 8000
    var firstSource: Endpoint?
    var lastSource: Endpoint?

    // Counts.
    var packetsSent: UInt64 = 0
    var bytesSent: UInt64 = 0
    var packetsReceived: UInt64 = 0
    var bytesReceived: UInt64 = 0
    var concealed: UInt64 = 0
    var refused: UInt64 = 0
    var digitsHeard = ""
    var control: MediaReports

    var entropy: Entropy
    var events = Outbox<Event>()

    init(
        port: UInt16, local: IPAddress, play: PlaySource, symmetric: Bool, codecs: CodecRegistry, srtp: SRTPProvider?,
        entropy seed: Entropy
    ) {
        var entropy = seed
        self.port = port
        self.local = local
        self.symmetric = symmetric
        self.codecs = codecs
        srtpProvider = srtp
        ssrc = UInt32(truncatingIfNeeded: entropy.next())
        // RFC 3550 5.1: both begin at random.
        sequence = UInt16(truncatingIfNeeded: entropy.next() & 0x7fff)
        timestamp = UInt32(truncatingIfNeeded: entropy.next())
        sound = PlayedSound(play, rate: 8000)
        control = MediaReports(ssrc: ssrc, canonicalName: entropy.hex(16))
        self.entropy = entropy
    }

    var localRTP: Endpoint { Endpoint(local, port) }
    var localRTCP: Endpoint { Endpoint(local, port &+ 1) }

    var nextDeadline: Instant? { [nextSend, nextPlayout, control.nextDeadline].compactMap { $0 }.min() }

    mutating func nextEvent() -> Event? { events.next() }

    /// The source that audio comes from; nil while none is settled on.
    var source: Endpoint? { latch.settled?.endpoint }

    var playSource: PlaySource { sound.source }

    // MARK: Commands

    /// A new offer and answer are agreed: also the first.
    mutating func agree(_ new: Agreement, at now: Instant) {
        let old = agreement
        agreement = new
        if old?.format != new.format || encoder == nil {
            encoder = new.codec.makeEncoder(new.format)
            sound = PlayedSound(sound.source, rate: new.codec.sampleRate)
            dtmf = nil
        }
        if receiver?.rate != new.codec.sampleRate {
            receiver = AudioReceiver(rate: new.codec.sampleRate, noiseSeed: UInt64(ssrc))
        }
        receiver?.accept(new.accepted, codecs)
        if let event = new.telephoneEvent, dtmf == nil {
            dtmf = DTMFSender(clockRate: event.clockRate, packetTime: .milliseconds(Int64(new.packetTime)))
        } else if new.telephoneEvent == nil {
            dtmf = nil
        }
        if old?.srtp != new.srtp { srtp = new.srtp.flatMap { srtpProvider?.make($0) } }
        if old?.rtp != new.rtp {
            latch.open(signalled: new.rtp, kin: new.kin, latches: true, needsICE: false, at: now)
        }
        if !digitsQueued.isEmpty, dtmf != nil {
            dtmf?.dial(digitsQueued)
            digitsQueued = ""
        }
        if nextSend == nil { nextSend = now }
        control.agreed(at: now, clockRate: new.format.clockRate)
        // The other side holds: what is still in the buffer would be heard after the music begins.
        if !new.receives { receiver?.drop() }
    }

    mutating func play(_ source: PlaySource) { sound = PlayedSound(source, rate: agreement?.codec.sampleRate ?? 8000) }

    mutating func mute(_ isMuted: Bool) { self.isMuted = isMuted }

    mutating func feed(_ samples: [Int16], rate: Int) { sound.feed(samples, rate: rate) }

    // MARK: ICE

    static let mostProved = 32

    mutating func prove(_ endpoint: Endpoint) { if proved.count < Self.mostProved { proved.insert(endpoint) } }

    mutating func select(_ local: Endpoint, _ remote: Endpoint, at now: Instant) {
        _ = latch.nominate(remote, at: now)
        self.local = local.address
        selected = remote
    }

    /// The other side does no ICE (any more).
    mutating func forgetICE() { (selected, selectedRTCP, proved) = (nil, nil, []) }

    /// False where the other side takes no telephone events.
    mutating func dial(_ text: String) -> Bool {
        guard let agreement else {
            digitsQueued += text.prefix(128)
            return true
        }
        guard agreement.telephoneEvent != nil, agreement.sends else { return false }
        dtmf?.dial(text)
        return true
    }

    // MARK: Time

    mutating func advance(to now: Instant) {
        while let due = nextSend, due <= now {
            guard let agreement else {
                nextSend = nil
                break
            }
            let step = Duration.milliseconds(Int64(agreement.packetTime))
            if now - due > .milliseconds(200) {
                // The machine slept: what should have been said meanwhile is not said in a rush.
                skip(agreement, now - due)
                nextSend = now
                continue
            }
            nextSend = due + step
            sendPacket(agreement, at: now)
        }
        while let due = nextPlayout, due <= now { playOut(due, at: now) }
        if let report = control.due(at: now, packetsSent: packetsSent, bytesSent: bytesSent, timestamp: timestamp) {
            send(report)
        }
    }

    private mutating func skip(_ agreement: Agreement, _ pause: Duration) {
        let packets = pause.wholeMilliseconds / Int64(agreement.packetTime)
        timestamp &+= UInt32(truncatingIfNeeded: packets * Int64(agreement.format.clockRate * agreement.packetTime / 1000))
        isTalking = false
    }

    private mutating func sendPacket(_ agreement: Agreement, at now: Instant) {
        let stamp = timestamp
        timestamp &+= UInt32(agreement.format.clockRate * agreement.packetTime / 1000)
        guard agreement.sends, let target = target(agreement) else {
            isTalking = false
            return
        }
        let samples = sound.next(agreement.codec.sampleRate * agreement.packetTime / 1000)
        let wasIdle = dtmf?.isIdle ?? true
        if let event = dtmf?.next(timestamp: stamp), let format = agreement.telephoneEvent {
            emit(event.payload, format.payloadType, event.timestamp, marker: event.marker, to: target, at: now)
            return
        }
        if !wasIdle, dtmf?.isIdle ?? true { events.append(.digitsSent) }
        let isSilent = isMuted || agreement.holds
        let payload = encoder?.encode(isSilent ? [Int16](repeating: 0, count: samples.count) : samples) ?? []
        guard !payload.isEmpty else { return }
        emit(payload, agreement.format.payloadType, stamp, marker: !isTalking, to: target, at: now)
        isTalking = true
    }

    private mutating func emit(
        _ payload: [UInt8], _ type: UInt8, _ stamp: UInt32, marker: Bool, to target: Endpoint, at now: Instant
    ) {
        let packet = RTPPacket(
            marker: marker, payloadType: type, sequenceNumber: sequence, timestamp: stamp, ssrc: ssrc, payload: payload)
        sequence &+= 1
        var bytes = packet.bytes
        if agreement?.srtp != nil {
            guard let secret = srtp?.protect(bytes, isRTCP: false) else { return }
            bytes = secret
        }
        packetsSent += 1
        bytesSent += UInt64(payload.count)
        lastSent = now
        events.append(.send(Datagram(from: localRTP, to: target, bytes)))
    }

    private func target(_ agreement: Agreement) -> Endpoint? {
        if let selected { return selected }
        if symmetric, let source { return source }
        return agreement.rtp.address.isUnspecified || agreement.rtp.port == 0 ? nil : agreement.rtp
    }

    private mutating func send(_ report: [UInt8]) {
        guard let agreement else { return }
        let isMultiplexed = agreement.multiplexesRTCP
        guard let target = isMultiplexed ? target(agreement) : selectedRTCP ?? agreement.rtcp, target.port != 0 else { return }
        var bytes = report
        if agreement.srtp != nil {
            guard let secret = srtp?.protect(bytes, isRTCP: true) else { return }
            bytes = secret
        }
        events.append(.send(Datagram(from: isMultiplexed ? localRTP : localRTCP, to: target, bytes)))
    }

    /// The last word before the port is given up (RFC 3550 6.6).
    mutating func sayGoodbye(at now: Instant) {
        guard agreement != nil, packetsSent > 0 else { return }
        send(control.goodbye(at: now, packetsSent: packetsSent, bytesSent: bytesSent, timestamp: timestamp))
    }

    /// A digit that came by INFO.
    mutating func note(_ digit: Character) { if digitsHeard.utf8.count < 256 { digitsHeard.append(digit) } }
}
