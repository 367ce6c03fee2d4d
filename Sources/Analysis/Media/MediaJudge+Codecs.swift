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
    /// dynamic format, and formats that the sender named too, which most phones take all the same, unless it had offered them and the
    /// listener's answer left them out.
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
            if own.contains(where: { $0.types.contains(type) }) {
                if !wanted.contains(where: { $0.types.contains(type) }), ignoresAnswer(index, number, own, listener) {
                    tellIgnored(index, call, listener, speaker)
                }
                continue
            }
            if !wanted.contains(where: { $0.types.contains(type) }) {
                tellCodec(index, call, listener, speaker)
            } else if type < 96, !own.isEmpty, own.allSatisfy({ !$0.types.isEmpty && $0.time <= stream.first + Self.patience }) {
                tellLeftOut(index, call, listener, speaker)
            }
        }
    }

    /// The sender had offered a format of fixed number, the answer left it out, and for seconds after that it is sent all the same
    /// (RFC 3264 7), though the listener sends another.
    private func ignoresAnswer(_ index: Int, _ number: Int, _ own: [MediaEvent], _ answer: MediaEvent) -> Bool {
        let stream = seen[index].stream
        guard stream.payloadType < 35, media.calls[number].legs.count == 1, !stream.flags.contains(.hasTurned),
            let offer = own.last(where: { $0.time <= stream.last }), offer.types.contains(stream.payloadType),
            offer.time < answer.time, stream.last - max(stream.first, answer.time) >= Self.patience
        else { return false }
        let back = (ofCall[number] ?? []).filter {
            seen[$0].speaker != seen[index].speaker && streams[$0].packets >= Self.fewestOfCodec
        }
        return !back.isEmpty
            && back.allSatisfy {
                let type = seen[$0].stream.payloadType
                return type != stream.payloadType && offer.types.contains(type)
            }
    }

    private mutating func tellIgnored(_ index: Int, _ call: CallMedia, _ listener: MediaEvent, _ speaker: StreamSummary.Speaker) {
        let stream = streams[index]
        let codec = stream.codec.map { "\($0) (payload type \(stream.payloadType))" } ?? "payload type \(stream.payloadType)"
        let (sender, receiver) = (named(call, listener.leg, speaker), name(other(speaker)))
        var finding = Finding(
            .codecNotNegotiated, .fault,
            "\(sender.capitalizedFirst) sends \(codec), which it had offered and \(receiver) left out of its answer: whoever offers has to send what "
                + "the answer names.",
            details: ["RFC 3264 7. \(receiver.capitalizedFirst) may hear silence or noise; it sends another format itself."],
            evidence: [evidence(listener, "leaves it out"), evidence(stream, "sent all the same")], culprit: .proved(sender),
            confidence: .likely,
            remedies: [
                Remedy(
                    .server,
                    "Make \(name(speaker)) send what the answer names: look there for a forced codec or one that it takes over from another call's leg; or offer only the codecs that it will send."
                )
            ], subject: subject(call, listener.leg))
        finding.subject.server = stream.source
        findings.append(finding)
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
