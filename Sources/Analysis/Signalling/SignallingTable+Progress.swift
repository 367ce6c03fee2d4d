import Base
import Capture

extension SignallingTable {
    /// What a message changes: the dialog's progress, its flow, what its sender is known to know.
    mutating func follow(
        _ step: inout Step, _ number: Int, _ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope
    ) {
        let isFromClient = step.flags.contains(.fromClient)
        if !ends[step.record.source].hasSpoken {
            ends.note(step.record.source) { $0.hasSpoken = true }
            if speakers.count < EndTable.most { speakers.insert(envelope.source.address) }
        }
        program(step, number, facts, p, envelope)
        if step.isDuplicate { return }
        if step.hasCredentials {
            use(step.nonce)
            use(step.otherNonce)
        }
        if dialogs[number].stepCount > 0 {
            if step.isFirst { dialogs[number].progress.insert(.severalMessages) }
            if !dialogs[number].progress.contains(.bothWays) { noteDirections(step, number) }
        }
        if facts.isSDP || facts.body.count > 8 {
            if let description = SDPFacts(p, facts.body) {
                step.sdp = keep(description)
                step.record.marks.insert(.hasSDP)
            }
        }
        if step.isRequest {
            if isFromClient, stun.isHost(envelope.source.address, envelope.place.vantage) || ends[step.record.source].wasTold {
                step.flags.insert(.knowsItself)
            }
            request(step, number)
        } else {
            if step.flags.contains(.received) || step.flags.contains(.rportValue),
                step.via.address != envelope.destination.address || step.via.port != envelope.destination.port
            {
                ends.note(step.record.destination) { $0.wasTold = true }
            }
            if stun.isHost(envelope.source.address, envelope.place.vantage) || ends[step.record.source].wasTold {
                step.flags.insert(.knowsItself)
            }
            response(step, number)
        }
        if !envelope.isStream { flow(&step, number, envelope) }
    }

    private mutating func noteDirections(_ step: Step, _ number: Int) {
        var at = dialogs[number].lastStep
        var looked = 0
        while at >= 0, looked < 8 {
            let other = steps[Int(at)]
            if other.leg == step.leg, other.flags.contains(.fromClient) != step.flags.contains(.fromClient) {
                dialogs[number].progress.insert(.bothWays)
                return
            }
            at = other.record.previous
            looked += 1
        }
    }

    private mutating func program(
        _ step: Step, _ number: Int, _ facts: MessageFacts, _ p: Bytes, _ envelope: Envelope
    ) {
        if step.flags.contains(.fromClient) {
            guard dialogs[number].clientProgram == 0 else { return }
            let span = facts.userAgent.isEmpty ? facts.server : facts.userAgent
            dialogs[number].clientProgram = programs.number(p, span, isServer: false, envelope.place)
        } else {
            guard dialogs[number].serverProgram == 0 else { return }
            let span = facts.server.isEmpty ? facts.userAgent : facts.server
            dialogs[number].serverProgram = programs.number(p, span, isServer: true, envelope.place)
        }
    }

    private mutating func request(_ step: Step, _ number: Int) {
        // What is cut may lack the challenge, and the credentials that answer it.
        let asksAnew = step.isFirst && step.flags.contains(.truncated) && [401, 407].contains(dialogs[number].status)
        ends.note(step.record.source) { end in
            end.asked = Int32(truncatingIfNeeded: number)
            if step.method == .ack || step.hasCredentials || asksAnew { end.lastHeard = max(step.nanoseconds, end.lastHeard) }
        }
        ends.note(step.record.destination) { end in
            end.wasAsked = Int32(truncatingIfNeeded: number)
            if step.method == .invite { end.wasInvited = true }
            if step.isUnasked { end.isTold(at: step.nanoseconds) }
        }
        switch step.method {
        case .register where step.isFirst && step.hasCredentials && dialogs[number].progress.contains(.challenged),
            .invite where step.isFirst && step.hasCredentials && dialogs[number].progress.contains(.challenged):
            // The challenge is answered: it failed nothing.
            dialogs[number].progress.subtract([.challenged, .failed])
        case .bye: dialogs[number].progress.insert(.ended)
        case .cancel: dialogs[number].progress.insert(.cancelled)
        case .ack: if dialogs[number].progress.contains(.answered) { dialogs[number].progress.insert(.acknowledged) }
        case .invite, .register, .options, .subscribe, .notify, .publish, .message, .prack, .update, .info, .refer, .other: break
        }
    }

