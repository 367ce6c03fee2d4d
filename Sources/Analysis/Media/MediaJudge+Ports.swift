import Base
import Capture

extension MediaJudge {
    /// A note about a NAT that gives each destination a port of its own, as only the far side may show it: who stands behind it names the port
    /// that STUN told it, its audio comes from another, and what it is sent goes to the named one all the time.
    ///
    /// No more than a note: who sends from another port than it hears at, and a router that passes the named ports on, look the same and hear
    /// well.
    mutating func judgePorts(_ number: Int) {
        let call = media.calls[number]
        guard call.legs.count == 1, let leg = call.legs.first, call.candidates.isEmpty else { return }
        for listener in [StreamSummary.Speaker.caller, .callee] {
            let all = streams(of: number, leg).filter {
                seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= Self.fewestToFollow
            }
            let (own, sent) = (all.filter { seen[$0].speaker == listener }, all.filter { seen[$0].speaker != listener })
            let said = call.events.filter { $0.isFromCaller == (listener == .caller) && $0.port > 0 }
            guard let target = said.last, !target.address.isPrivateNetwork, media.routers.contains(target.address),
                said.allSatisfy({ $0.goal == target.goal && $0.packetSource == target.address }),
                let index = own.first, let other = sent.first,
                own.allSatisfy({
                    seen[$0].stream.key.source == target.address && seen[$0].stream.key.sourcePort != target.port
                }),
                sent.allSatisfy({ flow($0).destination == target.goal && remote(seen[$0].stream) == nil })
            else { continue }
            let end = named(call, leg, listener)
            findings.append(
                Finding(
                    .mediaOneWay, .note,
                    "The audio of \(end) comes from port \(seen[index].stream.key.sourcePort), its SDP names port \(target.port), and \(name(self.other(listener))) sends "
                        + "there all the time: if \(name(listener)) hears nothing, its NAT gives each destination another port, and the named one leads nowhere.",
                    details: [
                        "Innocent where it hears at another port than it sends from, or where its router passes the named port on; no report of what arrives is in the capture."
                    ],
                    evidence: [
                        evidence(target, "the port that it names"), evidence(streams[index], "comes from another port"),
                        evidence(streams[other], "goes to the named port"),
                    ], confidence: .possible,
                    remedies: [
                        Remedy(
                            .server,
                            "If it hears nothing: let the server send audio to where it comes from (symmetric RTP, latching), not to the port in the SDP."
                        ),
                        Remedy(
                            .phone,
                            "Switch STUN off in the phone then: behind such a NAT what STUN tells is of no use, or use ICE."),
                    ], subject: subject(call, leg)))
            return
        }
    }
}
