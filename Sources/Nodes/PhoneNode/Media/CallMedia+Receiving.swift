import Base
import Codecs
import MediaControl
import RTP

/// What comes in: who may be heard, and what is made of it.
extension CallMedia {
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
        // Our own SSRC may come back: an echo test sends what it got.
        guard let header = RTPHeader(packet) else { return refuse(datagram, "malformed RTP") }
        guard let format = accepted[header.payloadType] else {
            return refuse(datagram, "payload type \(header.payloadType), which was not agreed")
        }
        let former = lock.source
        let isProved = proved.contains(datagram.source)
        guard lock.takes(header, from: datagram.source, signalled: selected ?? agreement.rtp, isProved: isProved, at: now) else {
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
            let payload = packet[header.payloadStart..<header.payloadEnd]
            if let digit = digits.receive(payload, timestamp: header.timestamp) {
                if digitsHeard.utf8.count < 256 { digitsHeard.append(digit) }
                events.append(.digit(digit))
            }
            // Its place in the sequence is not a lost packet: it is played as a pause. The timestamp is that of the digit's start.
            let length = TelephoneEvent(payload)?.duration ?? 0
            guard buffer?.settings.clockRate == format.clockRate else { return }
            buffer?.insert(
                ssrc: header.ssrc, sequence: header.sequenceNumber, timestamp: header.timestamp &+ UInt32(length),
                payloadType: header.payloadType, payload: [], at: now)
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
        guard known.contains(datagram.source.address) || proved.contains(datagram.source) else {
            return refuse(datagram, "RTCP of a stranger")
        }
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

    // MARK: Playing

    mutating func playOut(_ due: Instant, at now: Instant) {
        guard let playout = buffer?.take(at: due) else {
            nextPlayout = nil
            return
        }
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

    // MARK: The report

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
}
