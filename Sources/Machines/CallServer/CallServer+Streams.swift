import Base
import MediaControl
import RTP
import SDP
import SIP

/// Our ends of media streams: ports, commands to the media plane, and what it says.
extension CallServer {
    /// Opens the stream of an `m=` line unless it is open.
    mutating func openStream(
        _ index: Int, _ kind: String, _ leg: Int, _ call: inout Call, ice wantsICE: Bool
    ) throws(SessionRefusal) {
        while call.legs[leg].streams.count <= index { call.legs[leg].streams.append(nil) }
        guard call.legs[leg].streams[index] == nil else { return }
        let account = call.accounts.first ?? SIPText()
        let share = max(calls.ports.capacity * settings.limits.portPercentPerAccount / 100, 8)
        guard calls.streamsPerAccount[account, default: 0] < share else {
            counters.callTablesFull &+= 1
            throw SessionRefusal.noPorts
        }
        guard let port = calls.ports.take(call.loop) else {
            counters.callsWithoutPort &+= 1
            throw SessionRefusal.noPorts
        }
        let id = calls.nextMediaID()
        var stream = LegStream(id: id, port: port, kind: kind)
        stream.epoch = 1
        if wantsICE { stream.ice = ICECredentials(ufrag: entropy.hex(8), password: entropy.hex(32)) }
        call.legs[leg].streams[index] = stream
        call.openMedia += 1
        calls.own(id, MediaOwner(call: call.key, leg: leg, stream: index, port: port, account: account))
        let local = call.legs[leg].flow.local.address
        let setup = MediaLegSetup(port: port.number, local: local, ice: stream.ice, callID: call.legs[leg].callID.string)
        outbox.append(.media(loop: call.loop, .open(id, setup)))
    }

    mutating func closeStream(_ index: Int, _ leg: Int, _ call: inout Call) {
        guard let stream = call.legs[leg].streams.element(index) else { return }
        call.legs[leg].streams[index] = nil
        call.verdicts.append(
            .init(
                leg: leg, stream: index, id: stream.id, other: stream.bridgedTo, kind: stream.kind, signalled: stream.signalled,
                isAgreed: stream.isAgreed, verdict: nil))
        outbox.append(.media(loop: stream.port.loop, .close(stream.id)))
    }

    mutating func closeStreams(_ leg: Int, _ call: inout Call) {
        for index in call.legs[leg].streams.indices { closeStream(index, leg, &call) }
    }

    /// The streams of an offer that was refused, or never reached the phone: nothing of them is worth a verdict.
    mutating func withdrawStreams(_ leg: Int, _ call: inout Call) {
        let known = call.verdicts.count
        closeStreams(leg, &call)
        call.verdicts.removeSubrange(known...)
    }

    /// Both legs' SDPs are known: tells the media plane, and bridges stream by stream. `isFinal`: what one side refused is closed.
    mutating func connect(_ a: Int, _ b: Int, isFinal: Bool = true, _ call: inout Call) {
        let agreed = agreedFormats(a, b, call)
        noteCodec(a, agreed, &call)
        guard !call.isDirect else { return }
        for index in 0..<max(call.legs[a].streams.count, call.legs[b].streams.count) {
            guard call.legs[a].isUsable(index), call.legs[b].isUsable(index), let first = call.legs[a].streams.element(index),
                let second = call.legs[b].streams.element(index)
            else {
                if isFinal {
                    closeStream(index, a, &call)
                    closeStream(index, b, &call)
                }
                continue
            }
            let formats = index < agreed.count ? agreed[index] : []
            tell(index, a, &call, formats)
            tell(index, b, &call, formats)
            guard first.bridgedTo != second.id || second.bridgedTo != first.id else { continue }
            call.legs[a].streams[index]?.bridgedTo = second.id
            call.legs[b].streams[index]?.bridgedTo = first.id
            outbox.append(.media(loop: call.loop, .bridge(first.id, second.id)))
        }
    }

