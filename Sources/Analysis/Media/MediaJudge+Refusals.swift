import Base
import Capture

extension MediaJudge {
    /// The first ICMP error that refuses a call's packets to a place. One that later packets were spared, as before a port is opened, explains
    /// nothing; nor does what refuses RTCP alone, which many phones do not listen for.
    func refusal(_ call: CallMedia, to address: PackedAddress, _ port: UInt16) -> ICMPRecord? {
        let end = call.ended == CallMedia.unknown ? Int64.max : call.ended &+ 3_000_000_000
        var best: MediaAnalysis.Refusal?
        for (flow, series) in media.refusals
        where flow.file == call.file && flow.destination.address == address && flow.destination.port == port {
            guard
                let refusal = series.first(where: { $0.last >= call.began && $0.record.time.nanoseconds <= end }),
                let last = series.last(where: { $0.record.time.nanoseconds <= end })?.last,
                !streams.contains(where: {
                    $0.vantage.index == flow.file && MediaPlace($0.destination) == flow.destination
                        && MediaPlace($0.source) == flow.source && $0.last.nanoseconds &- last > MediaAnalysis.refusalsEvery
                })
            else { continue }
            if best.map({ ($0.count, refusal.record.frame) < (refusal.count, $0.record.frame) }) ?? true { best = refusal }
        }
        return best?.record
    }

    /// Sent from within to the router's own outside address.
    func looped(_ index: Int, _ listener: StreamSummary.Speaker) -> SilenceCause {
        let goal = streams[index].destination
        let error = seen[index].refusal?.record
        let router = error.map { "the router \($0.source)" } ?? "the router with the outside address \(goal.address)"
        return SilenceCause(
            sentence:
                "Both ends stand behind the same NAT and are told its outside address: audio for \(goal) goes to \(router), which does "
                + "not turn it back inside (no NAT loopback)\(error == nil ? "" : " and refuses it by ICMP").",
            culprit: .proved(router), confidence: error == nil ? .likely : .proved,
            evidence: [evidence(streams[index], "goes to the router's outside address")]
                + (error.map { [evidence($0, streams[index].vantage.index, "refuses the audio")] } ?? []),
            remedies: [
                Remedy(
                    .server,
                    "Relay the audio on the server, so that neither phone has to reach the router's outside address from within."),
                Remedy(.router, "Turn on NAT loopback (hairpinning) for UDP."),
                Remedy(.phone, "Use ICE: it finds the way inside the network."),
            ], root: "turns back \(goal.address)")
    }

