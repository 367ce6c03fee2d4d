import Base
import Capture

/// Why audio is missing, as far as the capture shows it.
struct SilenceCause {
    var sentence: String
    var culprit = Culprit.unknown
    var confidence = Confidence.likely
    var evidence: [Evidence] = []
    var remedies: [Remedy] = []
    /// What makes silences of different calls the same, where it is not the hosts.
    var root: String?
    /// Seen, not only concluded from silence.
    var isExplained = true
}

extension MediaJudge {
    mutating func tellOneWay(_ number: Int, _ leg: Int16, quiet: StreamSummary.Speaker, seconds: Double) {
        let call = media.calls[number]
        let listener = other(quiet)
        let own = streams(of: number, leg)
        let heard = own.filter { seen[$0].speaker == listener && seen[$0].isHeard }
        let cause = cause(number, leg, quiet: quiet)
        var finding = Finding(
            .mediaOneWay, .fault,
            "Audio went one way: \(named(call, leg, listener)) was heard, \(named(call, leg, quiet)) "
                + "\(extent(own, quiet, seconds)) while both wanted to speak and to hear. \(cause.sentence)",
            details: [
                "Ruled out: hold (both descriptions say sendrecv then)\(suppressionNote(own, quiet)), and a capture that sees one "
                    + "direction only."
            ], culprit: cause.culprit, confidence: cause.confidence, remedies: cause.remedies, subject: subject(call, leg))
        if !filesWithPairs(call.file), !cause.isExplained {
            finding.details[0] = "Ruled out: hold (both descriptions say sendrecv then)\(suppressionNote(own, quiet))."
            finding.details.append(
                "No other call in this capture has audio both ways: if it was taken where only one direction passes, nothing is wrong."
            )
            if finding.confidence != .proved { finding.confidence = .possible }
        }
        for caller in [true, false] {
            if let event = call.said(leg, caller: caller) {
                finding.evidence.append(evidence(event, "what \(name(caller ? .caller : .callee)) agreed to"))
            }
        }
        for index in heard.prefix(2) { finding.evidence.append(evidence(streams[index], "\(name(listener)) speaks")) }
        for index in own.filter({ seen[$0].speaker == quiet }).prefix(2) {
            finding.evidence.append(
                evidence(
                    streams[index],
                    seen[index].isHeard ? "the last that \(name(quiet)) was heard" : "sent, but taken by nobody"))
        }
        finding.evidence += cause.evidence
        findings.append(finding)
    }

    /// The same between the same two hosts, for the same reason, was told of another call: that one counts this, too.
    private mutating func isSame(_ call: CallMedia, _ leg: Int16, _ cause: SilenceCause) -> Bool {
        guard let caller = signals(call, leg, .caller)?.address, let callee = signals(call, leg, .callee)?.address else {
            return false
        }
        let key = "\(call.file) " + (cause.root ?? "\(caller) \(callee) " + cause.sentence.filter { !$0.isNumber })
        guard let index = silencesTold[key] else {
            silencesTold[key] = findings.count
            return false
        }
        findings[index].count += 1
        if findings[index].subject.dialogs.count < 1_000 { findings[index].subject.dialogs.append(call.dialog) }
        return true
    }

    /// How long one end was not heard, and whether before, after or all the time.
    private func extent(_ own: [Int], _ quiet: StreamSummary.Speaker, _ seconds: Double) -> String {
        let heard = own.filter { seen[$0].isHeard }
        guard let first = heard.filter({ seen[$0].speaker == quiet }).map({ seen[$0].stream.first }).min() else {
            return "was never heard, for \(Self.tenth(seconds)) s"
        }
        let began = heard.map { seen[$0].stream.first }.min() ?? first
        // The silence that is told lies before its first packet.
        return Double(first - began) / 1e9 > seconds - 1
            ? "was heard only after \(Self.tenth(seconds)) s" : "stopped being heard, for \(Self.tenth(seconds)) s"
    }

    private func suppressionNote(_ own: [Int], _ quiet: StreamSummary.Speaker) -> String {
        own.contains { seen[$0].speaker == quiet } ? ", silence suppression (no pause like it, no comfort noise before)" : ""
    }

    func filesWithPairs(_ file: UInt16) -> Bool {
        flows.contains { flow, indices in
            flow.file == file
                && (flows[flow.reversed] ?? []).contains { a in
                    indices.contains { overlaps(a, $0) }
                }
        }
    }

