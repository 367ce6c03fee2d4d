import Base
import Capture

extension MediaJudge {
    /// `nat.private-sdp` where the audio itself shows it, or the SDP of both ends of a call that a server connected directly.
    mutating func judgePrivate(_ number: Int) {
        judgeEarly(number)
        judgeDirect(number)
        judgeInternal(number)
    }

    /// Audio before the answer that goes to a private address of somebody behind a NAT: no ringing is heard.
    private mutating func judgeEarly(_ number: Int) {
        let call = media.calls[number]
        for index in ofCall[number] ?? [] where seen[index].isMisdirected {
            guard let speaker = seen[index].speaker, speaker == .callee else { continue }
            let until = call.answered != CallMedia.unknown ? call.answered : call.ended
            let from = seen[index].stream.first
            guard until != CallMedia.unknown, seen[index].stream.last <= until + 2_000_000_000, until - from > Self.patience
            else { continue }
            let heard = Spans((ofCall[number] ?? []).filter { seen[$0].speaker == speaker }.flatMap { seen[$0].heardSpans })
            let lost = Spans(seen[index].stream.spans).longest(without: heard)
            guard lost > Self.patience else { continue }
            let leg = call.legs.first ?? 0
            var finding = Finding(
                .natPrivateSDP, .fault,
                "Before the answer, audio of \(named(call, leg, speaker)) goes to \(streams[index].destination) for "
                    + "\(Self.tenth(Double(lost) / 1e9)) s, a private address out of the SDP of \(named(call, leg, .caller)), which stands behind a "
                    + "NAT: the ringing tone or announcement in it is heard by nobody.",
                evidence: [evidence(streams[index], "early audio to a private address")],
                culprit: .between(named(call, leg, speaker), named(call, leg, .caller)), confidence: .proved,
                remedies: [
                    Remedy(
                        .server,
                        "Send 180 without SDP until audio can be latched, or relay early audio through a server that the caller already sends to."
                    ),
                    Remedy(
                        .phone,
                        "Send audio or keep-alives from the 183 on (RFC 6263), so that the other side can latch; or use ICE or STUN."
                    ),
                ], subject: subject(call, leg))
            if let said = call.said(leg, caller: true) {
                finding.evidence.append(evidence(said, "asks for audio at a private address"))
            }
            findings.append(finding)
            return
        }
    }

    /// A server tells each of two phones the private address of the other, and they stand behind different NATs.
    private mutating func judgeDirect(_ number: Int) {
        let call = media.calls[number]
        guard call.candidates.isEmpty else { return }
        for leg in call.legs {
            guard let caller = call.said(leg, caller: true), let callee = call.said(leg, caller: false) else { continue }
            guard caller.isBothWays, callee.isBothWays, caller.address.isPrivateNetwork, callee.address.isPrivateNetwork,
                Self.isPublic(caller.packetSource), Self.isPublic(callee.packetSource)
            else { continue }
            let from = max(caller.time, callee.time, call.answered == CallMedia.unknown ? Int64.max : call.answered)
            let until = call.ended == CallMedia.unknown ? media.lastFact[call.file] ?? 0 : call.ended
            guard until > from, until - from > Self.patience,
                !(ofCall[number] ?? []).contains(where: { seen[$0].stream.last > from + 2_000_000_000 })
            else { continue }
            for told in [caller, callee] {
                // Who named that place as its own, from where, in another leg.
                guard let found = owner(of: told, number), found.event.packetSource != told.packetDestination,
                    Self.isPublic(told.packetDestination), Self.isPublic(found.event.packetSource)
                else { continue }
                let server = Endpoint(told.packetSource.address, told.packetSourcePort)
                // Told once of the two legs.
                if findings.contains(where: {
                    $0.name == .natPrivateSDP && $0.severity == .risk && $0.subject.dialogs.contains(call.dialog)
                }) {
                    return
                }
                var subject = subject(call, leg)
                if media.calls[found.call].dialog != call.dialog { subject.dialogs.append(media.calls[found.call].dialog) }
                findings.append(
                    Finding(
                        .natPrivateSDP, .risk,
                        "\(server) tells \(told.packetDestination) to send its audio to \(told.endpoint), a private address behind another NAT "
                            + "(\(found.event.packetSource)): the two phones cannot reach each other"
                            + (seen.isEmpty
                                ? "." : ", and no audio is seen from then on, for \(Self.tenth(Double(until - from) / 1e9)) s."),
                        details: [
                            "Audio that went directly would not pass here, but no way leads to a private address behind another NAT."
                        ],
                        evidence: [
                            evidence(told, "the place that it is told"),
                            evidence(found.event, "whose place that is, and behind which NAT"),
                        ], culprit: .proved("the server \(server)"), confidence: .likely,
                        remedies: [
                            Remedy(
                                .server, "Keep the audio on the server: no direct media for phones behind NAT.",
                                commands: ["Asterisk: direct_media=no (pjsip), directmedia=no or canreinvite=no (chan_sip)"])
                        ], subject: subject))
                return
            }
        }
    }

