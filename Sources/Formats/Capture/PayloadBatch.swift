import Base

/// A stretch of a capture, decoded: the payloads in order of frames, and the octets they lie in. Used again and again.
///
/// The reader fills `space`, the decoder sorts out what is in it, the analysis looks at `records`; then the next `begin`
/// forgets everything. The batch alone owns its memory, so it may cross to another thread as a whole.
public struct PayloadBatch: ~Copyable, @unchecked Sendable {
    /// Index of the file among those analysed together.
    public package(set) var file = 0
    /// In order of `frame`.
    public package(set) var records: ContiguousArray<PayloadRecord> = []
    /// In order of `frame`.
    public package(set) var icmp: [ICMPRecord] = []
    /// In order of `frame`.
    public package(set) var streamEvents: [StreamEvent] = []
    /// Whether `frames` is filled: for those who want the frames themselves.
    public var keepsFrames = false
    /// Where each frame of the capture lies, when that is wanted; empty otherwise.
    public package(set) var frames: ContiguousArray<FrameSpan> = []
    /// Octets of `space` that hold input.
    package var filled = 0
    package var frameLists: [UInt64] = []
    package var input: ByteArea
    /// Payloads that do not lie in the input in one piece.
    package var area: ByteArea

    /// `capacity`: octets read at once; it grows when a single frame is longer.
    public init(capacity: Int = 1 << 20) {
        input = ByteArea(capacity: max(capacity, 65_536))
        area = ByteArea(capacity: 4_096)
        records.reserveCapacity(input.capacity / 160)
    }

    /// Octets of memory held for input.
    public var capacity: Int { input.capacity }

    /// Where the reader puts the next octets: all of it is free.
    public mutating func withSpace<E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int) throws(E) -> Int {
        try body(UnsafeMutableRawBufferPointer(start: input.start + filled, count: input.capacity - filled))
    }

    /// The octets of a payload of this batch. Valid until the batch is used again.
    public func payload(of record: PayloadRecord) -> UnsafeRawBufferPointer {
        let inArea = record.flags.contains(.inArea)
        precondition(
            UInt64(record.offset) + UInt64(record.length) <= UInt64(inArea ? area.count : filled), "a record of another batch")
        return UnsafeRawBufferPointer(start: (inArea ? area.start : input.start) + Int(record.offset), count: Int(record.length))
    }

    /// A copy of them.
    public func bytes(of record: PayloadRecord) -> [UInt8] { Array(payload(of: record)) }

    /// A copy of a frame of this batch, link header first.
    public func bytes(of frame: FrameSpan) -> [UInt8] {
        precondition(frame.start + frame.captured <= filled, "a frame of another batch")
        return Array(UnsafeRawBufferPointer(start: input.start + frame.start, count: frame.captured))
    }

    /// Every frame that carried a part of the payload, in the order they came; one for a plain datagram.
    public func frames(of record: PayloadRecord) -> [UInt64] {
        guard record.framesCount > 0 else { return [record.frame] }
        return Array(frameLists[Int(record.framesStart)..<Int(record.framesStart + record.framesCount)])
    }

    /// Adds a payload that did not come out of a packet: from a log, from HEP, from a machine's trace.
    public mutating func append(
        _ payload: [UInt8], from source: Endpoint, to destination: Endpoint, _ transport: PayloadTransport, at time: Instant,
        frame: UInt64, flags: PayloadRecord.Flags = []
    ) {
        payload.withUnsafeBytes {
            append($0, from: source, to: destination, transport, at: time, frame: frame, content: nil, flags: flags)
        }
    }

    /// The same from memory that need not last. `content`: what it is, where that is known.
    public mutating func append(
        _ payload: UnsafeRawBufferPointer, from source: Endpoint, to destination: Endpoint, _ transport: PayloadTransport,
        at time: Instant, frame: UInt64, content: ContentGuess?, flags: PayloadRecord.Flags = []
    ) {
        var record = PayloadRecord(
            frame: frame, time: time, source: PackedAddress(source.address), destination: PackedAddress(destination.address),
            offset: 0, length: UInt32(clamping: payload.count), wireLength: UInt32(clamping: payload.count), framesStart: 0,
            framesCount: 0, sourcePort: source.port, destinationPort: destination.port, ipID: 0, flags: flags, ttl: 0,
            transport: transport, content: content ?? ContentGuess(payload))
        place(payload, in: &record)
        records.append(record)
    }

    /// Forgets everything, keeps the memory.
    public mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        icmp.removeAll(keepingCapacity: true)
        streamEvents.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        frameLists.removeAll(keepingCapacity: true)
        area.count = 0
        filled = 0
    }

    /// Forgets everything; what follows is of that file.
    package mutating func restart(file: Int) {
        removeAll()
        self.file = file
    }

    /// Copies octets into the batch's own area and points the record at them.
    package mutating func place(_ bytes: UnsafeRawBufferPointer, in record: inout PayloadRecord) {
        record.offset = UInt32(clamping: area.count)
        record.length = UInt32(clamping: bytes.count)
        record.flags.insert(.inArea)
        area.append(bytes)
    }

    /// Notes which frames carried a record.
    package mutating func list(_ frames: [UInt64], in record: inout PayloadRecord) {
        guard frames.count > 1 else { return }
        record.framesStart = UInt32(clamping: frameLists.count)
        record.framesCount = UInt32(clamping: frames.count)
        frameLists.append(contentsOf: frames)
    }
}

/// A frame of a capture, where it lies in a batch.
public struct FrameSpan: Sendable {
    /// 1-based.
    public var number: UInt64
    public var time: Instant
    /// Octets held, and on the wire.
    public var captured: Int
    public var wire: Int
    /// The pcap LINKTYPE.
    public var linkType: UInt32
    package var start: Int
}

/// Octets that grow and never move back to the system before the end.
package struct ByteArea: ~Copyable {
    package private(set) var start: UnsafeMutableRawPointer
    package private(set) var capacity: Int
    package var count = 0

    package init(capacity: Int) {
        self.capacity = capacity
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { start.deallocate() }

    /// Keeps the first `kept` octets.
    package mutating func grow(to wanted: Int, keeping kept: Int) {
        guard wanted > capacity else { return }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        larger.copyMemory(from: start, byteCount: kept)
        start.deallocate()
        start = larger
        capacity = wanted
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress else { return }
        if count + bytes.count > capacity { grow(to: max(capacity * 2, count + bytes.count), keeping: count) }
        (start + count).copyMemory(from: from, byteCount: bytes.count)
        count += bytes.count
    }
}
