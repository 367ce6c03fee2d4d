import Base
import Capture

extension MediaJudge {
    /// `media.one-way`: an end that says 0.0.0.0 from its first description to its last, as for hold (RFC 3264 8.4), and speaks itself is
    /// sent nothing.
    ///
    /// Innocent: who names its place later (RFC 3725), or by ICE (port 9 until then, RFC 8840), who is sent audio all the same, and who was
    /// heard before its first description (the capture began while it held). `seesBothWays`: the capture holds a pair of streams.
    mutating func judgeNulled(_ number: Int, seesBothWays: Bool) {
        let call = media.calls[number]
        guard call.answered != CallMedia.unknown, call.candidates.isEmpty, let leg = call.legs.first, call.legs.count == 1 else {
            return
        }
        let until = call.ended == CallMedia.unknown ? media.lastFact[call.file] ?? 0 : call.ended
        for speaker in [StreamSummary.Speaker.caller, .callee] {
            let said = call.events.filter { $0.isFromCaller == (speaker == .caller) }
            let own = streams(of: number, leg)
            guard let first = said.first, let far = call.said(leg, caller: speaker != .caller), far.isBothWays,
                said.allSatisfy({
                    $0.flags.contains(.hasAudio) && $0.flags.contains(.isNulled) && $0.direction == .both && $0.port != 9
                }),
                until - call.answered > 2 * Self.patience,
                // What goes into the host that speaks passes the place of the capture.
                seesBothWays
                    || far.packetDestination == first.packetSource
                        && own.allSatisfy({ seen[$0].stream.key.source == first.packetSource }),
                !own.contains(where: { seen[$0].speaker != speaker || seen[$0].stream.first < first.time }),
                own.contains(where: {
                    seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= Self.fewestToFollow
                })
            else { continue }
            let who = named(call, leg, speaker)
            findings.append(
                Finding(
                    .mediaOneWay, .fault,
                    "\(who.capitalizedFirst) asks for its audio at 0.0.0.0 from the beginning on, which means hold, and speaks all the same: it is sent "
                        + "nothing and hears nothing.",
                    evidence: [evidence(first, "c= is 0.0.0.0")] + own.prefix(1).map { evidence(streams[$0], "it speaks") },
                    culprit: .proved(who), confidence: .likely,
                    remedies: [
                        Remedy(
                            .phone,
                            "Let \(name(speaker)) name its own address in c=: see its network settings (no address yet, a STUN server that does not answer) and its firmware."
                        )
                    ], subject: subject(call, leg)))
            quiet.insert(CallEnd(dialog: call.dialog, isCaller: speaker != .caller))
            return
        }
    }
}
