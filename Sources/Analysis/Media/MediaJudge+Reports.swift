import Base
import Capture

extension MediaJudge {
    /// What a report without blocks covers at least, nanoseconds.
    private static let reported: Int64 = 4_000_000_000

    /// `media.one-way` past the place of the capture: an end is sent audio, and reports that it hears none.
    ///
    /// Innocent: an end that reports of something elsewhere, one on hold or that was sent little, a server that only plays something.
    mutating func judgeReports(_ number: Int) {
        let call = media.calls[number]
        guard !media.reports.empty.isEmpty, !stops.contains(where: { $0.call == number }) else { return }
        for leg in call.legs {
            let periods = call.activePeriods(leg, until: .max)
            for index in streams(of: number, leg) {
                guard let speaker = seen[index].speaker, let reporter = deafReporter(index, periods),
                    speaker == .callee || !media.servers.contains(call.said(leg, caller: false)?.packetSource ?? .unknown)
                else { continue }
                tellDeaf(number, leg, index, speaker, reporter)
                return
            }
        }
    }

    /// Who is sent a stream for long, and reports of nothing.
    private func deafReporter(_ index: Int, _ periods: [RTPStream.Activity]) -> EmptyReports.Reporter? {
        let stream = seen[index].stream
        guard seen[index].isHeard, seen[index].refusal == nil, seen[index].stray == nil, !stream.flags.contains(.isVideo),
            stream.statistics.totalReceived >= Self.fewestToFollow
        else { return nil }
        let key = stream.key
        let spans = Spans(stream.spans).clipped(to: periods)
        for port in [key.destinationPort &+ 1, key.destinationPort] {
            guard let reporter = media.reports.empty.deaf(key.file, at: MediaPlace(key.destination, port)),
                reporter.times.contains(where: { time in
                    spans.clipped(to: [RTPStream.Activity(from: time - Self.reported, to: time)]).total > Self.reported * 9 / 10
                })
            else { continue }
            return reporter
        }
        return nil
    }

    private mutating func tellDeaf(
        _ number: Int, _ leg: Int16, _ index: Int, _ speaker: StreamSummary.Speaker, _ reporter: EmptyReports.Reporter
    ) {
        let call = media.calls[number]
        let stream = streams[index]
        let listener = named(call, leg, other(speaker))
        findings.append(
            Finding(
                .mediaOneWay, .fault,
                "\(listener.capitalizedFirst) reports by RTCP that it hears nothing of \(name(speaker)), whose \(stream.packets) packets passed here on "
                    + "the way to \(stream.destination): they are lost past the place of this capture.",
                details: [
                    "It speaks itself, and none of its sender reports (\(reporter.times.count)) has a block about what it hears (RFC 3550 6.4.1).",
                    "In another call it does report what it hears.",
                ],
                evidence: [
                    evidence(stream, "passes here"),
                    Evidence(
                        place: .frame(file: Int(stream.vantage.index), number: Int(reporter.frame)),
                        time: Instant(nanoseconds: reporter.times[0]),
                        source: Endpoint(reporter.source.address.address, reporter.source.port),
                        excerpt: "RTCP SR, no report block",
                        says: "hears nothing"),
                ], culprit: .between("\(stream.destination)", listener), confidence: .likely,
                remedies: [
                    Remedy(
                        .network,
                        "Look past here for what drops RTP towards \(stream.destination) (firewall, router, NAT before that end), and capture there."
                    )
                ], subject: subject(call, leg)))
        quiet.insert(CallEnd(dialog: call.dialog, isCaller: speaker == .caller))
    }
}
