import Base
import MediaControl
import RTP
import SDP
import SIP
import SIPStack

/// Calls that the server answers itself: rooms, echo, tone, one's own address.
extension CallServer {
    /// Whoever was in another media loop than the room's is to have a port of its.
    mutating func enterLoop(of service: CallService, _ leg: Int, _ call: inout Call) throws(SessionRefusal) {
        guard case .room(let room) = service, let loop = calls.ports.loop(ofRoom: room.name), loop != call.loop else { return }
        guard calls.ports.freeCount(loop) > 0 else { throw SessionRefusal.noPorts }
        closeStreams(leg, &call)
        call.loop = loop
    }

    func media(_ service: CallService, _ flow: FlowID, _ party: CallParty) -> MediaService {
        switch service {
        case .echo: return .echo
        case .tone(let frequency): return .tone(frequency)
        case .address: return .announcement("\(flow.remote)")
        case .room(let room):
            let isOwner = room.owner.map { SIPText($0) == party.account && !party.account.isEmpty } ?? false
            return .room(
                RoomEntry(
                    room: room.name, party: party.address.description,
                    account: party.isVouched && !party.account.isEmpty ? party.account.string : nil,
                    pin: isOwner ? nil : room.pin, isOwner: isOwner, records: room.records))
        }
    }

    // MARK: SDP of our own

    /// The answer of a service to an offer; its stream is opened, told and served.
    mutating func answerAsService(
        _ offer: SessionDescription, _ body: [UInt8], _ leg: Int, _ call: inout Call
    ) throws(SessionRefusal) -> [UInt8] {
        guard case .served(let service) = call.phase else { throw SessionRefusal(399, "nobody is here") }
        let address = settings.addresses.media(call.legs[leg].flow)
        let former = call.legs[leg].streams.firstIndex { $0 != nil }
        var local = serviceStream(service, offer, address, call.legs[leg].party)
        if let former, let srtp = call.legs[leg].streams[former]?.srtp { local.keys[srtp.suite] = srtp.localKey }
        var negotiated: NegotiatedSession
        let origin = nextOrigin(leg, &call)
        do throws(SDPRefusal) {
            negotiated = try MediaNegotiation.answer(to: offer, origin: origin, streams: [local], entropy: &entropy)
        } catch {
            throw SessionRefusal(error.warningCode, error.description)
        }
        let chosen = negotiated.streams.first { !$0.isRejected }
        if let former, former != chosen?.index { closeStream(former, leg, &call) }
        call.legs[leg].session.remote = offer
        call.legs[leg].session.remoteBody = body
        if let chosen {
            try openStream(chosen.index, chosen.kind, leg, &call, ice: offer.ice(of: chosen.index) != nil)
            place(chosen, leg, &call, &negotiated)
            tellService(chosen, service, leg, &call)
        }
        call.legs[leg].session.local = negotiated.description.bytes
        return call.legs[leg].session.local
    }

    /// Our port and ICE in the negotiated description.
    private func place(_ chosen: NegotiatedStream, _ leg: Int, _ call: inout Call, _ negotiated: inout NegotiatedSession) {
        guard let stream = call.legs[leg].streams[chosen.index] else { return }
        var said = stream
        said.saysMux = chosen.multiplexesRTCP
        said.srtp = chosen.srtp
        call.legs[leg].streams[chosen.index] = said
        negotiated.description.media[chosen.index].line.port = stream.port.number
        if stream.ice != nil {
            negotiated.description.media[chosen.index].setICE(said.relayed(at: settings.addresses.media(call.legs[leg].flow)).ice)
            negotiated.description.session.add("ice-lite")
        }
    }

    /// `.remote` and `.serve` of a service's stream.
    private mutating func tellService(_ chosen: NegotiatedStream, _ service: MediaService, _ leg: Int, _ call: inout Call) {
        call.legs[leg].streams[chosen.index]?.epoch &+= 1
        tell(chosen.index, leg, &call, chosen.sendFormats)
        call.codec = chosen.sendFormats.first { !$0.isAuxiliary }?.encoding ?? ""
        guard let stream = call.legs[leg].streams[chosen.index], !stream.isServed else { return }
        call.legs[leg].streams[chosen.index]?.isServed = true
        outbox.append(.media(loop: call.loop, .serve(stream.id, service)))
    }