    /// ICMP errors about audio sent to another place than the listener's SDP names.
    func refusedElsewhere(
        _ index: Int, _ number: Int, _ leg: Int16, _ target: MediaEvent, _ quiet: StreamSummary.Speaker
    ) -> SilenceCause {
        let call = media.calls[number]
        let listener = other(quiet)
        let stream = streams[index]
        let goal = MediaPlace(stream.destination)
        guard let record = seen[index].refusal?.record else { return SilenceCause(sentence: "Why does not show.") }
        let proof = [evidence(record, call.file, "refuses the audio")]
        let box = "\(record.source) refuses it by ICMP"
        if !seen[index].isSourceKnown, !isOfCall(seen[index].stream.key.source, call) {
            let named = call.said(leg, caller: quiet == .caller)
            return SilenceCause(
                sentence:
                    "Its audio comes from \(stream.source), \(named.map { "while its SDP names \($0.endpoint)" } ?? "which no SDP names"): "
                    + "a NAT or firewall before \(name(listener)) lets in only the address that it was asked to send to, and \(box).",
                culprit: .proved("\(self.named(call, leg, quiet)), which sends from \(stream.source.address)"),
                confidence: .proved,
                evidence: proof,
                remedies: [
                    Remedy(
                        .server, "Bind audio to the address that SDP names, or name the address that it leaves from.",
                        commands: ["Asterisk: media_address / bind_rtp_to_media_address=yes (pjsip)"])
                ])
        }
        let sources = (ofCall[number] ?? []).filter { seen[$0].speaker == listener }
        let now = sources.max { seen[$0].stream.last < seen[$1].stream.last }
        if call.events.contains(where: { $0.isFromCaller == (listener == .caller) && $0.goal == goal }) {
            return SilenceCause(
                sentence:
                    "\(name(quiet).capitalizedFirst) goes on sending to \(stream.destination), although \(name(listener)) has asked for "
                    + "\(target.endpoint) since: \(box).",
                culprit: .proved(named(call, leg, quiet)), confidence: .proved,
                evidence: proof + [evidence(target, "the place that counts")],
                remedies: [
                    Remedy(.server, "Take up the new place of an answered re-INVITE or UPDATE (RFC 3264 8.3.1)."), Self.relay,
                ])
        }
        if let now, MediaPlace(streams[now].source) != goal, sources.contains(where: { MediaPlace(streams[$0].source) == goal }) {
            return SilenceCause(
                sentence:
                    "\(name(quiet).capitalizedFirst) goes on sending to \(stream.destination), although the audio of \(name(listener)) "
                    + "comes from \(streams[now].source) by now: "
                    + (streams[now].source.address == stream.destination.address
                        ? "the NAT gave it a new port" : "it has another address, as after a change of network")
                    + ", and \(box).",
                culprit: .proved(named(call, leg, quiet)), confidence: .proved,
                evidence: proof + [evidence(streams[now], "comes from another port now")], remedies: Self.latchingRemedies)
        }
        if let now, MediaPlace(streams[now].source) == goal {
            let who = "\(name(listener)) (\(record.source))"
            return SilenceCause(
                sentence:
                    "\(name(quiet).capitalizedFirst) sends to \(stream.destination), where the audio of \(name(listener)) comes from, and \(box).",
                culprit: record.source == goal.address ? .between(who, "the router before it") : .proved("\(record.source)"),
                confidence: .proved, evidence: proof, remedies: Self.generalRemedies)
        }
        // A relay that hears nothing has only the SDP's port to try, at the address that the SDP came from.
        if sources.isEmpty, goal.address == target.packetSource, goal.port == target.port, target.address.isPrivateNetwork {
            return SilenceCause(
                sentence:
                    "No audio of \(name(listener)) passes here, so \(name(quiet)) has not learnt where to send: it tries \(stream.destination), and \(box).",
                culprit: .between(named(call, leg, listener), named(call, leg, quiet)), evidence: proof,
                remedies: Self.generalRemedies)
        }
        return SilenceCause(
            sentence:
                "The audio goes to \(stream.destination), which nobody asked for: the SDP of \(name(listener)) names \(target.endpoint), and \(box).",
            culprit: sender(index, number, leg, quiet), confidence: .proved, evidence: proof,
            remedies: [
                Remedy(.server, "Send audio to the place in the SDP, or to where the audio of the other end comes from."),
                .disableALG,
            ])
    }

