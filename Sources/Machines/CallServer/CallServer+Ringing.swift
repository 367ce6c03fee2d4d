import Base
import SDP
import SIP
import SIPStack

/// Phones that are rung: one INVITE an instance, what is in it, and its end (RFC 3261 16.6, RFC 5626 5.3).
extension CallServer {
    /// Rings one instance, over its newest flow first.
    ///
    /// `forward`: the forward by which it is rung.
    mutating func fork(
        to aor: AddressOfRecord, _ srtp: SRTPWish?, _ flows: [CallTarget], by forward: Int? = nil, _ call: inout Call
    ) {
        guard let target = flows.first else { return }
        reach(target, of: aor)
        var party = CallParty(address: aor, instance: target.instance, proved: flows.map(\.flow.remote.address))
        party.srtp = srtp
        let tag = entropy.next()
        let callID = entropy.callID()
        let callee = CallLeg.Callee(
            target: target, alternates: Array(flows.dropFirst()), pickUpID: entropy.next(), forward: forward,
            branch: forward.map { call.forwards[$0].tried } ?? 0)
        var leg = CallLeg(.callee(callee), party: party, flow: target.flow, tag: tag, callID: callID)
        let isSecret = offersSRTP(to: leg, call)
        leg.callee?.securesMedia = isSecret
        call.legs.append(leg)
        calls.tags[tag] = .leg(call: call.key, call.legs.count - 1)
        calls.tags[callee.pickUpID] = .pickUp(call: call.key, call.legs.count - 1)
        calls.join(aor, call.key)
        calls.enter(target.flow, call.key)
        sendInvite(call.legs.count - 1, &call)
    }

    /// Rings the instance over another of its flows.
    mutating func ringOver(_ target: CallTarget, _ leg: Int, _ call: inout Call) {
        reach(target, of: call.legs[leg].party.address)
        calls.leave(call.legs[leg].flow, call.key)
        calls.enter(target.flow, call.key)
        call.legs[leg].flow = target.flow
        call.legs[leg].callee?.target = target
        let isSecret = offersSRTP(to: call.legs[leg], call)
        call.legs[leg].callee?.securesMedia = isSecret
        withdrawStreams(leg, &call)
        note(.call(.nextFlow(call: call.number, party: call.legs[leg].party.address.description, target.flow)))
        inviteAgain(leg, &call)
    }

    /// A connection that is gone is opened anew.
    mutating func reach(_ target: CallTarget, of aor: AddressOfRecord) {
        if !target.isOpen { outbox.append(.connect(aor, target)) }
    }

    /// The same phone, asked anew.
    mutating func inviteAgain(_ leg: Int, _ call: inout Call) {
        dropEarlyExchange(with: leg, &call)
        call.legs[leg].dialog = nil
        call.legs[leg].callee?.invite = .withdrawn
        call.legs[leg].callee?.seen = ProvisionalSequence()
        call.legs[leg].session.remote = nil
        call.legs[leg].session.early = .none
        sendInvite(leg, &call)
    }

    /// Sends the leg's INVITE, for the first time or anew. A failure is noted, for `declineFailed`.
    mutating func sendInvite(_ leg: Int, _ call: inout Call) {
        guard let target = call.legs[leg].callee?.target else { return }
        var body: [UInt8] = []
        let origin = call.offerer
        if call.hasOffer, let source = call.legs[origin].session.remote {
            do throws(SessionRefusal) {
                body = try offer(source, from: origin, to: leg, &call)
            } catch {
                call.legs[leg].callee?.invite = .unsent(.session(error))
                return
            }
        }
        let flow = call.legs[leg].flow
        let token = tokens.next()
        var builder = SIPMessageBuilder(.invite, target.requestURI)
        builder.add(settings.addresses.via(flow, token))
        builder.add(.maxForwards, call.hops)
        if !target.route.isEmpty { builder.add(.route, target.route) }
        let domain = target.domain
        builder.add(
            .from, call.legs[origin].party.header(in: domain).appending(";tag=").appending(SIPText(tag: call.legs[leg].tag)))
        builder.add(.to, call.legs[leg].party.header(in: domain))
        builder.add(.callID, call.legs[leg].callID)
        if call.legs[leg].inviteSequence == 0 { call.legs[leg].inviteSequence = entropy.initialSequence() }
        call.legs[leg].inviteSequence += 1
        builder.add(CSeq(call.legs[leg].inviteSequence, .invite))
        builder.add(.contact, settings.addresses.contact(flow))
        builder.add(.allow, SIPText(ReplyWriter.allow))
        builder.add(.supported, SIPText(ReplyWriter.supportedInCalls))
        let shortest = max(settings.calls.session.shortest, call.legs[leg].shortestSession)
        let interval = max(settings.calls.session.interval, shortest)
        builder.add(.sessionExpires, Int(interval))
        if shortest > 90 { builder.add(.minSE, Int(shortest)) }
        call.legs[leg].askedSession = interval
        addSoftware(to: &builder)
        if origin == 0, let asked = call.legs[0].invite {
            let isAnonymous = call.legs[0].party.isAnonymous
            for name in isAnonymous ? [HeaderName.priority] : [.subject, .priority] {
                builder.copy(name, from: asked.message)
            }
            let mayOpen = mayOpenMicrophone(leg, call)
            for name in isAnonymous ? [HeaderName.alertInfo] : [.alertInfo, .callInfo] {
                for header in asked.message.all(name) where mayOpen || !header.value.mayOpenMicrophone {
                    builder.add(name, header.value)
                }
            }
        }
        if let referrer = call.transfer?.referrer, !referrer.isAnonymous {
            builder.add(.referredBy, referrer.header(in: domain))
        }
        addForwards(to: leg, call, &builder)
        builder.setSession(body)
        ask(.invite, builder.bytes, token, on: flow, .fork(call: call.key, leg: leg))
        call.legs[leg].callee?.invite = .asked(token)
    }