    /// What a service can do: an echo whatever is sent, the others our codecs.
    private func serviceStream(
        _ service: MediaService, _ offer: SessionDescription?, _ address: IPAddress, _ party: CallParty
    ) -> LocalStream {
        var formats = settings.calls.codecs + [.telephoneEvent]
        var packetTime: Int? = 20
        if case .echo = service, let offer,
            let index = offer.media.indices.first(where: { !offer.media[$0].isRejected && offer.media[$0].kind == "audio" })
        {
            formats = offer.media[index].formats
            packetTime = offer.media[index].packetTime
        }
        // The port is put in once one is taken.
        return LocalStream(
            rtp: Endpoint(address, 9), formats: formats, packetTime: packetTime, multiplexesRTCP: true,
            encryption: encryption(for: party))
    }

    private func encryption(for party: CallParty) -> LocalStream.Encryption {
        switch party.srtp {
        case .required: .required
        case .off: .never
        case .offered, nil: settings.calls.srtpAvailable ? .possible : .never
        }
    }

    /// An INVITE without an offer: ours goes into the 200, the answer comes in the ACK.
    mutating func offerAsService(_ leg: Int, _ call: inout Call) throws(SessionRefusal) -> [UInt8] {
        guard case .served(let service) = call.phase else { throw SessionRefusal(399, "nobody is here") }
        try openStream(0, "audio", leg, &call, ice: false)
        guard let stream = call.legs[leg].streams[0] else { throw SessionRefusal.noPorts }
        let address = settings.addresses.media(call.legs[leg].flow)
        var local = serviceStream(service, nil, address, call.legs[leg].party)
        local.rtp.port = stream.port.number
        local.multiplexesRTCP = false
        // Keys are offered only where they would not be read on the way, or are asked for.
        if local.encryption == .possible, !call.legs[leg].flow.transport.isSecure { local.encryption = .never }
        var offer = MediaNegotiation.offer(origin: nextOrigin(leg, &call), streams: [local], entropy: &entropy)
        // An offer never has fewer lines than the session had (RFC 3264 8).
        for (index, media) in (call.legs[leg].session.remote?.media ?? []).enumerated().dropFirst() {
            closeStream(index, leg, &call)
            offer.media.append(
                MediaDescription(MediaLine(kind: media.kind, port: 0, profile: media.profile, formats: media.line.formats)))
        }
        call.legs[leg].session.local = offer.bytes
        return call.legs[leg].session.local
    }

    /// The answer to a service's offer.
    mutating func takeServiceAnswer(_ message: SIPMessage, _ leg: Int, _ call: inout Call) throws(SessionRefusal) {
        guard case .served(let service) = call.phase else { return }
        guard let answer = try readSession(message) else { throw SessionRefusal(399, "the ACK brings no SDP") }
        guard let offer = try? SessionDescription(parsing: call.legs[leg].session.local) else { return }
        let local = serviceStream(service, nil, settings.addresses.media(call.legs[leg].flow), call.legs[leg].party)
        do throws(SDPRefusal) {
            let negotiated = try MediaNegotiation.read(answer: answer, to: offer, streams: [local])
            call.legs[leg].session.remote = answer
            call.legs[leg].session.remoteBody = message.sessionBody
            guard let chosen = negotiated.streams.first(where: { !$0.isRejected }) else { return }
            call.legs[leg].streams[chosen.index]?.srtp = chosen.srtp
            tellService(chosen, service, leg, &call)
        } catch {
            throw SessionRefusal(error.warningCode, error.description)
        }
    }

    private mutating func nextOrigin(_ leg: Int, _ call: inout Call) -> SDPOrigin {
        if call.legs[leg].session.id == 0 { call.legs[leg].session.id = entropy.next() >> 2 }
        call.legs[leg].session.version &+= 1
        return SDPOrigin(
            session: call.legs[leg].session.id, version: call.legs[leg].session.version,
            address: settings.addresses.media(call.legs[leg].flow))
    }
}