    /// Who refuses audio by ICMP: the listener itself, the router before it that has no mapping, or another box on the way.
    func refused(_ refused: ICMPRecord, _ number: Int, _ target: MediaEvent, _ listener: StreamSummary.Speaker) -> SilenceCause {
        let call = media.calls[number]
        let proof = [evidence(refused, call.file, "refuses the audio")]
        guard refused.source == target.address else { return refusedOnTheWay(refused, target, proof) }
        let who = "\(name(listener)) (\(refused.source))"
        let listen = Remedy(.phone, "Make \(name(listener)) listen at \(target.endpoint), the place that its SDP names.")
        // Its own audio comes from another port of that address: so a NAT stands there.
        let other = (ofCall[number] ?? []).first {
            seen[$0].speaker == listener && !seen[$0].stream.flags.contains(.isVideo)
                && seen[$0].stream.key.source == target.address
                && seen[$0].stream.key.sourcePort != target.port
        }
        guard media.routers.contains(refused.source) || other != nil else {
            return SilenceCause(
                sentence: "\(who.capitalizedFirst) refuses the packets to \(target.endpoint) by ICMP.", culprit: .proved(who),
                confidence: .proved, evidence: proof, remedies: [listen, Self.relay])
        }
        // The address is a router's: it answers for itself where it has no mapping, and translates the phone's refusal where it has one.
        let hasMapping = streams.contains {
            $0.source == target.endpoint && $0.vantage.index == call.file && $0.first <= refused.time
        }
        let router = "the router with the outside address \(refused.source)"
        if let other, !hasMapping {
            return SilenceCause(
                sentence:
                    "\(router.capitalizedFirst) refuses the packets to \(target.endpoint) by ICMP: the audio of \(name(listener)) comes from "
                    + "\(streams[other].source) instead, so a NAT changes its port, and the port in the SDP leads nowhere.",
                culprit: .proved(router), confidence: .proved,
                evidence: proof + [evidence(streams[other], "comes from another port than the SDP names")],
                remedies: [
                    Remedy(.router, "Forward the whole range of RTP ports to \(name(listener)), unchanged."),
                    Remedy(.server, "Latch on to where audio comes from (symmetric RTP, RFC 4961), whatever SDP says."),
                ])
        }
        if hasMapping {
            return SilenceCause(
                sentence:
                    "\(name(listener).capitalizedFirst) behind \(router) refuses the packets to \(target.endpoint) by ICMP; audio "
                    + "had come from there, so the router had a mapping and passed the refusal on.",
                culprit: .between(who, router), evidence: proof, remedies: [listen, Self.relay])
        }
        return SilenceCause(
            sentence:
                "\(router.capitalizedFirst) refuses the packets to \(target.endpoint) by ICMP: it has no mapping for that port, and no "
                + "audio ever came from there.",
            culprit: .proved(router), confidence: .proved, evidence: proof,
            remedies: [
                Remedy(
                    .server,
                    "Send audio to where it comes from (symmetric RTP, latching), not to the place in the SDP: the router has no mapping for that."
                ), .disableALG,
            ])
    }

    /// By a box that is not the listener.
    private func refusedOnTheWay(_ record: ICMPRecord, _ target: MediaEvent, _ proof: [Evidence]) -> SilenceCause {
        var sentence = "The box \(record.source) refuses the packets to \(target.endpoint) by ICMP."
        let remedy: Remedy
        switch (record.isIPv6, record.type) {
        case (false, 11), (true, 3):
            sentence =
                "The box \(record.source) gives up the packets to \(target.endpoint): their time to live ends on the way (ICMP), as in a routing loop."
            remedy = Remedy(
                .network,
                "Mend the routes at \(record.source): trace the way to \(target.endpoint.address) and look for hosts that repeat."
            )
        case (true, 2),
            (false, 3) where record.isIPv6 || record.code == 4:
            sentence =
                "The box \(record.source) refuses the packets to \(target.endpoint) as too big (ICMP"
                + (record.mtu > 0 ? ", MTU \(record.mtu)" : "") + ")."
            remedy = Remedy(
                .network,
                "Raise the MTU of that link, or send smaller packets without the DF bit; see that the sender gets the ICMP error."
            )
        default:
            remedy = Remedy(
                .network,
                record.isIPv6
                    ? "Let \(record.source) pass RTP to \(target.endpoint): its firewall has to admit UDP from outside, or answers to what was sent."
                    : "Let \(record.source) pass RTP to \(target.endpoint), or turn off the SIP helper that opens audio for the signalling peer alone."
            )
        }
        return SilenceCause(
            sentence: sentence, culprit: .proved("\(record.source)"), confidence: .proved, evidence: proof,
            remedies: [remedy, Self.relay])
    }
}
