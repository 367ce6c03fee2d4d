import Base
import MediaControl
import RTP

extension RelayLeg {
    /// What became of an arrived packet; lengths may have changed where SRTP was taken off.
    enum Admission {
        case drop(MediaDrop)
        case rtp(RTPHeader, length: Int, settled: Bool)
        case rtcp(length: Int)
        case fax(length: Int, settled: Bool)
    }

    mutating func admit(
        _ packet: UnsafeMutableRawBufferPointer, _ length: Int, _ isRTCP: Bool, onRTCPPort: Bool, from source: Endpoint,
        _ settings: RelaySettings, at now: Instant
    ) -> Admission {
        isRTCP
            ? admitRTCP(packet, length, onRTCPPort: onRTCPPort, from: source, settings, at: now)
            : admitRTP(packet, length, from: source, settings, at: now)
    }

    private mutating func admitRTP(
        _ packet: UnsafeMutableRawBufferPointer, _ arrived: Int, from source: Endpoint, _ settings: RelaySettings, at now: Instant
    ) -> Admission {
        var length = arrived
        guard arrived >= 12, !lacksSRTP else { return refuse(lacksSRTP ? .notAuthentic : .malformed) }
        look()
        if source == rtp.source {
            guard own.take(settings, at: now) else { return refuse(.flood) }
        } else {
            // The header is in the clear: a stranger's packet is not worth a decryption.
            let sequence = UInt16(packet[2]) << 8 | UInt16(packet[3])
            let ssrc = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            guard rtp.mayMatter(from: source, ssrc: ssrc, sequence: sequence, provable: srtp != nil, at: now) else {
                if role != .idle, rtp.noteOutsider(source, ssrc: ssrc, sequence: sequence, at: now) { outsider = source }
                return stranger(source)
            }
            if srtp != nil, !takeFrom(source, settings, at: now) { return refuse(.flood) }
        }
        if let srtp {
            guard let plain = srtp.unprotect(packet, length, isRTCP: false) else { return refuse(.notAuthentic) }
            length = plain
        }
        guard let header = RTPHeader(UnsafeRawBufferPointer(rebasing: packet[0..<length])) else { return refuse(.malformed) }
        let verdict = rtp.received(
            from: source, ssrc: header.ssrc, sequence: header.sequenceNumber, authenticated: srtp != nil, learns: role != .idle,
            at: now)
        switch verdict {
        case .stranger: return stranger(source)
        case .weighed: return .drop(.weighed)
        case .accepted: break
        case .locked:
            settle()
            rtcp.relearn(preferring: source.address)
        }
        count(arrived, header, at: now)
        return .rtp(header, length: length, settled: verdict == .locked)
    }

    private mutating func admitRTCP(
        _ packet: UnsafeMutableRawBufferPointer, _ arrived: Int, onRTCPPort: Bool, from source: Endpoint,
        _ settings: RelaySettings,
        at now: Instant
    ) -> Admission {
        guard arrived >= 8, !lacksSRTP else { return refuse(lacksSRTP ? .notAuthentic : .malformed) }
        // RTCP among RTP must come from RTP's source, and teaches nothing; on its own port it learns on its own, but only where RTP
        // has settled: from the signalled endpoint, or from RTP's address.
        if onRTCPPort {
            let isKnown = source == rtcp.source || source == rtcp.destination
            guard isKnown || (rtp.isLocked && rtp.source?.address == source.address) else { return .drop(.stranger) }
        } else {
            guard source == rtp.source || source == rtp.destination else { return .drop(.stranger) }
        }
        guard own.take(settings, at: now) else { return refuse(.flood) }
        var length = arrived
        if let srtp {
            guard let plain = srtp.unprotect(packet, length, isRTCP: true) else { return refuse(.notAuthentic) }
            length = plain
        }
        // The first packet's length must fit (RFC 3550 A.2); the others are the receiver's business.
        let words = Int(packet[2]) << 8 | Int(packet[3])
        guard length >= 8, 4 * (words + 1) <= length else { return refuse(.malformed) }
        if onRTCPPort {
            guard srtp != nil || mayEnd(source) || !Self.saysGoodbye(packet, length) else { return .drop(.stranger) }
            let ssrc = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            // Its address is RTP's or the signalled one: one packet is enough.
            let verdict = rtcp.received(from: source, ssrc: ssrc, sequence: 0, authenticated: srtp != nil, needed: 1, at: now)
            guard verdict == .accepted || verdict == .locked else { return .drop(.stranger) }
        }
        return .rtcp(length: length)
    }

    /// Whether a goodbye from there is the party's: from where SDP says, or from beside its RTP. Any other port may be a neighbour's.
    private func mayEnd(_ source: Endpoint) -> Bool {
        if source == rtcp.signalled { return true }
        guard let media = rtp.source, media.address == source.address else { return false }
        return source.port == media.port || source.port == media.port &+ 1
    }

    /// Whether a compound packet has a BYE in it (RFC 3550 6.6).
    private static func saysGoodbye(_ packet: UnsafeMutableRawBufferPointer, _ length: Int) -> Bool {
        var start = 0
        while start + 4 <= length {
            if packet[start + 1] == 203 { return true }
            start += 4 * (Int(packet[start + 2]) << 8 + Int(packet[start + 3]) + 1)
        }
        return false
    }

    /// A connectivity check proved `source` (RFC 8445). True: it is the source now and was not before.
    mutating func checked(_ source: Endpoint, nominates: Bool, onRTCPPort: Bool, at now: Instant) -> Bool {
        guard remote?.ice != nil else { return false }
        if onRTCPPort {
            if nominates || !rtcp.isLocked { _ = rtcp.nominate(source, at: now) }
            return false
        }
        guard nominates || !rtp.isLocked, rtp.nominate(source, at: now) else { return false }
        settle()
        return true
    }

    /// What costs an authentication is bounded; whoever may be the party does not share the bound with the rest of the world.
    mutating func takeFrom(_ source: Endpoint, _ settings: RelaySettings, at now: Instant) -> Bool {
        let mayBeParty =
            source == rtp.source || source == rtcp.source || source.address == remote?.signallingSource
            || source.address == remote?.rtp?.address
        return mayBeParty ? own.take(settings, at: now) : others.take(settings, at: now)
    }

    mutating func refuse(_ why: MediaDrop) -> Admission {
        refuse()
        return .drop(why)
    }

    mutating func stranger(_ source: Endpoint) -> Admission {
        meetStranger(source)
        return .drop(.stranger)
    }
}
