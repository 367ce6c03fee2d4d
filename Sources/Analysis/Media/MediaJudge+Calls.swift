import Base
import Capture

extension MediaJudge {
    /// What a leg of a call shows.
    struct LegVerdict {
        enum What {
            case bothWays
            /// Only the other end was heard, for that long.
            case oneWay(quiet: StreamSummary.Speaker, seconds: Double)
            case none(seconds: Double)
            /// Both were heard, and then neither, though at least one went on sending.
            case cut(seconds: Double)
            /// Not to be judged.
            case unknown
        }

        var leg: Int16
        var what: What

        /// Ends that were not heard.
        var silent: [StreamSummary.Speaker] {
            switch what {
            case .oneWay(let quiet, _): [quiet]
            case .none: [.caller, .callee]
            case .bothWays, .cut, .unknown: []
            }
        }
    }

    /// Shorter silences are nobody's fault, nanoseconds.
    static let patience: Int64 = 3_000_000_000
    /// A sender known to suppress silence may say nothing for longer.
    static let patienceWithSuppression: Int64 = 30_000_000_000

    mutating func judgeCalls() {
        var verdicts: [(call: Int, legs: [LegVerdict])] = []
        /// By file: calls heard both ways, and calls heard one way.
        var both: [UInt16: Int] = [:]
        var single: [UInt16: Int] = [:]
        for number in media.calls.indices {
            let call = media.calls[number]
            var legs: [LegVerdict] = []
            for leg in call.legs { legs.append(LegVerdict(leg: leg, what: judge(number, leg))) }
            verdicts.append((number, legs))
            var sawOneWay = false
            var sawBoth = false
            for leg in legs {
                switch leg.what {
                case .bothWays: sawBoth = true
                case .oneWay: sawOneWay = true
                case .none, .cut, .unknown: break
                }
            }
            if sawOneWay { single[call.file, default: 0] += 1 } else if sawBoth { both[call.file, default: 0] += 1 }
            outcomes[call.dialog] = outcome(number, legs)
        }
        let hasPairs = filesWithBothDirections()
        var hidden: [UInt16: [Int]] = [:]
        // A leg on which a server cannot pass on what it does not hear on the other: that one is silent, and no blind spot of the tap.
        var causes = Set<Reference>()
        for (number, legs) in verdicts {
            let ends = Set(legs.flatMap(\.silent)).map { Reference(call: number, isCaller: $0 == .caller) }
            guard !ends.isEmpty, let other = bridged(number) else { continue }
            for end in ends where end.isCaller != other.isIncoming { relayed[end] = other.call }
            for leg in legs {
                guard case .oneWay(let quiet, _) = leg.what, (quiet == .callee) == other.isIncoming else { continue }
                causes.insert(Reference(call: other.call, isCaller: quiet == .caller))
            }
        }
        let shut = tellShut(verdicts)
        for (number, legs) in verdicts {
            let call = media.calls[number]
            var told = shut.contains(number)
            for leg in legs where !told {
                if case .oneWay(let quiet, let seconds) = leg.what {
                    self.quiet.insert(CallEnd(dialog: call.dialog, isCaller: quiet == .caller))
                    told = true
                    // Every call with one direction only, no pair of streams anywhere, and no cause to be seen: so the tap sees
                    // one leg.
                    if !causes.contains(Reference(call: number, isCaller: quiet == .caller)), both[call.file] == nil,
                        !hasPairs.contains(call.file),
                        single[call.file, default: 0] > 1,
                        !cause(number, leg.leg, quiet: quiet).isExplained, !isHeardNowhere(number, leg.leg, quiet),
                        !isPassedBothWays(number, leg.leg, quiet)
                    {
                        hidden[call.file, default: []].append(number)
                        outcomes[call.dialog] = .unknown
                    } else {
                        stops.append(stop(number, leg.leg, quiet, seconds: seconds))
                    }
                }
            }
            for leg in legs where !told {
                if case .cut(let seconds) = leg.what {
                    told = true
                    tellCut(number, leg.leg, seconds: seconds)
                }
            }
            if !told, !legs.isEmpty {
                var least = Double.infinity
                for leg in legs {
                    switch leg.what {
                    case .none(let seconds): least = min(least, seconds)
                    case .bothWays, .oneWay, .cut: least = -.infinity
                    case .unknown: break
                    }
                }
                if least.isFinite, least > 0, !failedHandshakes.contains(number) { tellNone(number, legs, seconds: least) }
            }
            judgeSources(number)
            judgeStrays(number)
            judgePrivate(number)
            if !told {
                judgeReports(number)
                judgePorts(number)
                judgeEnding(number)
                judgeNulled(number, seesBothWays: hasPairs.contains(call.file))
            }
        }
        tellStops()
        for (file, numbers) in hidden.sorted(by: { $0.key < $1.key }) { tellOneLeg(file, numbers) }
    }

    private func filesWithBothDirections() -> Set<UInt16> {
        var files = Set<UInt16>()
        for (flow, indices) in flows where !files.contains(flow.file) {
            let reverse = flows[flow.reversed] ?? []
            if indices.contains(where: { a in reverse.contains { overlaps(a, $0) } }) { files.insert(flow.file) }
        }
        return files
    }

