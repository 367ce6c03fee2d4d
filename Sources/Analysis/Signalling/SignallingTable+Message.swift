import Base
import Capture

extension SignallingTable {
    /// Copies what judging needs out of the scan.
    @inline(__always)
    func fill(_ step: inout Step, _ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope) {
        step.branch = p.hash(facts.branch)
        step.fromTag = UInt32(truncatingIfNeeded: p.hash(facts.fromTag))
        step.toTag = UInt32(truncatingIfNeeded: p.hash(facts.toTag))
        step.via = facts.via
        step.contact = facts.contact
        step.target = facts.requestHost
        step.viaCount = UInt8(clamping: facts.viaCount)
        step.ipID = envelope.ipID
        step.size = UInt32(clamping: max(envelope.size, p.count))
        var flags: StepFlags = []
        switch facts.rport {
        case .absent: break
        case .requested: flags.insert(.rport)
        case .value(let port):
            flags.formUnion([.rport, .rportValue])
            step.rport = port
        }
        if facts.hasReceived { flags.insert(.received) }
        if facts.contactIsAll { flags.insert(.contactIsAll) }
        if facts.contactHasReceived { flags.insert(.contactReceived) }
        if facts.hasRecordRoute { flags.insert(.recordRoute) }
        if envelope.isTruncated {
            flags.insert(.truncated)
            if !facts.hasSequence, !envelope.isLogged { flags.insert(.unnumbered) }
        }
        if envelope.isFragmented { flags.insert(.fragmented) }
        if envelope.isSecureOrWeb { flags.insert(.secureOrWeb) }
        if facts.isRequest, facts.hidesCredentials { flags.insert(.hiddenCredentials) }
        if facts.isRequest, facts.credentials.isPresent {
            step.record.marks.insert(.hasCredentials)
            step.nonce = p.hash(facts.credentials.nonce)
            step.response = p.hash(facts.credentials.response)
            step.realm = UInt32(truncatingIfNeeded: p.hash(facts.credentials.realm))
            step.count = hexadecimal(p, facts.credentials.count)
            if facts.secondCredentials.isPresent {
                step.otherNonce = p.hash(facts.secondCredentials.nonce)
                step.otherRealm = UInt32(truncatingIfNeeded: p.hash(facts.secondCredentials.realm))
            }
        } else if !facts.isRequest, facts.challenge.isPresent {
            step.record.marks.insert(.hasChallenge)
            if facts.challenge.isStale || facts.secondChallenge.isStale { step.record.marks.insert(.isStale) }
            step.nonce = p.hash(facts.challenge.nonce)
            step.realm = UInt32(truncatingIfNeeded: p.hash(facts.challenge.realm))
            if facts.secondChallenge.isPresent {
                flags.insert(.twoChallenges)
                step.otherNonce = p.hash(facts.secondChallenge.nonce)
                step.otherRealm = UInt32(truncatingIfNeeded: p.hash(facts.secondChallenge.realm))
            }
        }
        if envelope.isStream { step.record.marks.insert(.overStream) }
        switch envelope.transport {
        case .tls: step.record.marks.insert(.overTLS)
        case .ws: step.record.marks.insert(.overWebSocket)
        case .wss: step.record.marks.formUnion([.overTLS, .overWebSocket])
        case .udp, .tcp, nil: break
        }
        if envelope.isTruncated { step.record.marks.insert(.cut) }
        if let seconds = facts.contactExpires ?? facts.expires { step.expires = seconds }
        if let seconds = facts.sessionExpires { step.sessionExpires = seconds }
        if envelope.isMiscounted { flags.insert(envelope.isTruncated ? .bodyShort : .bodyLong) }
        if !envelope.isTruncated, !envelope.isLogged, !envelope.isStream, facts.isHeaderWhole, let said = facts.contentLength {
            let found = facts.body.count
            if Int(said) > found {
                flags.insert(.bodyShort)
            } else if Int(said) < found, said > 0 ? hasMore(p, facts.body.start + Int(said)) : facts.isSDP && found > 20 {
                flags.insert(.bodyLong)
            }
        }
        step.flags = flags
    }

