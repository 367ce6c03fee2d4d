import Base
import Capture

extension MediaJudge {
    /// `media.one-way` as a risk: audio that goes where its listener does not show to be, with no error that proves it lost.
    mutating func judgeStrays(_ number: Int) {
        for speaker in [StreamSummary.Speaker.caller, .callee] {
            let own = (ofCall[number] ?? []).filter { seen[$0].speaker == speaker }
            guard let first = own.first(where: { seen[$0].stray != nil }), let stray = seen[first].stray else { continue }
            let call = media.calls[number]
            let leg = call.legs.first ?? 0
            let end = max(seen[first].stream.last, media.lastFact[call.file] ?? 0)
            let delivered = Spans(own.filter { seen[$0].stray == nil }.flatMap { seen[$0].heardSpans })
            let astray = Spans(
                own.flatMap { index -> [RTPStream.Activity] in
                    guard let stray = seen[index].stray else { return [] }
                    return seen[index].stream.spans.map { RTPStream.Activity(from: max($0.from, stray.from), to: $0.to) }
                })
            // One leg of several may be asked for it.
            let lost =
                call.legs.map { astray.clipped(to: call.activePeriods($0, until: end)).longest(without: delivered) }.max() ?? 0
            guard lost > Self.patience else { continue }
            tell(stray, first, number, leg, speaker, seconds: Double(lost) / 1e9)
        }
    }

    private mutating func tell(
        _ stray: Stray, _ index: Int, _ number: Int, _ leg: Int16, _ speaker: StreamSummary.Speaker, seconds: Double
    ) {
        let call = media.calls[number]
        let listener = other(speaker)
        let goal = streams[index].destination
        let said = call.said(leg, caller: listener == .caller)
        let opening = "Audio of \(named(call, leg, speaker)) goes to \(goal) for \(Self.tenth(seconds)) s"
        let sentence: String
        let culprit: Culprit
        var remedies: [Remedy] = []
        var severity = Severity.risk
        switch stray.kind {
        case .moved:
            severity = .fault
            sentence =
                "\(opening), although \(name(listener)) has asked for \(said?.endpoint ?? stray.instead) since and sends from there: the change of "
                + "the call is not followed, and \(name(listener)) hears nothing."
            culprit = .proved(named(call, leg, speaker))
            remedies = [
                Remedy(
                    speaker == .caller ? .phone : .server,
                    "Let \(named(call, leg, speaker)) take up the new place of an answered re-INVITE or UPDATE (RFC 3264 8.3.1)."),
                Self.relay,
            ]
        case .elsewhere:
            sentence =
                "\(opening), where \(name(listener)) is not known to be: its SDP asks for \(said?.endpoint.description ?? "another place"), "
                + "and its own audio comes from \(stray.instead)."
            culprit = sender(index, number, leg, speaker)
            remedies = [
                Remedy(.server, "Send audio to the place in the SDP, or to where the audio of the other end comes from."),
                Self.relay,
            ]
        case .left:
            sentence =
                "\(opening), although the audio of \(name(listener)) comes from \(stray.instead) by then: "
                + (stray.instead.address == goal.address
                    ? "the NAT gave it a new port." : "it has another address, as after a change of network.")
            culprit = .proved(named(call, leg, speaker))
            remedies = Self.latchingRemedies
        case .wrongAddress:
            sentence =
                "\(opening), as the SDP of \(name(listener)) asks, but all that \(name(listener)) sends comes from "
                + "\(stray.instead.address): its SDP names an address that is not its own there."
            culprit = .proved(named(call, leg, listener))
            remedies = [
                goal.address.isPrivate && stray.instead.address.isPrivate
                    ? Self.interface(stray.instead.address) : Self.external(stray.instead.address)
            ]
        }
        // A few errors at the beginning say as well that nobody is there.
        let refusal = stray.kind == .left ? nil : (media.refusals[flow(index)] ?? []).first { $0.count >= 3 }
        if refusal != nil { severity = .fault }
        var finding = Finding(
            .mediaOneWay, severity, sentence,
            details: [
                refusal.map { "\($0.record.source) reports by ICMP that it does not get there." }
                    ?? (stray.kind == .moved
                        ? "Nothing comes from the former place since."
                        : "Whether somebody takes it there is not to be seen: nothing comes from that place, and no ICMP error refuses it.")
            ], evidence: [evidence(streams[index], "where it goes")], culprit: culprit, confidence: .likely, remedies: remedies,
            subject: subject(call, leg))
        if let refusal { finding.evidence.append(evidence(refusal.record, call.file, "refuses the audio")) }
        if let said { finding.evidence.append(evidence(said, "what \(name(listener)) agreed to")) }
        if let own = (ofCall[number] ?? []).last(where: { streams[$0].source == stray.instead }) {
            finding.evidence.append(evidence(streams[own], "\(name(listener)) sends from here"))
        }
        findings.append(finding)
    }

