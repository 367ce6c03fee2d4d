import Base
import Capture

/// Audio that a server sends off to go directly, in the middle of a call.
extension MediaJudge {
    /// A server's new description of one end names a private place beyond a NAT where it had named another, and with it `quiet` falls silent.
    ///
    /// Innocent: a place on the listener's own site or one that audio comes from, a phone that names its own address (no server moved
    /// it), and a server that keeps its port (it moved nothing).
    func movedInside(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        guard call.candidates.isEmpty else { return nil }
        let last = streams(of: number, leg).filter { seen[$0].speaker == quiet && seen[$0].isHeard }.map { seen[$0].stream.last }
            .max()
        guard let last else { return nil }
        for speaker in [other(quiet), quiet] {
            guard let now = call.said(leg, caller: speaker == .caller), let far = call.said(leg, caller: speaker != .caller),
                now.address.isPrivateNetwork, now.address != now.packetSource, media.servers.contains(now.packetSource),
                last < now.time + 1_000_000_000, now.time < last + Self.patience,
                // Told across a NAT, and into the one or out of the other there is no way; who sends out of a NAT needs none.
                now.packetSource.isPrivateNetwork != far.packetSource.isPrivateNetwork,
                speaker != quiet
                    || far.packetSource.isPrivateNetwork
                        && !sendingHosts.contains(FilePlace(file: call.file, place: MediaPlace(now.address, 0))),
                !Self.isOneSite(now.address, far.address), !Self.isOneSite(now.address, far.packetSource),
                let before = call.events.last(where: {
                    $0.leg == leg && $0.isFromCaller == now.isFromCaller && $0.time < now.time && !$0.address.isPrivateNetwork
                        && !$0.address.isUnspecified
                }), before.port != now.port
            else { continue }
            let who = named(call, leg, speaker)
            return SilenceCause(
                sentence:
                    "Since then \(who) has asked for audio at \(now.endpoint), a private address beyond a NAT, where it had named \(before.endpoint) before: "
                    + "the audio was to go directly, and no way seems to lead there.",
                culprit: .proved(who), evidence: [evidence(now, "moves the audio to a private address")],
                remedies: [
                    Remedy(
                        .server, "Keep the audio on the server: no direct media for ends behind NAT.",
                        commands: ["Asterisk: direct_media=no (pjsip), directmedia=no or canreinvite=no (chan_sip)"])
                ])
        }
        return nil
    }

    /// As a rule one subnet: 24 bits of IPv4, 64 of IPv6.
    private static func isOneSite(_ one: PackedAddress, _ two: PackedAddress) -> Bool {
        one.high == two.high && (!one.isIPv4 || one.low >> 8 == two.low >> 8)
    }
}
