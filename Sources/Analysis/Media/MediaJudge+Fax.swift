import Base
import Capture

extension MediaJudge {
    /// Fewer packets than this, or a shorter stretch, and a fax has hardly begun.
    private static let fewestFaxPackets = 10
    private static let leastFax: Int64 = 10_000_000_000

    /// What one end sent of a fax.
    private struct Sent {
        var flow: MediaFlow
        var stream: FaxLedger.Stream
        /// From the Internet to a private address that its listener does not wear.
        var isMisdirected: Bool
        var refusal: ICMPRecord?
        var isLong: Bool { stream.packets >= fewestFaxPackets && stream.last - stream.first >= leastFax }
    }

    /// One end of a call of which nothing of a fax arrives.
    private struct Silence {
        var call: Int
        var leg: Int16
        var period: RTPStream.Activity
        var quiet: StreamSummary.Speaker
        /// Where the other end wants the fax.
        var said: MediaEvent
        var lost: Sent?
        /// What proves it: what was lost, or what the other end sent.
        var proof: Sent
    }

    /// media.one-way of a fax (T.38): both ends change to UDPTL, and one of them gets nothing of the other. Both speak at the beginning of
    /// every fax (T.30 5.1), so that a page, which goes one way for a minute, is not meant.
    mutating func judgeFaxes() {
        guard !media.faxes.isEmpty else { return }
        let silences = media.calls.indices.compactMap { silence(ofFax: $0) }
        for one in silences where !silences.contains(where: { isFollowing(one, $0) }) { tell(one) }
    }

    /// A server has nothing to pass on in one leg of what it does not get in the other.
    private func isFollowing(_ one: Silence, _ other: Silence) -> Bool {
        guard one.call != other.call, media.calls[one.call].file == media.calls[other.call].file, one.lost == nil,
            one.period.from < other.period.to, other.period.from < one.period.to,
            let hub = media.calls[one.call].said(one.leg, caller: one.quiet == .caller)?.packetSource
        else { return false }
        return !hub.isUnknown && hub == other.said.packetSource
    }

    private func silence(ofFax number: Int) -> Silence? {
        let call = media.calls[number]
        guard call.answered != CallMedia.unknown, call.events.contains(where: { $0.fax != nil }) else { return nil }
        for leg in call.legs {
            guard let period = faxPeriod(call, leg), period.to - period.from > Self.leastFax else { continue }
            for quiet in [StreamSummary.Speaker.caller, .callee] {
                if let silence = silence(number, leg, period, quiet: quiet) { return silence }
            }
        }
        return nil
    }

    /// The stretch in which both ends of a leg want a fax; the first one.
    private func faxPeriod(_ call: CallMedia, _ leg: Int16) -> RTPStream.Activity? {
        let lastSeen = Int(call.file) < media.lastSeen.count ? media.lastSeen[Int(call.file)] : 0
        let lastFax = media.faxes.streams.filter { $0.key.file == call.file }.map(\.value.last).max() ?? 0
        let end = call.ended == CallMedia.unknown ? max(lastSeen, lastFax, media.lastFact[call.file] ?? 0) : call.ended
        var both: (caller: Bool, callee: Bool) = (false, false)
        var from: Int64?
        for event in call.events where event.leg == leg && event.time < end {
            if event.isFromCaller { both.caller = event.fax != nil } else { both.callee = event.fax != nil }
            if both.caller, both.callee {
                if from == nil { from = event.time }
            } else if let from {
                return RTPStream.Activity(from: from, to: event.time)
            }
        }
        return from.map { RTPStream.Activity(from: $0, to: end) }
    }

    private func sent(by speaker: StreamSummary.Speaker, _ call: CallMedia, _ leg: Int16, _ period: RTPStream.Activity) -> [Sent]
    {
        func places(_ caller: Bool) -> Set<MediaPlace> {
            call.events.reduce(into: []) { places, event in
                guard event.leg == leg, event.isFromCaller == caller, let fax = event.fax else { return }
                places.insert(fax)
                if !event.packetSource.isUnknown { places.insert(MediaPlace(event.packetSource, fax.port)) }
            }
        }
        let (own, others) = (places(speaker == .caller), places(speaker != .caller))
        let listener = call.events.filter { $0.leg == leg && $0.isFromCaller != (speaker == .caller) && $0.fax != nil }
        return media.faxes.streams.compactMap { flow, stream -> Sent? in
            guard flow.file == call.file, stream.first < period.to, stream.last > period.from,
                own.contains(flow.source) || !others.contains(flow.source) && others.contains(flow.destination)
            else { return nil }
            let isMisdirected =
                flow.destination.address.isPrivateNetwork && !flow.source.address.isPrivateNetwork
                && listener.allSatisfy {
                    !$0.packetSource.isUnknown && !$0.packetSource.isPrivateNetwork
                        && $0.packetSource != flow.destination.address
                }
            let refusal = media.refusals[flow]?.last { series in
                series.count >= 3 && series.last > stream.last - MediaAnalysis.refusalsEvery
            }
            return Sent(flow: flow, stream: stream, isMisdirected: isMisdirected, refusal: refusal?.record)
        }.sorted { $0.stream.firstFrame < $1.stream.firstFrame }
    }

