import Base
import Codecs
import MediaControl
import RTP
import Relay

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
        guard let sort = receiver?.sort(of: header.payloadType) else {
            return refuse(datagram, "payload type \(header.payloadType), which was not agreed")
        }
        if proved.contains(datagram.source) { _ = latch.nominate(datagram.source, at: now) }
        switch latch.received(
            from: datagram.source, ssrc: header.ssrc, sequence: header.sequenceNumber, authenticated: agreement.srtp != nil,
            at: now)
        {
        case .accepted, .locked: break
        case .weighed: return
        case .stranger:
            return refuse(datagram, "RTP of another than \(source?.description ?? agreement.rtp.description)")
        }
        packetsReceived += 1
        bytesReceived += UInt64(header.payloadCount)
        if firstSource == nil { firstSource = datagram.source }
        if lastSource != datagram.source {
            lastSource = datagram.source
            events.append(.hears(datagram.source))
        }
        control.received(header, isEvent: sort == .events, at: now)
        let arrival = packet.withUnsafeBytes {
            receiver!.insert(header, UnsafeRawBufferPointer(rebasing: $0[header.payloadStart..<header.payloadEnd]), at: now)
        }
        switch arrival {
        case .digit(let digit):
            if digitsHeard.utf8.count < 256 { digitsHeard.append(digit) }
            events.append(.digit(digit))
        case .sound, .nothing, .wrongType, .flood: break
        }
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
        let tick = Duration.milliseconds(20)
        // After a sleep of the machine the lost time is not played in a rush.
        nextPlayout = now - due > .milliseconds(200) ? now + tick : due + tick
        receiver?.tick(at: due)
        guard let receiver, receiver.hasPlayed else { return }
        let samples = Array(receiver.frame[..<receiver.count])
        if receiver.rate != heardRate { (heard, heardRate) = ([], receiver.rate) }
        heard += samples
        if heard.count >= 2 * heardRate { heard.removeFirst(heard.count - heardRate) }
        events.append(.audio(samples, rate: heardRate))
        if let counts = self.receiver?.takeCounts() { concealed += counts.concealed }
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
            let delay = (control.roundTrip ?? 0) / 2 + Double(receiver?.delay?.wholeMilliseconds ?? 40)
            report.meanOpinionScore = EModel(impairment, statistics.lossPattern, delay: delay).meanOpinionScore
        }
    }
}
