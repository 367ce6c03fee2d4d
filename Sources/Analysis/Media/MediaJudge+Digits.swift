import Base
import Capture

extension MediaJudge {
    /// Fewer packets may be anything; each digit is sent many times over (RFC 4733 2.5.1.4).
    static let fewestOfDigits: UInt32 = 3

    /// codec.not-negotiated: digits sent as events (RFC 4733) to an end that took none of that format into its description.
    ///
    /// Innocent: a listener that names events in any of its descriptions, by whatever number, or sends some itself.
    mutating func judgeDigits() {
        var told = Set<CallEnd>()
        for index in seen.indices where seen[index].stream.eventPackets >= Self.fewestOfDigits {
            let stream = seen[index].stream
            guard let number = seen[index].call, let speaker = seen[index].speaker else { continue }
            let call = media.calls[number]
            let isCaller = speaker == .caller
            let wanted = call.events.filter { $0.isFromCaller != isCaller && $0.flags.contains(.hasAudio) }
            let listener = wanted.last(where: { $0.time <= stream.last }) ?? wanted.last
            if let listener, isUnnamed(stream.eventsSent, call, wanted),
                told.insert(CallEnd(dialog: call.dialog, isCaller: isCaller)).inserted
            {
                tellUnnamed(index, call, listener, speaker)
                continue
            }
            guard let listener,
                wanted.allSatisfy({ !namesEvents($0) && !$0.types.isEmpty && !$0.types.contains(stream.eventsSent) }),
                call.events.contains(where: { $0.isFromCaller == isCaller && namesEvents($0, stream.eventsSent) }),
                !(ofCall[number] ?? []).contains(where: { seen[$0].speaker != speaker && seen[$0].stream.eventPackets > 0 }),
                told.insert(CallEnd(dialog: call.dialog, isCaller: isCaller)).inserted
            else { continue }
            tellDigits(index, call, listener, speaker)
        }
    }

    /// Both ends name events, each time by another number: no description of the call has this one.
    private func isUnnamed(_ type: UInt8, _ call: CallMedia, _ wanted: [MediaEvent]) -> Bool {
        let said = call.events.filter { $0.flags.contains(.hasAudio) }
        return !wanted.isEmpty && said.contains { event in !wanted.contains { $0.place == event.place } }
            && said.allSatisfy { namesEvents($0) && !$0.types.isEmpty && !$0.types.contains(type) && !namesEvents($0, type) }
    }

    private mutating func tellUnnamed(_ index: Int, _ call: CallMedia, _ listener: MediaEvent, _ speaker: StreamSummary.Speaker) {
        let (sender, receiver) = (named(call, listener.leg, speaker), named(call, listener.leg, other(speaker)))
        let stream = seen[index].stream
        let agreed =
            media.formatLists[Int(listener.formats)].first { $0.name.lowercased() == "telephone-event" }?.payloadType ?? 0
        findings.append(
            Finding(
                .codecNotNegotiated, .fault,
                "\(sender.capitalizedFirst) sends \(counted(Int(stream.eventsCounted), "digit")) with payload type \(stream.eventsSent), which no "
                    + "description of the call names: \(receiver) takes telephone-event as \(agreed), so digits (DTMF) are lost.",
                details: ["A number means what the listener's description says (RFC 3264 5.1, RFC 4733 2.5.1)."],
                evidence: [
                    evidence(listener, "telephone-event is \(agreed)"),
                    evidence(streams[index], "digits with payload type \(stream.eventsSent) among the audio"),
                ], culprit: .proved(sender), confidence: .likely,
                remedies: [
                    Remedy(
                        .phone,
                        "Set the payload type for DTMF events of \(sender) to what is agreed (\(agreed)), or to 101 for both ends; renew its software."
                    )
                ], subject: subject(call, listener.leg)))
    }

    private func namesEvents(_ event: MediaEvent, _ type: UInt8? = nil) -> Bool {
        media.formatLists[Int(event.formats)].contains {
            $0.name.lowercased() == "telephone-event" && (type == nil || $0.payloadType == type)
        }
    }

    private mutating func tellDigits(_ index: Int, _ call: CallMedia, _ listener: MediaEvent, _ speaker: StreamSummary.Speaker) {
        let (sender, receiver) = (named(call, listener.leg, speaker), named(call, listener.leg, other(speaker)))
        let digits = Int(seen[index].stream.eventsCounted)
        findings.append(
            Finding(
                .codecNotNegotiated, .fault,
                "\(sender.capitalizedFirst) sends \(counted(digits, "digit")) as telephone-event (payload type \(seen[index].stream.eventsSent)), "
                    + "which \(receiver) does not take: its description leaves that format out, so digits (DTMF) are lost.",
                details: [
                    "Only formats that the listener names are understood by it (RFC 3264 6.1, RFC 4733 2.5.1). What it did with the digits all the same is "
                        + "not to be seen."
                ],
                evidence: [
                    evidence(listener, "no telephone-event"), evidence(streams[index], "digits among the audio"),
                ], culprit: .between(sender, receiver), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Enable telephone-event (RFC 4733) for \(receiver), and between the legs of the call if a server joins them.",
                        commands: ["Asterisk pjsip: dtmf_mode=rfc4733", "FreeSWITCH: dtmf-type=rfc2833"]),
                    Remedy(
                        .phone,
                        "If it has none, send digits in another way that it takes: in the audio (in-band, with G.711) or by SIP INFO."
                    ),
                ], subject: subject(call, listener.leg)))
    }
}