    /// A server that relays the audio, as it writes its own place into what both ends said, and names a private one to both, who are
    /// elsewhere.
    private mutating func judgeInternal(_ number: Int) {
        let call = media.calls[number]
        guard call.candidates.isEmpty, call.legs.count > 1, call.answered != CallMedia.unknown,
            let toCallee = written(call, caller: true), let toCaller = written(call, caller: false),
            toCallee.address == toCaller.address, toCallee.packetSource == toCaller.packetSource,
            toCallee.place.kind == .frame
        else { return }
        let until = call.ended == CallMedia.unknown ? media.lastFact[call.file] ?? 0 : call.ended
        // Somebody turns the address into one that works, past here.
        guard until - call.answered > Self.patience,
            !(ofCall[number] ?? []).contains(where: { seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 10 })
        else { return }
        let server = Endpoint(toCallee.packetSource.address, toCallee.packetSourcePort)
        findings.append(
            Finding(
                .natPrivateSDP, .risk,
                "The server \(server) writes \(toCallee.address) into the SDP for \(toCaller.packetDestination) and for "
                    + "\(toCallee.packetDestination), the private address of its media relay: what they send there arrives nowhere.",
                details: [
                    "Both ends are outside of its network. No audio of the call is in the capture.",
                    "Only a router past this place that puts its outside address into SDP would mend it.",
                ],
                evidence: [evidence(toCaller, "what the caller is told"), evidence(toCallee, "what the callee is told")],
                culprit: .proved("the server \(server)"), confidence: .likely,
                remedies: [
                    Remedy(
                        .server, "Tell the relay the public address that it has outside.",
                        commands: [
                            "rtpengine: interface=private!public", "rtpproxy: -A public",
                            "Asterisk pjsip: external_media_address and local_net in the transport",
                            "FreeSWITCH: ext-rtp-ip in the profile",
                        ])
                ], subject: subject(call, call.legs[0])))
    }

    /// What a server passes on of an end, with a private place of its own instead of that end's, to somebody at a public address.
    private func written(_ call: CallMedia, caller: Bool) -> MediaEvent? {
        call.events.first { event in
            event.isFromCaller == caller && event.isBothWays && event.address.isPrivateNetwork
                && Self.isPublic(event.packetDestination)
                && call.events.contains {
                    $0.isFromCaller == caller && $0.leg != event.leg && $0.packetDestination == event.packetSource
                        && $0.address != event.address && (0..<2_000_000_000).contains(event.time - $0.time)
                }
        }
    }

    private static func isPublic(_ address: PackedAddress) -> Bool { !address.isUnknown && !address.isPrivateNetwork }

    private func owner(of told: MediaEvent, _ number: Int) -> (call: Int, event: MediaEvent)? {
        let file = media.calls[number].file
        for reference in places[FilePlace(file: file, place: told.goal)] ?? [] {
            let call = media.calls[reference.call]
            if let event = call.events.first(where: { $0.goal == told.goal && $0.packetSource != told.packetSource }),
                elapsed(told.time, event.time).map({ abs($0) < 3_600_000_000_000 }) ?? true
            {
                return (reference.call, event)
            }
        }
        return nil
    }
}