    mutating func tellNone(_ number: Int, _ legs: [LegVerdict], seconds: Double) {
        let call = media.calls[number]
        let leg = legs.first { if case .none = $0.what { true } else { false } }?.leg ?? legs[0].leg
        let ways = [cause(number, leg, quiet: .caller), cause(number, leg, quiet: .callee)]
        let cause =
            ways.first { $0.confidence == .proved } ?? ways.first { $0.root != nil } ?? ways.first {
                $0.culprit != .unknown || !$0.evidence.isEmpty
            } ?? ways[0]
        guard !isSame(call, leg, cause) else { return }
        var finding = Finding(
            .mediaNone, .fault,
            "The call between \(named(call, leg, .caller)) and \(named(call, leg, .callee)) was answered and neither end was heard for "
                + "\(Self.tenth(seconds)) s. \(cause.sentence)",
            details: [
                "Ruled out: \(sightNote(number)), hold, and refused audio."
            ], culprit: cause.culprit, confidence: cause.confidence, remedies: cause.remedies, subject: subject(call, leg))
        for caller in [true, false] {
            if let event = call.said(leg, caller: caller) {
                finding.evidence.append(evidence(event, "what \(name(caller ? .caller : .callee)) agreed to"))
            }
        }
        for index in streams(of: number, leg).prefix(2) {
            finding.evidence.append(evidence(streams[index], "sent, but taken by nobody"))
        }
        finding.evidence += cause.evidence
        findings.append(finding)
    }

    /// Why missing audio is not only missing from the capture.
    private func sightNote(_ number: Int) -> String {
        if ofCall[number]?.isEmpty == false { return "a capture of signalling alone (it holds what was sent in this call)" }
        return seen.isEmpty
            ? "a capture of signalling alone (it holds the checks for this call's audio)"
            : "a capture of signalling alone (it holds the audio of other calls)"
    }

    /// One note for all calls of which a capture shows a single direction.
    mutating func tellOneLeg(_ file: UInt16, _ numbers: [Int]) {
        guard let first = numbers.first else { return }
        let call = media.calls[first]
        var finding = Finding(
            .mediaOneWay, .note,
            (numbers.count == 1 ? "Of one call with audio" : "Of each of the \(numbers.count) calls with audio")
                + " the capture shows one direction only: it was taken where the other does not pass.",
            details: ["Whether anybody heard nothing cannot be told from here."], confidence: .likely,
            remedies: [
                Remedy(.capture, "Capture at a place that both directions pass: on the phone, the server, or the router between.")
            ],
            subject: FindingSubject(dialogs: numbers.map { media.calls[$0].dialog }, vantage: Vantage(file)), count: numbers.count
        )
        for index in (ofCall[first] ?? []).prefix(2) {
            finding.evidence.append(evidence(streams[index], "the only direction seen"))
        }
        if let leg = call.legs.first, let event = call.said(leg, caller: true) { finding.evidence.append(evidence(event, "")) }
        findings.append(finding)
    }

    /// Why `quiet` is not heard by the other end.
    func cause(_ number: Int, _ leg: Int16, quiet: StreamSummary.Speaker) -> SilenceCause {
        let call = media.calls[number]
        let listener = other(quiet)
        let ends = Culprit.between(named(call, leg, quiet), named(call, leg, listener))
        guard let target = call.said(leg, caller: listener == .caller) else {
            return SilenceCause(sentence: "Why does not show.", remedies: Self.generalRemedies, isExplained: false)
        }
        let own = streams(of: number, leg).filter { seen[$0].speaker == quiet }
        if let cause = unrelayed(own, call, leg, target, quiet) { return cause }
        if let looped = own.first(where: { seen[$0].isLooped }) { return self.looped(looped, listener) }
        if let index = own.last(where: { seen[$0].refusal != nil }), MediaPlace(streams[index].destination) != target.goal {
            return refusedElsewhere(index, number, leg, target, quiet)
        }
        if let refused = refusal(call, to: target.address, target.port)
            ?? own.lazy.filter({ seen[$0].isRefused }).compactMap({ seen[$0].refusal?.record }).first
        {
            return self.refused(refused, number, target, listener)
        }
        if let stray = streams(of: number, leg).first(where: { seen[$0].speaker == quiet && seen[$0].isMisdirected }) {
            let goal = streams[stray].destination
            if let hostOnly = HostOnlyAddress(PackedAddress(goal.address), said: "\(goal)") {
                return self.hostOnly(hostOnly, named(call, leg, listener), "\(name(quiet).capitalizedFirst) sends to")
            }
            return SilenceCause(
                sentence:
                    "\(name(quiet).capitalizedFirst) sends to \(goal), a private address out of the SDP "
                    + "of \(name(listener)), which stands behind a NAT.",
                culprit: ends, confidence: .proved, remedies: Self.privateRemedies)
        }
        if let cause = movedInside(number, leg, quiet) { return cause }
        if let cause = foreignExternal(number, target, listener), own.allSatisfy({ !seen[$0].isHeard }) { return cause }
        if own.isEmpty, let checks = failedChecks(number) { return self.unanswered(checks, call, ends) }
        let wasReached = own.contains { seen[$0].isHeard }
        if !wasReached, target.packetSource != target.address, HostOnlyAddress.holds(target.address),
            let hostOnly = HostOnlyAddress(target.address, said: "\(target.endpoint)")
        {
            return self.hostOnly(
                hostOnly, named(call, leg, listener), "\(name(quiet).capitalizedFirst) is told to send to")
        }
        if !wasReached, let cause = deafHub(number, leg, quiet) ?? nothingToPassOn(number, leg, quiet) { return cause }
        if !wasReached, let hub = notPassedOn(number, leg, quiet) { return hub }
        if target.address.isPrivateNetwork, !target.packetSource.isPrivateNetwork, !target.packetSource.isUnknown, !wasReached,
            !isOvercome(call, caller: listener == .caller)
        {
            return SilenceCause(
                sentence: "The SDP of \(name(listener)) asks for audio at \(target.endpoint), a private address that cannot be "
                    + "reached from outside; its packets come from \(target.packetSource).",
                culprit: ends, remedies: Self.privateRemedies)
        }
        // What reached it went to where it comes from: the far end latched.
        let isFollowed = own.contains { one in
            (ofCall[number] ?? []).contains { seen[$0].speaker == listener && streams[$0].source == streams[one].destination }
        }
        if !isFollowed,
            (ofCall[number] ?? []).contains(where: { index in
                let other = seen[index]
                return other.speaker == listener && !other.isSourceKnown && other.stream.key.source == target.packetSource
                    && other.stream.key.sourcePort != target.port
            })
        {
            return SilenceCause(
                sentence:
                    "The packets of \(name(listener)) come from another port than its SDP names (a NAT), and \(name(quiet)) does "
                    + "not answer to where they come from.",
                culprit: ends,
                remedies: [
                    Remedy(
                        .server,
                        "Let the relay latch: send to where the packets come from (symmetric RTP, RFC 4961), not to the SDP's port."
                    ),
                    Self.relay,
                ], isExplained: false)
        }
        if !wasReached, let cause = beyondTranslation(target, number, leg, quiet) { return cause }
        if !wasReached, let sent = own.first {
            return SilenceCause(
                sentence:
                    "The packets of \(name(quiet)) pass the place of the capture on their way to \(streams[sent].destination), and nothing shows that they arrive.",
                culprit: ends, remedies: Self.generalRemedies, isExplained: false)
        }
        return SilenceCause(
            sentence: wasReached
                ? "In that time no packet of \(name(quiet)) reached the place of the capture: it was lost before, or not sent."
                : "No packet of \(name(quiet)) reached the place of the capture, so it was lost before, or never sent.",
            culprit: ends,
            remedies: Self.generalRemedies, isExplained: false)
    }

