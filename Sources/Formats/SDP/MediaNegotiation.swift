import Base
import RTP

/// Offer and answer (RFC 3264): makes our offer, answers another's, and reads what an answer to ours means.
public enum MediaNegotiation {
    /// An offer of these streams, in this order. `origin`: of this version (RFC 3264 8: one higher than the last that was sent).
    public static func offer(
        origin: SDPOrigin, streams: [LocalStream], entropy: inout Entropy
    ) -> SessionDescription {
        let address = streams.first?.rtp.address ?? origin.host.address ?? .v4(.any)
        var result = SessionDescription(origin: origin, connection: SDPConnection(address))
        if streams.contains(where: { $0.ice?.isLite == true }) { result.session.add("ice-lite") }
        for local in streams {
            let profile: MediaProfile = local.encryption == .required ? .savp : .avp
            var stream = MediaDescription(MediaLine(kind: local.kind, port: local.rtp.port, profile: profile, formats: []))
            if local.rtp.address != address { stream.connection = SDPConnection(local.rtp.address) }
            stream.setFormats(local.formats)
            if let packetTime = local.packetTime { stream.section.add("ptime", String(packetTime)) }
            stream.addRTCP(local, multiplexed: local.multiplexesRTCP)
            if local.encryption != .never {
                for (place, suite) in local.suites.enumerated() {
                    stream.section.add(
                        "crypto", SDPCrypto(tag: place + 1, suite: suite, key: local.key(suite, &entropy)).text)
                }
            }
            stream.setICE(local.ice)
            stream.section.add(local.direction.rawValue)
            result.media.append(stream)
        }
        return result
    }

    /// The answer to `offer`: as many `m=` lines in the same order, each met by the first of our streams of its kind that is not
    /// used yet, or refused with port 0 (RFC 3264 6). Payload types are the offer's.
    ///
    /// Throws when not one stream can be met, with the reason of the first that came nearest.
    public static func answer(
        to offer: SessionDescription, origin: SDPOrigin, streams: [LocalStream], entropy: inout Entropy
    ) throws(SDPRefusal) -> NegotiatedSession {
        guard !offer.media.isEmpty else { throw SDPRefusal(.noMedia) }
        var left = streams
        var nearest: SDPRefusal?
        var agreed: [(NegotiatedStream, MediaDescription)] = []
        for index in offer.media.indices {
            let remote = offer.remoteStream(index)
            guard !remote.isRejected else {
                agreed.append((.rejected(index, remote.kind), offer.media[index].refusal))
                continue
            }
            guard let place = left.firstIndex(where: { isSame($0.kind, remote.kind) }) else {
                agreed.append((.rejected(index, remote.kind), offer.media[index].refusal))
                continue
            }
            do throws(SDPRefusal) {
                agreed.append(try meet(remote, in: offer, at: index, with: left[place], &entropy))
                left.remove(at: place)
            } catch {
                nearest = nearest ?? error
                agreed.append((.rejected(index, remote.kind), offer.media[index].refusal))
            }
        }
        let wasOffered = offer.media.contains { !$0.isRejected }
        guard agreed.contains(where: { !$0.0.isRejected }) || (!wasOffered && nearest == nil) else {
            throw nearest ?? SDPRefusal(.mediaTypes(offer.media.map(\.kind)))
        }
        let address = streams.first?.rtp.address ?? origin.host.address ?? .v4(.any)
        var description = SessionDescription(
            origin: origin, connection: SDPConnection(address), media: agreed.map(\.1))
        // RFC 3264 6: t= of the answer equals that of the offer.
        if let time = offer.session.first("t") { description.session.set("t", string(time)) }
        if streams.contains(where: { $0.ice?.isLite == true }), agreed.contains(where: { $0.0.ice != nil }) {
            description.session.add("ice-lite")
        }
        for index in agreed.indices where !agreed[index].0.isRejected {
            if description.media[index].connection?.address == address { description.media[index].connection = nil }
        }
        return NegotiatedSession(description: description, streams: agreed.map(\.0))
    }

