import Base
import Packet

/// What goes out: SYN, data, FIN, acknowledgments; and what goes out again.
extension TCPConnection {
    mutating func sendSYN(at now: Instant) {
        if nxt == una { timing = highest == una ? Timing(end: una + 1, sentAt: now) : nil }
        nxt = una + 1
        highest = SequenceNumber.later(highest, nxt)
        resendAt = now + timeout.value
        switch state {
        case .synSent: emit(.syn, at: una)
        case .synReceived, .established, .finWait1, .finWait2, .closeWait, .closing, .lastACK, .timeWait, .closed:
            emit([.syn, .ack], at: una)
        }
    }

    /// Sends what windows and buffer allow.
    mutating func transmit(at now: Instant) {
        guard !isOpening else { return }
        let last = end
        while true {
            let offset = nxt - una
            let waiting = max(0, unsent.count - offset)
            let isFINDue = hasFIN && !nxt.isAfter(last)
            guard waiting > 0 || isFINDue else { break }
            let usable = min(window, congestion.octets) - offset
            let length = min(waiting, segmentSize, max(0, usable))
            let isLast = length == waiting
            // Silly windows (RFC 9293 3.8.6.2.1): a small segment only where it is all there is, or half of all the peer ever takes.
            guard usable > 0, isLast || length == segmentSize || length >= max(1, widestWindow / 2) else { break }
            sendData(offset, length, withFIN: isFINDue && isLast && length < usable, isLast: isLast, at: now)
        }
        if resendAt == nil, probeAt == nil, nxt == una, last != una || hasFIN {
            // Nothing is on its way and nothing may go: ask, or the peer's word that it has room could get lost for ever.
            probeAt = now + probeAfter
        } else if resendAt != nil {
            probeAt = nil
        }
    }

    private mutating func sendData(_ offset: Int, _ length: Int, withFIN: Bool, isLast: Bool, at now: Instant) {
        let start = nxt
        nxt += length + (withFIN ? 1 : 0)
        if timing == nil, start == highest { timing = Timing(end: nxt, sentAt: now) }
        highest = SequenceNumber.later(highest, nxt)
        if resendAt == nil { resendAt = now + timeout.value }
        if stuckSince == nil { stuckSince = now }
        var flags: TCPHeader.Flags = [.ack]
        if withFIN { flags.insert(.fin) }
        if isLast, length > 0 { flags.insert(.psh) }
        emit(flags, at: start, Array(unsent[offset..<(offset + length)]))
    }

    /// The segment at SND.UNA once more, whatever came after it (RFC 5681 3.2, RFC 6582).
    mutating func resendFirst(at now: Instant) {
        let length = min(unsent.count, segmentSize)
        let withFIN = hasFIN && length == unsent.count
        guard length > 0 || withFIN else { return }
        // Karn: an acknowledgment of it would not say which of the two it is for.
        timing = nil
        events.append(.note(.fastRetransmitted(id)))
        var flags: TCPHeader.Flags = length > 0 ? [.ack, .psh] : [.ack]
        if withFIN { flags.insert(.fin) }
        emit(flags, at: una, Array(unsent[..<length]))
        resendAt = now + timeout.value
    }

    mutating func acknowledge() { emit(.ack, at: SequenceNumber.later(nxt, highest)) }

    /// An answer to a segment that does not fit, at most one in a while (RFC 5961 3.2, 7).
    mutating func challenge(at now: Instant) {
        if let challengedAt, now - challengedAt < settings.challengePause { return }
        challengedAt = now
        acknowledge()
    }

    mutating func emit(_ flags: TCPHeader.Flags, at sequence: SequenceNumber, _ payload: [UInt8] = []) {
        var flags = flags
        var acknowledgment = SequenceNumber(0)
        if case .synSent = state {
        } else {
            flags.insert(.ack)
            acknowledgment = reception.next
            advertised = reception.next + reception.window
            ackBy = nil
            unackedOctets = 0
        }
        let isSYN = flags.contains(.syn)
        let offer = settings.segmentSize(isIPv6: remote.address.isIPv6)
        events.append(
            .segment(
                TCPSegment(
                    from: local, to: remote, sequence: sequence.value, acknowledgment: acknowledgment.value, flags: flags,
                    window: UInt16(clamping: reception.window),
                    maximumSegmentSize: isSYN ? UInt16(clamping: offer) : nil, payload: payload)))
    }

    // MARK: Time

    mutating func advance(to now: Instant) {
        if let ackBy, ackBy <= now { acknowledge() }
        if let resendAt, resendAt <= now { resend(at: now) }
        if let probeAt, probeAt <= now { probe(at: now) }
        switch state {
        case .finWait2(let until) where until <= now, .timeWait(let until) where until <= now: finish(.closed)
        case .synSent, .synReceived, .established, .finWait1, .finWait2, .closeWait, .closing, .lastACK, .timeWait, .closed: break
        }
    }

    private mutating func resend(at now: Instant) {
        let patience = isOpening ? settings.synPatience : settings.patience
        if let stuckSince, now - stuckSince >= patience { return finish(.timedOut) }
        timing = nil
        let isFirst = !timeout.isBackedOff
        timeout.backOff()
        events.append(.note(.retransmitted(id, timeout: timeout.value)))
        guard !isOpening else { return sendSYN(at: now) }
        congestion.timedOut(flight: highest - una, isFirst: isFirst)
        nxt = una
        resendAt = nil
        transmit(at: now)
    }

    /// One octet, or the FIN, into a closed window (RFC 9293 3.8.6.1). It goes on for as long as the peer answers.
    private mutating func probe(at now: Instant) {
        if let stuckSince, now - stuckSince >= settings.patience { return finish(.timedOut) }
        if stuckSince == nil { stuckSince = now }
        probeAfter = min(probeAfter * 2, settings.longestTimeout)
        probeAt = now + probeAfter
        events.append(.note(.probedWindow(id)))
        if window > 0, !unsent.isEmpty {
            // There is room, though less than a segment is worth: long enough waited.
            probeAt = nil
            let length = min(window, unsent.count, segmentSize)
            sendData(0, length, withFIN: false, isLast: length == unsent.count, at: now)
        } else if let first = unsent.first {
            highest = SequenceNumber.later(highest, una + 1)
            emit([.ack, .psh], at: una, [first])
        } else if hasFIN {
            highest = SequenceNumber.later(highest, una + 1)
            emit([.ack, .fin], at: una)
        } else {
            probeAt = nil
        }
    }
}
