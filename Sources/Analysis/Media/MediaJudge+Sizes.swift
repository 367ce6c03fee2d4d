import Base
import Capture
import RTP

extension MediaJudge {
    /// Octets that SRTP adds behind the sound: its authentication tag (RFC 3711 5.2).
    private static let tags = [4, 10]

    /// srtp.mismatch and codec.not-negotiated of G.711 (an octet a sample): payloads longer by SRTP's tag, though no SRTP was agreed on,
    /// or so short that it is another codec under G.711's number.
    ///
    /// Innocent: both ends longer, as where they agree on encryption by themselves (ZRTP), sizes that change, and payloads that were cut.
    mutating func judgeSizes() {
        for index in seen.indices {
            guard let (octets, samples) = plainSize(index), octets != samples, let number = seen[index].call,
                let speaker = seen[index].speaker, !streams[index].isEncrypted
            else { continue }
            let call = media.calls[number]
            let back = (ofCall[number] ?? []).filter { seen[$0].speaker == other(speaker) }
            if Self.tags.contains(octets - samples),
                !media.calls[number].events.contains(where: { $0.flags.contains(.isSecure) }),
                handshakes[number]?.isEmpty ?? true,
                back.contains(where: { plainSize($0).map { $0.octets == $0.samples } ?? false })
            {
                tellSecret(index, call, speaker, octets, samples)
            } else if octets * 4 <= samples {
                tellShort(index, call, speaker, octets, samples)
            }
        }
    }

    /// Octets of each payload and samples between two, where a stream is G.711 from end to end.
    private func plainSize(_ index: Int) -> (octets: Int, samples: Int)? {
        let stream = seen[index].stream
        guard stream.payloadType == 0 || stream.payloadType == 8, !stream.flags.contains(.hasTurned), stream.packetStep > 0,
            let octets = stream.sizes.steady
        else { return nil }
        return (octets, Int(stream.packetStep))
    }

    private mutating func tellSecret(
        _ index: Int, _ call: CallMedia, _ speaker: StreamSummary.Speaker, _ octets: Int, _ samples: Int
    ) {
        let leg = call.legs.first ?? 0
        let (sender, hearer) = (named(call, leg, speaker), name(other(speaker)))
        var finding = Finding(
            .srtpMismatch, .fault,
            "\(sender.capitalizedFirst) sends its audio encrypted (SRTP), though the call agreed on plain RTP: \(hearer) hears noise.",
            details: [
                "Each packet has \(octets) octets for \(samples) samples of G.711, \(octets - samples) too many: as long as SRTP's authentication tag (RFC 3711).",
                "The audio the other way has an octet a sample, and neither description names SRTP.",
            ], evidence: [evidence(streams[index], "\(octets) octets, \(samples) samples")], culprit: .proved(sender),
            confidence: .likely,
            remedies: [
                Remedy(
                    speaker == .caller ? .phone : .server,
                    "Switch media encryption off at \(name(speaker)), or on at both ends, so that it is agreed on in the descriptions (RTP/SAVP with a=crypto)."
                )
            ], subject: subject(call, leg))
        finding.subject.server = streams[index].source
        if let event = call.said(leg, caller: speaker == .caller) { finding.evidence.insert(evidence(event, "plain RTP"), at: 0) }
        findings.append(finding)
    }

    private mutating func tellShort(
        _ index: Int, _ call: CallMedia, _ speaker: StreamSummary.Speaker, _ octets: Int, _ samples: Int
    ) {
        let leg = call.legs.first ?? 0
        let (sender, hearer) = (named(call, leg, speaker), name(other(speaker)))
        let stream = streams[index]
        let codec = stream.codec ?? "G.711"
        var finding = Finding(
            .codecNotNegotiated, .fault,
            "\(sender.capitalizedFirst) sends another codec under the number of \(codec) (payload type \(stream.payloadType)): \(hearer) hears noise.",
            details: [
                "Each packet has \(octets) octets for \(samples) samples, and \(codec) has an octet a sample."
                    + (octets * 8 == samples ? " G.729 has so many." : "")
            ], evidence: [evidence(stream, "\(octets) octets, \(samples) samples")], culprit: .proved(sender),
            confidence: .likely,
            remedies: [
                Remedy(
                    .server,
                    "Look at \(name(speaker)), or at what passes its audio on, for a codec that is not the one agreed on: a gateway's profile, a forced codec, transcoding that is missing."
                )
            ], subject: subject(call, leg))
        finding.subject.server = stream.source
        findings.append(finding)
    }

    /// Packets of digits from which on their times are judged.
    private static let fewestRestamped: UInt32 = 8

    /// media.quality of digits (RFC 4733) of which each packet bears a time of its own: one key is taken for many.
    ///
    /// Innocent: keys that keep their time over three packets or more, as they all should.
    mutating func judgeRestamped() {
        for index in seen.indices {
            let stream = seen[index].stream
            guard stream.eventPackets >= Self.fewestRestamped, stream.eventsCounted * 10 >= stream.eventPackets * 9,
                let number = seen[index].call, let speaker = seen[index].speaker
            else { continue }
            let call = media.calls[number]
            let leg = call.legs.first ?? 0
            let sender = named(call, leg, speaker)
            findings.append(
                Finding(
                    .mediaQuality, .fault,
                    "Digits of \(sender) are taken many times over: its \(stream.eventPackets) packets of them (RFC 4733) have \(stream.eventsCounted) different times, and each "
                        + "time is another key to \(name(other(speaker))).",
                    details: [
                        "All packets of one key bear the time of its beginning (RFC 4733 2.5.1.1), and there are three or more of each."
                    ],
                    evidence: [evidence(streams[index], "digits with payload type \(stream.eventsSent) among the audio")],
                    culprit: .proved(sender), confidence: .likely,
                    remedies: [
                        Remedy(
                            speaker == .caller ? .phone : .server,
                            "Renew the software of \(name(speaker)), or let it send digits another way (SIP INFO, or in the audio with G.711)."
                        )
                    ], subject: subject(call, leg)))
        }
    }
}
