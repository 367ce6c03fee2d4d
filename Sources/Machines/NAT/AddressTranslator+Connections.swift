import Base
import Packet

/// TCP connections through a mapping (RFC 5382).
extension AddressTranslator {
    enum Admission {
        case admitted, filtered, noConnection
    }

    mutating func outboundSegment(
        _ index: Int, _ flags: TCPHeader.Flags, to remote: PackedEndpoint, mayOpen: Bool, _ now: Instant
    ) throws(Refusal) {
        let key = sessionKey(index, remote)
        if let session = sessions.index(for: key), sessions[session].mapping == index {
            step(session, flags, .outbound, now)
            return
        }
        guard mayOpen else { throw Refusal(.noConnection) }
        // RFC 5382 REQ-4: the two ends meet; their SYNs crossed, and the remote will repeat its own.
        heldSYNs.remove(key)
        openConnection(index, remote, flags.opens ? .opened(.outbound) : .established, now)
    }

    mutating func inboundSegment(
        _ index: Int, _ flags: TCPHeader.Flags, from remote: PackedEndpoint, _ now: Instant
    ) -> Admission {
        if let session = sessions.index(for: sessionKey(index, remote)), sessions[session].mapping == index {
            step(session, flags, .inbound, now)
            return .admitted
        }
        switch table[index].filtering {
        case .endpointIndependent: break
        case .addressDependent:
            guard sessions.hasConnection(with: sessionKey(index, remote.masked(.addressDependent))) else { return .filtered }
        case .addressAndPortDependent: return .filtered
        }
        guard flags.opens || settings.picksUpTCPMidway else { return .noConnection }
        openConnection(index, remote, flags.opens ? .opened(.inbound) : .established, now)
        return .admitted
    }

    func admitsConnection(_ index: Int, _ remote: PackedEndpoint) -> Bool {
        guard let session = sessions.index(for: sessionKey(index, remote)) else { return false }
        return sessions[session].mapping == index
    }

    mutating func openConnection(_ index: Int, _ remote: PackedEndpoint, _ state: TCPState, _ now: Instant) {
        makeRoomForSession(index)
        let counted = table[index].filtering == .addressDependent ? sessionKey(index, remote.masked(.addressDependent)) : nil
        let session = sessions.insert(
            SessionRecord(key: sessionKey(index, remote), mapping: index, expires: now, tcp: state, counted: counted),
            to: &table[index].sessions)
        setLifetime(session, state, now)
        noteState(session, state)
    }

    private mutating func step(_ session: Int, _ flags: TCPHeader.Flags, _ direction: NATDirection, _ now: Instant) {
        guard let old = sessions[session].tcp else { return }
        let index = sessions[session].mapping
        sessions.touch(session, in: &table[index].sessions)
        let new = old.after(flags, direction)
        if new != old {
            sessions[session].tcp = new
            setLifetime(session, new, now)
            noteState(session, new)
            return
        }
        switch new {
        case .established, .outboundFIN, .inboundFIN: setLifetime(session, new, now)
        case .outboundSYN: if direction == .outbound, flags.opens { setLifetime(session, new, now) }
        case .inboundSYN: if direction == .inbound, flags.opens { setLifetime(session, new, now) }
        // What is over does not live longer for stragglers.
        case .closed, .reset: break
        }
    }

    private mutating func noteState(_ session: Int, _ state: TCPState) {
        let index = sessions[session].mapping
        table[index].lastTCP = state
        traces.note(.tcp(table.id(of: index), remote: sessions[session].key.remote.endpoint, state))
    }

    mutating func setLifetime(_ session: Int, _ state: TCPState, _ now: Instant) {
        let index = sessions[session].mapping
        let lifetime = state.isEstablished ? idle(index, sessions[session].key.remote) : policy.tcpTransitory
        let expires = now.later(by: lifetime)
        table[index].idle = lifetime
        sessions[session].expires = expires
        if let queued = sessions[session].queued, queued <= expires { return }
        sessions[session].queued = expires
        timers.set(.session(session), to: expires)
    }

    mutating func sessionDue(_ session: Int, _ now: Instant) {
        guard sessions.isLive(session) else { return }
        sessions[session].queued = nil
        let expires = sessions[session].expires
        guard expires <= now else {
            sessions[session].queued = expires
            timers.set(.session(session), to: expires)
            return
        }
        let index = sessions[session].mapping
        let wasEstablished = sessions[session].tcp?.isEstablished ?? false
        let wasOver = sessions[session].tcp.map { $0 == .closed || $0 == .reset } ?? false
        removeSession(session)
        if table[index].sessions.count == 0 { endMapping(index, wasOver && !wasEstablished ? .closed : .idle) }
    }
}