    /// Who listens names a private address to somebody beyond the NAT that must stand between them, sends to him, and hears nothing: he sends
    /// to the letter, or what he sends is kept off.
    private func beyondTranslation(
        _ target: MediaEvent, _ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker
    ) -> SilenceCause? {
        let (call, listener) = (media.calls[number], other(quiet))
        guard target.address == target.packetSource, target.address.isIPv4, target.address.isPrivateNetwork,
            call.candidates.isEmpty,
            let said = call.said(leg, caller: quiet == .caller), !said.packetSource.isUnknown,
            !said.packetSource.isPrivateNetwork,
            !said.address.isPrivateNetwork, !isOvercome(call, caller: listener == .caller),
            streams(of: number, leg).contains(where: { seen[$0].speaker == listener }),
            // Its address does not keep everybody off.
            !reachedHosts.contains(FilePlace(file: call.file, place: MediaPlace(target.address, 0)))
        else { return nil }
        let isServer = media.servers.contains(target.packetSource)
        return SilenceCause(
            sentence:
                "\(name(listener).capitalizedFirst) asks for its audio at \(target.endpoint), a private address, while \(name(quiet)) is on the "
                + "Internet (\(said.packetSource)), which cannot send there: it would have to send back to where audio comes from, and nothing comes.",
            culprit: .proved(named(call, leg, listener)), confidence: .likely,
            evidence: [evidence(target, "asks for audio at a private address")],
            remedies: [
                isServer
                    ? ServerRole.externalAddress
                    : Remedy(
                        .phone,
                        "Let \(name(listener)) name the public address: a PBX by its external address setting, a phone by STUN or ICE.",
                        commands: ServerRole.externalAddress.commands),
                Remedy(
                    .server,
                    "Or let \(name(quiet)) send audio to where it comes from (symmetric RTP, \"NAT\" option of the provider)."),
                Remedy(.network, "If that is so, see whether a firewall keeps its packets off: capture outside the router."),
            ], isExplained: false)
    }

    static let relay = Remedy(
        .server, "Relay the audio on the server (media relay with latching), so that both ends only have to reach the server.")
    static let privateRemedies = [
        Remedy(
            .server,
            "Treat the phone as behind a NAT: ignore the private address in its SDP, relay the audio and latch on to where it comes from."
        ),
        Remedy(.phone, "Use ICE or STUN, so that the SDP names an address that can be reached."),
    ]
    static let generalRemedies = [
        Remedy(
            .network,
            "Check that firewalls and routers let RTP pass in that direction, and capture once more nearer to the silent end."),
        relay,
    ]
}

extension String {
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
