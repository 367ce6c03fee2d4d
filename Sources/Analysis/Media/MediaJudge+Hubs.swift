import Base
import Capture

/// What a relay in the middle shows of both its sides.
extension MediaJudge {
    /// Loopback and the like in SDP: what goes there stays at its sender.
    func hostOnly(_ address: HostOnlyAddress, _ listener: String, _ opening: String) -> SilenceCause {
        SilenceCause(
            sentence:
                "\(opening) \(address.name), out of the SDP of \(listener): nothing that goes there leaves its sender's own link.",
            culprit: .proved(listener), remedies: [address.remedy])
    }

    /// A relay gets the audio of both ends of a call and sends none to either.
    func deafHub(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        guard call.legs.count > 1, let said = call.said(leg, caller: quiet == .caller), !said.packetSource.isUnknown else {
            return nil
        }
        let hub = said.address
        let arriving = (ofCall[number] ?? []).filter {
            seen[$0].stream.key.destination == hub && seen[$0].stream.statistics.totalReceived >= Self.fewestToFollow
        }
        guard Set(arriving.map { seen[$0].stream.key.source }).count > 1,
            let caller = arriving.first(where: { seen[$0].speaker == .caller }),
            let callee = arriving.first(where: { seen[$0].speaker == .callee }),
            !sendingHosts.contains(FilePlace(file: call.file, place: MediaPlace(hub, 0)))
        else { return nil }
        return SilenceCause(
            sentence:
                "\(hub) is sent the audio of both ends, from \(streams[caller].source) and \(streams[callee].source), and sends none to either: it "
                + "does not get through to the relay there, or the relay does not work.",
            culprit: .proved("\(hub)"),
            evidence: [evidence(streams[caller], "goes to \(hub)"), evidence(streams[callee], "goes to \(hub)")],
            remedies: [
                Remedy(
                    .network,
                    "Let UDP to the relay's ports pass at \(hub): security group, firewall or port forwarding for the whole range of RTP."
                ), Remedy(.server, "See whether the relay runs there and listens at the ports that it put into SDP."),
            ])
    }

    /// The relay cannot pass on what does not arrive there on the other leg of the same call.
    func nothingToPassOn(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker) -> SilenceCause? {
        let call = media.calls[number]
        guard call.legs.count > 1, let here = call.said(leg, caller: quiet == .caller), !here.packetSource.isUnknown else {
            return nil
        }
        let hub = here.packetSource
        for other in call.legs where other != leg {
            guard let said = call.said(other, caller: quiet == .caller), said.packetDestination == hub, said.packetSource != hub,
                let taken = call.said(other, caller: quiet != .caller), taken.packetSource == hub
            else { continue }
            let all = ofCall[number] ?? []
            // The capture shows the relay's audio, and none that comes to it from there.
            guard !all.contains(where: { seen[$0].speaker == quiet && seen[$0].stream.key.destination == taken.address }),
                all.contains(where: { seen[$0].stream.key.destination == here.address && seen[$0].speaker != quiet })
            else { return nil }
            let origin = named(call, other, quiet)
            return SilenceCause(
                sentence: "\(hub) has nothing to pass on: no audio of \(origin) arrives there.",
                culprit: .between(origin, "\(hub)"),
                remedies: [
                    Remedy(
                        .network,
                        "Look on the way from \(origin) to \(hub) for what drops RTP (its router, a firewall), and capture there: SIP does get through."
                    )
                ], isExplained: true)
        }
        return nil
    }
}
