import Base
import MediaControl
import RTP
import SDP
import SIP

/// SDP in and out of a call: addresses, ports, keys and ICE are each leg's own, everything else passes (RFC 3264, RFC 6337).
///
/// A round opens what is new at once and closes what fell away only when it succeeds, in `connect`: a refused one leaves no trace.
extension CallServer {
    /// The SDP of a message; nil where there is none. Other bodies are left out if they may be (RFC 5621), and refused if not.
    func readSession(_ message: SIPMessage) throws(SessionRefusal) -> SessionDescription? {
        guard !message.body.isEmpty else { return nil }
        guard let parts = message.bodyParts else { throw SessionRefusal(399, "the multipart body cannot be read", status: 400) }
        let sessions = parts.filter(\.isSession)
        guard sessions.count + parts.count(where: \.isOptional) >= parts.count else { throw SessionRefusal.notSDP }
        guard sessions.count <= 1 else { throw SessionRefusal(399, "two session descriptions in one message", status: 400) }
        guard !sessions.isEmpty else { return nil }
        let session: SessionDescription
        do throws(SDPError) { session = try SessionDescription(parsing: message.sessionBody) } catch {
            throw SessionRefusal(error)
        }
        guard session.media.count <= settings.limits.mediaStreams else {
            throw SessionRefusal(399, "\(session.media.count) streams are too many")
        }
        return session
    }

    // MARK: Incoming

    /// The leg's phone said `session` as an offer: streams of ours are opened for what can be relayed.
    mutating func takeOffer(_ session: SessionDescription, _ body: [UInt8], _ leg: Int, _ call: inout Call) throws(SessionRefusal)
    {
        guard !call.isDirect else { return remember(session, body, [], leg, &call) }
        var unusable: Set<Int> = []
        var refusal: SessionRefusal?
        for index in session.media.indices where !session.media[index].isRejected {
            guard let reason = unfit(session, index, call.legs[leg].party.srtp) else { continue }
            refusal = refusal ?? reason
            unusable.insert(index)
        }
        let usable = session.media.indices.filter { !session.media[$0].isRejected && !unusable.contains($0) }
        guard !usable.isEmpty || (refusal == nil && !session.media.isEmpty) else {
            throw refusal ?? SessionRefusal(304, "there is no stream at all")
        }
        for index in usable {
            let media = session.media[index]
            try openStream(index, media.kind, leg, &call, ice: session.ice(of: index) != nil)
            takeKeys(media, index, leg, &call)
            call.legs[leg].streams[index]?.profile = media.profile
            call.legs[leg].streams[index]?.kind = media.kind
        }
        remember(session, body, unusable, leg, &call)
    }

    /// The leg's phone answered an offer of ours.
    mutating func takeAnswer(_ session: SessionDescription, _ body: [UInt8], _ leg: Int, _ call: inout Call)
        throws(SessionRefusal)
    {
        guard !call.isDirect else { return remember(session, body, [], leg, &call) }
        guard !session.media.isEmpty else { throw SessionRefusal(304, "the answer names no stream") }
        for index in call.legs[leg].streams.indices {
            guard let stream = call.legs[leg].streams[index], index < session.media.count, !session.media[index].isRejected else {
                continue
            }
            if let reason = Self.unreachable(session, index) { throw reason }
            // Sound for fax: what a gateway says that knows no T.38 and no 488.
            guard session.media[index].profile.isRTP == stream.profile.isRTP else {
                throw SessionRefusal(304, "the answer is \(session.media[index].profile), the offer was \(stream.profile)")
            }
            guard stream.profile.isSecure else { continue }
            guard let answer = session.media[index].crypto.first, let usable = answer.usable,
                let ours = stream.crypto.first(where: { $0.tag == answer.tag }), let key = ours.usable, key.suite == usable.suite
            else { throw SessionRefusal(302, "the answer takes none of the SRTP keys offered") }
            call.legs[leg].streams[index]?.srtp = SRTPParameters(suite: key.suite, localKey: key.key, remoteKey: usable.key)
        }
        remember(session, body, [], leg, &call)
    }