    private static func meet(
        _ remote: RemoteStream, in offer: SessionDescription, at index: Int, with local: LocalStream, _ entropy: inout Entropy
    ) throws(SDPRefusal) -> (NegotiatedStream, MediaDescription) {
        try check(remote, in: offer, at: index)
        var common: [(remote: MediaFormat, local: MediaFormat)] = []
        for format in remote.formats {
            if let ours = local.formats.first(where: { $0.isSameCodec(as: format) }) { common.append((format, ours)) }
        }
        guard common.contains(where: { !$0.remote.isAuxiliary }) else {
            throw SDPRefusal(.formats(offer.media[index].codecNames))
        }
        let chosen = remote.crypto.lazy.compactMap { line in
            line.usable.flatMap { local.suites.contains($0.suite) ? (line.tag, $0.suite, $0.key) : nil }
        }.first
        var srtp: SRTPParameters?
        var answerCrypto: SDPCrypto?
        if local.encryption != .never, let (tag, suite, key) = chosen {
            let ours = local.key(suite, &entropy)
            srtp = SRTPParameters(suite: suite, localKey: ours, remoteKey: key)
            var line = SDPCrypto(tag: tag, suite: suite, key: ours)
            line.suiteName = remote.crypto.first { $0.tag == tag }?.suiteName ?? line.suiteName
            answerCrypto = line
        } else {
            guard !remote.profile.isSecure else { throw SDPRefusal(.encryptionUnavailable) }
            guard local.encryption != .required else { throw SDPRefusal(.encryptionRequired) }
        }
        let direction = local.direction.limited(to: remote.direction.reversed)
        let multiplexes = local.multiplexesRTCP && remote.multiplexesRTCP
        var stream = MediaDescription(
            MediaLine(kind: offer.media[index].kind, port: local.rtp.port, profile: remote.profile, formats: []))
        stream.connection = SDPConnection(local.rtp.address)
        let receive = common.map { pair in
            var format = pair.remote
            format.parameters = answerParameters(offered: pair.remote, ours: pair.local)
            return format
        }
        stream.setFormats(receive)
        if let packetTime = local.packetTime { stream.section.add("ptime", String(packetTime)) }
        stream.addRTCP(local, multiplexed: multiplexes)
        if let answerCrypto { stream.section.add("crypto", answerCrypto.text) }
        let ice = remote.ice != nil ? local.ice : nil
        stream.setICE(ice)
        if let identification = offer.media[index].identification { stream.section.add("mid", identification) }
        stream.section.add(direction.rawValue)
        return (
            NegotiatedStream(
                index: index, kind: remote.kind, isRejected: false, direction: direction, sendFormats: common.map(\.remote),
                receiveFormats: receive, packetTime: remote.agreedPacketTime, remoteRTP: remote.rtp,
                remoteRTCP: multiplexes ? nil : remote.rtcp ?? remote.rtp.flatMap(\.following), multiplexesRTCP: multiplexes,
                srtp: srtp, ice: ice == nil ? nil : remote.ice, isHeldByPeer: remote.isHeld),
            stream
        )
    }

    /// What `answer` makes of `offer`, which we sent, for these streams of ours (RFC 3264 7).
    ///
    /// Throws when the lines do not match, when every stream is refused, or when an accepted one has nothing we offered.
    public static func read(
        answer: SessionDescription, to offer: SessionDescription, streams: [LocalStream]
    ) throws(SDPRefusal) -> NegotiatedSession {
        guard answer.media.count == offer.media.count else { throw SDPRefusal(.linesDiffer) }
        var result: [NegotiatedStream] = []
        for index in offer.media.indices {
            let remote = answer.remoteStream(index)
            guard isSame(remote.kind, offer.media[index].kind) else { throw SDPRefusal(.linesDiffer) }
            guard !remote.isRejected, !offer.media[index].isRejected else {
                result.append(.rejected(index, remote.kind))
                continue
            }
            try check(remote, in: answer, at: index)
            let local = index < streams.count ? streams[index] : nil
            result.append(try settle(remote, index, offer, local))
        }
        guard result.contains(where: { !$0.isRejected }) || offer.media.allSatisfy(\.isRejected) else {
            throw SDPRefusal(.allRejected)
        }
        return NegotiatedSession(description: offer, streams: result)
    }

