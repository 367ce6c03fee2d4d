import Base
import Capture

/// A host that audio of nobody reaches.
extension MediaJudge {
    private struct Shut {
        var host: MediaEvent
        var calls: [(number: Int, leg: Int16, from: PackedAddress)] = []
        var sent: [Int] = []
    }

    /// `media.none` at a server that SIP reaches from several places and audio from none: its ports for RTP are closed. The calls told of.
    ///
    /// Innocent: a server that names a private place, one that does not send itself, a tap that sees one direction, refused audio.
    mutating func tellShut(_ verdicts: [(call: Int, legs: [LegVerdict])]) -> Set<Int> {
        var hosts: [FilePlace: Shut] = [:]
        for (number, legs) in verdicts {
            let call = media.calls[number]
            guard legs.count == 1, let leg = legs.first, !leg.silent.isEmpty, call.candidates.isEmpty else { continue }
            for isCaller in [true, false] {
                guard let own = call.said(leg.leg, caller: isCaller), let far = call.said(leg.leg, caller: !isCaller),
                    media.isServer(own.packetSource), !own.address.isPrivateNetwork, !own.address.isUnspecified,
                    !far.packetSource.isUnknown, !far.packetSource.isPrivateNetwork, far.packetSource != own.packetSource
                else { continue }
                let streams = streams(of: number, leg.leg)
                let sent = streams.filter {
                    seen[$0].stream.key.source == own.packetSource && seen[$0].stream.statistics.totalReceived >= 50
                        && seen[$0].refusal == nil
                }
                guard !sent.isEmpty, !streams.contains(where: { (seen[$0].speaker == .caller) != isCaller }) else { continue }
                let place = FilePlace(file: call.file, place: MediaPlace(own.packetSource, 0))
                hosts[place, default: Shut(host: own)].calls.append((number, leg.leg, far.packetSource))
                hosts[place, default: Shut(host: own)].sent += sent
            }
        }
        let reached = Set(flows.keys.flatMap { [FilePlace(file: $0.file, place: MediaPlace($0.destination.address, 0))] })
        var told = Set<Int>()
        for (place, shut) in hosts.sorted(by: { $0.value.calls[0].number < $1.value.calls[0].number }) {
            let sites = Set(shut.calls.map(\.from))
            guard sites.count > 1, !reached.contains(place),
                !reached.contains(FilePlace(file: place.file, place: MediaPlace(shut.host.address, 0)))
            else { continue }
            told.formUnion(shut.calls.map(\.number))
            tell(shut, sites: sites.count)
        }
        return told
    }

    private mutating func tell(_ shut: Shut, sites: Int) {
        let first = shut.calls[0]
        let host = shut.host.packetSource
        var finding = Finding(
            .mediaNone, .fault,
            "No audio packet reaches \(host), of any of the \(counted(shut.calls.count, "call")) from \(sites) places, though SIP does: its ports "
                + "for RTP are closed on the way in.",
            details: [
                "\(host) itself sends audio; what phones at several places send cannot get lost at each of them.",
                "A server that sends back to where audio comes from (latching) reaches nobody either, as nothing comes.",
            ],
            evidence: shut.sent.prefix(3).map { evidence(streams[$0], "\(host) sends, and nothing comes") },
            culprit: .between("the Internet", "\(host)"), confidence: .likely,
            remedies: [
                Remedy(
                    .network,
                    "Let UDP in to the whole range of RTP ports at \(host): security group of the cloud, firewall of the host, port forwarding.",
                    commands: ["Asterisk: rtpstart and rtpend in rtp.conf", "FreeSWITCH: rtp-start-port and rtp-end-port"])
            ], subject: subject(media.calls[first.number], first.leg), count: shut.calls.count)
        finding.subject.dialogs = shut.calls.map { media.calls[$0.number].dialog }
        finding.evidence.append(evidence(shut.host, "where \(host) asks for audio"))
        findings.append(finding)
        for one in shut.calls {
            quiet.insert(CallEnd(dialog: media.calls[one.number].dialog, isCaller: shut.host.isFromCaller != true))
        }
    }
}
