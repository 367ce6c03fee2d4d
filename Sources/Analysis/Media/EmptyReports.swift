import Base
import Capture

/// Ends that report by RTCP of what they send and of nothing that they hear: sender reports without a block (RFC 3550 6.4.1).
struct EmptyReports: Sendable {
    struct Reporter: Sendable {
        /// Where it was seen first, so that what a relay passes on counts as its sender's.
        let source: MediaPlace
        var times: [Int64] = []
        var frame: UInt32
    }

    static let most = 4_096
    static let mostTimes = 64

    private var reporters: [ReceiverReports.Key: Reporter] = [:]
    /// Who was seen at a place first.
    private var firstAt: [MediaJudge.FilePlace: ReceiverReports.Key] = [:]
    /// Those that reported of something that they hear, in any of their reports.
    private var hearing: Set<ReceiverReports.Key> = []
    private var hearingPlaces: Set<MediaJudge.FilePlace> = []

    var isEmpty: Bool { reporters.isEmpty }

    /// One report with so many blocks.
    mutating func note(_ ssrc: UInt32, blocks: Int, _ record: PayloadRecord, file: UInt16) {
        let key = ReceiverReports.Key(file: file, ssrc: ssrc)
        let place = MediaPlace(record.source, record.sourcePort)
        guard blocks == 0 else {
            if hearing.count < Self.most { hearing.insert(key) }
            if hearingPlaces.count < 2 * Self.most {
                hearingPlaces.insert(MediaJudge.FilePlace(file: file, place: place))
                hearingPlaces.insert(MediaJudge.FilePlace(file: file, place: MediaPlace(place.address, 0)))
            }
            reporters[key] = nil
            return
        }
        guard !hearing.contains(key) else { return }
        if reporters[key] == nil {
            guard reporters.count < Self.most else { return }
            reporters[key] = Reporter(source: place, frame: UInt32(truncatingIfNeeded: record.frame))
            let here = MediaJudge.FilePlace(file: file, place: place)
            if firstAt[here] == nil { firstAt[here] = key }
        }
        guard reporters[key]!.source == place, reporters[key]!.times.count < Self.mostTimes else { return }
        reporters[key]!.times.append(record.time.nanoseconds)
    }

    /// Nil for who reports of something, from there or under that number, and for hosts that never report what they hear: many programs do not.
    func deaf(_ file: UInt16, at place: MediaPlace) -> Reporter? {
        let here = MediaJudge.FilePlace(file: file, place: place)
        guard hearingPlaces.contains(MediaJudge.FilePlace(file: file, place: MediaPlace(place.address, 0))),
            !hearingPlaces.contains(here)
        else { return nil }
        return firstAt[here].flatMap { reporters[$0] }
    }
}