    private mutating func remember(
        _ session: SessionDescription, _ body: [UInt8], _ unusable: Set<Int>, _ leg: Int, _ call: inout Call
    ) {
        call.legs[leg].session.remote = session
        call.legs[leg].session.remoteBody = body
        call.legs[leg].session.unusable = unusable
        for index in call.legs[leg].streams.indices { call.legs[leg].streams[index]?.epoch &+= 1 }
    }

    /// Why a stream that the phone offers cannot be relayed; nil if it can.
    private func unfit(_ session: SessionDescription, _ index: Int, _ wish: SRTPWish?) -> SessionRefusal? {
        let media = session.media[index]
        switch media.profile {
        case .avp, .avpf, .udptl: if wish == .required { return .srtpRequired }
        case .savp, .savpf:
            if wish == .off { return .srtpOff }
            guard settings.calls.srtpAvailable, media.crypto.contains(where: { $0.usable != nil }) else {
                return SessionRefusal(media.profile, srtpAvailable: settings.calls.srtpAvailable)
            }
        case .dtlsSAVP, .dtlsSAVPF, .other: return SessionRefusal(media.profile, srtpAvailable: settings.calls.srtpAvailable)
        }
        if media.profile.isRTP, media.payloadTypes.isEmpty { return SessionRefusal(305, "no payload type is one") }
        return Self.unreachable(session, index)
    }

    private static func unreachable(_ session: SessionDescription, _ index: Int) -> SessionRefusal? {
        guard let connection = session.connection(of: index) else { return SessionRefusal(301, "there is no c= line") }
        if connection.isMulticast { return SessionRefusal(330, "multicast is not relayed here") }
        if let address = connection.address, case .v4(let v4) = address, v4.bits == .max {
            return SessionRefusal(301, "media to a broadcast address")
        }
        return nil
    }

    private mutating func takeKeys(_ media: MediaDescription, _ index: Int, _ leg: Int, _ call: inout Call) {
        guard media.profile.isSecure, let offered = media.crypto.first(where: { $0.usable != nil }), let theirs = offered.usable
        else {
            call.legs[leg].streams[index]?.srtp = nil
            call.legs[leg].streams[index]?.crypto = []
            return
        }
        // The same suite keeps its key, so that a re-INVITE does not break what plays.
        let kept = call.legs[leg].streams[index]?.srtp
        let local = kept.flatMap { $0.suite == theirs.suite ? $0.localKey : nil } ?? entropy.bytes(theirs.suite.keyLength)
        var line = SDPCrypto(tag: offered.tag, suite: theirs.suite, key: local)
        line.suiteName = offered.suiteName
        call.legs[leg].streams[index]?.crypto = [line]
        call.legs[leg].streams[index]?.srtp = SRTPParameters(suite: theirs.suite, localKey: local, remoteKey: theirs.key)
    }

    // MARK: Outgoing

    /// `source`, which the phone of leg `from` offered, as our offer to `leg`.
    mutating func offer(_ source: SessionDescription, from: Int, to leg: Int, _ call: inout Call) throws(SessionRefusal)
        -> [UInt8]
    {
        guard !call.isDirect else { return passed(from, to: leg, &call) }
        let isRequired = call.legs[leg].party.srtp == .required
        guard !isRequired || settings.calls.srtpAvailable else { throw SessionRefusal(.savp, srtpAvailable: false) }
        var streams: [RelayedStream?] = []
        for index in source.media.indices {
            let media = source.media[index]
            // Fax cannot be secret.
            guard call.legs[from].isUsable(index), media.profile.isRTP || !isRequired else {
                streams.append(nil)
                continue
            }
            let former = call.legs[leg].streams.element(index)
            let flow = call.legs[leg].flow
            let wantsICE = flow.transport == .ws || flow.transport == .wss || call.legs[leg].callee?.target.speaksICE == true
            try openStream(index, media.kind, leg, &call, ice: wantsICE)
            guard var stream = call.legs[leg].streams[index] else { continue }
            // Sound becomes fax, or the other way round, in one line (T.38 D.2.3).
            if former?.profile.isRTP != media.profile.isRTP {
                stream.profile = profile(media.profile, for: call.legs[leg])
                stream.kind = media.kind
                stream.crypto = []
                stream.srtp = nil
            }
            if stream.profile.isSecure, stream.crypto.isEmpty {
                for (offset, suite) in [SRTPParameters.Suite.aesCM128HMACSHA1_80, .aesCM128HMACSHA1_32].enumerated() {
                    stream.crypto.append(SDPCrypto(tag: offset + 1, suite: suite, key: entropy.bytes(suite.keyLength)))
                }
            }
            stream.saysMux = media.multiplexesRTCP
            call.legs[leg].streams[index] = stream
            streams.append(stream.relayed(at: settings.addresses.media(flow)))
        }
        if isRequired, !streams.contains(where: { $0 != nil }), source.media.indices.contains(where: call.legs[from].isUsable) {
            throw SessionRefusal.srtpRequired
        }
        return seal(source, streams, leg, &call)
    }

