import Base
import Packet

/// What comes in (RFC 9293 3.10.7.3 and 3.10.7.4, with RFC 5961's care about forged segments).
extension TCPConnection {
    mutating func receive(_ segment: TCPSegment, at now: Instant) {
        switch state {
        case .synSent: receiveFirst(segment, at: now)
        case .synReceived, .established, .finWait1, .finWait2, .closeWait, .closing, .lastACK, .timeWait:
            receiveNext(segment, at: now)
        case .closed: break
        }
    }

    private mutating func drop(_ reason: TCPDrop) { events.append(.note(.dropped(from: remote, to: local, reason))) }

    /// In SYN-SENT.
    private mutating func receiveFirst(_ segment: TCPSegment, at now: Instant) {
        let ack = SequenceNumber(segment.acknowledgment)
        let hasACK = segment.flags.contains(.ack)
        if hasACK, ack != una + 1 {
            drop(.acknowledgesUnsent)
            if !segment.flags.contains(.rst) { reset(at: ack) }
            return
        }
        if segment.flags.contains(.rst) {
            if hasACK { finish(.refused) } else { drop(.challenged) }
            return
        }
        guard segment.flags.contains(.syn) else { return drop(.outsideWindow) }
        learn(from: segment)
        guard hasACK else {
            // Both opened at once.
            become(.synReceived(isActive: true))
            nxt = una
            return sendSYN(at: now)
        }
        opened(by: segment, at: now)
        ackBy = now
        take(segment, after: SequenceNumber(segment.sequence) + 1, at: now)
        transmit(at: now)
        if ackBy != nil { acknowledge() }
    }

    /// Our SYN is acknowledged.
    private mutating func opened(by segment: TCPSegment, at now: Instant) {
        measure(to: una + 1, at: now)
        una += 1
        nxt = SequenceNumber.later(nxt, una)
        resendAt = nil
        stuckSince = nil
        timeout.settle()
        window = Int(segment.window)
        widestWindow = max(widestWindow, window)
        windowSequence = SequenceNumber(segment.sequence)
        windowACK = una
        become(.established)
        events.append(.opened)
    }

    private mutating func receiveNext(_ segment: TCPSegment, at now: Instant) {
        let sequence = SequenceNumber(segment.sequence)
        guard reception.accepts(sequence, length: segment.length) else { return unacceptable(segment, at: now) }
        if segment.flags.contains(.rst) {
            guard sequence == reception.next else {
                drop(.challenged)
                return challenge(at: now)
            }
            return finish(isOpening ? .refused : .reset)
        }
        if segment.flags.contains(.syn) {
            drop(.challenged)
            return challenge(at: now)
        }
        guard segment.flags.contains(.ack) else { return }
        guard acknowledged(by: segment, at: now) else { return }
        take(segment, after: sequence, at: now)
        transmit(at: now)
    }

    private mutating func unacceptable(_ segment: TCPSegment, at now: Instant) {
        guard !segment.flags.contains(.rst) else { return drop(.outsideWindow) }
        if segment.flags.contains(.syn), isHalfOpen, SequenceNumber(segment.sequence) + 1 == reception.next {
            // Its SYN once more: ours was lost.
            nxt = una
            timing = nil
            return sendSYN(at: now)
        }
        if case .timeWait = state, segment.flags.contains(.fin) {
            // Our last acknowledgment was lost.
            state = .timeWait(until: now + settings.segmentLifetime * 2)
            return acknowledge()
        }
        if case .synReceived(isActive: true) = state, segment.flags.isSuperset(of: [.syn, .ack]),
            SequenceNumber(segment.sequence) + 1 == reception.next, SequenceNumber(segment.acknowledgment) == una + 1
        {
            // Both opened at once, and this is the peer's answer to our SYN.
            opened(by: segment, at: now)
            acknowledge()
            return transmit(at: now)
        }
        if reception.window == 0, segment.flags.contains(.ack), SequenceNumber(segment.sequence) == reception.next {
            // A probe: it brings nothing we have room for, but may acknowledge (RFC 9293 3.10.7.4).
            guard acknowledged(by: segment, at: now) else { return }
            transmit(at: now)
            return challenge(at: now)
        }
        drop(.outsideWindow)
        challenge(at: now)
    }

    private mutating func reset(at sequence: SequenceNumber) {
        events.append(
            .segment(
                TCPSegment(from: local, to: remote, sequence: sequence.value, acknowledgment: 0, flags: .rst, window: 0)))
    }

