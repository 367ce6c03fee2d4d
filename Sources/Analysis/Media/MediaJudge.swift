import Base
import Capture
import RTP

/// Settles at the end whose stream is whose, and judges each call's media.
struct MediaJudge {
    /// A stream and the call it belongs to.
    struct Seen {
        var stream: RTPStream
        var bins: [StreamSummary.Bin]
        /// Index into the calls; nil where no signalling names it.
        var call: Int?
        var speaker: StreamSummary.Speaker?
        /// Its source, or its destination, is a place that SDP or ICE named.
        var isSourceKnown = false
        var isDestinationKnown = false
        /// Nobody named either of its ports, nor is it the answer to a stream of which one was: its hosts alone speak for the call.
        var isGuessed = false
        /// From a public address to a private one that the listener does not wear: it arrives nowhere.
        var isMisdirected = false
        /// Sent from behind a NAT to the NAT's own outside address, and nothing comes back in.
        var isLooped = false
        /// Arrives at a TURN server's relay, which passes none of it on.
        var isUnforwarded = false
        /// ICMP errors go on about it, and the time through which they do: it arrives, and nobody takes it.
        var refusal: MediaAnalysis.Refusal?
        var refused: RTPStream.Activity?
        /// Why it probably arrives at nobody, without an error that says so.
        var stray: Stray?

        var isRefused: Bool { refused.map { $0.from <= stream.first && $0.to >= stream.last } ?? false }
        var isHeard: Bool { !isMisdirected && !isLooped && !isUnforwarded && !isRefused }

        /// When it was heard.
        var heardSpans: [RTPStream.Activity] {
            guard isHeard else { return [] }
            guard let refused else { return stream.spans }
            return stream.spans.flatMap { span in
                [
                    RTPStream.Activity(from: span.from, to: min(span.to, refused.from)),
                    RTPStream.Activity(from: max(span.from, refused.to), to: span.to),
                ].filter { $0.to > $0.from }
            }
        }
    }

    /// One end of a call.
    struct Reference: Hashable {
        /// Index into the calls.
        var call: Int
        var isCaller: Bool
    }

    struct FilePlace: Hashable {
        var file: UInt16
        var place: MediaPlace
    }

    let media: MediaAnalysis
    let hash: (@Sendable (AnalysisHash, [UInt8]) -> [UInt8])?
    var seen: [Seen] = []
    var streams: [StreamSummary] = []
    var findings: [Finding] = []
    var outcomes: [Int: MediaOutcome] = [:]
    /// Captures whose own times are not true, as of a virtual machine: their numbers are judged, their times are not.
    var untrueClocks: Set<UInt16> = []
    /// By dialog.
    var protections: [Int: MediaProtection] = [:]
    /// DTLS handshakes of each call.
    var handshakes: [Int: [DTLSLedger.Handshake]] = [:]
    /// Calls whose DTLS handshake failed: that there is no audio needs no other cause.
    var failedHandshakes: Set<Int> = []
    /// Ends that were not heard for a while.
    var quiet: Set<CallEnd> = []
    /// Streams that were broken off and went on, with all that was sent meanwhile lost; indices into `seen`.
    var broken: Set<Int> = []
    /// Ends that fell silent or record, told when all calls are known.
    var stops: [Stop] = []
    /// Streams of each call, indices into `seen`.
    var ofCall: [Int: [Int]] = [:]
    /// Indices into `seen`.
    var flows: [MediaFlow: [Int]] = [:]
    /// Flows by where they end, and by where they begin, in order of their streams.
    var flowsTo: [FilePlace: [MediaFlow]] = [:]
    var flowsFrom: [FilePlace: [MediaFlow]] = [:]
    /// Flows of one place, and streams of one call, that are compared with each other.
    static let mostAlike = 64
    /// When the last came from a place, nanoseconds.
    var lastFrom: [FilePlace: Int64] = [:]
    private(set) var latching: Set<FilePlace> = []
    /// Silent ends of calls that a server in the middle joins to others, and the call each had to be passed on from.
    var relayed: [Reference: Int] = [:]
    /// Silences told, by what makes them the same, and the finding of each.
    var silencesTold: [String: Int] = [:]
    /// Indices of calls, in order of their beginnings.
    let callsByBegin: [Int]
    /// Hosts that media came from, as places with port 0.
    private(set) var sendingHosts: Set<FilePlace> = []
    /// Hosts that media came to from the Internet.
    private(set) var reachedHosts: Set<FilePlace> = []
    private(set) var places: [FilePlace: [Reference]] = [:]
    /// Where a description came from, with the port it names: an address that is translated one to one, as a cloud's is, keeps ports.
    private var translated: [FilePlace: [Reference]] = [:]
    var addresses: [FilePlace: [Reference]] = [:]

