import Base
import Capture

/// Pairs the messages of two sources: by hashed features, then by likeness and time. Linear in the messages.
struct SidePairing {
    struct Pair: Sendable {
        var a: Int
        var b: Int
    }

    /// Candidates looked at under one key.
    static let mostCandidates = 24
    /// How far a pair may lie from the clocks' offset, nanoseconds: helpers hold messages back.
    static let slack: Int64 = 2_000_000_000
    /// How far as a rule.
    static let usual: Int64 = 100_000_000

    private(set) var pairs: [Pair] = []
    /// To be added to the first source's times, nanoseconds.
    private(set) var offset: Int64 = 0
    /// Nanoseconds a second by which the second clock gains.
    private(set) var drift: Double = 0
    private var origin: Int64 = 0
    private var hasClock = false

    /// `first`, `second`: indices into `records`, in order of time.
    init(_ records: ContiguousArray<SideRecord>, _ first: [Int], _ second: [Int]) {
        let keys = Self.index(records, first)
        alignClocks(records, first, second, keys)
        // Those near the offset first: of repetitions of which one was lost the others keep their own partners.
        var taken = Set<Int32>()
        var partners: [Int: Int32] = [:]
        if hasClock {
            // The same octets before what is only alike: a host that forwards to itself shows both.
            pair(records, second, keys, Self.usual, least: SideRecord.identical, &taken, &partners)
            pair(records, second, keys, Self.usual, &taken, &partners)
        }
        pair(records, second, keys, Self.slack, &taken, &partners)
        pairs = Self.withoutForks(
            records, second.compactMap { number in partners[number].map { Pair(a: Int($0), b: number) } }, first, second)
    }

    /// Without transactions that have another branch on each side and no answer with the same tag: a proxy sends each branch of a fork to
    /// another place, under one Call-ID and From tag.
    private static func withoutForks(
        _ records: ContiguousArray<SideRecord>, _ pairs: [Pair], _ first: [Int], _ second: [Int]
    ) -> [Pair] {
        struct Branches: Hashable {
            var a: UInt64
            var b: UInt64
        }
        func branches(_ pair: Pair) -> Branches {
            Branches(a: records[pair.a].features[.branch], b: records[pair.b].features[.branch])
        }
        var forks: [Branches: Bool] = [:]
        // What an answer with the same tag on both sides bears: a helper may leave its own branch in there, which nobody else answers to.
        var settled = Set<UInt64>()
        for pair in pairs {
            let (a, b) = (records[pair.a], records[pair.b])
            if !a.isRequest, a.features[.toTag] != 0, a.features[.toTag] == b.features[.toTag], !a.differs(.branch, b) {
                settled.insert(a.features[.branch])
            }
            guard a.differs(.branch, b) else { continue }
            // Of what goes out nothing is sent to several.
            if a.isRequest, a.source == b.source { forks[branches(pair)] = forks[branches(pair)] ?? true }
            if a.features[.toTag] != 0, a.features[.toTag] == b.features[.toTag] { forks[branches(pair)] = false }
        }
        guard forks.contains(where: \.value) else { return pairs }
        let answered = Set((first + second).filter { !records[$0].isRequest }.map { records[$0].features[.branch] })
        return pairs.filter { pair in
            let both = branches(pair)
            return forks[both] != true || settled.contains(both.a) && !answered.contains(both.b)
                || settled.contains(both.b) && !answered.contains(both.a)
        }
    }

    /// The features under which a message is looked for; those that repeat within a dialog go with the CSeq.
    static func forEachKey(_ record: SideRecord, _ body: (UInt64) -> Void) {
        func mixed(_ value: UInt64, _ salt: UInt64, withSequence: Bool) -> UInt64 {
            var hash = (value ^ salt &* 0x9e37_79b9_7f4a_7c15) &* 0xff51_afd7_ed55_8ccd
            hash ^= UInt64(record.kind) << 32 | (withSequence ? UInt64(record.sequence) : 0)
            hash = (hash ^ hash >> 31) &* 0xc4ce_b9fe_1a85_ec53
            return hash ^ hash >> 29
        }
        for feature in SideRecord.Feature.allCases where feature.isStrong && feature != .callID {
            let value = record.features[feature]
            guard value != 0 else { continue }
            switch feature {
            case .branch, .response, .session: body(mixed(value, UInt64(feature.rawValue + 1), withSequence: false))
            default: body(mixed(value, UInt64(feature.rawValue + 1), withSequence: true))
            }
        }
    }

    private static func index(_ records: ContiguousArray<SideRecord>, _ first: [Int]) -> [UInt64: [Int32]] {
        var keys: [UInt64: [Int32]] = [:]
        keys.reserveCapacity(first.count * 5)
        for number in first { forEachKey(records[number]) { keys[$0, default: []].append(Int32(number)) } }
        return keys
    }