    private func outcome(_ number: Int, _ legs: [LegVerdict]) -> MediaOutcome {
        let heard = (ofCall[number] ?? []).filter { seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 10 }
        let caller = heard.contains { seen[$0].speaker == .caller }
        let callee = heard.contains { seen[$0].speaker == .callee }
        for leg in legs { if case .cut = leg.what { return .interrupted } }
        for leg in legs { if case .oneWay = leg.what { return caller && callee ? .interrupted : .oneWay } }
        if caller, callee, heard.contains(where: { seen[$0].stray != nil }) { return .interrupted }
        if (caller && callee) || isCarriedElsewhere(media.calls[number]) { return .bothWays }
        for leg in legs { if case .none = leg.what { return .none } }
        return .unknown
    }

    // MARK: One leg

    /// Streams of a call that travel on one leg of it.
    func streams(of number: Int, _ leg: Int16) -> [Int] {
        let call = media.calls[number]
        let all = ofCall[number] ?? []
        guard call.legs.count > 1 else { return all }
        return all.filter { index in
            let key = seen[index].stream.key
            guard seen[index].isSourceKnown || seen[index].isDestinationKnown else { return true }
            return call.events.contains {
                $0.leg == leg
                    && (($0.address == key.source && $0.port == key.sourcePort)
                        || ($0.address == key.destination && $0.port == key.destinationPort))
            }
        }
    }

    private mutating func judge(_ number: Int, _ leg: Int16) -> LegVerdict.What {
        let call = media.calls[number]
        guard call.said(leg, caller: true) != nil, call.said(leg, caller: false) != nil else { return .unknown }
        let checks = failedChecks(number)
        guard checks != nil || seen.contains(where: { $0.stream.key.file == call.file }) else { return .unknown }
        let lastSeen = Int(call.file) < media.lastSeen.count ? media.lastSeen[Int(call.file)] : 0
        let end = max(lastSeen, media.lastFact[call.file] ?? 0)
        // The first packets need a moment, and the last ones are not missed.
        let periods = call.activePeriods(leg, until: end).compactMap { period -> RTPStream.Activity? in
            let from = period.from + 300_000_000
            let to = period.to - 300_000_000
            return to > from ? RTPStream.Activity(from: from, to: to) : nil
        }
        let total = Spans(periods).total
        let own = streams(of: number, leg)
        let heard = own.filter { seen[$0].isHeard }
        if heard.isEmpty {
            if isCarriedElsewhere(call) { return .bothWays }
            guard !isLinkedToHeard(number) else { return .unknown }
            guard total >= Self.patience, checks != nil || isExpectedHere(number, leg) || !own.isEmpty, !isElsewhere(call, leg)
            else {
                return .unknown
            }
            return .none(seconds: Double(total) / 1e9)
        }
        var worst: (StreamSummary.Speaker, Int64)?
        for quiet in [StreamSummary.Speaker.caller, .callee] {
            let length = silence(of: quiet, heard, call, leg, periods)
            let quietStreams = heard.filter { seen[$0].speaker == quiet }
            let suppresses =
                !quietStreams.isEmpty
                && (quietStreams.contains { isSuppressing(seen[$0].stream) }
                    || call.said(leg, caller: quiet == .caller)?.flags.contains(.offersComfortNoise) == true
                    || saysIdle(quiet, call, leg))
            let patience = suppresses ? Self.patienceWithSuppression : Self.patience
            guard length > patience, length > worst?.1 ?? 0, !isHeardUnseen(by: quiet == .caller ? false : true, call, leg) else {
                continue
            }
            if isLostOnTheWay(
                quiet, heard, patience, silence(of: quiet, heard, call, leg, periods, knowing: lostPauses(quiet, heard)))
            {
                continue
            }
            worst = (quiet, length)
        }
        if let worst { return .oneWay(quiet: worst.0, seconds: Double(worst.1) / 1e9) }
        let speakers = Set(heard.compactMap { seen[$0].speaker })
        let all = Spans(own.flatMap { seen[$0].stream.spans }).clipped(to: periods)
        let cut = all.longest(without: Spans(heard.flatMap { seen[$0].heardSpans }))
        if speakers.count == 2, cut > Self.patience,
            own.contains(where: { seen[$0].isHeard && seen[$0].refused != nil || seen[$0].isMisdirected })
        {
            return .cut(seconds: Double(cut) / 1e9)
        }
        return speakers.count == 2 ? .bothWays : .unknown
    }

    /// Its own reports say, more than once, that it sends nothing at the time.
    private func saysIdle(_ speaker: StreamSummary.Speaker, _ call: CallMedia, _ leg: Int16) -> Bool {
        guard let event = call.said(leg, caller: speaker == .caller) else { return false }
        let count = [event.address, event.packetSource].reduce(0) { most, address in
            [event.port, event.port &+ 1].reduce(most) {
                max($0, media.reports.idle[ReceiverReports.Reporter(file: call.file, address: address, port: $1)] ?? 0)
            }
        }
        return count > 1
    }