    init(_ media: MediaAnalysis, hash: (@Sendable (AnalysisHash, [UInt8]) -> [UInt8])? = nil) {
        self.media = media
        self.hash = hash
        callsByBegin = media.calls.indices.sorted { media.calls[$0].began < media.calls[$1].began }
        seen = media.table.closed.map { Seen(stream: $0.stream, bins: $0.bins, call: nil, speaker: nil) }
    }

    mutating func run() {
        index()
        judgeProtection()
        guard !seen.isEmpty || !media.checks.isEmpty || !handshakes.isEmpty else {
            for number in media.calls.indices { judgePrivate(number) }
            judgeFaxes()
            return
        }
        for index in seen.indices {
            let flow = flow(index)
            let source = FilePlace(file: flow.file, place: flow.source)
            lastFrom[source] = max(lastFrom[source] ?? .min, seen[index].stream.last)
            if flows[flow] == nil {
                sendingHosts.insert(FilePlace(file: flow.file, place: MediaPlace(flow.source.address, 0)))
                if !flow.source.address.isPrivateNetwork {
                    reachedHosts.insert(FilePlace(file: flow.file, place: MediaPlace(flow.destination.address, 0)))
                }
                flowsFrom[source, default: []].append(flow)
                flowsTo[FilePlace(file: flow.file, place: flow.destination), default: []].append(flow)
            }
            flows[flow, default: []].append(index)
        }
        attribute()
        for index in seen.indices { if let call = seen[index].call { ofCall[call, default: []].append(index) } }
        for index in seen.indices { seen[index].stray = stray(index) }
        latching = latchingHosts
        streams = seen.indices.map { summary($0) }
        judgeHandshakes()
        judgeCalls()
        judgeFaxes()
        judgeQuality()
        judgeClocks()
        judgeCodecs()
        judgeDigits()
        judgeSizes()
        judgeRestamped()
        judgeDiscarded()
        streams.sort { ($0.first, $0.source, $0.ssrc) < ($1.first, $1.source, $1.ssrc) }
    }

    func flow(_ index: Int) -> MediaFlow {
        let key = seen[index].stream.key
        return MediaFlow(
            file: key.file, source: MediaPlace(key.source, key.sourcePort),
            destination: MediaPlace(key.destination, key.destinationPort))
    }

    // MARK: Whose stream

    private mutating func index() {
        for (number, call) in media.calls.enumerated() {
            func note(_ address: PackedAddress, _ port: UInt16, _ isCaller: Bool, _ table: inout [FilePlace: [Reference]]) {
                let place = FilePlace(file: call.file, place: MediaPlace(address, port))
                let known = table[place] ?? []
                guard !known.contains(where: { $0.call == number && $0.isCaller == isCaller }), known.count < 4_096 else {
                    return
                }
                table[place, default: []].append(Reference(call: number, isCaller: isCaller))
            }
            for event in call.events where event.port > 0 {
                note(event.address, event.port, event.isFromCaller, &places)
                if event.packetSource != event.address, !event.packetSource.isUnknown {
                    note(event.packetSource, event.port, event.isFromCaller, &translated)
                }
            }
            for candidate in call.candidates { note(candidate.address, candidate.port, candidate.isCaller, &places) }
        }
    }

    /// The call was on while the stream was sent.
    func isDuring(_ call: CallMedia, _ stream: RTPStream) -> Bool {
        stream.last >= call.began - 2_000_000_000
            && (call.ended == CallMedia.unknown || stream.first <= call.ended + 3_000_000_000)
    }

    /// The newest call that was on when the stream began.
    private func best(_ references: [Reference]?, _ stream: RTPStream) -> Reference? {
        var best: Reference?
        for reference in references ?? [] where isDuring(media.calls[reference.call], stream) {
            guard let other = best else {
                best = reference
                continue
            }
            let a = media.calls[reference.call].began
            let b = media.calls[other.call].began
            if (a <= stream.first) != (b <= stream.first) ? a <= stream.first : a > b { best = reference }
        }
        return best
    }

