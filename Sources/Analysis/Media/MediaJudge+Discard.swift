import Base
import Capture

extension MediaJudge {
    /// The port that takes everything and answers nothing (RFC 863).
    private static let discard: UInt16 = 9

    /// media.one-way of audio that goes to port 9, because a later description of its listener asks for it there.
    ///
    /// Innocent: ICE, whose first descriptions name port 9 (RFC 8840), calls that are held, and audio that moves on at once.
    mutating func judgeDiscarded() {
        for index in seen.indices where seen[index].stream.key.destinationPort == Self.discard {
            let stream = seen[index].stream
            guard let number = seen[index].call, let speaker = seen[index].speaker,
                stream.last - stream.first > Self.patience
            else { continue }
            let call = media.calls[number]
            let listener = other(speaker)
            guard
                let event = call.events.last(where: {
                    $0.isFromCaller == (listener == .caller) && $0.port == Self.discard && $0.address == stream.key.destination
                        && $0.isBothWays
                }), !call.events.contains(where: { $0.flags.contains(.hasICE) })
            else { continue }
            let (here, there) = (named(call, event.leg, speaker), named(call, event.leg, listener))
            findings.append(
                Finding(
                    .mediaOneWay, .fault,
                    "Audio of \(here) goes to port 9 for \(Self.tenth(Double(stream.last - stream.first) / 1e9)) s, as \(there) asks for it there: nothing listens on the "
                        + "discard port, and it is not heard.",
                    details: [
                        "Port 9 stands for a place that is not known yet (RFC 8840), and only ICE names another one then: neither description has ICE."
                    ],
                    evidence: [evidence(event, "asks for audio at port 9"), evidence(streams[index], "sent there")],
                    culprit: .proved(there), confidence: .likely,
                    remedies: [
                        Remedy(
                            listener == .caller ? .phone : .server,
                            "Make \(there) name the port that it listens on when it changes the call (transfer, pick-up, direct media): renew its software, or switch off what changes it."
                        )
                    ], subject: subject(call, event.leg)))
        }
    }
}
