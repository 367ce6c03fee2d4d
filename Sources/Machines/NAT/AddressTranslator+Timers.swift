public import Base

/// Other idle times while it runs.
extension AddressTranslator {
    /// Sets the idle times, for what is mapped already as well: the time each has left moves by the difference, so that it ends when it
    /// would have ended had the new time held when it was last refreshed. Idle times set by `setIdle` and by rules stay.
    public mutating func setTimers(_ timers: NATTimers, at now: Instant) {
        advance(to: now)
        let old = policy
        let live = table.records.indices.filter { table.records[$0].serial != 0 }
        let idleBefore = live.map { idle($0, table[$0].remote) }
        settings.timers = timers
        policy = FlowPolicy(settings)
        for (index, before) in zip(live, idleBefore) {
            let change = idle(index, table[index].remote) - before
            switch table[index].proto {
            case .tcp where table[index].sessions.count > 0:
                moveConnections(of: index, established: change, transitory: policy.tcpTransitory - old.tcpTransitory)
            case .tcp: move(index, by: policy.tcpTransitory - old.tcpTransitory)
            case .udp, .icmp: move(index, by: change)
            }
        }
        advance(to: now)
    }

    private mutating func move(_ index: Int, by change: Int64) {
        guard change != 0 else { return }
        table[index].idle = max(0, table[index].idle + change)
        table[index].expires = table[index].expires.moved(by: change)
        var next = table[index].sessions.oldest
        while let session = next {
            next = sessions.next(after: session)
            sessions[session].expires = sessions[session].expires.moved(by: change)
        }
        queue(index)
    }

    private mutating func moveConnections(of index: Int, established: Int64, transitory: Int64) {
        var next = table[index].sessions.oldest
        while let session = next {
            next = sessions.next(after: session)
            guard let state = sessions[session].tcp else { continue }
            let change = state.isEstablished ? established : transitory
            let expires = sessions[session].expires.moved(by: change)
            sessions[session].expires = expires
            if session == table[index].sessions.newest { table[index].idle = max(0, table[index].idle + change) }
            if let queued = sessions[session].queued, queued <= expires { continue }
            sessions[session].queued = expires
            self.timers.set(.session(session), to: expires)
        }
    }
}

extension Instant {
    /// Saturates.
    fileprivate func moved(by nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? (nanoseconds > 0 ? .distantFuture : Instant(nanoseconds: .min)) : Instant(nanoseconds: sum)
    }
}
