import Base

/// Session descriptions: media pinholes, and the addresses and ports that lead to them.
extension ApplicationGateway {
    /// Follows a session description, if the message has one; the reason if the message has to vanish.
    mutating func followSession(
        _ message: inout ALGMessage, _ now: Instant, _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> ALGDropReason? {
        guard let rule = profile.sessionDescription, case .found(let version) = message.text.session(.version, from: 0) else {
            return nil
        }
        let start = version.lowerBound
        var common: IPAddress?
        if case .found(let range) = message.text.session(.connection, from: start, stop: .media) {
            common = message.text.address(at: range.lowerBound)?.0
        }
        var offset = start
        var followed = 0
        // The session's own lines get the address of the last medium that was looked at, whatever the first one's.
        var last: IPAddress?
        while followed < rule.mediaCap, case .found(let media) = message.text.session(.media, from: offset) {
            guard let (purpose, portRange) = medium(message.text, media) else {
                offset = media.upperBound
                continue
            }
            offset = portRange.lowerBound
            let port = message.text.number(at: portRange.lowerBound)
            if port == 0 { continue }
            guard port >= 1024, let port = UInt16(exactly: port) else {
                if let reason = broken(.lowMediaPort, at: portRange.lowerBound) { return reason }
                continue
            }
            var address = common
            var hasOwn = false
            if case .found(let range) = message.text.session(.connection, from: offset, stop: .media) {
                address = message.text.address(at: range.lowerBound)?.0
                hasOwn = true
            }
            guard let address else {
                if let reason = broken(.mediaWithoutConnection, at: media.lowerBound) { return reason }
                continue
            }
            let media = Medium(purpose: purpose, port: port, portRange: portRange, address: address)
            let written: IPAddress
            switch openMedia(media, &message, rule, now, isTaken) {
            case .success(let shown): written = shown
            case .failure(let refusal): return refusal.reason
            }
            last = written
            if hasOwn, message.flow.isTranslated {
                _ = message.writeAddress(written, .connection, .sdpMediaConnection, from: offset)
                if let reason = recount(&message) { return reason }
            }
            followed += 1
        }
        guard let last, message.flow.isTranslated else { return nil }
        guard case .found = message.writeAddress(last, .origin, .sdpOrigin, from: start) else {
            return .nothingToRewrite(.sdpOrigin)
        }
        if case .malformed = message.writeAddress(last, .connection, .sdpConnection, from: start) {
            return .nothingToRewrite(.sdpConnection)
        }
        return recount(&message)
    }

    private struct Medium {
        var purpose: ALGPinhole.Purpose
        var port: UInt16
        var portRange: Range<Int>
        var address: IPAddress
    }

    private struct Refusal: Error {
        var reason: ALGDropReason
    }

    private func medium(_ text: SIPText, _ range: Range<Int>) -> (ALGPinhole.Purpose, Range<Int>)? {
        let kinds: [(ALGPinhole.Purpose, String)] = [(.audio, "audio "), (.video, "video "), (.image, "image ")]
        for (purpose, name) in kinds where text.bytes[range].starts(with: name.utf8) {
            return (purpose, (range.lowerBound + name.utf8.count)..<range.upperBound)
        }
        return nil
    }

    /// Opens the pinholes of RTP and RTCP; the address the description has to show.
    private mutating func openMedia(
        _ media: Medium, _ message: inout ALGMessage, _ rule: ALGSessionDescriptionRule, _ now: Instant,
        _ isTaken: (SIPTransport, Endpoint, Endpoint) -> Bool
    ) -> Result<IPAddress, Refusal> {
        let crossing = message.crossing
        let peer: IPAddress?
        switch rule.peers {
        case .signallingPeerOnly:
            guard media.address == crossing.sourceBefore.address else { return .success(media.address) }
            peer = crossing.destinationAfter.address
        case .anyone:
            peer = nil
        }
        guard message.flow.isTranslated else { return .success(media.address) }
        // Offered by the untranslated side: the address stays, and packets towards it need no opening.
        let isOurs = crossing.sourceBefore.address != crossing.sourceAfter.address
        let shown = isOurs ? crossing.sourceAfter.address : media.address
        if case .anyone = rule.peers, isOurs, media.address != crossing.sourceBefore.address { return .success(media.address) }
        // RTP has the even port of its pair (RFC 3550 11), whatever the description says.
        let even = media.port & ~1
        let wanted = Endpoint(shown, even)
        let flow = message.flow
        // The helper looks for another port only where openings overlap; one that is there already makes it give up.
        if let peer, isExpecting(media.purpose, flow, from: peer, at: wanted) {
            return .failure(Refusal(reason: .alreadyExpected(wanted)))
        }
        let cap = media.purpose == .image ? max(rule.pinholesAFlow / 2, 2) : rule.pinholesAFlow
        guard
            let external = open(
                media.purpose, flow, from: peer, at: wanted, to: Endpoint(media.address, even), until: now + rule.lifetime,
                isActive: true, pairs: true, cap: cap, asks: isOurs && message.direction == .outbound, isTaken)
        else { return .failure(Refusal(reason: .noFreePort(wanted))) }
        if external.port != even {
            message.replace(media.portRange, .sdpMediaPort, with: String(external.port))
            if let reason = recount(&message) { return .failure(Refusal(reason: reason)) }
        }
        return .success(shown)
    }

    private func recount(_ message: inout ALGMessage) -> ALGDropReason? {
        switch profile.contentLength {
        case .leave: nil
        case .recompute: message.recountContent() ? nil : .nothingToRewrite(.contentLength)
        }
    }
}
