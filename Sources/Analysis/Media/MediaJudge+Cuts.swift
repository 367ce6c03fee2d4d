import Base
import Capture

extension MediaJudge {
    /// `media.none` in the middle of a call: both were heard, until what one sends is refused by ICMP and nothing comes from the other.
    mutating func tellCut(_ number: Int, _ leg: Int16, seconds: Double) {
        let call = media.calls[number]
        let own = streams(of: number, leg)
        let refused = own.filter { seen[$0].refusal != nil }
        if refused.isEmpty, let astray = own.last(where: { seen[$0].isMisdirected }) {
            tellAstray(number, leg, astray, seconds: seconds)
        }
        guard let index = refused.first, let refusal = seen[index].refusal, let speaker = seen[index].speaker else { return }
        let carrier = carrier(index)
        let goal = Endpoint(carrier.destination.address.address, carrier.destination.port)
        let isRelayed = carrier != flow(index)
        let isHost =
            refusal.record.source == carrier.destination.address && refusal.record.code == (refusal.record.isIPv6 ? 4 : 3)
        var finding = Finding(
            .mediaNone, .fault,
            "The audio between \(named(call, leg, .caller)) and \(named(call, leg, .callee)) stopped both ways in the middle of the call, for "
                + "\(Self.tenth(seconds)) s: \(name(speaker)) goes on sending to \(goal)\(isRelayed ? ", a TURN server," : ",") and \(refusal.record.source) refuses it by ICMP"
                + (isHost ? ", as nothing listens there any more." : "."),
            details: ["Both ends were heard before, and neither held the call."],
            evidence: refused.prefix(2).map { evidence(streams[$0], "goes on, and is taken by nobody") }
                + [evidence(refusal.record, call.file, "refuses the audio")],
            culprit: .proved("\(refusal.record.source)"), confidence: .proved,
            remedies: [
                !isHost
                    ? Remedy(.network, "See why \(refusal.record.source) does not let the audio pass any more.")
                    : isRelayed
                        ? Self.turnIsUp
                        : !media.isServer(carrier.destination.address)
                            ? Remedy(
                                .phone,
                                "See in the log of \(goal.address) what closed the ports: its program ended, or it hung up and its BYE got lost on the way (router, firewall)."
                            )
                            : Remedy(
                                .server,
                                "See in the log of \(goal.address) why its media relay closed the ports of a call that goes on: a crash, a restart, a time-out."
                            )
            ], subject: subject(call, leg))
        if !isRelayed, isHost, let left = goodbye(own, other(speaker), before: refusal.record.time.nanoseconds) {
            hungUp(&finding, goal, left, who: named(call, leg, other(speaker)), speaker)
        }
        if let said = call.said(leg, caller: speaker != .caller) {
            finding.evidence.append(evidence(said, "what \(name(other(speaker))) agreed to"))
        }
        findings.append(finding)
    }

    /// The listener said by RTCP that it leaves, just before its port closed.
    private func goodbye(_ own: [Int], _ listener: StreamSummary.Speaker, before time: Int64) -> Goodbye? {
        own.lazy.filter { self.seen[$0].speaker == listener }.compactMap { self.goodbye(self.seen[$0].stream) }
            .first { (-2_000_000_000...Self.patience).contains(time - $0.time) }
    }

    private func hungUp(
        _ finding: inout Finding, _ goal: Endpoint, _ left: Goodbye, who: String,
        _ speaker: StreamSummary.Speaker
    ) {
        finding.summary =
            "\(who.capitalizedFirst) hung up, and \(name(speaker)) did not learn of it and goes on sending to \(goal): its RTCP says goodbye and its "
            + "port closes at that moment, but no BYE of SIP passes here."
        finding.details = ["What is sent on is refused by ICMP: nobody listens there any more."]
        finding.evidence.append(left.evidence)
        finding.culprit = .between(who, "the place of the capture")
        finding.confidence = .likely
        finding.remedies = [
            Remedy(
                .router,
                "Find where the BYE from \(who) gets lost: capture at that end, too; a firewall or a SIP helper (ALG) of its router may drop it."
            )
        ]
    }

    /// A new description sent the audio to a private address where nobody is, and with it the other direction ended.
    private mutating func tellAstray(_ number: Int, _ leg: Int16, _ astray: Int, seconds: Double) {
        let call = media.calls[number]
        let speaker = seen[astray].speaker ?? .caller
        let goal = streams[astray].destination
        let who = named(call, leg, other(speaker))
        var finding = Finding(
            .mediaNone, .fault,
            "The audio between \(named(call, leg, .caller)) and \(named(call, leg, .callee)) stopped both ways in the middle of the call, for "
                + "\(Self.tenth(seconds)) s: \(who) told \(name(speaker)) to send to \(goal) from then on, a private address where nobody is "
                + "that can be reached from there.",
            details: ["Both ends were heard before, and neither held the call.", "Nothing comes back from \(goal.address)."],
            evidence: [evidence(streams[astray], "goes to the private address, and nothing comes back")],
            culprit: .proved(who), confidence: .likely,
            remedies: [
                Remedy(
                    .server, "Keep the audio on the server: no direct media between phones that cannot reach each other.",
                    commands: ["Asterisk: direct_media=no (pjsip), directmedia=no or canreinvite=no (chan_sip)"])
            ], subject: subject(call, leg))
        if let told = call.events.last(where: {
            $0.isFromCaller != (speaker == .caller) && $0.goal == MediaPlace(goal)
        }) {
            finding.evidence.append(evidence(told, "names the private address"))
        }
        findings.append(finding)
    }
}
