import Base
import Capture

/// Audio by way of a TURN server (RFC 8656).
extension MediaJudge {
    /// Arrives at a relayed address, and the capture, which shows the path from the TURN server to its client, shows none of it there.
    func isUnforwarded(_ index: Int) -> Bool {
        let flow = flow(index)
        guard seen[index].stream.statistics.totalReceived >= 50, media.tunnels.owner(of: flow.destination, flow.file) != nil,
            let tally = media.tunnels.tally(flow)
        else { return false }
        return tally.down == 0
    }

    /// Where packets of a stream really go: to the end that it names, or to a TURN server or its client.
    func carrier(_ index: Int) -> MediaFlow { media.tunnels.outer(flow(index)) ?? flow(index) }

    /// Why what `quiet` says does not come through the TURN server of `listener`, or of its own; nil where no relay plays a part.
    func unrelayed(
        _ own: [Int], _ call: CallMedia, _ leg: Int16, _ target: MediaEvent, _ quiet: StreamSummary.Speaker
    ) -> SilenceCause? {
        if let index = own.first(where: { seen[$0].isUnforwarded }) { return keptBack(index, quiet) }
        if let index = own.last(where: { seen[$0].refusal != nil && media.tunnels.outer(flow($0)) != nil }),
            let refusal = seen[index].refusal
        {
            let outer = carrier(index)
            return SilenceCause(
                sentence:
                    "It goes through a TURN server, in packets to \(Endpoint(outer.destination.address.address, outer.destination.port)), and "
                    + "\(refusal.record.source) refuses these by ICMP.",
                culprit: .proved("\(refusal.record.source)"), confidence: .proved,
                evidence: [evidence(refusal.record, call.file, "refuses the audio")], remedies: [Self.turnIsUp])
        }
        guard own.isEmpty, let path = media.tunnels.owner(of: target.goal, call.file) else { return nil }
        let server = Endpoint(path.server.address.address, path.server.port)
        return SilenceCause(
            sentence:
                "It has to come to \(target.endpoint), which the TURN server \(server) gave to \(name(other(quiet))), and nothing comes out of there.",
            culprit: .between(named(call, leg, quiet), "the TURN server \(server)"),
            remedies: Self.relayPorts + Self.generalRemedies,
            isExplained: false)
    }

    private func keptBack(_ index: Int, _ quiet: StreamSummary.Speaker) -> SilenceCause {
        let flow = flow(index)
        let stream = streams[index]
        guard let path = media.tunnels.owner(of: flow.destination, flow.file) else {
            return SilenceCause(sentence: "Why does not show.", isExplained: false)
        }
        let server = "the TURN server \(Endpoint(path.server.address.address, path.server.port))"
        let client = Endpoint(path.client.address.address, path.client.port)
        let isPermitted = media.tunnels.permits(path, flow.source.address)
        return SilenceCause(
            sentence:
                "It arrives at \(stream.destination), which \(server) gave to \(client), and nothing of it is passed on to there"
                + (isPermitted ? "." : ": \(client) asked for no permission for \(stream.source.address)."),
            culprit: isPermitted ? .proved(server) : .between("\(client)", server), confidence: isPermitted ? .likely : .proved,
            evidence: [evidence(stream, "arrives at the relay")],
            remedies: isPermitted
                ? Self.relayPorts
                : [
                    Remedy(
                        .phone,
                        "Let \(client) ask for permission for the address that audio comes from (CreatePermission, RFC 8656 9), or use ICE, which does."
                    ), relayAudio(quiet),
                ])
    }

    private func relayAudio(_ quiet: StreamSummary.Speaker) -> Remedy {
        Remedy(.server, "Let the server name in SDP the address that \(name(quiet)) really sends from.")
    }

    static let turnIsUp = Remedy(
        .server, "See in the log of the TURN server whether it stopped, crashed or dropped the allocation while calls went on.")
    private static let relayPorts = [
        Remedy(
            .network, "Let UDP to the TURN server's relay ports in: firewall of its host, security group.",
            commands: ["coturn: min-port, max-port (49152 to 65535 if not set)"])
    ]
}
