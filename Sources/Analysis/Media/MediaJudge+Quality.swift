import Base
import Capture
import RTP

extension MediaJudge {
    /// How bad a stream sounds.
    enum Grade: Int, Comparable {
        case good, poor, bad
        static func < (a: Grade, b: Grade) -> Bool { a.rawValue < b.rawValue }
    }

    /// Fewer packets say nothing.
    static let fewest = 100

    /// `media.quality`: one finding a call, one a stream that belongs to none.
    mutating func judgeQuality() {
        untrueClocks = filesWithoutTrueTime()
        var byCall: [Int: [(Int, Grade)]] = [:]
        var alone: [(Int, Grade)] = []
        for index in seen.indices {
            let grade = grade(index)
            guard grade > .good else { continue }
            if let call = seen[index].call {
                byCall[call, default: []].append((index, grade))
            } else if streams[index].expected < 3 * seen[index].stream.statistics.totalReceived {
                // Where nobody signals it, two thirds missing say that it is no RTP at all.
                alone.append((index, grade))
            }
        }
        for (number, bad) in byCall.sorted(by: { $0.key < $1.key }) {
            let call = media.calls[number]
            tell(bad, subject(call, call.legs.first ?? 0))
        }
        for one in alone {
            let stream = streams[one.0]
            tell([one], FindingSubject(client: stream.destination, server: stream.source, vantage: stream.vantage))
        }
    }

    private func grade(_ index: Int) -> Grade {
        let stream = streams[index]
        guard stream.expected >= Self.fewest, !seen[index].stream.flags.contains(.isVideo) else { return .good }
        if isCaptureLoss(stream) || countsTwice(stream) { return .good }
        if broken.contains(index) { return .bad }
        let late = untrueClocks.contains(seen[index].stream.key.file) ? 0 : stream.lateRate
        let gone = min(1, stream.lossRate + late)
        let far = remoteLoss(stream)
        let worst = max(gone, far)
        guard worst * Double(stream.expected) >= 5 else { return .good }
        let impairment = stream.codec.flatMap { EModel.Impairment.of($0) } ?? .pcmu
        let model = EModel(impairment, lossRate: worst, burstRatio: far > gone ? 1 : stream.bursts.ratio)
        let drop = model.effectiveEquipment - impairment.equipment
        if drop >= 10 || worst >= 0.05 { return .bad }
        return drop >= 5 || worst >= 0.02 ? .poor : .good
    }

    /// More packets than its time has room for: numbers that jump to and fro, as where copies from two places, whose clocks differ, were
    /// merged. What is missing then is in the other copy.
    private func countsTwice(_ stream: StreamSummary) -> Bool {
        guard let step = stream.packetTime?.wholeNanoseconds, step > 0 else { return false }
        let time = (stream.last - stream.first).wholeNanoseconds
        return Double(stream.expected) * Double(step) > 2 * Double(time) + 2e9
    }

    /// The receiver says that it got what the capture misses.
    private func isCaptureLoss(_ stream: StreamSummary) -> Bool {
        guard let remote = stream.remote, stream.lost - stream.lostByCapture >= 5, stream.lateRate < 0.01 else { return false }
        return remote.reports >= 1 && remote.packetsLost * 5 <= stream.lost - stream.lostByCapture
            && remote.place.number > stream.firstPlace.number + (stream.lastPlace.number - stream.firstPlace.number) / 2
    }

    /// What the receiver lost beyond what the capture misses, 0...1.
    private func remoteLoss(_ stream: StreamSummary) -> Double {
        guard let remote = stream.remote, remote.packetsLost > stream.lost, stream.expected > 0 else { return 0 }
        // Reports that count another stream of the same SSRC are not believed.
        guard remote.packetsLost < stream.expected else { return 0 }
        return Double(remote.packetsLost) / Double(stream.expected)
    }