    /// `source`, by which the phone of leg `from` answered, as our answer to the offer of `leg`.
    mutating func answer(_ source: SessionDescription, from: Int, to leg: Int, _ call: inout Call) -> [UInt8] {
        guard !call.isDirect else { return passed(from, to: leg, &call) }
        var session = source
        let asked = call.legs[leg].session.remote?.media ?? []
        // As many as were offered, in their order (RFC 3264 6).
        session.media = Array(source.media.prefix(asked.count))
        var streams: [RelayedStream?] = []
        for index in asked.indices {
            if index >= session.media.count { session.media.append(asked[index]) }
            guard index < source.media.count, call.legs[from].isUsable(index), call.legs[leg].isUsable(index),
                var stream = call.legs[leg].streams.element(index)
            else {
                session.media[index] = asked[index]
                streams.append(nil)
                continue
            }
            stream.profile = asked[index].profile
            stream.saysMux = asked[index].multiplexesRTCP
            call.legs[leg].streams[index] = stream
            streams.append(stream.relayed(at: settings.addresses.media(call.legs[leg].flow)))
        }
        return seal(session, streams, leg, &call)
    }

    /// What the 2xx of the caller's INVITE says. In one dialog an answer is given once (RFC 6337 3.1): what differs is settled by a round of
    /// its own, and what an UPDATE has overtaken is not said again.
    mutating func finalAnswer(_ source: SessionDescription, from leg: Int, _ call: inout Call) -> [UInt8] {
        let heard = call.legs[0].session.local
        let body = answer(source, from: leg, to: 0, &call)
        if !heard.isEmpty, heard != body { call.needsRound = true }
        return call.legs[0].session.early == .changed ? [] : body
    }

    /// With our own o= and c=. The version rises only where something changed (RFC 3264 8).
    private mutating func seal(_ source: SessionDescription, _ streams: [RelayedStream?], _ leg: Int, _ call: inout Call)
        -> [UInt8]
    {
        let address = settings.addresses.media(call.legs[leg].flow)
        if call.legs[leg].session.id == 0 { call.legs[leg].session.id = entropy.next() >> 2 }
        let session = call.legs[leg].session
        var origin = SDPOrigin(session: session.id, version: session.version, address: address)
        var sealed = source.relayed(origin: origin, streams: streams)
        if !session.local.isEmpty, sealed.bytes == session.local { return session.local }
        origin = origin.next
        sealed.origin = origin
        call.legs[leg].session.version &+= 1
        call.legs[leg].session.local = sealed.bytes
        return call.legs[leg].session.local
    }

    /// Direct media: byte for byte.
    private func passed(_ from: Int, to leg: Int, _ call: inout Call) -> [UInt8] {
        call.legs[leg].session.local = call.legs[from].session.remoteBody
        return call.legs[leg].session.local
    }

}

extension SIPMessage {
    /// The bytes of its session description, wherever in the body they stand; empty where there is none.
    var sessionBody: [UInt8] {
        guard let part = bodyParts?.first(where: \.isSession) else { return [] }
        return Array(bytes[part.range])
    }
}
