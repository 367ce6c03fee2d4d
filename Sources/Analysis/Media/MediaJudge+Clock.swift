import Base
import Capture
import RTP

extension MediaJudge {
    /// Packets from which on a clock is measured, and how far from true it is wrong: crystals differ by a ten-thousandth.
    private static let fewestOfClock = 250
    private static let wrongClock = 0.04
    private static let rightClock = 0.01
    /// Further from true than any crystal, and how near to each other what one clock timed.
    private static let offClock = 0.005
    private static let sameClock = 0.004

    /// media.quality of a sender whose timestamps run faster or slower than its packets (RFC 3550 5.1): they are played too fast or
    /// with holes.
    ///
    /// Innocent: pauses and silence suppression, clocks that were only guessed, payload types that change, G.722 sent at the rate it
    /// has, and captures whose own times are not true: another stream of the same file must run right.
    mutating func judgeClocks() {
        var trueFiles = Set<UInt16>()
        var wrong: [(index: Int, ratio: Double)] = []
        for index in seen.indices {
            guard let ratio = seen[index].stream.clockRatio, streams[index].packets >= Self.fewestOfClock else { continue }
            if abs(ratio - 1) < Self.rightClock {
                trueFiles.insert(seen[index].stream.key.file)
            } else if abs(ratio - 1) > Self.wrongClock, ratio > 0.2, ratio < 5, streams[index].lossRate < 0.02,
                isSteady(index), !isWideband(streams[index], ratio)
            {
                wrong.append((index, ratio))
            }
        }
        for (index, ratio) in wrong where trueFiles.contains(seen[index].stream.key.file) { tellClock(index, ratio) }
    }

    /// Files of which each measured stream runs off true time by the same share, though several hosts send them: it is the file's clock.
    func filesWithoutTrueTime() -> Set<UInt16> {
        var ratios: [UInt16: [(source: PackedAddress, ratio: Double)]] = [:]
        for one in seen {
            guard let ratio = one.stream.clockRatio, one.stream.statistics.totalReceived >= UInt64(Self.fewestOfClock) else {
                continue
            }
            ratios[one.stream.key.file, default: []].append((one.stream.key.source, ratio))
        }
        return Set(
            ratios.compactMap { file, all in
                guard Set(all.map(\.source)).count > 1, let low = all.map(\.ratio).min(), let high = all.map(\.ratio).max(),
                    high - low <= Self.sameClock, low > 1 + Self.offClock || high < 1 - Self.offClock
                else { return nil }
                return file
            })
    }

    /// As many packets in each stretch of time as in the others: no burst and no pause explains the difference.
    private func isSteady(_ index: Int) -> Bool {
        let bins = seen[index].bins.dropLast()
        guard bins.count >= 8 else { return false }
        let mean = Double(bins.reduce(0) { $0 + Int($1.expected) }) / Double(bins.count)
        return bins.allSatisfy { abs(Double($0.expected) - mean) <= 0.2 * mean + 2 }
    }

    /// G.722 samples at 16 kHz and counts 8,000 a second (RFC 3551 4.5.2); some count what they sample.
    private func isWideband(_ stream: StreamSummary, _ ratio: Double) -> Bool {
        stream.codec?.uppercased() == "G722" && abs(ratio - 2) < Self.wrongClock
    }

    private mutating func tellClock(_ index: Int, _ ratio: Double) {
        let stream = streams[index]
        let speaker = stream.speaker.map { "\(name($0)) (\(stream.source))" } ?? "\(stream.source)"
        let step = Double(seen[index].stream.packetStep) * 1_000 / Double(max(1, stream.clockRate))
        var subject = FindingSubject(client: stream.destination, server: stream.source, vantage: stream.vantage)
        if let number = seen[index].call {
            let call = media.calls[number]
            subject = self.subject(call, call.legs.first ?? 0)
        }
        findings.append(
            Finding(
                .mediaQuality, .fault,
                "Audio of \(speaker) to \(stream.destination) sounds bad: its timestamps run at \(Self.tenth(ratio * 100)) % of true time, so it is "
                    + (ratio > 1 ? "played with holes." : "played too late and cut."),
                details: [
                    "By its timestamps a packet lasts \(Self.tenth(step)) ms, but one comes every \(Self.tenth(step / ratio)) ms, steadily and with nothing lost.",
                    "Other audio in this capture keeps true time, so it is not the clock of the capture.",
                ],
                evidence: [evidence(stream, "\(stream.clockRate) Hz as named")], culprit: .proved(speaker), confidence: .likely,
                remedies: [
                    Remedy(
                        .server,
                        "Look at the end that sends this for a packet time or clock rate it does not keep: ptime in its settings, transcoding, a codec of another rate."
                    )
                ], subject: subject))
    }
}