    private static func settle(
        _ remote: RemoteStream, _ index: Int, _ offer: SessionDescription, _ local: LocalStream?
    ) throws(SDPRefusal) -> NegotiatedStream {
        let offered = offer.remoteStream(index)
        // The answerer may number a codec otherwise than we did: then we send by its number and receive by ours (RFC 3264 6.1).
        var send: [MediaFormat] = []
        var receive: [MediaFormat] = []
        for format in remote.formats {
            guard
                let ours = offered.formats.first(where: { $0.payloadType == format.payloadType && $0.isSameCodec(as: format) })
                    ?? offered.formats.first(where: { $0.isSameCodec(as: format) })
            else { continue }
            send.append(format)
            receive.append(ours)
        }
        guard send.contains(where: { !$0.isAuxiliary }) else { throw SDPRefusal(.formats(remote.formats.map(\.encoding))) }
        var srtp: SRTPParameters?
        if let line = remote.crypto.first, let usable = line.usable,
            let ours = offered.crypto.first(where: { $0.tag == line.tag && $0.suite == usable.suite })?.usable
        {
            srtp = SRTPParameters(suite: usable.suite, localKey: ours.key, remoteKey: usable.key)
        }
        guard srtp != nil || !offered.profile.isSecure else { throw SDPRefusal(.encryptionUnavailable) }
        guard srtp != nil || !remote.profile.isSecure else { throw SDPRefusal(.encryptionUnavailable) }
        guard srtp != nil || local?.encryption != .required else { throw SDPRefusal(.encryptionRequired) }
        let multiplexes = offered.multiplexesRTCP && remote.multiplexesRTCP
        return NegotiatedStream(
            index: index, kind: remote.kind, isRejected: false,
            direction: offered.direction.limited(to: remote.direction.reversed), sendFormats: send, receiveFormats: receive,
            packetTime: remote.agreedPacketTime, remoteRTP: remote.rtp,
            remoteRTCP: multiplexes ? nil : remote.rtcp ?? remote.rtp.flatMap(\.following), multiplexesRTCP: multiplexes,
            srtp: srtp, ice: offered.ice == nil ? nil : remote.ice, isHeldByPeer: remote.isHeld)
    }

    /// What must hold of a stream of the other side, whoever asks.
    private static func check(_ remote: RemoteStream, in description: SessionDescription, at index: Int) throws(SDPRefusal) {
        guard remote.profile.isRTP else { throw SDPRefusal(.transport(remote.profile.description)) }
        if let connection = description.connection(of: index) {
            guard isSame(connection.network, "IN") else { throw SDPRefusal(.addressType(connection.network)) }
            guard !connection.isMulticast else { throw SDPRefusal(.multicast) }
        }
    }

    /// What our fmtp says: ours; the offer's where we say nothing and the codec is symmetric in its mode.
    private static func answerParameters(offered: MediaFormat, ours: MediaFormat) -> String {
        guard ours.parameters.isEmpty else { return ours.parameters }
        return ["ilbc", "amr", "amr-wb", "g729"].contains(offered.encoding.lowercased()) ? offered.parameters : ""
    }
}

extension NegotiatedStream {
    static func rejected(_ index: Int, _ kind: String) -> NegotiatedStream {
        NegotiatedStream(
            index: index, kind: kind, isRejected: true, direction: .inactive, sendFormats: [], receiveFormats: [], packetTime: 20,
            remoteRTP: nil, remoteRTCP: nil, multiplexesRTCP: false, srtp: nil, ice: nil, isHeldByPeer: false)
    }
}

extension RemoteStream {
    /// Milliseconds a packet that we send it.
    var agreedPacketTime: Int { min(packetTime ?? 20, maximumPacketTime ?? .max) }
}

extension Endpoint {
    /// The next port; nil after the last.
    var following: Endpoint? { port < .max ? Endpoint(address, port + 1) : nil }
}

extension MediaDescription {
    /// What the answer says to a line that it refuses: the line itself with port 0, its formats kept (RFC 3264 6).
    var refusal: MediaDescription {
        var line = line
        line.port = 0
        line.portCount = 1
        var result = MediaDescription(line)
        if let identification { result.section.add("mid", identification) }
        return result
    }

    /// Names for a person; payload types where no name is known.
    package var codecNames: [String] {
        let named = formats
        guard !named.isEmpty else { return line.formats.map { "payload type \($0)" } }
        return named.map { "\($0.encoding)/\($0.clockRate)" }
    }

    mutating func addRTCP(_ local: LocalStream, multiplexed: Bool) {
        if let port = local.rtcpPort, !multiplexed, UInt32(port) != UInt32(local.rtp.port) + 1 {
            section.add("rtcp", SDPRTCP(port: port).text)
        }
        if multiplexed { section.add("rtcp-mux") }
    }
}
