import Base

/// By what parts of one capture are known that was written into several files (tcpdump -C and -G, a ring buffer): they follow each other
/// without a gap to speak of, and the same packets' ends go on in them.
public struct CapturePart: Sendable {
    /// Longer without any packet, and it is another capture.
    static let longestGap = Duration.seconds(120)
    static let mostKeys = 20_000

    private struct Key: Hashable {
        var name: String
        var source: Endpoint
        var destination: Endpoint
    }

    private let first: Instant?
    private let last: Instant?
    private let keys: Set<Key>

    /// Of one source of a result.
    public init(_ result: AnalysisResult, of vantages: Set<UInt16>) {
        var keys: Set<Key> = []
        for stream in result.streams where vantages.contains(stream.vantage.index) && keys.count < Self.mostKeys {
            keys.insert(Key(name: "\(stream.ssrc)", source: stream.source, destination: stream.destination))
        }
        for dialog in result.dialogs where vantages.contains(dialog.vantage.index) && keys.count < Self.mostKeys {
            guard result.records.indices.contains(Int(dialog.lastRecord)) else { continue }
            let record = result.records[Int(dialog.lastRecord)]
            guard result.endpoints.indices.contains(Int(record.source)),
                result.endpoints.indices.contains(Int(record.destination))
            else { continue }
            let ends = [result.endpoints[Int(record.source)], result.endpoints[Int(record.destination)]].sorted()
            keys.insert(Key(name: dialog.callID, source: ends[0], destination: ends[1]))
        }
        self.keys = keys
        let sources = vantages.map(Int.init).filter(result.sources.indices.contains).map { result.sources[$0] }
        let isCapture = !sources.isEmpty && sources.allSatisfy { $0.kind == .capture }
        first = isCapture ? sources.compactMap(\.first).min() : nil
        last = isCapture ? sources.compactMap(\.last).max() : nil
    }

    /// Which of several are parts of one capture, each in the order of time. Single ones are left out.
    public static func rotations(_ parts: [CapturePart]) -> [[Int]] {
        let groups = TalkNames.groups(parts.count) { a, b in
            parts[a].isApart(from: parts[b]) && !parts[a].keys.isDisjoint(with: parts[b].keys)
        }
        return groups.filter { $0.count > 1 }.map { group in
            group.sorted { (parts[$0].first ?? .distantFuture, $0) < (parts[$1].first ?? .distantFuture, $1) }
        }.filter { group in
            zip(group, group.dropFirst()).allSatisfy { a, b in
                guard let end = parts[a].last, let next = parts[b].first else { return false }
                return parts[a].isApart(from: parts[b]) && next - end <= longestGap
            }
        }
    }

    /// One ends before the other begins.
    private func isApart(from other: CapturePart) -> Bool {
        guard let first, let last, let from = other.first, let to = other.last else { return false }
        return last <= from || to <= first
    }
}

extension AnalysisResult {
    /// Sources, by their indices, that are parts of one capture, each in the order of time; nothing where there is none.
    public var rotations: [[Int]] {
        let files = sources.indices.filter { sources[$0].holder == nil }
        guard files.count > 1 else { return [] }
        let parts = files.map { file in
            CapturePart(self, of: Set(sources.indices.filter { $0 == file || sources[$0].holder == file }.map { UInt16($0) }))
        }
        return CapturePart.rotations(parts).map { $0.map { files[$0] } }
    }
}
