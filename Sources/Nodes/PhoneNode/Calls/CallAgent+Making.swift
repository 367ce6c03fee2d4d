import Base
import Codecs
import RTP
import SDP
import RegistrationClient
import SIP
import SIPStack

/// Calls of ours up to the INVITE (RFC 3261 13.2.1).
extension CallAgent {
    mutating func make(
        _ request: CallRequest, extras: [(name: HeaderName, value: SIPText)] = [], referral: Call.Referral? = nil, at now: Instant
    ) {
        guard calls[request.id] == nil, !request.id.isIncoming else {
            emit(.event(request.id, .refused("a call of that name exists, or the name is one of incoming calls")))
            return
        }
        func refuse(_ reason: String, _ agent: inout CallAgent) {
            var call = agent.newCall(request.id, remote: request.target, target: SIPText(), state: .gone, at: now)
            call.referral = referral
            agent.report(&call, .impossible(reason), at: now)
        }
        guard stopBy == nil else { return refuse("the phone is being switched off", &self) }
        guard let (uri, isHome) = destination(request.target) else {
            return refuse("'\(printable(request.target.utf8, atMost: 80))' is neither a number nor a SIP address", &self)
        }
        if uri.scheme == .sips, settings.transport != .tls { return refuse("a sips: address needs TLS", &self) }
        if !isHome, let wanted = uri.knownTransport, wanted != settings.transport {
            return refuse("the address asks for \(wanted.viaToken), this phone speaks \(settings.transport.viaToken)", &self)
        }
        if wishes.encryption == .required, srtp == nil { return refuse("encrypted audio is not available here", &self) }
        guard let port = freePorts.first, calls.count < Self.mostCalls else {
            return refuse("every port for audio is in use", &self)
        }
        var call = newCall(request.id, remote: uri.text.string, target: uri.text, state: .preparing, at: now)
        call.isHome = isHome
        call.sessionExpires = wishes.sessionExpires
        call.extras = extras
        call.lateOffer = request.lateOffer
        call.dtmf = request.dtmf
        call.dtmfDelay = max(.zero, request.dtmfDelay)
        call.duration = request.duration
        call.referral = referral
        occupy(port, call.id, play: request.play)
        emit(.made)
        route(&call, uri, at: now)
        store(call)
    }

    mutating func newCall(_ id: PhoneCallID, remote: String, target: SIPText, state: Call.State, at now: Instant) -> Call {
        Call(
            id: id, remote: remote, startedAt: now, state: state, target: target, callID: entropy.callID(),
            localTag: entropy.tag(),
            sequence: entropy.initialSequence(), minimumExpires: max(wishes.minimumSessionExpires, 90),
            session: CallSession(number: entropy.next() >> 2, keys: [:]))
    }

    mutating func occupy(_ port: UInt16, _ id: PhoneCallID, play: PlaySource) {
        freePorts.removeAll { $0 == port }
        portOwners[port] = id
        portOwners[port + 1] = id
        let local = locals.first?.address ?? .v4(.any)
        media[id] = CallMedia(
            port: port, local: local, play: play, symmetric: wishes.symmetricRTP, codecs: registry, srtp: srtp,
            entropy: entropy.fork())
    }

