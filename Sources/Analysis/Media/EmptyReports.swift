import Base
import Capture

/// Ends that report by RTCP of what they send and of nothing that they hear: sender reports without a block (RFC 3550 6.4.1).
struct EmptyReports: Sendable {
    struct Key: Hashable, Sendable {
        var file: UInt16
        var ssrc: UInt32
    }

    struct Reporter: Sendable {
        /// Where it was seen first, so that what a relay passes on counts as its sender's.
        let source: MediaPlace
        var times: [Int64] = []
        var frame: UInt32
    }

    static let most = 4_096
    static let mostTimes = 64

    private(set) var reporters: [Key: Reporter] = [:]
    /// Those that reported of something that they hear, in any of their reports.
    private var hearing: Set<Key> = []
    private var hearingPlaces: Set<MediaJudge.FilePlace> = []

    /// Reads a compound packet as far as it is sound.
    mutating func read(_ p: UnsafeRawBufferPointer, _ record: PayloadRecord, file: UInt16) {
        var at = 0
        var packets = 0
        while at + 8 <= p.count, p[at] >> 6 == 2, packets < 32 {
            packets += 1
            let length = 4 * (Int(p[at + 2]) << 8 | Int(p[at + 3])) + 4
            guard at + length <= p.count else { return }
            let blocks = Int(p[at] & 31)
            let ssrc = UInt32(bigEndian: p.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
            if p[at + 1] == 200, length >= 28 { note(ssrc, blocks: blocks, record, file: file) }
            if p[at + 1] == 201, blocks > 0 { note(ssrc, blocks: blocks, record, file: file) }
            at += length
        }
    }

    /// One report with so many blocks.
    private mutating func note(_ ssrc: UInt32, blocks: Int, _ record: PayloadRecord, file: UInt16) {
        let key = Key(file: file, ssrc: ssrc)
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
        }
        guard reporters[key]!.source == place, reporters[key]!.times.count < Self.mostTimes else { return }
        reporters[key]!.times.append(record.time.nanoseconds)
    }

    /// Nil for who reports of something, from there or under that number, and for hosts that never report what they hear: many programs do not.
    func deaf(_ file: UInt16, at place: MediaPlace) -> Reporter? {
        guard hearingPlaces.contains(MediaJudge.FilePlace(file: file, place: MediaPlace(place.address, 0))),
            !hearingPlaces.contains(MediaJudge.FilePlace(file: file, place: place))
        else { return nil }
        return reporters.first { key, reporter in key.file == file && reporter.source == place }?.value
    }
}
