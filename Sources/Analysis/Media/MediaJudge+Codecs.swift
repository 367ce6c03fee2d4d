import Base
import Capture

/// Payload types of RTP (RFC 3550 5.1), 0...127.
struct PayloadTypes: Hashable, Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    var isEmpty: Bool { low | high == 0 }

    mutating func insert(_ type: UInt8) {
        if type < 64 { low |= 1 << UInt64(type) } else { high |= 1 << UInt64(type & 63) }
    }

    func contains(_ type: UInt8) -> Bool { (type < 64 ? low >> UInt64(type) : high >> UInt64(type & 63)) & 1 != 0 }
}

extension MediaJudge {
    /// Shorter streams may be left over from what was agreed before.
    static let fewestOfCodec = 50

    /// codec.not-negotiated: audio in a format that its listener never said it takes (RFC 3264 6.1): silence, or noise.
    ///
    /// Innocent: what the listener named in any of its descriptions, comfort noise and digits, a sender that uses its own number for a
    /// dynamic format, and formats that the sender named too, which most phones take all the same.
    mutating func judgeCodecs() {
        for index in seen.indices {
            let stream = seen[index].stream
            guard let number = seen[index].call, let speaker = seen[index].speaker, !seen[index].isGuessed,
                streams[index].packets >= Self.fewestOfCodec,
                stream.flags.isDisjoint(with: [.isVideo, .isKeepalive]), stream.payloadType != 13, stream.payloadType != 19
            else { continue }
            let call = media.calls[number]
            guard !call.events.contains(where: { $0.flags.contains(.hasOther) }) else { continue }
            let type = stream.payloadType
            let wanted = call.events.filter { $0.isFromCaller == (speaker == .callee) && $0.flags.contains(.hasAudio) }
            guard let listener = wanted.last(where: { $0.time <= stream.last }) ?? wanted.last,
                wanted.allSatisfy({ !$0.types.isEmpty })
            else { continue }
            let own = call.events.filter { $0.isFromCaller == (speaker == .caller) && $0.flags.contains(.hasAudio) }
            if own.contains(where: { $0.types.contains(type) }) { continue }
            if !wanted.contains(where: { $0.types.contains(type) }) {
                tellCodec(index, call, listener, speaker)
            } else if type < 96, !own.isEmpty, own.allSatisfy({ !$0.types.isEmpty && $0.time <= stream.first + Self.patience }) {
                tellLeftOut(index, call, listener, speaker)
            }
        }
    }

    /// What the listener offered and the sender's own answer left out: most phones play it all the same.
    private mutating func tellLeftOut(_ index: Int, _ call: CallMedia, _ listener: MediaEvent, _ speaker: StreamSummary.Speaker) {
        let stream = streams[index]
        let codec = stream.codec.map { "\($0) (payload type \(stream.payloadType))" } ?? "payload type \(stream.payloadType)"
        var finding = Finding(
            .codecNotNegotiated, .note,
            "\(named(call, listener.leg, speaker).capitalizedFirst) sends \(codec), which its own description leaves out; \(name(other(speaker))) "
                + "named it, so it can play it. What both name is what should be sent (RFC 3264 6.1).",
            evidence: [evidence(listener, "names it"), evidence(stream, "sent")], confidence: .proved, remedies: [],
            subject: subject(call, listener.leg))
        finding.subject.server = stream.source
        findings.append(finding)
    }

    private mutating func tellCodec(_ index: Int, _ call: CallMedia, _ listener: MediaEvent, _ speaker: StreamSummary.Speaker) {
        let stream = streams[index]
        let codec = stream.codec.map { "\($0) (payload type \(stream.payloadType))" } ?? "payload type \(stream.payloadType)"
        let (sender, receiver) = (named(call, listener.leg, speaker), name(other(speaker)))
        var finding = Finding(
            .codecNotNegotiated, .fault,
            "\(sender.capitalizedFirst) sends \(codec), which was never negotiated: \(receiver) hears silence or noise.",
            details: ["Neither end named that format in a session description of this call."],
            evidence: [
                evidence(listener, "what \(receiver) takes"), evidence(stream, "in another format"),
            ], culprit: .proved(sender), confidence: .proved,
            remedies: [
                Remedy(
                    .server,
                    "Make \(name(speaker)) send what was agreed: look there for a forced codec, transcoding without a codec of its own, or a "
                        + "route that joins two calls of different codecs.")
            ], subject: subject(call, listener.leg))
        finding.subject.server = stream.source
        findings.append(finding)
    }
}
