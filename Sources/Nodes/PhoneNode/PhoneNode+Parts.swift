import Base
import RegistrationClient

/// What joins the registration and the look-ups with the rest of the phone.
extension PhoneNode {
    /// Whose look-up it is.
    private enum Seeker: UInt8 {
        case registrar
        case stun
        /// The target of a call; the token's number is the call's.
        case call
        /// The STUN server, for the audio of calls.
        case callSTUN

        func token(_ number: UInt64 = 0) -> LookUpToken { LookUpToken(kind: rawValue, number: number) }
    }

    /// The address that our Contact names, in REGISTER as in INVITE.
    var contact: Endpoint {
        guard settings.registers, let client else { return settings.locals.first ?? Endpoint(.v4(.any), 5060) }
        return client.contact
    }

    /// News for the registration.
    mutating func tell(_ input: RegistrationClient.Input, at now: Instant) {
        client?.receive(input, at: now)
        takeTraces()
    }

    /// Work for the look-ups.
    mutating func look(_ input: NameLookups.Input, at now: Instant) {
        names.receive(input, at: now)
        takeTraces()
    }

    /// At once, so that they stand among our own in the order of what happened.
    mutating func takeTraces() {
        while let trace = client?.nextTrace() { traces.note(PhoneTrace(trace)) }
        while let trace = names.nextTrace() {
            switch trace {
            case .asks(let name): traces.note(.lookingUp(name: name))
            }
        }
        if let client { counters.registration = client.counters }
    }

    mutating func look(for server: ServerAddress, of call: PhoneCallID, at now: Instant) {
        look(.resolve(server, Seeker.call.token(call.value)), at: now)
    }

    mutating func lookForCallSTUN(_ server: PhoneSettings.STUNServer, at now: Instant) {
        look(.resolveHost(server.host, port: server.port, Seeker.callSTUN.token()), at: now)
    }

    mutating func take(_ output: RegistrationClient.Output, at now: Instant) {
        switch output {
        case .signal(let datagram): transmit(datagram.payload, from: datagram.source, to: datagram.destination, at: now)
        case .ask(let datagram): outbox.append(.send(datagram))
        case .lookUpServer(let server): look(.resolve(server, Seeker.registrar.token()), at: now)
        case .lookUpSTUN(let server): look(.resolveHost(server.host, port: server.port, Seeker.stun.token()), at: now)
        case .status(let status): show(status)
        case .stopped: turnOff(at: now)
        }
    }

    mutating func take(_ output: NameLookups.Output, at now: Instant) {
        switch output {
        case .send(let datagram): outbox.append(.send(datagram))
        case .found(let token, let name, let endpoints, let wasAsked):
            if wasAsked { traces.note(.found(name: name, targets: endpoints)) }
            switch Seeker(rawValue: token.kind) {
            case .registrar: tell(.foundServer(endpoints), at: now)
            case .stun: tell(.foundSTUN(endpoints), at: now)
            case .call: calls?.resolved(PhoneCallID(token.number), endpoints, at: now)
            case .callSTUN: calls?.foundSTUN(endpoints, at: now)
            case nil: break
            }
        case .notFound(let token, let name, let reason):
            traces.note(.notFound(name: name, reason: reason))
            switch Seeker(rawValue: token.kind) {
            case .registrar: tell(.serverNotFound(name: name, reason: reason), at: now)
            case .stun: tell(.foundSTUN([]), at: now)
            case .call: calls?.unresolvable(PhoneCallID(token.number), reason, at: now)
            case .callSTUN: calls?.foundSTUN([], at: now)
            case nil: break
            }
        }
    }
}