    private func silence(
        _ number: Int, _ leg: Int16, _ period: RTPStream.Activity, quiet: StreamSummary.Speaker
    ) -> Silence? {
        let call = media.calls[number]
        let listener = other(quiet)
        let (own, others) = (sent(by: quiet, call, leg, period), sent(by: listener, call, leg, period))
        guard own.allSatisfy({ $0.isMisdirected || $0.refusal != nil }),
            let said = call.events.last(where: {
                $0.leg == leg && $0.isFromCaller == (listener == .caller) && $0.fax != nil
            })
        else { return nil }
        let lost = own.first(where: \.isLong)
        guard let proof = lost ?? others.first(where: { $0.isLong && !$0.isMisdirected && $0.refusal == nil }) else {
            return nil
        }
        let streams = ofCall[number] ?? []
        // It goes on as audio: the change was agreed on and not made.
        let rest = streams.filter { seen[$0].speaker == quiet && seen[$0].stream.last > period.from + Self.leastFax }
        guard rest.isEmpty else { return nil }
        // A tap that sees one direction alone.
        guard
            lost != nil || Set(streams.compactMap { seen[$0].speaker }).count == 2 || filesWithPairs(call.file)
                || hasFaxPair(call.file)
        else { return nil }
        return Silence(call: number, leg: leg, period: period, quiet: quiet, said: said, lost: lost, proof: proof)
    }

    private mutating func tell(_ silence: Silence) {
        let (call, leg, quiet, lost, proof) = (media.calls[silence.call], silence.leg, silence.quiet, silence.lost, silence.proof)
        let listener = other(quiet)
        let cause = faxCause(silence)
        let lasts = Self.tenth(Double(proof.stream.last - proof.stream.first) / 1e9)
        var finding = Finding(
            .mediaOneWay, .fault,
            "The fax (T.38) went one way: "
                + (lost == nil
                    ? "\(named(call, leg, listener)) sent it for \(lasts) s, and of \(named(call, leg, quiet)) nothing came."
                    : "what \(named(call, leg, quiet)) sent for \(lasts) s did not reach \(named(call, leg, listener)).")
                + " \(cause.sentence)",
            details: [
                "Both ends agreed on T.38 before; at the beginning of a fax both speak, so the silence of one is no pause."
            ], culprit: cause.culprit, confidence: cause.confidence, remedies: cause.remedies, subject: subject(call, leg))
        for caller in [true, false] {
            if let event = call.events.last(where: { $0.leg == leg && $0.isFromCaller == caller && $0.fax != nil }) {
                finding.evidence.append(evidence(event, "where \(name(caller ? .caller : .callee)) wants the fax"))
            }
        }
        finding.evidence.append(
            Evidence(
                place: .frame(file: Int(call.file), number: Int(proof.stream.firstFrame)),
                time: Instant(nanoseconds: proof.stream.first), source: endpoint(proof.flow.source),
                destination: endpoint(proof.flow.destination), excerpt: "UDPTL, \(proof.stream.packets) packets",
                says: "what \(name(lost == nil ? listener : quiet)) sent"))
        finding.evidence += cause.evidence
        findings.append(finding)
    }

    private func endpoint(_ place: MediaPlace) -> Endpoint { Endpoint(place.address.address, place.port) }

    private func hasFaxPair(_ file: UInt16) -> Bool {
        media.faxes.streams.keys.contains { $0.file == file && media.faxes.streams[$0.reversed] != nil }
    }

    private func faxCause(_ silence: Silence) -> SilenceCause {
        let (call, leg, quiet, lost, said) = (
            media.calls[silence.call], silence.leg, silence.quiet, silence.lost, silence.said
        )
        let (listener, target) = (other(quiet), said.fax ?? said.goal)
        let ends = Culprit.between(named(call, leg, quiet), named(call, leg, listener))
        if let lost, let record = lost.refusal {
            return SilenceCause(
                sentence: "\(record.source) refuses the packets to \(endpoint(lost.flow.destination)) by ICMP.",
                culprit: .proved("\(record.source)"), confidence: .proved,
                remedies: [
                    Remedy(
                        .network,
                        "See at \(record.source) why UDP to \(endpoint(lost.flow.destination)) is refused: fax takes another port than audio there, or the firewall knows it not."
                    )
                ])
        }
        let isBeyond = call.said(leg, caller: quiet == .caller).map {
            !$0.packetSource.isUnknown && !$0.packetSource.isPrivateNetwork
        }
        if target.address.isIPv4, target.address.isPrivateNetwork, lost != nil || isBeyond ?? false,
            said.packetSource != target.address || lost == nil
        {
            return SilenceCause(
                sentence:
                    "The SDP of \(name(listener)) asks for the fax at \(endpoint(target)), a private address that cannot be "
                    + "reached from outside.",
                culprit: ends,
                remedies: [
                    Remedy(
                        .phone,
                        "Let \(name(listener)) name its public address for the fax, too: a PBX or gateway by its external address setting."
                    ),
                    Remedy(
                        .server, "Or let \(name(quiet)) send the fax to where it comes from.",
                        commands: ["Asterisk pjsip: t38_udptl_nat=yes"]),
                ])
        }
        return SilenceCause(
            sentence: "No packet of \(name(quiet)) reached the place of the capture, so it was lost before, or never sent.",
            culprit: ends,
            remedies: [
                Remedy(
                    .network,
                    "Check that firewalls and routers let UDP pass to \(endpoint(target)), and capture once more nearer to the silent end."
                )
            ], isExplained: false)
    }
}
