import Base

/// The time lines of all streams in one block of memory: 64 bins each, which merge pairwise when a stream outgrows them.
struct StreamTimelines: Sendable {
    static let binCount = 64
    static let firstWidth: Int64 = 250_000_000

    private var bins: ContiguousArray<StreamSummary.Bin> = []

    /// Makes room for the stream of that index.
    mutating func open(_ stream: Int) {
        let start = stream * Self.binCount
        let empty = StreamSummary.Bin(expected: 0, lost: 0, jitter: 0)
        if start == bins.count {
            bins.append(contentsOf: repeatElement(empty, count: Self.binCount))
        } else {
            for place in start..<(start + Self.binCount) { bins[place] = empty }
        }
    }

    /// Adds to the bin of a stream; merges first where it lies beyond the last. Returns the width from now on.
    mutating func add(_ stream: Int, bin: Int64, width: Int64, _ value: StreamSummary.Bin) -> Int64 {
        let start = stream * Self.binCount
        var bin = max(0, bin)
        var width = width
        while bin >= Int64(Self.binCount) {
            for place in 0..<Self.binCount {
                let a = 2 * place
                bins[start + place] =
                    a < Self.binCount
                    ? Self.sum(bins[start + a], bins[start + a + 1]) : StreamSummary.Bin(expected: 0, lost: 0, jitter: 0)
            }
            bin /= 2
            width &*= 2
        }
        bins[start + Int(bin)] = Self.sum(bins[start + Int(bin)], value)
        return width
    }

    /// Copies another's bins into an opened stream.
    mutating func take(_ stream: Int, from other: StreamTimelines, _ index: Int) {
        for place in 0..<Self.binCount { bins[stream * Self.binCount + place] = other.bins[index * Self.binCount + place] }
    }

    /// Without the empty ones at the end.
    func values(of stream: Int) -> [StreamSummary.Bin] {
        let start = stream * Self.binCount
        var end = start + Self.binCount
        while end > start, bins[end - 1].expected == 0, bins[end - 1].jitter == 0 { end -= 1 }
        return Array(bins[start..<end])
    }

    private static func sum(_ a: StreamSummary.Bin, _ b: StreamSummary.Bin) -> StreamSummary.Bin {
        StreamSummary.Bin(expected: a.expected &+ b.expected, lost: a.lost &+ b.lost, jitter: max(a.jitter, b.jitter))
    }
}