    private mutating func attribute() {
        for index in seen.indices {
            let flow = flow(index)
            let (toPlace, fromPlace) = (
                FilePlace(file: flow.file, place: flow.destination), FilePlace(file: flow.file, place: flow.source)
            )
            let (to, from) = (places[toPlace] ?? translated[toPlace], places[fromPlace] ?? translated[fromPlace])
            let (isToNamed, isFromNamed) = (places[toPlace] != nil, places[fromPlace] != nil)
            // Both ends named by one call is as sure as can be.
            let both = (to ?? []).filter { a in (from ?? []).contains { $0.call == a.call && $0.isCaller != a.isCaller } }
            if let match = best(both, seen[index].stream) {
                assign(index, match.call, match.isCaller ? .callee : .caller, source: isFromNamed, destination: isToNamed)
            } else if let match = best(to, seen[index].stream) {
                assign(index, match.call, match.isCaller ? .callee : .caller, source: false, destination: isToNamed)
            } else if let match = best(from, seen[index].stream) {
                assign(index, match.call, match.isCaller ? .caller : .callee, source: isFromNamed, destination: false)
            }
        }
        for index in seen.indices where seen[index].call == nil { attributeByAnswer(index) }
        if seen.contains(where: { $0.call == nil }), !media.calls.isEmpty { attributeByAddress() }
        for index in seen.indices {
            if let call = seen[index].call { seen[index].isMisdirected = isMisdirected(index, call) }
            seen[index].isLooped = isLooped(index)
            seen[index].isUnforwarded = isUnforwarded(index)
            refuse(index)
        }
    }

    mutating func assign(
        _ index: Int, _ call: Int, _ speaker: StreamSummary.Speaker, source: Bool, destination: Bool
    ) {
        seen[index].call = call
        seen[index].speaker = speaker
        seen[index].isSourceKnown = source
        seen[index].isDestinationKnown = destination
    }

    mutating func attributeByAnswer(_ index: Int) {
        guard let other = answer(to: index), let call = seen[other].call else { return }
        assign(index, call, seen[other].speaker == .caller ? .callee : .caller, source: false, destination: false)
    }

    /// The known opposite direction between the same two places (RFC 4961), or else what comes from the place that this goes to.
    private func answer(to index: Int) -> Int? {
        let flow = flow(index)
        let place = FilePlace(file: flow.file, place: flow.destination)
        let fromThere = [flow.reversed] + (flowsFrom[place] ?? []).prefix(Self.mostAlike)
        return fromThere.lazy.compactMap { flows[$0]?.first { seen[$0].call != nil && overlaps($0, index) } }.first
    }

    func overlaps(_ a: Int, _ b: Int) -> Bool {
        seen[a].stream.first <= seen[b].stream.last + 5_000_000_000 && seen[b].stream.first <= seen[a].stream.last + 5_000_000_000
    }

    private func isMisdirected(_ index: Int, _ call: Int) -> Bool {
        let key = seen[index].stream.key
        guard key.destination.isPrivateNetwork, let speaker = seen[index].speaker else { return false }
        // No packet to such an address leaves its sender's link, or its host.
        if HostOnlyAddress.holds(key.destination), !HostOnlyAddress.holds(key.source) {
            return media.calls[call].events.allSatisfy {
                $0.isFromCaller == (speaker == .caller)
                    || $0.packetSource != key.destination && $0.packetSource != key.source && !$0.packetSource.isUnknown
            }
        }
        // From one private network into another, as from a server in a cloud to a phone at home: nobody there ever answered.
        if key.source.isPrivateNetwork {
            guard key.source.isIPv4, key.destination.isIPv4, key.source.low >> 16 != key.destination.low >> 16,
                !sendingHosts.contains(FilePlace(file: key.file, place: MediaPlace(key.destination, 0)))
            else { return false }
        }
        let listenerIsCaller = speaker == .callee
        let said = media.calls[call].events.filter { $0.isFromCaller == listenerIsCaller }
        return !said.isEmpty
            && said.allSatisfy {
                !$0.packetSource.isUnknown && !$0.packetSource.isPrivateNetwork && $0.packetSource != key.destination
            }
    }

    // MARK: Summaries