    private func isSuppressing(_ stream: RTPStream) -> Bool { stream.spurts > 0 || stream.flags.contains(.sawComfortNoise) }

    /// The longest stretch within the periods in which the other end was heard and this one was not.
    private func silence(
        of quiet: StreamSummary.Speaker, _ heard: [Int], _ call: CallMedia, _ leg: Int16, _ periods: [RTPStream.Activity],
        knowing pauses: [RTPStream.Activity] = []
    ) -> Int64 {
        let talking = Spans(heard.filter { seen[$0].speaker != quiet }.flatMap { seen[$0].heardSpans })
        let answering = Spans(
            heard.filter { seen[$0].speaker == quiet }.flatMap { index in
                let stream = seen[index].stream
                return seen[index].heardSpans + (stream.endsInNoise ? [RTPStream.Activity(from: stream.last, to: .max / 2)] : [])
            } + ownPauses(of: quiet, heard, call, leg, periods) + pauses)
        return talking.clipped(to: periods).longest(without: answering)
    }

    /// The capture shows the traffic between these hosts: then missing audio means something.
    private func isExpectedHere(_ number: Int, _ leg: Int16) -> Bool {
        let call = media.calls[number]
        guard let caller = call.said(leg, caller: true), let callee = call.said(leg, caller: false) else { return false }
        func isSignaller(_ event: MediaEvent) -> Bool {
            event.address == event.packetSource || event.address.isPrivateNetwork != event.packetSource.isPrivateNetwork
        }
        if isSignaller(caller), isSignaller(callee) { return true }
        // Elsewhere audio may pass the place of the capture by: only audio between just these hosts shows that it does not.
        return seen.contains { other in
            let key = other.stream.key
            return key.file == call.file
                && ((key.source == caller.address && key.destination == callee.address)
                    || (key.source == callee.address && key.destination == caller.address))
        }
    }

    /// Streams that count for another dialog too leave from and arrive at the very places this call names: audio moved to flow directly.
    private func isCarriedElsewhere(_ call: CallMedia) -> Bool {
        let places = Set(call.events.filter { $0.port > 0 }.map { MediaPlace($0.address, $0.port) })
        guard !places.isEmpty else { return false }
        func isCarried(_ flow: MediaFlow) -> Bool {
            (flows[flow] ?? []).contains {
                seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 10 && seen[$0].stream.last >= call.began
                    && (call.ended == CallMedia.unknown || seen[$0].stream.first <= call.ended)
            }
        }
        func some(_ known: [FilePlace: [MediaFlow]]) -> Bool {
            places.contains { (known[FilePlace(file: call.file, place: $0)] ?? []).contains(where: isCarried) }
        }
        return some(flowsFrom) && some(flowsTo)
    }

    /// The other leg of the same call through a back-to-back user agent is heard both ways: begun and ended together, with a host in
    /// common. What that host says on one leg it heard on the other.
    private func isLinkedToHeard(_ number: Int) -> Bool {
        let call = media.calls[number]
        guard call.ended != CallMedia.unknown else { return false }
        let hosts = Set(call.events.flatMap { [$0.packetSource, $0.packetDestination] })
        return media.calls.indices.contains { index in
            let other = media.calls[index]
            guard index != number, other.file == call.file, other.ended != CallMedia.unknown else { return false }
            let apart = (abs(other.began - call.began), abs(other.ended - call.ended))
            let sharesHost = other.events.contains { hosts.contains($0.packetSource) || hosts.contains($0.packetDestination) }
            // A border controller has an address on each side: then both ends of both legs must coincide.
            guard
                (sharesHost && apart.0 < 2_000_000_000 && apart.1 < 1_000_000_000)
                    || (apart.0 < 100_000_000 && apart.1 < 100_000_000)
            else { return false }
            let heard = (ofCall[index] ?? []).filter { seen[$0].isHeard && seen[$0].stream.statistics.totalReceived >= 10 }
            return heard.contains { seen[$0].speaker == .caller } && heard.contains { seen[$0].speaker == .callee }
        }
    }

    /// A TURN server may carry the packets inside others.
    private func isElsewhere(_ call: CallMedia, _ leg: Int16) -> Bool {
        call.events.contains { $0.leg == leg && $0.flags.contains(.hasRelayCandidate) }
    }

    /// The listener reports on a stream that the capture does not show: the tap sees one direction.
    private func isHeardUnseen(by caller: Bool, _ call: CallMedia, _ leg: Int16) -> Bool {
        guard let event = call.said(leg, caller: caller) else { return false }
        return media.reports.views.contains { key, view in
            key.file == call.file && view.highest > 0 && view.time >= call.began
                && (call.ended == CallMedia.unknown || view.time <= call.ended + 3_000_000_000)
                && (view.reporter == event.address || view.reporter == event.packetSource)
                && (view.reporterPort == event.port || view.reporterPort == event.port &+ 1)
                && !seen.contains { $0.stream.key.file == key.file && $0.stream.key.ssrc == key.ssrc }
        }
    }
}