    /// The other phones stop ringing (RFC 3326 says why).
    mutating func abandonForks(but winner: Int? = nil, _ call: inout Call, reason: SIPText?) {
        for index in call.legs.indices where index != winner && !call.legs[index].isCaller && call.legs[index].isInviting {
            dropEarlyExchange(with: index, &call)
            cancel(call.legs[index].client, reason: reason)
            note(
                .call(
                    .declined(
                        call: call.number, party: call.legs[index].party.address.description, call.legs[index].flow, status: 487,
                        .cancelled)))
            endLeg(index, &call)
        }
    }

    // MARK: What the target hears of it

    /// Whether a call may open a phone's microphone: each on the way from the caller to it must be allowed to open the next one's.
    func mayOpenMicrophone(_ leg: Int, _ call: Call) -> Bool {
        let way = [0] + call.forwards(to: leg).map { call.forwards[$0].by } + [leg]
        return zip(way, way.dropFirst()).allSatisfy {
            settings.calls.mayOpenMicrophone(of: call.legs[$1].party.address, call.legs[$0].party)
        }
    }

    /// `History-Info: <sip:bob@example.com?Reason=SIP%3Bcause%3D302>;index=1`, then `<sip:carol@example.com;cause=302>;index=1.1;mp=1`;
    /// `Diversion: <sip:bob@example.com>;reason=unconditional;counter=1`, the latest first.
    func addForwards(to leg: Int, _ call: Call, _ builder: inout SIPMessageBuilder) {
        let chain = call.forwards(to: leg)
        guard !chain.isEmpty else { return }
        let domain = call.legs[leg].callee?.target.domain ?? DialledDomain()
        var index = "1"
        var cause = ""
        var mapped = ""
        for (place, number) in chain.enumerated() {
            let forward = call.forwards[number]
            let uri = domain.uriText(call.legs[forward.by].party.address)
            builder.add(.historyInfo, SIPText("<\(uri)\(cause)?Reason=SIP%3Bcause%3D\(forward.status)>;index=\(index)\(mapped)"))
            mapped = ";mp=\(index)"
            cause = ";cause=\(forward.reason.cause)"
            let rung = place + 1 < chain.count ? call.forwards[chain[place + 1]].by : leg
            index += ".\(call.legs[rung].callee?.branch ?? 0)"
        }
        builder.add(.historyInfo, SIPText("<\(domain.uriText(call.legs[leg].party.address))\(cause)>;index=\(index)\(mapped)"))
        for number in chain.reversed() {
            let forward = call.forwards[number]
            let uri = domain.uriText(call.legs[forward.by].party.address)
            builder.add(.diversion, SIPText("<\(uri)>;reason=\(forward.reason.text);counter=1"))
        }
    }
}

extension Call {
    /// The forwards by which a leg came to be rung, the first of them first.
    func forwards(to leg: Int) -> [Int] {
        var chain: [Int] = []
        var next = legs[leg].callee?.forward
        while let index = next {
            chain.append(index)
            next = legs[forwards[index].by].callee?.forward
        }
        return chain.reversed()
    }
}

extension SIPText {
    /// Whether an Alert-Info or Call-Info may make a phone answer by itself. Of Alert-Info the registered URNs alone surely do not (RFC 7462);
    /// what else there is is a matter of the phone's settings (`;answer-after=0`, `;info=alert-autoanswer`, `Ring Answer`).
    fileprivate var mayOpenMicrophone: Bool {
        let text = lowercased.string
        if text.hasPrefix("<urn:alert:"), let end = text.firstIndex(of: ">") {
            return text[end...].dropFirst().contains { $0 != " " }
        }
        return !text.contains(";purpose=") || text.contains("answer")
    }
}
