import Base
import Capture

/// All streams that are being sent, found by open addressing: nothing is allocated or copied a packet.
///
/// At most `capacity` streams at once: when it is full, streams idle for half a minute are closed, and what never proved to be
/// RTP is forgotten. If that frees nothing, further streams are only counted.
struct RTPStreamTable: Sendable {
    static let idle: Int64 = 30_000_000_000
    static let unprovedIdle: Int64 = 2_000_000_000

    let capacity: Int
    let mostClosed: Int
    private(set) var streams: ContiguousArray<RTPStream> = []
    private(set) var timelines = StreamTimelines()
    /// Upper half: of the hash; lower half: index into `streams` plus one; 0: free.
    private var slots: ContiguousArray<UInt64>
    private var mask: Int
    /// Ended streams with their time lines, in the order in which they were closed.
    private(set) var closed: [(stream: RTPStream, bins: [StreamSummary.Bin])] = []
    /// Packets of streams that found no room.
    private(set) var untrackedPackets = 0
    private var nextSweep = Int64.min

    init(capacity: Int = 16_384, mostClosed: Int = 16_384) {
        self.capacity = capacity
        self.mostClosed = mostClosed
        slots = ContiguousArray(repeating: 0, count: 256)
        mask = 255
    }

    /// The index of a stream; nil where it is not known yet.
    @inline(__always)
    func find(_ key: RTPStreamKey, _ hash: UInt64) -> Int? {
        var place = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = slots[place]
            if slot == 0 { return nil }
            if slot >> 32 == hash >> 32 {
                let index = Int(slot & 0xffff_ffff) &- 1
                if streams[index].key == key { return index }
            }
            place = (place &+ 1) & mask
        }
    }

    /// Nil where there is no room.
    mutating func open(_ key: RTPStreamKey, _ hash: UInt64, _ stream: RTPStream, at now: Int64) -> Int? {
        if streams.count >= capacity {
            guard now >= nextSweep || now < nextSweep &- 3_600_000_000_000 else {
                untrackedPackets &+= 1
                return nil
            }
            nextSweep = now &+ 1_000_000_000
            sweep(at: now)
            guard streams.count < capacity else {
                untrackedPackets &+= 1
                return nil
            }
        }
        let index = streams.count
        streams.append(stream)
        timelines.open(index)
        if streams.count * 2 > slots.count { grow() } else { insert(hash, index) }
        return index
    }

    @inline(__always)
    mutating func receive(
        _ index: Int, sequence: UInt16, timestamp: UInt32, marker: Bool, isSound: Bool, octets: Int = 0, at now: Int64,
        frame: UInt32
    ) {
        if now >= streams[index].binEnd { endBin(index, now) }
        streams[index].receive(
            sequence: sequence, timestamp: timestamp, marker: marker, isSound: isSound, octets: octets, at: now, frame: frame)
    }

    mutating func with<T>(_ index: Int, _ body: (inout RTPStream) -> T) -> T { body(&streams[index]) }

    private mutating func endBin(_ index: Int, _ now: Int64) {
        let value = streams[index].takeBin()
        let bin = (streams[index].binEnd &- streams[index].first) / streams[index].binWidth - 1
        let width = timelines.add(index, bin: bin, width: streams[index].binWidth, value)
        streams[index].binWidth = width
        let passed = max(0, now &- streams[index].first) / width
        streams[index].binEnd = streams[index].first &+ (passed &+ 1) &* width
        streams[index].estimateClock(at: now)
    }

    private mutating func insert(_ hash: UInt64, _ index: Int) {
        var place = Int(truncatingIfNeeded: hash) & mask
        while slots[place] != 0 { place = (place &+ 1) & mask }
        slots[place] = hash & 0xffff_ffff_0000_0000 | UInt64(index + 1)
    }

    private mutating func grow() { rebuild(slots.count * 2) }

    private mutating func rebuild(_ count: Int) {
        slots = ContiguousArray(repeating: 0, count: count)
        mask = count - 1
        for index in streams.indices { insert(streams[index].key.mixed, index) }
    }

    private mutating func sweep(at now: Int64) {
        var kept: ContiguousArray<RTPStream> = []
        var lines = StreamTimelines()
        for index in streams.indices {
            let quiet = now &- streams[index].last
            guard quiet > (streams[index].isConfirmed ? Self.idle : Self.unprovedIdle) else {
                lines.open(kept.count)
                lines.take(kept.count, from: timelines, index)
                kept.append(streams[index])
                continue
            }
            close(index)
        }
        streams = kept
        timelines = lines
        rebuild(slots.count)
    }

    private mutating func close(_ index: Int) {
        guard streams[index].isConfirmed else { return }
        guard closed.count < mostClosed else { return }
        let value = streams[index].takeBin()
        let bin = (streams[index].binEnd &- streams[index].first) / streams[index].binWidth - 1
        streams[index].binWidth = timelines.add(index, bin: bin, width: streams[index].binWidth, value)
        closed.append((streams[index], timelines.values(of: index)))
    }

    /// Ends one, and begins another of the same key in its place.
    mutating func renew(_ index: Int, _ stream: RTPStream) {
        close(index)
        streams[index] = stream
        timelines.open(index)
    }

    /// Ends all; afterwards `closed` holds every stream that proved to be one.
    mutating func closeAll() {
        for index in streams.indices { close(index) }
        streams = []
        timelines = StreamTimelines()
        rebuild(256)
    }
}
