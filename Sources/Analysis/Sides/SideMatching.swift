import Base
import Capture

/// Finds the same message in several captures and shows what the box between them changed.
///
/// Fed with every SIP message when there are two or more sources. Messages are matched by all that identifies them together:
/// a helper may have changed any single field. Bounded: beyond `mostRecords` messages, or `mostOctets` of text, further ones
/// are matched by their hashes alone, or not at all.
public struct SideMatching: Sendable {
    static let mostRecords = 400_000
    static let mostOctets = 64 << 20
    /// Sources compared with each other.
    static let mostSources = 8

    var records: ContiguousArray<SideRecord> = []
    private var octets = 0

    public init() {}

    public mutating func message(_ message: SideMessage) {
        guard records.count < Self.mostRecords, var record = SideRecord(message) else { return }
        octets += record.bytes.count
        if octets > Self.mostOctets {
            octets -= record.bytes.count
            record.bytes = []
        }
        records.append(record)
    }

    /// `spans`: from when to when each source was captured, by its number, nanoseconds; else its messages tell.
    public mutating func finish(_ spans: [UInt16: ClosedRange<Int64>] = [:]) -> (findings: [Finding], sides: [SideComparison]) {
        var bySource: [UInt16: [Int]] = [:]
        for index in records.indices { bySource[records[index].file, default: []].append(index) }
        let files = bySource.keys.sorted().prefix(Self.mostSources)
        for file in files {
            bySource[file]?.sort { (records[$0].time ?? 0, $0) < (records[$1].time ?? 0, $1) }
        }
        var reports: [SideReport] = []
        for (number, first) in files.enumerated() {
            for second in files.dropFirst(number + 1) {
                guard let a = bySource[first], let b = bySource[second] else { continue }
                let pairing = SidePairing(records, a, b)
                guard !pairing.pairs.isEmpty else { continue }
                reports.append(
                    SideReport(
                        records, pairing, first: first, second: second, firstAll: a, secondAll: b,
                        spans: (spans[first], spans[second])))
            }
        }
        let chain = Self.neighbours(reports)
        let compared = sightings(chain.compactMap(\.comparison))
        records = []
        return (chain.compactMap(\.finding), compared)
    }

    /// Which of the captures show what was lost between two of them.
    private func sightings(_ sides: [SideComparison]) -> [SideComparison] {
        var seenIn: [UInt64: Set<Vantage>] = [:]
        for lost in sides.flatMap(\.lost) { for key in lost.keys { seenIn[key] = [] } }
        guard !seenIn.isEmpty else { return sides }
        for record in records {
            SidePairing.forEachKey(record) { seenIn[$0]?.insert(Vantage(record.file)) }
        }
        var sides = sides
        for side in sides.indices {
            for index in sides[side].lost.indices {
                let keys = sides[side].lost[index].keys
                sides[side].lost[index].seenIn = keys.reduce(into: []) { $0.formUnion(seenIn[$1] ?? []) }
                sides[side].lost[index].keys = []
            }
        }
        return sides
    }

    /// Of captures along one path (phone, access, Internet) only those next to each other are compared: what lies further apart repeats
    /// what the boxes between them did.
    private static func neighbours(_ reports: [SideReport]) -> [SideReport] {
        let steps = Set(reports.compactMap { $0.comparison.map { [$0.inside, $0.outside] } })
        let places = Set(steps.flatMap { $0 })
        return reports.filter { report in
            guard let side = report.comparison else { return true }
            return !places.contains { steps.contains([side.inside, $0]) && steps.contains([$0, side.outside]) }
        }
    }
}
