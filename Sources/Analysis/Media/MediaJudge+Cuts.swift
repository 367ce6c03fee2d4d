import Base
import Capture

extension MediaJudge {
    /// `media.none` in the middle of a call: both were heard, until what one sends is refused by ICMP and nothing comes from the other.
    mutating func tellCut(_ number: Int, _ leg: Int16, seconds: Double) {
        let call = media.calls[number]
        let refused = streams(of: number, leg).filter { seen[$0].refusal != nil }
        guard let index = refused.first, let refusal = seen[index].refusal, let speaker = seen[index].speaker else { return }
        let goal = streams[index].destination
        let isHost =
            refusal.record.source == seen[index].stream.key.destination && refusal.record.code == (refusal.record.isIPv6 ? 4 : 3)
        var finding = Finding(
            .mediaNone, .fault,
            "The audio between \(named(call, leg, .caller)) and \(named(call, leg, .callee)) stopped both ways in the middle of the call, for "
                + "\(Self.tenth(seconds)) s: \(name(speaker)) goes on sending to \(goal), and \(refusal.record.source) refuses it by ICMP"
                + (isHost ? ", as nothing listens there any more." : "."),
            details: ["Both ends were heard before, and neither held the call."],
            evidence: refused.prefix(2).map { evidence(streams[$0], "goes on, and is taken by nobody") }
                + [evidence(refusal.record, call.file, "refuses the audio")],
            culprit: .proved("\(refusal.record.source)"), confidence: .proved,
            remedies: [
                isHost
                    ? Remedy(
                        .server,
                        "See in the log of \(goal.address) why its media relay closed the ports of a call that goes on: a crash, a restart, a time-out."
                    )
                    : Remedy(.network, "See why \(refusal.record.source) does not let the audio pass any more.")
            ], subject: subject(call, leg))
        if let said = call.said(leg, caller: speaker != .caller) {
            finding.evidence.append(evidence(said, "what \(name(other(speaker))) agreed to"))
        }
        findings.append(finding)
    }
}