    /// A target as a person writes it: the URI, and whether our own server is to see to it.
    func destination(_ text: String) -> (uri: SIPURI, isHome: Bool)? {
        let trimmed = text.utf8.drop { $0 == 0x20 }
        let written = String(decoding: trimmed, as: UTF8.self)
        let lower = SIPText(written).lowercased.string
        if lower.hasPrefix("sip:") || lower.hasPrefix("sips:") {
            guard var uri = try? SIPURI(parsing: SIPText(written)) else { return nil }
            uri.headers = nil
            return (uri, isHome(uri))
        }
        if written.contains("@") {
            guard let uri = try? SIPURI(parsing: SIPText("sip:\(written)")), uri.user != nil else { return nil }
            return (uri, isHome(uri))
        }
        var number = written
        if lower.hasPrefix("tel:") {
            number = String(decoding: written.utf8.dropFirst(4).prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
        }
        // A colon or slash is what other kinds of addresses have.
        guard let registrar, !number.isEmpty,
            number.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") })
        else { return nil }
        guard let uri = try? SIPURI(parsing: SIPText("sip:\(RegisterComposer.escapedUser(number))@\(registrar.uriHostPort)"))
        else {
            return nil
        }
        return (uri, true)
    }

    private func isHome(_ uri: SIPURI) -> Bool {
        guard proxy == nil else { return true }
        guard let registrar, let target = ServerAddress(uri) else { return false }
        let port = settings.transport.defaultPort
        return target.host.lowercased() == registrar.host.lowercased() && (target.port ?? port) == (registrar.port ?? port)
    }

    /// Finds out where the INVITE goes first.
    mutating func route(_ call: inout Call, _ uri: SIPURI, at now: Instant) {
        call.state = .preparing
        call.targets = []
        if call.isHome, let server {
            call.targets = [server]
            openNext(&call, at: now)
        } else if let next = call.isHome ? proxy ?? registrar : ServerAddress(uri) {
            emit(.resolve(call.id, next))
        } else {
            fail(&call, .impossible("the address cannot be read"), at: now)
        }
    }

    mutating func resolved(_ id: PhoneCallID, _ endpoints: [Endpoint], at now: Instant) {
        guard var call = calls[id], case .preparing = call.state, call.targets.isEmpty else { return }
        call.targets = Array(endpoints.prefix(8))
        openNext(&call, at: now)
        store(call)
        drainLayer(at: now)
    }

    mutating func unresolvable(_ id: PhoneCallID, _ reason: String, at now: Instant) {
        guard var call = calls[id], case .preparing = call.state else { return }
        if call.targets.isEmpty { fail(&call, .unresolvable(reason), at: now) } else { openNext(&call, at: now) }
        store(call)
    }

    /// Takes the next target that one of our addresses reaches.
    mutating func openNext(_ call: inout Call, at now: Instant) {
        while !call.targets.isEmpty {
            let target = call.targets.removeFirst()
            guard locals.contains(where: { $0.address.isIPv6 == target.address.isIPv6 }) else { continue }
            call.state = .preparing
            call.flow = nil
            emit(.open(call.id, target))
            return
        }
        fail(&call, .unresolvable("its addresses are of a family that this phone has no address of"), at: now)
    }

    mutating func opened(_ id: PhoneCallID, _ flow: FlowID, at now: Instant) {
        guard var call = calls[id], case .preparing = call.state else { return }
        call.flow = flow
        let former = media[id]?.local
        media[id]?.local = flow.local.address
        if former != flow.local.address || !call.wasMapped { startMapping(&call, at: now) }
        proceed(&call, at: now)
        store(call)
        drainLayer(at: now)
    }

    /// Goes on with what waited for the address of the audio port.
    mutating func proceed(_ call: inout Call, at now: Instant) {
        guard call.mapping.isDone else { return }
        switch call.state {
        case .preparing: if call.flow != nil { invite(&call, at: now) }
        case .ringing(let ringing):
            if ringing.wantsAnswer {
                accept(&call, at: now)
            } else if ringing.owesProgress {
                progress(&call, at: now)
            }
        case .confirmed: if call.wantsReoffer { renegotiate(&call, at: now) }
        case .inviting, .closing, .gone: break
        }
    }

    /// A call that never came to be answered is over.
    mutating func fail(_ call: inout Call, _ end: CallEnd, at now: Instant) {
        report(&call, call.pendingEnd ?? end, at: now)
        call.state = .gone
    }

    // MARK: INVITE

    /// - Parameter prepared: credentials that answer a challenge of just now.
    mutating func invite(_ call: inout Call, prepared: [UInt8]? = nil, at now: Instant) {
        guard let flow = call.flow else { return }
        var body: [UInt8] = []
        if !call.lateOffer {
            // A repeated attempt offers what the former one did.
            body = (call.session.offer?.description ?? makeOffer(&call)).bytes
        }
        call.sequence &+= 1
        var builder = SIPMessageBuilder(.invite, call.target)
        builder.add(via(flow))
        builder.add(.maxForwards, 70)
        if let proxy { builder.add(.route, SIPText("<sip:\(proxy.uriHostPort);lr>")) }
        builder.add(.from, SIPText("\(fromText);tag=\(call.localTag)"))
        builder.add(.to, SIPText("<\(call.target)>"))
        builder.add(.callID, call.callID)
        builder.add(CSeq(call.sequence, .invite))
        if let credentials = credentials(.invite, uri: call.target, body: body, call, sequence: call.sequence, prepared: prepared)
        {
            builder.add(credentials.name, credentials.value)
        }
        builder.add(.contact, contactText)
        addIdentity(&builder)
        if wishes.reliability == .required { builder.add(.require, "100rel") }
        if let expires = call.sessionExpires {
            builder.add(.sessionExpires, Int(max(expires, call.minimumExpires)))
            builder.add(.minSE, Int(call.minimumExpires))
        }
        for extra in call.extras { builder.add(extra.name, extra.value) }
        if !body.isEmpty {
            builder.add(.contentType, "application/sdp")
            builder.body = body
        }
        let record = Sent(
            call: call.id, purpose: .invite, draft: Draft(method: .invite), sequence: call.sequence, rounds: call.rounds)
        guard let (id, message) = begin(builder, record, flow, at: now) else {
            fail(&call, .impossible("too much is under way"), at: now)
            return
        }
        call.state = .inviting(
            Call.Inviting(request: message, transaction: id, sequence: call.sequence, giveUpAt: now + wishes.ringPatience))
        emit(.event(call.id, .calling(target: call.target.string, next: flow.remote)))
    }

    /// Hands a request to the transactions; nil where they take no more.
    @discardableResult
    mutating func begin(_ builder: SIPMessageBuilder, _ record: Sent, _ flow: FlowID, at now: Instant)
        -> (ClientTransactionID, SIPMessage)?
    {
        guard let message = try? builder.message(), let id = try? layer.send(message, over: flow, at: now) else {
            note(record.call, "\(record.draft.method) could not be sent: too much is under way, or a setting spoils the message")
            return nil
        }
        sent[id] = record
        return (id, message)
    }
}