    /// The median of what messages found once on either side took, and its change over the capture; where few are, the offset under which
    /// most messages, with all their repetitions, find each other.
    private mutating func alignClocks(
        _ records: ContiguousArray<SideRecord>, _ first: [Int], _ second: [Int], _ keys: [UInt64: [Int32]]
    ) {
        var inSecond: [UInt64: Int32] = [:]
        for number in second { Self.forEachKey(records[number]) { inSecond[$0, default: 0] += 1 } }
        var samples: [(at: Int64, offset: Int64)] = []
        func collect(onlyUnique: Bool) {
            for number in second where samples.count < 20_000 {
                guard let time = records[number].time else { continue }
                var taken = false
                Self.forEachKey(records[number]) { key in
                    guard !taken, let found = keys[key], !onlyUnique || (found.count == 1 && inSecond[key] == 1) else { return }
                    for candidate in found.prefix(onlyUnique ? 1 : Self.mostCandidates) {
                        let other = records[Int(candidate)]
                        guard let before = other.time, other.likeness(records[number]) != nil else { continue }
                        samples.append((time, time &- before))
                        taken = true
                    }
                }
            }
        }
        collect(onlyUnique: true)
        if samples.count < Self.fewest {
            samples = []
            collect(onlyUnique: false)
            samples = Self.mostAgreed(samples)
        }
        guard !samples.isEmpty else { return }
        hasClock = true
        samples.sort { $0.at < $1.at }
        offset = Self.median(samples.map(\.offset))
        origin = samples[samples.count / 2].at
        // Twenty samples at each end of a minute and more tell how the clocks drift apart.
        guard samples.count >= 60, let begin = samples.first?.at, let end = samples.last?.at, end - begin > 60_000_000_000 else {
            return
        }
        let third = samples.count / 3
        let early = samples[..<third]
        let late = samples[(samples.count - third)...]
        let span = Double(Self.median(late.map(\.at)) - Self.median(early.map(\.at))) / 1e9
        guard span > 10 else { return }
        let rise = Double(Self.median(late.map(\.offset)) - Self.median(early.map(\.offset)))
        // A few hundred parts in a million are a clock's, more is something else.
        if abs(rise / span) < 1_000_000 { drift = rise / span }
    }

    /// Fewer messages that are found once may be single repetitions of which the others were lost.
    static let fewest = 5

    /// Repetitions fit each other under several offsets; the right one fits most of them. Of equals that nearest to the same clock.
    private static func mostAgreed(_ samples: [(at: Int64, offset: Int64)]) -> [(at: Int64, offset: Int64)] {
        let sorted = samples.sorted { $0.offset < $1.offset }
        var best = 0..<0
        var low = 0
        for high in sorted.indices {
            while UInt64(bitPattern: sorted[high].offset &- sorted[low].offset) > UInt64(usual) { low += 1 }
            let count = high + 1 - low
            let isNearer = best.isEmpty || sorted[low].offset.magnitude < sorted[best.lowerBound].offset.magnitude
            if count > best.count || (count == best.count && isNearer) { best = low..<(high + 1) }
        }
        return Array(sorted[best])
    }

    private static func median(_ values: [Int64]) -> Int64 {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    /// What the second source's clock showed then.
    func aligned(_ time: Int64) -> Int64 {
        time &+ offset &+ Int64((drift * Double(time &- origin) / 1e9).rounded())
    }

    private func pair(
        _ records: ContiguousArray<SideRecord>, _ second: [Int], _ keys: [UInt64: [Int32]], _ slack: Int64,
        least: Int = 0, _ taken: inout Set<Int32>,
        _ partners: inout [Int: Int32]
    ) {
        for number in second where partners[number] == nil {
            let record = records[number]
            var best: (Int32, score: Int, distance: Int64)?
            Self.forEachKey(record) { key in
                guard let found = keys[key] else { return }
                for candidate in nearest(found, record, records) where !taken.contains(candidate) {
                    let other = records[Int(candidate)]
                    guard let score = other.likeness(record), score >= least else { continue }
                    let distance = distance(other, record)
                    guard !hasClock || distance <= slack else { continue }
                    if let present = best, (present.score, -present.distance) >= (score, -distance) { continue }
                    best = (candidate, score, distance)
                }
            }
            guard let best else { continue }
            taken.insert(best.0)
            partners[number] = best.0
        }
    }

    private func distance(_ a: SideRecord, _ b: SideRecord) -> Int64 {
        guard let before = a.time, let after = b.time else { return 0 }
        return Int64(clamping: (after &- aligned(before)).magnitude)
    }

    /// The candidates around the record's own time; all where there are few.
    private func nearest(_ found: [Int32], _ record: SideRecord, _ records: ContiguousArray<SideRecord>) -> ArraySlice<Int32> {
        guard found.count > Self.mostCandidates, hasClock, let time = record.time else {
            return found.prefix(Self.mostCandidates)
        }
        var low = 0
        var high = found.count
        while low < high {
            let middle = (low + high) / 2
            if let other = records[Int(found[middle])].time, aligned(other) < time &- Self.slack {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return found[low..<min(found.count, low + Self.mostCandidates)]
    }
}
