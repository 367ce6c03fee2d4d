import Base
import Codecs
import MediaControl
import RTP
import SDP
import SIP
import SIPStack

/// Offers and answers of a call (RFC 3264), and what they mean for its audio.
extension CallAgent {
    /// The SDP in a message; nil where there is none. What cannot be read is nil too, with a note.
    func description(of message: SIPMessage) -> SessionDescription? {
        guard !message.body.isEmpty else { return nil }
        if let type = try? message.contentType, !type.isSDP { return nil }
        return try? SessionDescription(parsing: Array(message.body))
    }

    /// What we are ready to do, and where we want to be sent to.
    func localStream(_ call: Call, isOffer: Bool) -> LocalStream? {
        guard let audio = media[call.id] else { return nil }
        var rtp = audio.localRTP
        var rtcp: UInt16?
        if case .known(let mapped, let control) = call.mapping {
            rtp = mapped
            rtcp = control?.port
        }
        var stream = LocalStream(
            rtp: rtp, rtcpPort: rtcp, formats: registry.offer(), direction: call.wantsHold ? .sendonly : .sendrecv,
            multiplexesRTCP: wishes.multiplexesRTCP, encryption: encryption(call, isOffer: isOffer), keys: call.session.keys)
        stream.ice = ice[call.id]?.description
        return stream
    }

    private func encryption(_ call: Call, isOffer: Bool) -> LocalStream.Encryption {
        guard srtp != nil else { return .never }
        let isSecure = call.flow?.transport.isSecure ?? false
        switch wishes.encryption {
        case .never: return .never
        case .required: return .required
        case .automatic: return isSecure && isOffer ? .required : isOffer ? .never : .possible
        }
    }

    /// Keys are drawn once a call, so that a re-offer says the same (RFC 4568 7.1.4).
    private mutating func drawKeys(_ call: inout Call, _ stream: inout LocalStream) {
        guard stream.encryption != .never else { return }
        for suite in stream.suites where call.session.keys[suite] == nil {
            call.session.keys[suite] = entropy.bytes(suite.keyLength)
        }
        stream.keys = call.session.keys
    }

    private func origin(_ call: Call) -> SDPOrigin {
        SDPOrigin(
            session: call.session.number, version: max(1, call.session.version), address: media[call.id]?.local ?? contact.address
        )
    }

    /// Counts the version up where what is said differs from what was said before (RFC 3264 8).
    private func versioned(_ description: SessionDescription, _ call: inout Call) -> SessionDescription {
        if var said = call.session.lastSaid {
            said.origin = description.origin
            if said == description { return description }
        }
        call.session.version += 1
        var description = description
        description.origin = origin(call)
        call.session.lastSaid = description
        return description
    }

    mutating func makeOffer(_ call: inout Call) -> SessionDescription {
        guard var stream = localStream(call, isOffer: true) else {
            return SessionDescription(origin: origin(call), connection: nil)
        }
        drawKeys(&call, &stream)
        let description = versioned(
            MediaNegotiation.offer(origin: origin(call), streams: [stream], entropy: &entropy), &call)
        call.session.offer = (description, stream)
        return description
    }

    /// Answers their offer; the audio follows it at once.
    mutating func respond(to offer: SessionDescription, _ call: inout Call, at now: Instant) throws(SDPRefusal) -> [UInt8] {
        prepareICE(for: offer, &call, at: now)
        guard var stream = localStream(call, isOffer: false) else { throw SDPRefusal(.noMedia) }
        drawKeys(&call, &stream)
        let session = try MediaNegotiation.answer(to: offer, origin: origin(call), streams: [stream], entropy: &entropy)
        let description = versioned(session.description, &call)
        // Streams that we do not serve are refused line by line; without any audio a call makes no sense.
        guard let agreed = session.stream() else { throw SDPRefusal(.mediaTypes(offer.media.map(\.kind))) }
        try agree(agreed, &call, remote: offer, isOfferer: false, at: now)
        return description.bytes
    }

