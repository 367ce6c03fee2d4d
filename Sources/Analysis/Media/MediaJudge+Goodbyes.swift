import Base
import Capture

extension MediaJudge {
    /// So long packets go on arriving that were on their way, nanoseconds.
    private static let onTheWay: Int64 = 1_000_000_000

    /// The BYE of RTCP that ended all audio of an end in a call; nil where some came after it.
    private func goodbye(_ number: Int, _ speaker: StreamSummary.Speaker) -> Goodbye? {
        let own = (ofCall[number] ?? []).filter { seen[$0].speaker == speaker }.map { seen[$0].stream }
        let said = own.compactMap(goodbye).max { $0.time < $1.time }
        guard let said, own.allSatisfy({ $0.last <= said.time + Self.onTheWay }) else { return nil }
        return said
    }

    func goodbye(_ stream: RTPStream) -> Goodbye? {
        media.reports.goodbyes[ReceiverReports.Key(file: stream.key.file, ssrc: stream.key.ssrc)]
    }

    var goodbyes: [CallEnd: Goodbye] {
        guard !media.reports.goodbyes.isEmpty else { return [:] }
        var ends: [CallEnd: Goodbye] = [:]
        for number in ofCall.keys {
            for speaker in [StreamSummary.Speaker.caller, .callee] {
                ends[CallEnd(dialog: media.calls[number].dialog, isCaller: speaker == .caller)] = goodbye(number, speaker)
            }
        }
        return ends
    }
}

/// A BYE of RTCP (RFC 3550 6.6): an end that closes its call in order says so.
struct Goodbye: Sendable {
    var file: UInt16
    var frame: UInt32
    /// Nanoseconds.
    var time: Int64

    var evidence: Evidence {
        Evidence(
            place: .frame(file: Int(file), number: Int(frame)), time: Instant(nanoseconds: time), excerpt: "RTCP BYE",
            says: "leaves, as who hangs up does (RFC 3550 6.6)")
    }
}