    private mutating func response(_ step: Step, _ number: Int) {
        ends.note(step.record.source) { sender in
            if step.method == .options { sender.optionsAnswered &+= 1 } else { sender.othersAnswered &+= 1 }
            if step.status >= 200 { sender.lastAnswer = max(step.nanoseconds, sender.lastAnswer) }
            sender.lastHeard = max(step.nanoseconds, sender.lastHeard)
        }
        guard step.status >= 200 else { return }
        dialogs[number].progress.insert(.finalResponse)
        let counts: Bool
        switch dialogs[number].kind {
        case .call: counts = step.method == .invite
        case .registration: counts = step.method == .register
        case .subscription, .message, .options, .other: counts = true
        }
        guard counts else { return }
        if step.status < 300 {
            dialogs[number].progress.insert(.answered)
            dialogs[number].progress.subtract([.failed, .challenged])
            dialogs[number].status = step.record.status
            guard step.method == .register else { return }
            dialogs[number].progress.remove(.unregistered)
            if step.expires == 0 {
                dialogs[number].progress.insert(.unregistered)
            } else if step.contact.kind == .none, step.expires == Step.noNumber, askedToLeave(step, number) {
                dialogs[number].progress.insert(.unregistered)
            }
            if registrars.count < 1 << 16 { registrars.insert(endpoints[step.record.source].address) }
            let client = endpoints[step.record.destination].address
            if registered[client].map({ $0.count < 256 }) ?? (registered.count < 1 << 16) {
                registered[client, default: []].insert(endpoints[step.record.source].address)
            }
            dialogs[number].granted = step.expires
        } else if dialogs[number].kind != .call || !dialogs[number].progress.contains(.answered) {
            dialogs[number].progress.insert(.failed)
            dialogs[number].progress.subtract([.settled, .challenged])
            if step.hasChallenge, step.status == 401 || step.status == 407, isFirstChallenge(step, number) {
                dialogs[number].progress.insert(.challenged)
            }
            if dialogs[number].kind == .registration { dialogs[number].progress.remove(.answered) }
            dialogs[number].status = step.record.status
        }
    }

    /// The request had no credentials, or not of a nonce that is still good; where it is not in the log, nobody can tell.
    private func isFirstChallenge(_ step: Step, _ number: Int) -> Bool {
        if step.record.marks.contains(.isStale) { return true }
        var at = dialogs[number].lastStep
        while at >= 0 {
            let other = steps[Int(at)]
            if other.isRequest, other.record.sequence == step.record.sequence { return !other.hasCredentials }
            at = other.record.previous
        }
        return true
    }

    private func askedToLeave(_ step: Step, _ number: Int) -> Bool {
        var at = dialogs[number].lastStep
        while at >= 0 {
            let other = steps[Int(at)]
            if other.isRequest, other.record.sequence == step.record.sequence { return other.expires == 0 }
            at = other.record.previous
        }
        return false
    }

    // MARK: Flows