    private mutating func tell(_ bad: [(Int, Grade)], _ subject: FindingSubject) {
        guard
            let worst = bad.first(where: { broken.contains($0.0) })
                ?? bad.max(by: { ($0.1, score($0.0)) < ($1.1, score($1.0)) })
        else { return }
        let isBroken = broken.contains(worst.0)
        let stream = streams[worst.0]
        let speaker = stream.speaker.map { "\(name($0)) (\(stream.source))" } ?? "\(stream.source)"
        let far = !isBroken && remoteLoss(stream) > stream.lossRate + stream.lateRate
        var sentence = "Audio of \(speaker) to \(stream.destination) sounds \(worst.1 == .bad ? "bad" : "rough"): "
        if isBroken {
            sentence = "Audio of \(speaker) to \(stream.destination) \(interruption(worst.0))"
        } else if far, let remote = stream.remote {
            sentence += "the receiver reports \(remote.packetsLost) packets lost, beyond the place of the capture."
        } else if stream.lossRate >= stream.lateRate {
            sentence +=
                "\(stream.lost - stream.lostByCapture) of \(stream.expected) packets lost (\(Self.percent(stream.lossRate)))."
        } else {
            sentence +=
                "\(stream.late) of \(stream.expected) packets more than 100 ms late, jitter \(Self.tenth(stream.meanJitter)) ms."
        }
        var details: [String] = []
        for (index, _) in bad { details.append(figures(streams[index])) }
        if let mos = stream.meanOpinionScore, let codec = stream.codec {
            let isEstimate = EModel.Impairment.of(codec)?.isEstimate == true
            details.append(
                "E-model (G.107): MOS \(Self.tenth(mos)), R \(Self.tenth(stream.rating ?? 0)) with \(codec)"
                    + (isEstimate ? ", whose impairment values are estimates." : "."))
        }
        if stream.lostByCapture > 0 {
            details.append(
                "\(stream.lostByCapture) further packets are missing where nothing at all was captured: they are not counted.")
        }
        details.append(
            far
                ? "The capture shows the packets, so they were lost after it."
                : "The numbers are missing in the capture already, so they were lost before it. A capturing program that drops packets would look the same where no receiver reports."
        )
        let here = "the place of the capture"
        let finding = Finding(
            .mediaQuality, worst.1 == .bad ? .fault : .risk, sentence, details: details,
            evidence: bad.prefix(4).map { evidence(streams[$0.0], "") },
            culprit: far ? .between(here, "\(stream.destination)") : .between("\(stream.source)", here),
            confidence: .likely,
            remedies: isBroken
                ? Self.lineRemedies
                : [
                    Remedy(
                        .network,
                        "Look for a full or lossy link \(far ? "beyond" : "before") the capture (wireless, uplink): give RTP priority (DSCP EF) and shape the uplink below its rate."
                    ),
                    Remedy(
                        .phone,
                        stream.lateRate > stream.lossRate
                            ? "Use an adaptive jitter buffer of at least \(Int(min(max(120, stream.mostLate), 1e9).rounded(.up))) ms."
                            : "Use a codec that stands loss (opus with FEC) until the link is mended."),
                ], subject: subject, count: 1)
        findings.append(finding)
    }

    private func score(_ index: Int) -> Double { streams[index].lossRate + streams[index].lateRate + remoteLoss(streams[index]) }

    /// The loss pattern in a sentence.
    private func figures(_ stream: StreamSummary) -> String {
        let ptime = stream.packetTime.map { Int($0.wholeMilliseconds) }
        var text =
            "\(stream.speaker.map { name($0).capitalizedFirst } ?? "\(stream.source)"): \(stream.expected) packets expected, \(stream.lost) lost"
        if stream.bursts.count > 0, stream.bursts.ratio >= 1.5 {
            text +=
                " in \(stream.bursts.count) bursts of \(Self.tenth(stream.bursts.length)) packets on average "
                + "(\(Self.percent(stream.bursts.density)) of these lost, \(Self.percent(stream.bursts.gapDensity)) between them)"
        } else if stream.lost > 2 {
            text += ", spread as by chance"
        }
        if stream.bursts.longestRun > 1 {
            text +=
                ", at most \(stream.bursts.longestRun) in a row" + (ptime.map { " (\(stream.bursts.longestRun * $0) ms)" } ?? "")
        }
        text += "; \(stream.late) late, \(stream.outOfOrder) out of order, \(stream.duplicates) duplicates; jitter "
        return text + "\(Self.tenth(stream.meanJitter)) ms on average, \(Self.tenth(stream.maximumJitter)) ms at most."
    }
}
