import Base
import ICE
import RTP
import SDP
import SIP

/// ICE of a call's audio (RFC 8445, RFC 8839).
extension CallAgent {
    /// The addresses of the audio ports are as known as they get: an agent is made of them, once a call.
    mutating func gathered(_ call: inout Call, at now: Instant) {
        guard wishes.ice, ice[call.id] == nil, call.shown == nil || call.wantsReoffer, let audio = media[call.id] else { return }
        ice[call.id] = ICEAgent(
            candidates: candidates(call, audio), isControlling: !call.id.isIncoming, t1: timers.t1, entropy: entropy.fork())
    }

    private func candidates(_ call: Call, _ audio: CallMedia) -> [ICECandidate] {
        var result: [ICECandidate] = []
        // The address that the kernel would take comes first.
        let addresses = [audio.local] + locals.map(\.address).filter { $0 != audio.local }
        for (index, address) in addresses.enumerated() {
            let preference = UInt16.max - UInt16(clamping: index)
            for (component, port) in [(1, audio.port), (2, audio.port + 1)] {
                result.append(
                    ICECandidate(
                        foundation: "h\(index)", component: component,
                        priority: ICECandidate.priority(.host, localPreference: preference, component: component),
                        endpoint: Endpoint(address, port), kind: .host))
            }
        }
        guard case .known(let rtp, let rtcp) = call.mapping else { return result }
        for (component, mapped, base) in [(1, rtp as Endpoint?, audio.localRTP), (2, rtcp, audio.localRTCP)] {
            guard let mapped, mapped != base else { continue }
            result.append(
                ICECandidate(
                    foundation: "s0", component: component,
                    priority: ICECandidate.priority(.serverReflexive, component: component),
                    endpoint: mapped, kind: .serverReflexive, related: base))
        }
        return result
    }

    /// An offer of theirs: ours is to answer with ICE only where nothing on the way changed its addresses (RFC 8839 4.2.5), and with new
    /// credentials where theirs are new (RFC 8445 9).
    mutating func prepareICE(for offer: SessionDescription, _ call: inout Call, at now: Instant) {
        guard let agent = ice[call.id], let index = offer.media.firstIndex(where: { $0.kind == "audio" && !$0.isRejected }),
            let theirs = offer.ice(of: index)
        else { return }
        if let mismatch = Self.mismatch(offer, index, theirs) {
            note(call.id, "does without ICE: \(mismatch)")
            ice[call.id] = nil
            return
        }
        if let former = agent.remote, former.ufrag != theirs.ufrag, former.password != theirs.password {
            ice[call.id] = ICEAgent(
                candidates: agent.candidates, isControlling: agent.isControlling, t1: timers.t1, entropy: entropy.fork())
        }
    }

    /// RFC 8839 4.2.5: the default address is none of the candidates, so something between has rewritten it.
    private static func mismatch(_ description: SessionDescription, _ index: Int, _ theirs: SDPICE) -> String? {
        guard let named = description.rtpEndpoint(of: index), !named.address.isUnspecified, named.port != 9 else { return nil }
        let own = theirs.candidates.filter { $0.component == 1 }
        guard !own.isEmpty, !own.contains(where: { $0.endpoint == named }) else { return nil }
        return "SDP names \(named), which is none of the candidates: something between changed it"
    }

    /// Offer and answer are through: checks begin, or ICE is given up where the other side does none.
    mutating func negotiateICE(
        _ stream: NegotiatedStream, _ call: inout Call, remote: SessionDescription, isOfferer: Bool, at now: Instant
    ) {
        guard var agent = ice[call.id] else { return }
        guard let theirs = stream.ice, Self.mismatch(remote, stream.index, theirs) == nil else {
            if isOfferer || stream.ice == nil {
                note(call.id, "does without ICE: the other side does none, or its addresses were changed")
            }
            ice[call.id] = nil
            deadlines.set(.ice(call.id), to: nil)
            media[call.id]?.forgetICE()
            return
        }
        agent.receive(
            .begin(
                theirs, multiplexed: stream.multiplexesRTCP,
                isControlling: agent.remote == nil ? isOfferer : agent.isControlling), at: now)
        ice[call.id] = agent
        drainICE(call.id, at: now)
    }

    mutating func receiveCheck(_ datagram: Datagram, _ id: PhoneCallID, at now: Instant) {
        ice[id]?.receive(.received(datagram), at: now)
        drainICE(id, at: now)
    }

    mutating func advanceICE(_ id: PhoneCallID, to now: Instant) {
        ice[id]?.advance(to: now)
        drainICE(id, at: now)
    }

    mutating func unreachableForICE(_ endpoint: Endpoint, at now: Instant) {
        for id in ice.keys.sorted() {
            ice[id]?.receive(.unreachable(endpoint), at: now)
            drainICE(id, at: now)
        }
    }

    private mutating func drainICE(_ id: PhoneCallID, at now: Instant) {
        while let output = ice[id]?.nextOutput() {
            switch output {
            case .send(let datagram): emit(.media(datagram))
            case .proved(let endpoint): media[id]?.prove(endpoint)
            case .selected(1, let local, let remote):
                note(id, "ICE settles on \(local) to \(remote)")
                media[id]?.select(local, remote, at: now)
            case .selected(_, _, let remote): media[id]?.selectedRTCP = remote
            case .failed: note(id, "ICE found no way; audio goes where SDP says")
            case .roleChanged(let isControlling): note(id, "ICE: this side \(isControlling ? "controls" : "is controlled") now")
            case .refused(let from, let reason): emit(.dropped(from: from, reason: "call \(id): \(reason)"))
            }
        }
        deadlines.set(.ice(id), to: ice[id]?.nextDeadline)
    }
}