    /// Anything but line ends and zeros behind a body that itself ends with a line end.
    private func hasMore(_ p: Bytes, _ from: Int) -> Bool {
        if p[from - 1] != 0x0a { return true }
        for at in from..<p.count where p[at] != 0x0d && p[at] != 0x0a && p[at] != 0 && p[at] != 0x20 { return true }
        return false
    }

    private func hexadecimal(_ p: Bytes, _ span: Span) -> UInt32 {
        guard !span.isEmpty, span.count <= 8 else { return 0 }
        var value: UInt32 = 0
        for at in span.start..<span.end {
            let byte = lowered(p[at])
            let digit: UInt8
            if byte &- 0x30 <= 9 {
                digit = byte &- 0x30
            } else if byte &- 0x61 <= 5 {
                digit = byte &- 0x57
            } else {
                return 0
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    // MARK: Legs

    /// Finds the hop a message belongs to, or begins one.
    mutating func assignLeg(_ step: inout Step, _ number: Int, _ facts: MessageFacts, _ envelope: Envelope, isFromAsking: Bool) {
        let (source, destination) = (envelope.source, envelope.destination)
        // Two phones behind one address: the hop with these very ends comes before one that only shares the address.
        for index in dialogs[number].legs.indices {
            let leg = dialogs[number].legs[index]
            if leg.client == source, leg.server == destination {
                step.leg = UInt8(index)
                step.flags.insert(.fromClient)
                if step.isRequest {
                    learn(&dialogs[number].legs[index], step)
                } else {
                    learnContact(&dialogs[number].legs[index], step)
                }
                return
            }
            if leg.server == source, leg.client == destination {
                step.leg = UInt8(index)
                learnPeer(&dialogs[number].legs[index], step)
                return
            }
        }
        if envelope.isLogged, let index = looseLeg(step, number, envelope, isFromAsking: isFromAsking) {
            step.leg = UInt8(index)
            let (client, server) = isFromAsking ? (source, destination) : (destination, source)
            if client.isKnown { dialogs[number].legs[index].client = client }
            if server.isKnown { dialogs[number].legs[index].server = server }
            if isFromAsking {
                step.flags.insert(.fromClient)
                if step.isRequest { learn(&dialogs[number].legs[index], step) }
            } else {
                learnPeer(&dialogs[number].legs[index], step)
            }
            return
        }
        for index in dialogs[number].legs.indices {
            let leg = dialogs[number].legs[index]
            if leg.client.address == source.address, leg.server == destination {
                if leg.client.address == leg.server.address, source != leg.client, step.isRequest, isForwarded(step, number) {
                    continue
                }
                step.leg = UInt8(index)
                step.flags.insert(.fromClient)
                if step.isRequest {
                    dialogs[number].legs[index].client = source
                    learn(&dialogs[number].legs[index], step)
                } else {
                    learnContact(&dialogs[number].legs[index], step)
                }
                return
            }
            if step.isRequest, isForwarded(step, number) { continue }
            if leg.server == source, leg.client.address == destination.address || isMeant(leg, destination) {
                step.leg = UInt8(index)
                learnPeer(&dialogs[number].legs[index], step)
                return
            }
            // To where the callee said it is, though it is elsewhere.
            if leg.client == source, isAt(leg.peerContact, destination) {
                step.leg = UInt8(index)
                step.flags.insert(.fromClient)
                return
            }
        }
        // The client speaks from another address: not another hop, unless it repeats what was seen on one.
        if step.isRequest {
            for index in dialogs[number].legs.indices
            where dialogs[number].legs[index].server == destination && dialogs[number].legs[index].viaCount == step.viaCount
                && source.isKnown && !isForwarded(step, number)
                && dialogs[number].legs[index].client.address.isPrivateNetwork == source.address.isPrivateNetwork
            {
                step.leg = UInt8(index)
                step.flags.insert(.fromClient)
                dialogs[number].legs[index].client = source
                return
            }
        }
        guard dialogs[number].legs.count < Self.mostLegs else {
            step.leg = UInt8(Self.mostLegs - 1)
            return
        }
        var leg =
            step.isRequest
            ? DialogState.Leg(client: source, server: destination) : DialogState.Leg(client: destination, server: source)
        leg.viaCount = step.viaCount
        leg.isStream = envelope.isStream
        if step.isRequest {
            learn(&leg, step)
            step.flags.insert(.fromClient)
        }
        step.leg = UInt8(dialogs[number].legs.count)
        dialogs[number].legs.append(leg)
    }

    @inline(__always)
    private func learn(_ leg: inout DialogState.Leg, _ step: Step) {
        leg.via = step.via
        learnContact(&leg, step)
    }

    @inline(__always)
    private func learnContact(_ leg: inout DialogState.Leg, _ step: Step) {
        if step.contact.kind != .none { leg.contact = step.contact }
    }

    @inline(__always)
    private func learnPeer(_ leg: inout DialogState.Leg, _ step: Step) {
        if step.contact.kind != .none { leg.peerContact = step.contact }
    }

    private func isAt(_ host: HostPort, _ endpoint: PackedEndpoint) -> Bool {
        host.kind == .address && host.address == endpoint.address && host.portOrDefault == endpoint.port
    }

    /// A packet to where the client said it is, though it is elsewhere.
    private func isMeant(_ leg: DialogState.Leg, _ destination: PackedEndpoint) -> Bool {
        isAt(leg.contact, destination)
            || (leg.via.kind == .address && leg.via.address == destination.address)
    }

    /// The same request was seen on another hop: with this branch, or from the one this comes from with one Via less.
    private func isForwarded(_ step: Step, _ number: Int) -> Bool {
        var at = dialogs[number].lastStep
        var looked = 0
        while at >= 0, looked < Self.repetitionWindow {
            let other = steps[Int(at)]
            if other.isRequest, other.method == step.method, other.record.sequence == step.record.sequence,
                other.record.source != step.record.source, other.branch == step.branch || other.viaCount != step.viaCount
            {
                return true
            }
            at = other.record.previous
            looked += 1
        }
        return false
    }

    // MARK: Repetitions

    /// A log's time that may stand for any within its second: what is sent again after half a second bears the same.
    private func isOfWholeSeconds(_ step: Step) -> Bool {
        step.record.place.kind == .line && step.nanoseconds % 1_000_000_000 == 0
    }

    /// The same packet twice in the capture, or the same message sent again.
    @inline(__always)
    mutating func markRepetition(_ step: inout Step, _ number: Int) {
        var at = dialogs[number].lastStep
        var looked = 0
        while at >= 0, looked < Self.repetitionWindow {
            let other = steps[Int(at)]
            let gap = elapsed(other.nanoseconds, step.nanoseconds)?.magnitude
            if other.record.status == step.record.status, other.record.sequence == step.record.sequence,
                other.method == step.method, other.branch == step.branch, other.nonce == step.nonce,
                other.response == step.response, other.toTag == step.toTag, other.leg == step.leg
            {
                if other.record.source == step.record.source, other.record.destination == step.record.destination, let gap,
                    gap < 1_000_000 && !isOfWholeSeconds(step) || (gap < 20_000_000 && step.ipID != 0 && step.ipID == other.ipID)
                {
                    step.record.marks.insert(.duplicate)
                    counts.duplicates += 1
                    return
                }
                // A cut message without a branch cannot be told from another.
                if step.branch != 0, step.flags.contains(.fromClient) == other.flags.contains(.fromClient) {
                    step.record.marks.insert(.retransmission)
                    counts.retransmissions += 1
                    return
                }
            }
            at = other.record.previous
            looked += 1
        }
    }
}