    // MARK: Acknowledgments

    /// False: the segment goes no further.
    private mutating func acknowledged(by segment: TCPSegment, at now: Instant) -> Bool {
        let ack = SequenceNumber(segment.acknowledgment)
        if isOpening {
            guard ack == una + 1 else {
                drop(.acknowledgesUnsent)
                reset(at: ack)
                return false
            }
            opened(by: segment, at: now)
            return true
        }
        guard !ack.isAfter(highest) else {
            drop(.acknowledgesUnsent)
            challenge(at: now)
            return false
        }
        let previousWindow = window
        updateWindow(segment, ack)
        if ack.isAfter(una) {
            advance(una: ack, at: now)
        } else if ack == una {
            if nxt == una || probeAt != nil { stuckSince = nil }
            let isDuplicate =
                segment.length == 0 && nxt.isAfter(una) && window == previousWindow && resendAt != nil
            if isDuplicate, case .resend = congestion.duplicated(flight: nxt - una, highest: highest) { resendFirst(at: now) }
        }
        return !isClosed
    }

    private mutating func updateWindow(_ segment: TCPSegment, _ ack: SequenceNumber) {
        let sequence = SequenceNumber(segment.sequence)
        guard !ack.isBefore(una), windowSequence.isBefore(sequence) || (windowSequence == sequence && !ack.isBefore(windowACK))
        else { return }
        window = Int(segment.window)
        widestWindow = max(widestWindow, window)
        windowSequence = sequence
        windowACK = ack
        if window > 0, probeAt != nil {
            probeAt = nil
            probeAfter = timeout.value
        }
    }

    private mutating func advance(una ack: SequenceNumber, at now: Instant) {
        let octets = ack - una
        measure(to: ack, at: now)
        timeout.settle()
        let fin = finSequence
        unsent.removeFirst(min(octets, unsent.count))
        una = ack
        nxt = SequenceNumber.later(nxt, una)
        let advice = congestion.advanced(by: octets, to: una)
        let isAllKnown = una == highest
        resendAt = isAllKnown ? nil : now + timeout.value
        stuckSince = isAllKnown ? nil : now
        if case .resend = advice, !isAllKnown { resendFirst(at: now) }
        guard hasFIN, una.isAfter(fin) else { return }
        switch state {
        case .finWait1: become(.finWait2(until: now + settings.finPatience))
        case .closing: become(.timeWait(until: now + settings.segmentLifetime * 2))
        case .lastACK: finish(.closed)
        case .synSent, .synReceived, .established, .finWait2, .closeWait, .timeWait, .closed: break
        }
    }

    /// Where our FIN stands while it is not acknowledged.
    private var finSequence: SequenceNumber { una + unsent.count }

    private mutating func measure(to ack: SequenceNumber, at now: Instant) {
        guard let timing, !ack.isBefore(timing.end) else { return }
        timeout.measured(now - timing.sentAt)
        self.timing = nil
    }

    // MARK: Data

    /// Takes a segment's octets, which begin at `sequence`, and its FIN.
    private mutating func take(_ segment: TCPSegment, after sequence: SequenceNumber, at now: Instant) {
        guard segment.length > (segment.flags.contains(.syn) ? 1 : 0) else { return }
        switch state {
        case .established, .finWait1, .finWait2: break
        case .closeWait, .closing, .lastACK, .timeWait:
            // Nothing can follow a FIN but copies.
            return acknowledge()
        case .synSent, .synReceived, .closed: return
        }
        let hadGap = reception.hasGap
        let isNew = reception.insert(sequence, segment.payload, isLast: segment.flags.contains(.fin))
        deliver()
        if reception.isEnded {
            peerClosed(at: now)
            return acknowledge()
        }
        unackedOctets += segment.payload.count
        if !isNew || hadGap || reception.hasGap || unackedOctets >= 2 * segmentSize {
            // The sender is waiting to hear what is missing (RFC 5681 4.2).
            acknowledge()
        } else if ackBy == nil {
            ackBy = now + settings.delayedACK
        }
    }

    private mutating func peerClosed(at now: Instant) {
        switch state {
        case .established: become(.closeWait)
        case .finWait1: become(.closing)
        case .finWait2: become(.timeWait(until: now + settings.segmentLifetime * 2))
        case .synSent, .synReceived, .closeWait, .closing, .lastACK, .timeWait, .closed: break
        }
    }
}