    private func summary(_ index: Int) -> StreamSummary {
        let stream = seen[index].stream
        let key = stream.key
        let statistics = stream.statistics
        let pattern = statistics.lossPattern
        let codec = media.codecs.names[Int(stream.codec)]
        let rate = Int(statistics.clockRate)
        let byCapture = stream.holeLosses.reduce(0) { $0 + (media.holes[$1.hole].streams > 1 ? $1.lost : 0) }
        let isVideo = stream.flags.contains(.isVideo)
        var summary = StreamSummary(
            ssrc: key.ssrc, source: Endpoint(key.source.address, key.sourcePort),
            destination: Endpoint(key.destination.address, key.destinationPort), vantage: Vantage(key.file),
            dialog: seen[index].call.map { media.calls[$0].dialog }, speaker: seen[index].speaker,
            packets: Int(clamping: statistics.totalReceived), first: Instant(nanoseconds: stream.first),
            last: Instant(nanoseconds: stream.last), firstPlace: .frame(file: Int(key.file), number: Int(stream.firstFrame)),
            lastPlace: .frame(file: Int(key.file), number: Int(stream.lastFrame)), codec: codec.isEmpty ? nil : codec,
            payloadType: stream.payloadType, clockRate: stream.flags.contains(.hasClock) ? rate : 0,
            packetTime: isVideo || stream.packetStep == 0 || !stream.flags.contains(.hasClock)
                ? nil : .nanoseconds(Int64(stream.packetStep) * 1_000_000_000 / Int64(max(1, rate))),
            isEncrypted: isSecure(index), expected: Int(clamping: statistics.totalExpected), lost: Int(clamping: statistics.lost),
            lostByCapture: min(byCapture, Int(clamping: statistics.lost)),
            bursts: StreamSummary.Bursts(
                count: Int(clamping: pattern.bursts), length: pattern.burstLength, density: pattern.burstDensity,
                gapDensity: pattern.gapDensity, longestRun: Int(clamping: pattern.longestRun), ratio: pattern.burstRatio),
            outOfOrder: Int(clamping: statistics.outOfOrder), duplicates: Int(clamping: statistics.duplicates),
            late: Int(stream.late),
            mostLate: Double(stream.mostLate) * 1_000 / Double(max(1, rate)), jitter: statistics.jitterMilliseconds,
            meanJitter: stream.meanJitter,
            maximumJitter: statistics.maximumJitterMilliseconds,
            restarts: Int(statistics.restarts) + Int(stream.timestampRestarts),
            longestSilence: statistics.longestSilence,
            suppressesSilence: stream.flags.contains(.sawComfortNoise) || stream.spurts > 0, rating: nil, meanOpinionScore: nil,
            remote: remote(stream), protection: seen[index].call.flatMap { protections[media.calls[$0].dialog] },
            bins: seen[index].bins, binWidth: .nanoseconds(stream.binWidth))
        if let codec = summary.codec, let impairment = EModel.Impairment.of(codec), !isVideo {
            let delay = summary.remote?.roundTrip.map { Double($0.wholeMilliseconds) / 2 } ?? 0
            let model = EModel(
                impairment, lossRate: min(1, summary.lossRate + summary.lateRate), burstRatio: pattern.burstRatio, delay: delay)
            summary.rating = model.rating
            summary.meanOpinionScore = model.meanOpinionScore
        }
        return summary
    }

    private func isSecure(_ index: Int) -> Bool {
        guard let call = seen[index].call else { return false }
        let events = media.calls[call].events
        return !events.isEmpty && events.contains { $0.isFromCaller && $0.flags.contains(.isSecure) }
            && events.contains { !$0.isFromCaller && $0.flags.contains(.isSecure) }
    }

    func remote(_ stream: RTPStream) -> StreamSummary.RemoteView? {
        guard let view = media.reports.views[ReceiverReports.Key(file: stream.key.file, ssrc: stream.key.ssrc)] else {
            return nil
        }
        return StreamSummary.RemoteView(
            place: .frame(file: Int(stream.key.file), number: Int(view.frame)), reports: view.reports,
            packetsLost: Int(view.packetsLost), worstFractionLost: Double(view.worstFraction) / 256,
            jitter: Double(view.jitter) * 1_000 / Double(max(1, stream.statistics.clockRate)),
            roundTrip: view.roundTrip.map { .nanoseconds($0) })
    }
}