    private func noteCodec(_ leg: Int, _ agreed: [[MediaFormat]], _ call: inout Call) {
        guard let media = call.legs[leg].session.remote?.media else { return }
        if media.contains(where: { !$0.isRejected && $0.profile == .udptl }) { call.hasFax = true }
        for (index, formats) in agreed.enumerated() where media[index].kind == "audio" {
            guard let main = formats.first(where: { !Self.isSide($0) }) else { continue }
            call.codec = main.encoding
            return
        }
    }

    /// `.remote` of one stream.
    mutating func tell(_ index: Int, _ leg: Int, _ call: inout Call, _ formats: [MediaFormat]) {
        guard let stream = call.legs[leg].streams.element(index), let session = call.legs[leg].session.remote,
            index < session.media.count
        else { return }
        let media = session.media[index]
        let party = call.legs[leg].party
        let flow = call.legs[leg].flow
        var rtp = session.rtpEndpoint(of: index)
        // RFC 2543's hold.
        let isNowhere = rtp?.address.isUnspecified ?? false
        if isNowhere { rtp = nil }
        if let place = rtp, stream.signalled != place, isElsewhere(place.address, flow) {
            counters.mediaElsewhere &+= 1
            note(.call(.mediaElsewhere(call: call.number, party: party.address.description, place, flow)))
        }
        call.legs[leg].streams[index]?.signalled = rtp
        call.legs[leg].streams[index]?.isAgreed = true
        // Whom nobody vouches for may aim at nobody, not even at where he says he is.
        var unheard: MediaRemote.Unheard = party.isVouched ? .signallingSource : .nowhere
        if settings.calls.trustsForeignAddresses { unheard = .anywhere }
        let carriesUDPTL = media.profile == .udptl
        let isMuxed = stream.saysMux && media.multiplexesRTCP
        let direction = session.direction(of: index)
        let ice: ICECredentials? =
            stream.ice == nil ? nil : session.ice(of: index).map { ICECredentials(ufrag: $0.ufrag, password: $0.password) }
        outbox.append(
            .media(
                loop: call.loop,
                .remote(
                    stream.id,
                    MediaRemote(
                        epoch: stream.epoch, rtp: rtp,
                        rtcp: rtp == nil || isMuxed || carriesUDPTL ? nil : session.rtcpEndpoint(of: index),
                        multiplexesRTCP: isMuxed, receives: direction.receives && !isNowhere, sends: direction.sends,
                        formats: formats.isEmpty ? media.formats : formats, packetTime: media.packetTime ?? 20, srtp: stream.srtp,
                        ice: ice, carriesUDPTL: carriesUDPTL, signallingSource: flow.remote.address, unheard: unheard))))
    }

    /// Neither where the phone's SIP comes from, nor in a private network shared with it.
    private func isElsewhere(_ address: IPAddress, _ flow: FlowID) -> Bool {
        address != flow.remote.address && !(address.isPrivate && flow.remote.address.isPrivate)
    }

    /// By stream: the formats that both SDPs name, in the order of the later one.
    private func agreedFormats(_ a: Int, _ b: Int, _ call: Call) -> [[MediaFormat]] {
        guard let first = call.legs[a].session.remote, let second = call.legs[b].session.remote else { return [] }
        return zip(first.media, second.media).map { one, other in
            let names = one.formats
            return other.formats.filter { format in names.contains { Self.isSame($0, format) } }
        }
    }

    static func isSame(_ a: MediaFormat, _ b: MediaFormat) -> Bool {
        a.clockRate == b.clockRate && a.encoding.lowercased() == b.encoding.lowercased()
    }

    /// Not speech: digits and comfort noise.
    static func isSide(_ format: MediaFormat) -> Bool {
        let name = format.encoding.lowercased()
        return name == "telephone-event" || name == "cn" || name == "red"
    }
}