    /// Takes the answer to our offer; what is wrong with it, nil where nothing is. An early answer stands until the last one.
    @discardableResult
    mutating func take(answer: SessionDescription, isFinal: Bool, _ call: inout Call, at now: Instant) -> SDPRefusal? {
        guard let offer = call.session.offer else { return nil }
        do throws(SDPRefusal) {
            let session = try MediaNegotiation.read(answer: answer, to: offer.description, streams: [offer.stream])
            guard let agreed = session.stream() else { throw SDPRefusal(.allRejected) }
            try agree(agreed, &call, remote: answer, isOfferer: true, at: now)
        } catch {
            return error
        }
        if isFinal { call.session.offer = nil }
        return nil
    }

    private mutating func agree(
        _ stream: NegotiatedStream, _ call: inout Call, remote: SessionDescription, isOfferer: Bool, at now: Instant
    ) throws(SDPRefusal) {
        guard let (format, codec) = registry.choose(among: stream.sendFormats) else {
            throw SDPRefusal(.formats(stream.sendFormats.map(\.encoding)))
        }
        guard let rtp = stream.remoteRTP else { throw SDPRefusal(.addressType("a name")) }
        guard var audio = media[call.id] else { throw SDPRefusal(.noMedia) }
        guard rtp.address.isIPv6 == audio.local.isIPv6 || stream.ice != nil else {
            throw SDPRefusal(.addressType(rtp.address.isIPv6 ? "IP6" : "IP4"))
        }
        let events = stream.sendFormats.filter(\.isTelephoneEvent)
        let agreement = CallMedia.Agreement(
            rtp: rtp, kin: call.flow?.remote.address, rtcp: stream.remoteRTCP, multiplexesRTCP: stream.multiplexesRTCP,
            sends: stream.direction.sends,
            receives: stream.direction.receives, holds: call.wantsHold, format: format, codec: codec,
            accepted: stream.receiveFormats,
            telephoneEvent: events.first { $0.clockRate == format.clockRate } ?? events.first,
            packetTime: min(60, max(10, stream.packetTime / 10 * 10)), srtp: stream.srtp)
        audio.agree(agreement, at: now)
        media[call.id] = audio
        call.session.isAgreed = true
        call.heldByThem = stream.isHeldByPeer
        call.heldByUs = call.wantsHold
        negotiateICE(stream, &call, remote: remote, isOfferer: isOfferer, at: now)
        deadlines.set(.media(call.id), to: media[call.id]?.nextDeadline)
        let local = localStream(call, isOffer: isOfferer)?.rtp ?? audio.localRTP
        let state = CallMediaState(
            codec: format.encoding, sampleRate: codec.sampleRate, sends: agreement.sends, receives: agreement.receives,
            heldByUs: call.heldByUs, heldByThem: call.heldByThem, isSRTP: stream.srtp != nil, local: local, remote: rtp,
            hasTelephoneEvents: agreement.telephoneEvent != nil)
        guard state != call.shown else { return }
        call.shown = state
        emit(.event(call.id, .media(state)))
    }

    /// An answer that refuses every stream, where one is owed and nothing fits.
    func rejection(of offer: SessionDescription, _ call: Call) -> SessionDescription {
        var answer = SessionDescription(
            origin: origin(call), connection: SDPConnection(origin(call).host.address ?? contact.address))
        answer.media = offer.media.map { media in
            var line = media.line
            line.port = 0
            return MediaDescription(line)
        }
        return answer
    }

    // MARK: Session timers and extensions

    /// What a 2xx tells of the other side.
    func learnExtensions(_ message: SIPMessage, _ call: inout Call) {
        if let allow = try? message.allow, !allow.isEmpty { call.peerTakesUpdate = allow.contains(.update) }
    }

    mutating func startTimer(response: SIPMessage, asked: UInt32?, _ call: inout Call, at now: Instant) {
        call.timer = SessionTimerTerms(response).timer(asked: asked, at: now)
    }

    /// What a re-INVITE or UPDATE of ours says: who refreshes stays as it is.
    func addTimer(to draft: inout Draft, _ call: Call) {
        guard let timer = call.timer else { return }
        let interval = max(timer.interval, call.minimumExpires)
        let refresher = timer.refresher == .us ? "uac" : "uas"
        draft.headers.append((.sessionExpires, SIPText("\(interval);refresher=\(refresher)")))
        draft.headers.append((.minSE, SIPText("\(call.minimumExpires)")))
    }
}
