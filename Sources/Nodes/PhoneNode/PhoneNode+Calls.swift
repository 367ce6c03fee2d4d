import Base
import RegistrationClient
import SIP

/// What joins the calls and the connections with the rest of the phone.
extension PhoneNode {
    /// Sends a SIP message, or a keepalive, the way the settings say.
    mutating func transmit(_ bytes: [UInt8], from local: Endpoint, to remote: Endpoint, at now: Instant) {
        guard settings.transport.isReliable else {
            outbox.append(.send(Datagram(from: local, to: remote, bytes)))
            return
        }
        let flow = connections.flow(from: local.address, to: remote, at: now)
        connections.send(bytes, over: flow, at: now)
    }

    mutating func transmit(_ bytes: [UInt8], over flow: FlowID, at now: Instant) {
        if flow.transport == .udp {
            outbox.append(.send(Datagram(from: flow.local, to: flow.remote, bytes)))
        } else {
            connections.send(bytes, over: flow, at: now)
        }
    }

    mutating func command(_ input: Input, at now: Instant) {
        guard isOn, calls != nil else {
            if case .call(let request) = input {
                let reason = calls == nil ? misconfiguration ?? "this phone makes no calls" : "the phone is off"
                let report = CallReport(
                    id: request.id, remote: request.target, startedAt: now, endedAt: now, end: .impossible(reason))
                outbox.append(.call(request.id, .ended(report)))
            }
            return
        }
        calls?.command(input, at: now)
    }

    mutating func take(_ event: PhoneConnections.Event, at now: Instant) {
        switch event {
        case .connect(let flow):
            traces.note(.connects(flow.remote, flow.transport))
            outbox.append(.connect(flow))
        case .send(let flow, let bytes): outbox.append(.sendStream(on: flow, bytes))
        case .disconnect(let flow): outbox.append(.disconnect(flow))
        case .message(let flow, let bytes): receive(bytes, over: flow, at: now)
        case .pinged: break
        case .failed(let flow, let reason, let livedFor):
            traces.note(.connectionLost(flow.remote, reason: reason))
            guard isOn else { return }
            tell(.connectionLost(flow.remote, livedFor: livedFor), at: now)
            calls?.lost(flow, reason, at: now)
        }
    }

    mutating func take(_ action: CallAgent.Action, at now: Instant) {
        switch action {
        case .signal(let flow, let bytes, let meaning):
            noteSent(bytes, flow, meaning)
            transmit(bytes, over: flow, at: now)
        case .media(let datagram): outbox.append(.send(datagram))
        case .event(let id, let event): outbox.append(.call(id, event))
        case .audio(let id, let samples, let rate): outbox.append(.audio(id, samples, rate: rate))
        case .resolve(let id, let server): look(for: server, of: id, at: now)
        case .resolveSTUN(let server): lookForCallSTUN(server, at: now)
        case .open(let id, let remote):
            guard let local = settings.registration.local(for: remote) else {
                calls?.unresolvable(id, "its addresses are of a family that this phone has no address of", at: now)
                return
            }
            let flow =
                settings.transport.isReliable
                ? connections.flow(from: local.address, to: remote, at: now) : FlowID(.udp, local: local, remote: remote)
            calls?.opened(id, flow, at: now)
        case .trace(let trace): traces.note(trace)
        case .text(let from, let text): outbox.append(.text(from: from, text))
        case .textSent(let to, let code, let reason): outbox.append(.textSent(to: to, code: code, reason: reason))
        case .made: counters.callsMade += 1
        case .taken: counters.callsTaken += 1
        case .turnedAway: counters.callsTurnedAway += 1
        case .dropped(let from, let reason):
            counters.dropped += 1
            traces.note(.dropped(from: from, reason: reason))
        case .quiet: if isStopping { turnOff(at: now) }
        }
    }
}
