import Base

/// Mappings SIP has for itself, one outstanding transaction each.
extension ApplicationGateway {
    /// By which mapping a datagram from `inside` to a SIP port leaves.
    ///
    /// A retransmission, an ACK and a CANCEL leave by their request's mapping, a response by the one its request came to, and what is
    /// no message (a keepalive) by the oldest.
    public mutating func mapping(for payload: [UInt8], from inside: Endpoint, at now: Instant) -> ALGMappingChoice {
        guard case .oneTransactionEach(let idle, let life) = profile.mapping else { return .ordinary }
        advance(to: now)
        let text = SIPText(payload, isIPv6: inside.address.isIPv6)
        guard let transaction = ALGTransaction(text) else {
            return oldest(inside, idle, now)
        }
        if text.has("sip/2.0".utf8Bytes, at: 0) {
            if let external = inboundTransactions[transaction] { return .reuse(external) }
            return oldest(inside, idle, now)
        }
        var own = slots[inside] ?? []
        let busy = own.count { $0.isBusy(at: now) }
        if let index = own.firstIndex(where: { $0.transaction == transaction }) {
            own[index].expires = now + idle
            slots[inside] = own
            slotDeadlines.set(own[index].id, to: now + idle)
            return own[index].external.map { .reuse($0) } ?? .fresh(own[index].id, idle: idle)
        }
        // An ACK without its INVITE opens nothing.
        let until = text.has("ack ".utf8Bytes, at: 0) ? now : now + life
        if let index = own.firstIndex(where: { !$0.isBusy(at: now) && $0.external != nil }) {
            own[index].transaction = transaction
            own[index].busyUntil = until
            own[index].expires = now + idle
            slots[inside] = own
            slotDeadlines.set(own[index].id, to: now + idle)
            guard let external = own[index].external else { return .ordinary }
            traces.note(.tookMapping(external, isFresh: false, busy: busy))
            return .reuse(external)
        }
        return fresh(inside, transaction, until, idle, now)
    }

    private mutating func oldest(_ inside: Endpoint, _ idle: Duration, _ now: Instant) -> ALGMappingChoice {
        guard let slot = slots[inside]?.first, let external = slot.external else { return fresh(inside, nil, now, idle, now) }
        slots[inside]?[0].expires = now + idle
        slotDeadlines.set(slot.id, to: now + idle)
        return .reuse(external)
    }

    private mutating func fresh(
        _ inside: Endpoint, _ transaction: ALGTransaction?, _ busyUntil: Instant, _ idle: Duration, _ now: Instant
    ) -> ALGMappingChoice {
        if (slots[inside]?.count ?? 0) >= limits.slotsPerEndpoint, let first = slots[inside]?.first {
            remove(first.id)
            traces.note(.evicted(.slots))
        } else if slotDeadlines.count >= limits.slots, let id = slotDeadlines.popDue(at: .distantFuture) {
            remove(id)
            traces.note(.evicted(.slots))
        }
        slotCount += 1
        let id = ALGSlotID(inside: inside, number: slotCount)
        slots[inside, default: []].append(
            ALGSlot(id: id, external: nil, transaction: transaction, busyUntil: busyUntil, expires: now + idle))
        slotDeadlines.set(id, to: now + idle)
        return .fresh(id, idle: idle)
    }

    /// The NAT gave `external` to the slot; nil: it gave none, and the slot is gone.
    public mutating func assigned(_ id: ALGSlotID, to external: Endpoint?, at now: Instant) {
        guard let index = slots[id.inside]?.firstIndex(where: { $0.id == id }) else { return }
        guard let external else { return remove(id) }
        let busy = slots[id.inside]?.count { $0.id != id && $0.isBusy(at: now) } ?? 0
        slots[id.inside]?[index].external = external
        traces.note(.tookMapping(external, isFresh: true, busy: busy))
    }

    /// The NAT no longer has the mapping.
    public mutating func lost(_ external: Endpoint) {
        for own in slots.values {
            guard let slot = own.first(where: { $0.external == external }) else { continue }
            remove(slot.id)
            return
        }
    }

    /// The external endpoints of the mappings SIP has from `inside`, oldest first.
    public func slotEndpoints(of inside: Endpoint) -> [Endpoint] { (slots[inside] ?? []).compactMap(\.external) }

    mutating func remove(_ id: ALGSlotID) {
        slotDeadlines.set(id, to: nil)
        slots[id.inside]?.removeAll { $0.id == id }
        if slots[id.inside]?.isEmpty == true { slots[id.inside] = nil }
    }

    /// Keeps account of which transactions are outstanding and where those from outside came to.
    mutating func noteTransaction(_ message: ALGMessage, at now: Instant) {
        guard case .oneTransactionEach(_, let life) = profile.mapping, message.direction == .inbound,
            let transaction = ALGTransaction(message.text)
        else { return }
        if message.isResponse {
            // Over when the final response reaches the phone, which a hold delays.
            guard message.text.number(at: 8) >= 200,
                let index = slots[message.flow.inside]?.firstIndex(where: { $0.transaction == transaction })
            else { return }
            let hold = profile.responseHold ?? .zero
            let until = min(slots[message.flow.inside]?[index].busyUntil ?? now, now + hold)
            slots[message.flow.inside]?[index].busyUntil = until
        } else {
            if inboundTransactions[transaction] == nil, inboundTransactions.count >= limits.transactions,
                let oldest = transactionDeadlines.popDue(at: .distantFuture)
            {
                inboundTransactions[oldest] = nil
                traces.note(.evicted(.transactions))
            }
            inboundTransactions[transaction] = message.flow.mapped
            transactionDeadlines.set(transaction, to: now + life)
        }
    }
}

extension ALGProfile {
    /// How long a response from outside is held back.
    var responseHold: Duration? {
        for hold in holds {
            switch hold {
            case .inboundResponses(let time): return time
            }
        }
        return nil
    }
}
