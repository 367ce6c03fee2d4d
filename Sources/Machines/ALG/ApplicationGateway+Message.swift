import Base

/// One message: what it says about calls and registrations, then its fields.
extension ApplicationGateway {
    /// Methods that move calls and registrations along. A request of another method is only rewritten.
    enum Followed: CaseIterable, Sendable {
        case invite, update, ack, prack, bye, register

        var name: [UInt8] {
            switch self {
            case .invite: "invite".utf8Bytes
            case .update: "update".utf8Bytes
            case .ack: "ack".utf8Bytes
            case .prack: "prack".utf8Bytes
            case .bye: "bye".utf8Bytes
            case .register: "register".utf8Bytes
            }
        }

        /// A request's, with the Request-URI after it.
        static func request(_ text: SIPText) -> Followed? {
            allCases.first { method in
                let end = method.name.count
                return text.has(method.name, at: 0) && end + 1 < text.end && text.bytes[end] == 0x20
                    && isLetter(text.bytes[end + 1])
            }
        }

        /// The one that a response's CSeq names. The helper compares as many letters as the method has, so that `BYEBYE` is a BYE to it.
        static func named(_ text: SIPText, at offset: Int) -> Followed? { allCases.first { text.has($0.name, at: offset) } }
    }

    /// Follows and rewrites the message; the reason if it has to vanish.
    mutating func process(
        _ message: inout ALGMessage, at now: Instant, _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGDropReason? {
        traces.statistics.noteMessage(message.direction)
        noteTransaction(message, at: now)
        let reason = message.isResponse ? followResponse(&message, now, isTaken) : followRequest(&message, now, isTaken)
        if let reason { return reason }
        guard message.flow.isTranslated else { return nil }
        message.rewriteFields(profile.rewrites, forced: flows[message.flow]?.forcedPort)
        return nil
    }

    private mutating func followRequest(
        _ message: inout ALGMessage, _ now: Instant, _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGDropReason? {
        if profile.responsePort == .viaPort, case .found(let via) = message.text.uri(.viaUDP),
            via.endpoint.address == message.crossing.sourceBefore.address, via.endpoint.port != message.crossing.sourceBefore.port
        {
            flows[message.flow]?.forcedPort = via.endpoint.port
        }
        guard let method = Followed.request(message.text) else { return nil }
        guard let cseq = sequence(message.text) else { return broken(.unreadableCSeq, at: 0) }
        switch method {
        case .invite:
            flushMedia(message.flow)
            if let reason = followSession(&message, now, isTaken) { return reason }
            flows[message.flow]?.inviteCSeq = cseq.number
            return nil
        case .update, .ack, .prack:
            return followSession(&message, now, isTaken)
        case .bye:
            flushMedia(message.flow)
            return nil
        case .register:
            return followRegister(&message, cseq.number, now, isTaken)
        }
    }

    private mutating func followResponse(
        _ message: inout ALGMessage, _ now: Instant, _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGDropReason? {
        let code = message.text.number(at: 8)
        guard (1...UInt64(UInt32.max)).contains(code) else { return broken(.unreadableStatus, at: 8) }
        guard let cseq = sequence(message.text) else { return broken(.unreadableCSeq, at: 0) }
        switch Followed.named(message.text, at: cseq.end + 1) {
        case .invite, .update, .prack:
            if (100...299).contains(code) { return followSession(&message, now, isTaken) }
            if flows[message.flow]?.inviteCSeq == cseq.number { flushMedia(message.flow) }
            return nil
        case .register:
            return followRegisterResponse(message, cseq.number, code, now)
        case .ack, .bye, nil:
            return nil
        }
    }

    /// The CSeq number and where it ends; nil without one, or for one of more than 32 bits.
    private func sequence(_ text: SIPText) -> (number: UInt64, end: Int)? {
        guard case .found(let digits) = text.header(.cseq, from: 0), text.number(at: digits.lowerBound) <= UInt32.max else {
            return nil
        }
        return (text.number(at: digits.lowerBound), digits.upperBound)
    }

    /// The reason, if the profile drops for it.
    func broken(_ rule: ALGDropRule, at offset: Int) -> ALGDropReason? {
        profile.drops.contains(rule) ? .rule(rule, offset: offset) : nil
    }

    // MARK: Registrations

    /// Prepares a pinhole at the Contact's address for requests from the registrar; its port may have to move up.
    private mutating func followRegister(
        _ message: inout ALGMessage, _ cseq: UInt64, _ now: Instant, _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGDropReason? {
        guard let rule = profile.signallingPinhole, let state = flows[message.flow], !state.isExpected else { return nil }
        let text = message.text
        var expires: UInt64 = 0
        if case .found(let digits) = text.header(.expires, from: 0) { expires = text.number(at: digits.lowerBound) }
        let contact: SIPText.Located
        switch text.uri(.contact) {
        case .found(let located): contact = located
        case .malformed(let at): return broken(.lowContactPort, at: at)
        case .absent: return nil
        }
        // Third parties are not registered.
        guard contact.endpoint.address == message.crossing.sourceBefore.address else { return nil }
        guard text.transport(from: contact.range.upperBound, absent: message.flow.transport) == message.flow.transport else {
            return nil
        }
        if let (_, own) = text.numberParameter("expires=", from: contact.range.upperBound) { expires = own }
        if expires > 0, message.flow.isTranslated {
            let own = state.forcedPort ?? message.crossing.sourceBefore.port
            let port = contact.endpoint.port == own ? message.crossing.sourceAfter.port : contact.endpoint.port
            let wanted = Endpoint(message.crossing.sourceAfter.address, port)
            let peer = rule.registrarOnly ? message.crossing.destinationAfter.address : nil
            guard
                let external = open(
                    .signalling, message.flow, from: peer, at: wanted, to: contact.endpoint, until: now + rule.lifetime,
                    isActive: false, pairs: false, cap: rule.pinholesAFlow, asks: message.direction == .outbound, isTaken)
            else { return .noFreePort(wanted) }
            if external != contact.endpoint { message.replace(contact.range, .contact, with: external.description) }
        }
        flows[message.flow]?.registerCSeq = cseq
        return nil
    }

    /// Opens the pinhole for as long as the registrar granted, or closes it.
    private mutating func followRegisterResponse(
        _ message: ALGMessage, _ cseq: UInt64, _ code: UInt64, _ now: Instant
    ) -> ALGDropReason? {
        guard profile.signallingPinhole != nil, flows[message.flow]?.registerCSeq == cseq, code >= 200 else { return nil }
        let text = message.text
        var granted: UInt64 = 0
        if case .found(let digits) = text.header(.expires, from: 0) { granted = text.number(at: digits.lowerBound) }
        var walk = SIPText.Walk()
        while code < 300 {
            let contact: SIPText.Located
            switch text.uri(.contact, &walk) {
            case .found(let located): contact = located
            case .malformed(let at): return broken(.lowContactPort, at: at)
            case .absent:
                flushSignalling(message.flow)
                return nil
            }
            guard contact.endpoint.address == message.crossing.destinationBefore.address,
                let transport = text.transport(from: contact.range.upperBound, absent: message.flow.transport),
                transport == message.flow.transport
            else { continue }
            let own = text.numberParameter("expires=", from: contact.range.upperBound)?.1 ?? granted
            if own == 0 { break }
            if activate(message.flow, transport, contact.endpoint, own, at: now) { return nil }
        }
        flushSignalling(message.flow)
        return nil
    }
}