    /// The listener is on a private network, sends from there, and names an address in its SDP from which nothing ever comes.
    func foreignExternal(_ number: Int, _ target: MediaEvent, _ listener: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        let isInside = target.address.isPrivateNetwork
        guard target.packetSource.isPrivateNetwork, !target.packetSource.isUnknown, target.address != target.packetSource,
            target.packetDestination.isPrivateNetwork, call.candidates.isEmpty,
            let own = (ofCall[number] ?? []).first(where: {
                let key = seen[$0].stream.key
                return seen[$0].speaker == listener && key.source == target.packetSource
                    && (!isInside || key.sourcePort == target.port)
            })
        else { return nil }
        // A media server beside the one that signals shows itself by what it sends or signals.
        if isInside,
            sendingHosts.contains(FilePlace(file: call.file, place: MediaPlace(target.address, 0)))
                || call.events.contains(where: { $0.packetSource == target.address })
        {
            return nil
        }
        return SilenceCause(
            sentence:
                "The SDP of \(name(listener)) asks for audio at \(target.endpoint), \(isInside ? "from which nothing comes" : "outside"), while all that it "
                + "sends within this network comes from \(target.packetSource).",
            culprit: .proved("\(name(listener)) (\(target.packetSource))"),
            evidence: [evidence(streams[own], "\(name(listener)) sends from here")],
            remedies: [isInside ? Self.interface(target.packetSource.address) : Self.external(target.packetSource.address)])
    }

    static func interface(_ own: IPAddress) -> Remedy {
        Remedy(
            .server,
            "Bind its audio to \(own), or name that address in SDP: the one it names is another interface's, a container's or a VPN's.",
            commands: [
                "Asterisk pjsip: media_address= and bind_rtp_to_media_address=yes in the endpoint",
                "Docker: network_mode: host for the server's container",
            ])
    }

    /// Who chose a destination: the sender, unless a router may have changed it on the way in.
    func sender(_ index: Int, _ number: Int, _ leg: Int16, _ speaker: StreamSummary.Speaker) -> Culprit {
        let call = media.calls[number]
        let key = seen[index].stream.key
        return key.destination.isPrivateNetwork && !key.source.isPrivateNetwork
            ? .between(named(call, leg, speaker), "the router before \(name(other(speaker)))")
            : .proved(named(call, leg, speaker))
    }

    /// The address in SDP is not where its writer is: `own` is.
    static func external(_ own: IPAddress) -> Remedy {
        own.isPrivate
            ? Remedy(
                .server, "Write the external address into SDP only for peers outside: count their network among the local ones.",
                commands: ["Asterisk: local_net=<the peer's network> (pjsip transport), localnet (chan_sip)"])
            : Remedy(
                .server, "Correct the external address for media: it is \(own).",
                commands: ["Asterisk: external_media_address=\(own) (pjsip), externaddr=\(own) (chan_sip)"])
    }

    static let latchingRemedies = [
        Remedy(
            .server,
            "Let the relay latch anew: send to where the packets come from now (symmetric RTP, RFC 4961), also after a hold.",
            commands: ["Asterisk: rtp_symmetric=yes (pjsip), strictrtp=yes (rtp.conf)"]),
        Remedy(.phone, "Send audio or keep-alives during a hold too (RFC 6263), so that the NAT keeps the port."),
    ]
}
