import Base
import Capture

extension MediaJudge {
    /// An end that was not heard for a while although it should have been.
    struct Stop {
        var call: Int
        var leg: Int16
        var quiet: StreamSummary.Speaker
        /// For how long, seconds.
        var seconds: Double
        /// For how long it was heard before, from the answer on and without a pause, nanoseconds; nil where it was otherwise.
        var heard: Int64?
        /// A message, or a conference with nobody else.
        var isRecording: Bool
    }

    /// Calls that stop alike: fewer may be chance.
    private static let fewestAlike = 3
    /// Timers of firewalls and NATs are set to multiples of this, and audio that ends at one is that near to it, nanoseconds.
    private static let timerStep: Int64 = 15_000_000_000
    private static let timerSlack: Int64 = 300_000_000

    func stop(_ number: Int, _ leg: Int16, _ quiet: StreamSummary.Speaker, seconds: Double) -> Stop {
        let call = media.calls[number]
        let spans = Spans(
            streams(of: number, leg).filter { seen[$0].speaker == quiet && seen[$0].isHeard }.flatMap { seen[$0].stream.spans }
        ).list
        var heard: Int64?
        if spans.count == 1, call.answered != CallMedia.unknown, abs(spans[0].from - call.answered) <= Self.patience {
            heard = spans[0].to - spans[0].from
        }
        return Stop(
            call: number, leg: leg, quiet: quiet, seconds: seconds, heard: heard, isRecording: isRecording(number, leg, quiet))
    }

    /// Those that stop after the same time in each call, a timer's, are told as one; recordings alone are innocent.
    mutating func tellStops() {
        struct Kind: Hashable {
            var file: UInt16
            var isCaller: Bool
            var server: PackedAddress?
            var steps: Int64
        }
        var groups: [Kind: [Int]] = [:]
        for (index, stop) in stops.enumerated() {
            guard let heard = stop.heard, !cause(stop.call, stop.leg, quiet: stop.quiet).isExplained else { continue }
            let steps = (heard + Self.timerStep / 2) / Self.timerStep
            guard steps >= 2, abs(heard - steps * Self.timerStep) <= Self.timerSlack else { continue }
            let call = media.calls[stop.call]
            groups[
                Kind(
                    file: call.file, isCaller: stop.quiet == .caller, server: call.said(stop.leg, caller: false)?.packetSource,
                    steps: steps), default: []
            ].append(index)
        }
        var told = Set<Int>()
        for members in groups.values.sorted(by: { $0[0] < $1[0] }) where members.count >= Self.fewestAlike {
            told.formUnion(members)
            tellTimer(members.map { stops[$0] })
        }
        // The root of several legs is told, and what follows from it hangs below.
        var follows: [Int: [Int]] = [:]
        let places = Dictionary(
            stops.indices.map { (Reference(call: stops[$0].call, isCaller: stops[$0].quiet == .caller), $0) },
            uniquingKeysWith: { a, _ in a })
        for index in stops.indices where !told.contains(index) && !stops[index].isRecording {
            if let root = root(of: index, places), !told.contains(root), !stops[root].isRecording {
                follows[root, default: []].append(index)
            }
        }
        let hanging = Set(follows.values.joined()).subtracting(follows.keys)
        tellRecordings(stops.indices.filter { !told.contains($0) && stops[$0].isRecording }.map { stops[$0] })
        for members in alike(stops.indices.filter { !told.contains($0) && !hanging.contains($0) && !stops[$0].isRecording }) {
            guard let first = members.first else { continue }
            let stop = stops[first]
            tellOneWay(stop.call, stop.leg, quiet: stop.quiet, seconds: stop.seconds)
            let place = findings.count - 1
            findings[place].count = members.count
            findings[place].subject.dialogs = members.map { media.calls[stops[$0].call].dialog }
            for other in members.flatMap({ follows[$0] ?? [] }) where hanging.contains(other) {
                let call = media.calls[stops[other].call]
                if findings[place].details.count < 5 {
                    findings[place].details.append(
                        "What follows from it: \(named(call, stops[other].leg, stops[other].quiet)) is not heard in the other leg of the call, "
                            + "which goes through the same host.")
                }
            }
        }
    }

    /// Silences between the same hosts that began with the call, for which nothing seen gives a reason, are one.
    private func alike(_ indices: [Int]) -> [[Int]] {
        struct Ends: Hashable {
            var file: UInt16
            var quiet: PackedAddress
            var listener: PackedAddress
            var isCaller: Bool
        }
        var groups: [[Int]] = []
        var places: [Ends: Int] = [:]
        for index in indices {
            let stop = stops[index]
            let call = media.calls[stop.call]
            guard let quiet = call.said(stop.leg, caller: stop.quiet == .caller),
                !streams(of: stop.call, stop.leg).contains(where: { seen[$0].speaker == stop.quiet }),
                !cause(stop.call, stop.leg, quiet: stop.quiet).isExplained
            else {
                groups.append([index])
                continue
            }
            let ends = Ends(
                file: call.file, quiet: quiet.packetSource, listener: quiet.packetDestination, isCaller: stop.quiet == .caller)
            if let at = places[ends] {
                groups[at].append(index)
            } else {
                places[ends] = groups.count
                groups.append([index])
            }
        }
        return groups
    }

    private mutating func tellTimer(_ alike: [Stop]) {
        let first = alike[0]
        let call = media.calls[first.call]
        let quiet = named(call, first.leg, first.quiet)
        let interval = Int(((first.heard ?? 0) + Self.timerStep / 2) / Self.timerStep * 15)
        var finding = Finding(
            .mediaOneWay, .fault,
            "Audio of \(quiet) stops \(interval) s after it began, in each of \(alike.count) calls, while the other end goes on: "
                + "a timer on the way ends it, not a person.",
            details: [
                "Each time it was heard without a pause for \(interval) s, to within \(spoken(Self.timerSlack)), and never again in that call.",
                "Ruled out: hold (both descriptions say sendrecv then). What the other end sends does not keep it open.",
            ],
            culprit: .between(quiet, named(call, first.leg, other(first.quiet))),
            remedies: [
                Remedy(
                    .router,
                    "Raise the time after which firewall or NAT close UDP for RTP, or switch the SIP helper off that opens audio for a fixed time."
                ),
                Remedy(
                    .server, "If nothing on the way has such a timer, look for an RTP timeout of \(interval) s on the server."),
            ], subject: subject(call, first.leg), count: alike.count)
        finding.subject.dialogs = alike.map { media.calls[$0.call].dialog }
        for stop in alike.prefix(3) {
            for index in streams(of: stop.call, stop.leg) {
                finding.evidence.append(
                    evidence(streams[index], seen[index].speaker == stop.quiet ? "stops after \(interval) s" : "goes on"))
            }
        }
        findings.append(finding)
    }
}
