import Base
import Codecs
import MediaControl
import RTP

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
    private let codecs: CodecRegistry
    private let srtpProvider: SRTPProvider?

    private(set) var agreement: Agreement?
    private(set) var isMuted = false
    /// Where ICE settled; overrides what SDP and learning say.
    var selected: Endpoint?
    var selectedRTCP: Endpoint?

    // Sending.
    private var sound: PlayedSound
    private var encoder: (any AudioEncoder)?
    private var dtmf: DTMFSender?
    private var digitsQueued = ""
    private var sequence: UInt16
    private var timestamp: UInt32
    private var nextSend: Instant?
    private var isTalking = false
    private(set) var lastSent: Instant?

    // Receiving.
    private var decoders: [UInt8: any AudioDecoder] = [:]
    private var accepted: [UInt8: MediaFormat] = [:]
    private var lock = SourceLock()
    private var buffer: JitterBuffer?
    private var lastDecoder: (any AudioDecoder)?
    private var digits = DTMFReceiver()
    private var nextPlayout: Instant?
    private var srtp: (any SRTPTransform)?
    private var floodTokens = CallMedia.floodBurst
    private var floodAt: Instant?
    private(set) var heard: [Int16] = []
    private(set) var heardRate = 8000
    private(set) var firstSource: Endpoint?
    private(set) var lastSource: Endpoint?

    // Counts.
    private(set) var packetsSent: UInt64 = 0
    private(set) var bytesSent: UInt64 = 0
    private(set) var packetsReceived: UInt64 = 0
    private(set) var bytesReceived: UInt64 = 0
    private(set) var concealed: UInt64 = 0
    private(set) var refused: UInt64 = 0
    private(set) var digitsHeard = ""
    var control: MediaReports

    private var entropy: Entropy
    private var events = Outbox<Event>()

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
    var source: Endpoint? { lock.source }

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
        if old?.accepted != new.accepted {
            decoders = [:]
            accepted = [:]
            for format in new.accepted where accepted[format.payloadType] == nil {
                accepted[format.payloadType] = format
                decoders[format.payloadType] = codecs.codec(for: format)?.makeDecoder(format)
            }
        }
        if let event = new.telephoneEvent, dtmf == nil {
            dtmf = DTMFSender(clockRate: event.clockRate, packetTime: .milliseconds(Int64(new.packetTime)))
        } else if new.telephoneEvent == nil {
            dtmf = nil
        }
        if old?.srtp != new.srtp { srtp = new.srtp.flatMap { srtpProvider?.make($0) } }
        if old?.rtp != new.rtp { lock.reopen() }
        if !digitsQueued.isEmpty, dtmf != nil {
            dtmf?.dial(digitsQueued)
            digitsQueued = ""
        }
        if nextSend == nil { nextSend = now }
        control.agreed(at: now, clockRate: new.format.clockRate)
        // The other side holds: what is still in the buffer would be heard after the music begins.
        if !new.receives { buffer?.reset() }
    }

    mutating func play(_ source: PlaySource) { sound = PlayedSound(source, rate: agreement?.codec.sampleRate ?? 8000) }

    mutating func mute(_ isMuted: Bool) { self.isMuted = isMuted }

    mutating func feed(_ samples: [Int16], rate: Int) { sound.feed(samples, rate: rate) }

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

    // MARK: Receiving

    mutating func receive(_ datagram: Datagram, at now: Instant) {
        guard isWithinBounds(at: now) else {
            refused += 1
            return
        }
        switch MediaPacketKind(datagram.payload) {
        case .rtp:
            guard datagram.destination.port == port else { return refuse(datagram, "RTP on the RTCP port") }
            receiveRTP(datagram, at: now)
        case .rtcp: receiveRTCP(datagram, at: now)
        // Keepalives of a single byte and their like (RFC 6263) are no fault.
        case .unknown where datagram.payload.count < 12: break
        case .stun, .zrtp, .dtls, .turnChannel, .unknown: refuse(datagram, "neither RTP nor RTCP")
        }
    }

    private mutating func receiveRTP(_ datagram: Datagram, at now: Instant) {
        guard let agreement else { return refuse(datagram, "RTP before anything was agreed") }
        guard agreement.receives else { return refuse(datagram, "RTP although the call is held") }
        var packet = datagram.payload
        if agreement.srtp != nil {
            guard let plain = srtp?.unprotect(packet, isRTCP: false) else { return refuse(datagram, "SRTP that is not genuine") }
            packet = plain
        }
        guard let header = RTPHeader(packet), header.ssrc != ssrc else { return refuse(datagram, "malformed RTP") }
        guard let format = accepted[header.payloadType] else {
            return refuse(datagram, "payload type \(header.payloadType), which was not agreed")
        }
        let former = lock.source
        guard lock.takes(header, from: datagram.source, signalled: selected ?? agreement.rtp, at: now) else {
            return refuse(datagram, "RTP of another than \(former?.description ?? "the first")")
        }
        packetsReceived += 1
        bytesReceived += UInt64(header.payloadCount)
        if firstSource == nil { firstSource = datagram.source }
        if lastSource != datagram.source {
            lastSource = datagram.source
            events.append(.hears(datagram.source))
        }
        if format.isTelephoneEvent {
            control.received(header, isEvent: true, at: now)
            if let digit = digits.receive(packet[header.payloadStart..<header.payloadEnd], timestamp: header.timestamp) {
                if digitsHeard.utf8.count < 256 { digitsHeard.append(digit) }
                events.append(.digit(digit))
            }
            return
        }
        control.received(header, isEvent: false, at: now)
        guard header.payloadCount > 0 else { return }
        if buffer?.settings.clockRate != format.clockRate { buffer = JitterBuffer(.init(clockRate: format.clockRate)) }
        buffer?.insert(
            ssrc: header.ssrc, sequence: header.sequenceNumber, timestamp: header.timestamp, payloadType: header.payloadType,
            payload: Array(packet[header.payloadStart..<header.payloadEnd]), at: now)
        if nextPlayout == nil { nextPlayout = now + .milliseconds(20) }
    }

    private mutating func receiveRTCP(_ datagram: Datagram, at now: Instant) {
        guard let agreement else { return refuse(datagram, "RTCP before anything was agreed") }
        var packet = datagram.payload
        if agreement.srtp != nil {
            guard let plain = srtp?.unprotect(packet, isRTCP: true) else { return refuse(datagram, "SRTCP that is not genuine") }
            packet = plain
        }
        // Whoever sends no RTP may report on ours all the same; strangers may not.
        let known = [source?.address, agreement.rtp.address, agreement.rtcp?.address, selected?.address]
        guard known.contains(datagram.source.address) else { return refuse(datagram, "RTCP of a stranger") }
        if !control.receive(packet, at: now) { refuse(datagram, "malformed RTCP") }
    }

    private mutating func refuse(_ datagram: Datagram, _ reason: String) {
        refused += 1
        events.append(.refused(from: datagram.source, reason: reason))
    }

    private mutating func isWithinBounds(at now: Instant) -> Bool {
        let since = floodAt.map { max(.zero, now - $0) } ?? .zero
        let earned = Int(min(since.wholeMilliseconds, 10_000)) * Self.floodRate / 1000
        if floodAt == nil || earned > 0 {
            floodTokens = min(Self.floodBurst, floodTokens + earned)
            floodAt = now
        }
        guard floodTokens > 0 else { return false }
        floodTokens -= 1
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
        if symmetric, let learnt = lock.source { return learnt }
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

    func fill(_ report: inout CallReport) {
        report.local = localRTP
        report.codec = agreement?.format.encoding ?? ""
        report.isSRTP = agreement?.srtp != nil
        report.signalled = agreement?.rtp
        (report.source, report.lastSource) = (firstSource, lastSource)
        (report.packetsSent, report.bytesSent) = (packetsSent, bytesSent)
        (report.packetsReceived, report.bytesReceived) = (packetsReceived, bytesReceived)
        let statistics = control.statistics
        report.lost = Int64(clamping: statistics.lost)
        report.jitter = statistics.jitterMilliseconds
        (report.concealed, report.refused) = (concealed, refused)
        (report.theirLossPercent, report.theirJitter, report.roundTrip) = (
            control.theirLossPercent, control.theirJitter, control.roundTrip
        )
        report.digits = digitsHeard
        (report.heard, report.heardRate) = (heard, heardRate)
        if statistics.totalReceived > 0, let impairment = EModel.Impairment.of(report.codec) {
            // One way is half of the round trip; the jitter buffer adds what it holds.
            let delay = (control.roundTrip ?? 0) / 2 + Double(buffer?.target.wholeMilliseconds ?? 40)
            report.meanOpinionScore = EModel(impairment, statistics.lossPattern, delay: delay).meanOpinionScore
        }
    }

    private mutating func playOut(_ due: Instant, at now: Instant) {
        guard var buffer else {
            nextPlayout = nil
            return
        }
        let playout = buffer.take(at: due)
        self.buffer = buffer
        var length = Duration.milliseconds(20)
        switch playout {
        case .packet(let type, let payload, _):
            guard let decoder = decoders[type] else {
                // Comfort noise: a pause.
                hear([Int16](repeating: 0, count: heardRate / 50), heardRate)
                break
            }
            lastDecoder = decoder
            let samples = decoder.decode(payload)
            guard !samples.isEmpty else { break }
            length = .nanoseconds(Int64(samples.count) * 1_000_000_000 / Int64(max(1, decoder.sampleRate)))
            hear(samples, decoder.sampleRate)
        case .lost:
            concealed += 1
            guard let decoder = lastDecoder else { break }
            let samples = decoder.decode(nil)
            guard !samples.isEmpty else { break }
            length = .nanoseconds(Int64(samples.count) * 1_000_000_000 / Int64(max(1, decoder.sampleRate)))
            hear(samples, decoder.sampleRate)
        case .dry: if !heard.isEmpty { hear([Int16](repeating: 0, count: heardRate / 50), heardRate) }
        }
        // After a sleep of the machine the lost time is not played in a rush.
        nextPlayout = now - due > .milliseconds(200) ? now + length : due + length
    }

    private mutating func hear(_ samples: [Int16], _ rate: Int) {
        if rate != heardRate {
            heard = []
            heardRate = rate
        }
        heard += samples
        if heard.count >= 2 * rate { heard.removeFirst(heard.count - rate) }
        events.append(.audio(samples, rate: rate))
    }
}
