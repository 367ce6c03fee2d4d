import Base
import MediaControl
import RTP

extension RelayLeg {
    /// A datagram for a leg that carries UDPTL (T.38 9): it is not told apart from anything, since its first bytes are a sequence number.
    /// Whom it may come from is settled as for RTP, by three with rising numbers where RTP needs three in sequence.
    mutating func admitFax(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, from source: Endpoint, _ settings: RelaySettings, at now: Instant
    ) -> Admission {
        // Sequence number, a primary message of one byte, an empty list of former ones.
        guard length >= 6 else { return refuse(.malformed) }
        let sequence = UInt16(packet[0]) << 8 | UInt16(packet[1])
        guard mayBeFax(packet[0], sequence) else { return .drop(.notMedia) }
        look()
        if source != rtp.source, !rtp.mayMatter(from: source, ssrc: 0, sequence: sequence, provable: false, at: now) {
            if role != .idle, rtp.noteOutsider(source, ssrc: 0, sequence: sequence, at: now) { outsider = source }
            return stranger(source)
        }
        guard takeFrom(source, settings, at: now) else { return refuse(.flood) }
        let verdict = rtp.received(
            from: source, ssrc: 0, sequence: sequence, authenticated: false, learns: role != .idle, at: now)
        switch verdict {
        case .stranger: return stranger(source)
        case .weighed: return .drop(.weighed)
        case .accepted: break
        case .locked: settle()
        }
        countFax(length, sequence, at: now)
        return .fax(length: length, settled: verdict == .locked)
    }

    /// A ZRTP packet (RFC 6189 5) may pass from where the party's media are known to come from; it teaches nothing.
    mutating func admitsZRTP(from source: Endpoint, _ settings: RelaySettings, at now: Instant) -> Bool {
        guard source == rtp.source || source == rtp.destination else {
            meetStranger(source)
            return false
        }
        return own.take(settings, at: now)
    }
}

/// What came of a party's UDPTL.
struct FaxReception: Sendable {
    private(set) var received: UInt64 = 0
    var sent: UInt64 = 0
    private var first: Int64 = 0
    private var highest: Int64 = 0

    mutating func receive(_ sequence: UInt16) {
        if received == 0 {
            first = Int64(sequence)
            highest = first
        }
        received &+= 1
        let step = Int64(Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highest)))
        if step > 0 { highest += step }
    }

    /// Whether a number may be of the same stream.
    func isNear(_ sequence: UInt16) -> Bool {
        received > 0 && abs(Int(Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highest)))) < 3_000
    }

    var verdict: MediaVerdict.Fax {
        let lost = received == 0 ? 0 : max(0, highest - first + 1 - Int64(clamping: received))
        return MediaVerdict.Fax(received: received, sent: sent, lost: UInt64(lost))
    }
}
