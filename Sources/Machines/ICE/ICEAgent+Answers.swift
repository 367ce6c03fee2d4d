import Base
import RTP
import STUN
import STUNStack

/// Checks of theirs, and what becomes of ours (RFC 8445 7.2.5, 7.3).
extension ICEAgent {
    mutating func receive(_ datagram: Datagram, at now: Instant) {
        if let id = requests.first(where: { $0.value.request.isAnswered(by: datagram.payload) })?.key {
            return tell(id, at: now) { $0.receive(.received(datagram), at: now) }
        }
        guard let message = try? STUNMessage(datagram.payload) else {
            return emit(.refused(from: datagram.source, reason: "malformed STUN"))
        }
        switch message.type {
        case .bindingRequest: answer(message, datagram, at: now)
        // Keeps a mapping alive and asks for nothing; a late answer.
        case .bindingIndication, .bindingSuccess, .bindingError: break
        default: emit(.refused(from: datagram.source, reason: "STUN \(message.type)"))
        }
    }

    // MARK: Theirs

    private mutating func answer(_ request: STUNMessage, _ datagram: Datagram, at now: Instant) {
        let key = STUNKey.shortTerm(password: credentials.password)
        guard let name = request.value(of: .username), let integrity = request.place(of: .messageIntegrity) else {
            return refuse(.badRequest, request, datagram, key: nil)
        }
        let expected = Array("\(credentials.ufrag):".utf8)
        let isKnown = remote.map { name.dropFirst(expected.count).elementsEqual($0.ufrag.utf8) } ?? true
        guard name.starts(with: expected), isKnown, request.integrityIsValid(key) == true, request.fingerprintIsValid != false
        else {
            return refuse(.unauthenticated, request, datagram, key: nil)
        }
        let unknown = request.unknownRequired(knowing: stunKnownAttributes.union([.priority, .useCandidate]))
        guard unknown.isEmpty else {
            var writer = STUNWriter(.bindingError, request.transactionID)
            writer.add(.errorCode(.unknownAttribute))
            writer.add(.unknownAttributes(unknown))
            return reply(writer, to: datagram, key: key)
        }
        // What follows the integrity code is not covered by it (RFC 8489 14.5).
        let proved = request.places.prefix { $0.start < integrity.start }
        func number(_ type: STUNAttributeType) -> UInt64? {
            guard let place = proved.first(where: { $0.type == type }) else { return nil }
            return request.bytes[place.value].prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        if settlesRoles(controlling: number(.iceControlling), controlled: number(.iceControlled)) == false {
            return refuse(STUNErrorCode(487, "Role Conflict"), request, datagram, key: key)
        }
        var writer = STUNWriter(.bindingSuccess, request.transactionID)
        writer.add(.xorMappedAddress(datagram.source))
        reply(writer, to: datagram, key: key)
        let priority = number(.priority).map { UInt32(truncatingIfNeeded: $0) } ?? 0
        let nominates = proved.contains { $0.type == .useCandidate }
        guard remote != nil else {
            return remember(
                Early(local: datagram.destination, source: datagram.source, priority: priority, nominates: nominates))
        }
        asked(from: datagram.source, at: datagram.destination, priority: priority, nominates: nominates, at: now)
    }

    /// RFC 8445 7.3.1.1; false: the other side has to give way, and is told so.
    private mutating func settlesRoles(controlling: UInt64?, controlled: UInt64?) -> Bool {
        if isControlling, let theirs = controlling {
            if tieBreaker >= theirs { return false }
            switchRole(to: false)
        } else if !isControlling, let theirs = controlled {
            if tieBreaker < theirs { return false }
            switchRole(to: true)
        }
        return true
    }

    /// A check of theirs arrived: the pair is worth one of ours at once (RFC 8445 7.3.1.4).
    mutating func asked(from source: Endpoint, at local: Endpoint, priority: UInt32, nominates: Bool, at now: Instant) {
        emit(.proved(source))
        guard let own = host(at: local) else { return }
        var candidate = remotes.first { $0.component == own.component && $0.endpoint == source }
        if candidate == nil, remotes.count < Self.mostRemotes {
            // RFC 8445 7.3.1.3: an address that no description named, mostly a NAT's.
            let new = ICECandidate(
                foundation: "p\(remotes.count)", component: own.component, priority: priority, endpoint: source,
                kind: .peerReflexive)
            remotes.append(new)
            candidate = new
        }
        guard phase == .checking, let candidate, let place = pair(own, candidate) else { return }
        if nominates, !isControlling {
            if pairs[place].state == .succeeded { pairs[place].isNominated = true } else { pairs[place].isChosenByPeer = true }
        }
        switch pairs[place].state {
        case .succeeded: break
        case .inProgress: break
        case .frozen, .waiting, .failed:
            pairs[place].state = .waiting
            trigger(pairs[place].id, at: now)
        }
        conclude(at: now)
    }

    private mutating func reply(_ message: STUNWriter, to datagram: Datagram, key: STUNKey?) {
        var writer = message
        if let key { writer.addIntegrity(key) }
        writer.addFingerprint()
        // Who proved nothing gets no more bytes back than came: the source may be somebody else's address.
        guard key != nil || writer.bytes.count <= datagram.payload.count else { return }
        emit(.send(Datagram(from: datagram.destination, to: datagram.source, writer.bytes)))
    }

    private mutating func refuse(_ code: STUNErrorCode, _ request: STUNMessage, _ datagram: Datagram, key: STUNKey?) {
        emit(.refused(from: datagram.source, reason: "an ICE check that is answered with \(code)"))
        var writer = STUNWriter(.bindingError, request.transactionID)
        writer.add(.errorCode(code))
        reply(writer, to: datagram, key: key)
    }

    // MARK: Ours

    mutating func finished(_ check: Check, _ outcome: STUNOutcome, at now: Instant) {
        let id = check.pair
        guard let place = pairs.firstIndex(where: { $0.id == id }) else { return }
        switch outcome {
        case .success(let response):
            guard response.source == id.remote, response.destination == id.local else {
                // RFC 8445 7.2.5.2.1: the way back is another.
                pairs[place].state = .failed
                break
            }
            pairs[place].state = .succeeded
            emit(.proved(id.remote))
            if pairs[place].nominates || pairs[place].isChosenByPeer { pairs[place].isNominated = true }
            // RFC 8445 7.2.5.3.3: what was shown for one component is likely for the others.
            let foundation = pairs[place].foundation
            for other in pairs.indices where pairs[other].state == .frozen && pairs[other].foundation == foundation {
                pairs[other].state = .waiting
            }
        case .error(let code, _) where code.code == 487:
            // RFC 8445 7.2.5.1: the other side insists on its role.
            switchRole(to: !check.wasControlling)
            pairs[place].state = .waiting
            trigger(id, at: now)
        case .error, .notUnderstood, .timedOut, .unreachable, .cancelled:
            pairs[place].state = .failed
            pairs[place].nominates = false
        }
        conclude(at: now)
    }

    mutating func unreachable(_ endpoint: Endpoint, at now: Instant) {
        for (id, entry) in requests where entry.pair.remote == endpoint {
            tell(id, at: now) { $0.receive(.unreachable, at: now) }
        }
    }
}