    private mutating func flow(_ step: inout Step, _ number: Int, _ envelope: Envelope) {
        let vantage = envelope.place.vantage
        if step.isRequest, step.method == .register, step.flags.contains(.fromClient) {
            let former = dialogs[number].flow
            let current = flows.open(envelope.source, envelope.destination, vantage, at: envelope.time)
            if former >= 0, former != current, let state = flows[former], state.server == envelope.destination {
                step.idle = silence(of: state, until: envelope.time)
                if state.keepalivesSinceRegister > 0 { step.flags.insert(.keptAlive) }
                if let pending = state.pending,
                    pending.sends >= 2 || elapsed(pending.time, envelope.time) ?? 0 > 2_000_000_000
                {
                    expiries[number, default: []].append(
                        Expiry(place: envelope.place, former: former, current: current, pending: pending, dialog: number))
                    flows.forget(former)
                }
            }
            if step.contact.isPrivateAddress { noteContact(step, from: envelope.source, current) }
            flows.outbound(current, at: envelope.time, isRegister: true, isKeepalive: false, isAnswer: false)
            dialogs[number].flow = current
            let name = phoneName(number, envelope)
            if phones.count < Self.mostPhones || phones[name] != nil { phones[name] = number }
            return
        }
        let outbound = flows.number(envelope.source, envelope.destination, vantage)
        if outbound >= 0 {
            flows.outbound(
                outbound, at: envelope.time, isRegister: false, isKeepalive: step.method == .options, isAnswer: !step.isRequest)
            return
        }
        if step.isRequest, step.method == .invite, step.flags.contains(.fromClient) { returns(step, number, envelope) }
        let inbound = flows.number(envelope.destination, envelope.source, vantage)
        if inbound >= 0 {
            if step.isRequest, let state = flows[inbound] { step.idle = silence(of: state, until: envelope.time) }
            flows.inbound(
                inbound, at: envelope.time,
                request: step.isRequest && step.method != .ack ? (envelope.place, number) : nil)
        }
    }

    /// A registered phone calls from another port of its address while what was sent to the registered one is unanswered.
    private mutating func returns(_ step: Step, _ number: Int, _ envelope: Envelope) {
        guard let registration = phones[phoneName(number, envelope)], registration != number,
            case let former = dialogs[registration].flow, former >= 0, let state = flows[former],
            state.client.address == envelope.source.address, state.client.port != envelope.source.port,
            state.server == envelope.destination, let leg = dialogs[registration].legs.first, step.via.kind == .address,
            leg.via.kind == .address, leg.via.address == step.via.address, let pending = state.pending, pending.sends >= 2
        else { return }
        expiries[registration, default: []].append(
            Expiry(place: envelope.place, former: former, current: former, pending: pending, dialog: number))
        flows.forget(former)
    }

    /// Who it is, and behind which address.
    private func phoneName(_ number: Int, _ envelope: Envelope) -> UInt64 {
        let name = dialogs[number].from.withUnsafeBytes { $0.hash(Span(0, $0.count)) }
        return name ^ envelope.source.address.low &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(envelope.place.file)
    }

    /// Where somebody really is who registers a private Contact.
    private mutating func noteContact(_ step: Step, from source: PackedEndpoint, _ flow: Int32) {
        let said = SeenPlace(
            file: step.record.place.file, place: PackedEndpoint(step.contact.address, step.contact.portOrDefault))
        if said.place.address == source.address {
            privateContacts[said] = nil
        } else if privateContacts.count < 1 << 18 {
            if !source.address.isPrivateNetwork {
                flows.notePrivateContact(flow)
                if step.expires != 0 { mapped.insert(source) } else { mapped.remove(source) }
            }
            privateContacts[said] = source
        }
    }

    /// Milliseconds for which nobody answered on a flow; -1 where a log tells no time.
    private func silence(of flow: FlowState, until time: Int64) -> Int32 {
        if let pending = flow.pending, let waited = elapsed(pending.time, time) {
            return max(0, Int32(clamping: Int(milliseconds(waited)) + Int(pending.idle)))
        }
        return elapsed(flow.last, time).map { max(0, milliseconds($0)) } ?? -1
    }

    mutating func icmp(_ flow: PackedFlow, _ note: ICMPNote) {
        if errors[flow] != nil {
            errors[flow]?.count += 1
            if errors[flow]?.times.count ?? 0 < ICMPNote.mostTimes { errors[flow]?.times.append(note.time) }
        } else if errors.count < 1 << 16 {
            errors[flow] = note
            errors[flow]?.times = [note.time]
        }
    }

    /// Bytes that only keep a mapping alive, or STUN on the flow.
    mutating func keepalive(_ envelope: Envelope) {
        guard !envelope.isStream else { return }
        let vantage = envelope.place.vantage
        let outbound = flows.number(envelope.source, envelope.destination, vantage)
        if outbound >= 0 {
            flows.outbound(outbound, at: envelope.time, isRegister: false, isKeepalive: true, isAnswer: false)
            return
        }
        let inbound = flows.number(envelope.destination, envelope.source, vantage)
        if inbound >= 0 { flows.inbound(inbound, at: envelope.time, request: nil) }
    }
}
