import Base

/// The TCP connections of a capture: puts each direction's octets in order (RFC 9293 3.4) and hands them to its framing.
///
/// Memory is bounded per direction and over all; connections that close keep a few octets so that repetitions are known.
public struct StreamTable: ~Copyable {
    public struct Limits: Sendable {
        /// Directions known at once; when full, a quarter goes: closed ones first, then those silent longest.
        public var directions: Int
        /// Octets out of order, and segments, held in one direction before the hole before them is given up.
        public var queuedOctets: Int
        public var queuedSegments: Int
        /// A SIP message or WebSocket message.
        public var message: Int
        /// Octets held over all directions.
        public var octets: Int

        public init(
            directions: Int = 65_536, queuedOctets: Int = 256 << 10, queuedSegments: Int = 128, message: Int = 1 << 20,
            octets: Int = 64 << 20
        ) {
            self.directions = directions
            self.queuedOctets = queuedOctets
            self.queuedSegments = queuedSegments
            self.message = message
            self.octets = octets
        }
    }

    let limits: Limits
    var index: [PackedFlow: Int32] = [:]
    var directions: [StreamDirection] = []
    private var free: [Int32] = []
    /// Octets held now.
    var held = 0
    /// What TLS is read with; nil: it is not.
    var tls: TLSTable?

    init(limits: Limits, tls: TLSReading? = nil) {
        self.limits = limits
        self.tls = tls.map { TLSTable($0) }
    }

    /// One segment. `parts`: the frames that carried it, when IP had fragmented it.
    mutating func take(
        _ segment: TCPView, _ base: UnsafeRawPointer, _ context: FrameDecoder.Context, _ parts: [UInt64],
        _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        let flow = PackedFlow(
            source: context.source, segment.sourcePort, destination: context.destination, segment.destinationPort, .tcp)
        var here = index[flow].map(Int.init)
        // A bare acknowledgement of a connection nobody knows says nothing; a refusal is the first that its sender says.
        if here == nil, segment.length == 0, !segment.isSYN, !(segment.isRST && index[flow.reversed] != nil) { return }
        let isNew = here == nil
        if isNew { here = open(flow, context, &notes) }
        guard let here else { return }
        let there = index[flow.reversed].map(Int.init)
        directions[here].lastFrame = context.frame
        if segment.isSYN {
            synchronise(here, there, segment, context, &batch, &notes)
        } else if isNew {
            directions[here].next = segment.sequence
            directions[here].mode = .searching(attempts: 0)
            if there == nil {
                notes.connections &+= 1
                notes.midStream &+= 1
            }
        }
        if segment.isRST {
            reset(here, there, context, &batch, &notes)
            return
        }
        if segment.isACK, let there { acknowledge(there, segment.acknowledgement, context, &batch, &notes) }
        if segment.length > 0 {
            let bytes = UnsafeRawBufferPointer(start: base + segment.start, count: segment.held)
            let sequence = segment.isSYN ? segment.sequence &+ 1 : segment.sequence
            data(here, sequence, bytes, length: segment.length, context, parts, &batch, &notes)
        }
        if segment.isFIN, !directions[here].isFinished {
            directions[here].isFinished = true
            event(.closed, here, context, &batch)
        }
        if directions[here].isFinished, directions[here].queue.isEmpty, there.map({ directions[$0].isFinished }) ?? true {
            close(here, context, &batch, &notes)
            if let there, directions[there].queue.isEmpty { close(there, context, &batch, &notes) }
        }
    }

    /// The capture has ended: what waits for more is given as it is.
    mutating func finish(_ batch: inout PayloadBatch, _ notes: inout CaptureNotes) {
        var context = FrameDecoder.Context(frame: notes.frames, time: notes.lastTime ?? 0, wire: 0)
        for place in directions.indices where directions[place].isInUse {
            context.source = directions[place].flow.source
            context.destination = directions[place].flow.destination
            while !directions[place].queue.isEmpty { skipHole(place, context, &batch, &notes) }
            close(place, context, &batch, &notes)
        }
    }

    private mutating func open(_ flow: PackedFlow, _ context: FrameDecoder.Context, _ notes: inout CaptureNotes) -> Int {
        if index.count >= limits.directions { evict(&notes) }
        let place: Int
        if let reused = free.popLast() {
            place = Int(reused)
            directions[place] = StreamDirection(flow)
        } else {
            place = directions.count
            directions.append(StreamDirection(flow))
        }
        index[flow] = Int32(place)
        return place
    }

    private mutating func evict(_ notes: inout CaptureNotes) {
        let used = directions.indices.filter { directions[$0].isInUse }
        let order = used.sorted { a, b in
            let (x, y) = (directions[a], directions[b])
            return x.isClosed == y.isClosed ? x.lastFrame < y.lastFrame : x.isClosed
        }
        for place in order.prefix(max(1, order.count / 4)) {
            if !directions[place].isClosed { notes.evictedConnections &+= 1 }
            release(place, &notes)
            held -= directions[place].heldOctets
            index[directions[place].flow] = nil
            directions[place] = .unused
            free.append(Int32(place))
        }
    }

    private mutating func synchronise(
        _ here: Int, _ there: Int?, _ segment: TCPView, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) {
        let first = segment.sequence &+ 1
        // The handshake again: nothing new.
        if directions[here].initial == first, directions[here].mode != .closed {
            guard !segment.isACK, directions[here].received == 0 else { return }
            event(.reopening(isAnswered: there.map { directions[$0].initial != nil } ?? false), here, context, &batch)
            return
        }
        // Captured on several interfaces, octets may stand before the SYN that they follow, and the answer to it, too.
        let isBehind = directions[here].initial == nil && !directions[here].isClosed && directions[here].start == first
        let isAnswered = there.map { directions[$0].greeted == first && !directions[$0].isClosed } ?? false
        if isBehind {
            directions[here].initial = first
        } else {
            release(here, &notes)
            held -= directions[here].heldOctets
            directions[here] = StreamDirection(directions[here].flow)
            directions[here].lastFrame = context.frame
            directions[here].initial = first
            directions[here].next = first
            directions[here].mode = .undecided
        }
        if !segment.isACK {
            if !isBehind, !isAnswered { notes.connections &+= 1 }
            // The ports are used again: what the other direction held belonged to the connection before.
            if let there, !isAnswered, !isBehind {
                release(there, &notes)
                held -= directions[there].heldOctets
                directions[there] = StreamDirection(directions[there].flow)
                directions[there].mode = .closed
            }
            event(.opening, here, context, &batch)
        } else {
            directions[here].greeted = segment.acknowledgement
            if there == nil { notes.connections &+= 1 }
            event(.opened, here, context, &batch)
        }
    }

    private mutating func reset(
        _ here: Int, _ there: Int?, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        guard !directions[here].isClosed || there.map({ !directions[$0].isClosed }) ?? false else { return }
        let wasOpened = directions[here].initial != nil && directions[here].mode != .closed
        let askedByThem = there.map { directions[$0].initial != nil && directions[$0].received == 0 } ?? false
        event(askedByThem && !wasOpened ? .refused : .reset, here, context, &batch)
        close(here, context, &batch, &notes)
        if let there { close(there, context, &batch, &notes) }
    }

    /// The other side has these octets; if we wait for some of them, they never came into the capture.
    private mutating func acknowledge(
        _ place: Int, _ number: UInt32, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        if directions[place].delivery.acknowledge(number) { event(.moved, place, context, &batch) }
        while let waiting = directions[place].queue.first, Int32(bitPattern: number &- waiting.sequence) > 0 {
            skipHole(place, context, &batch, &notes)
        }
    }

    private mutating func data(
        _ place: Int, _ sequence: UInt32, _ bytes: UnsafeRawBufferPointer, length: Int, _ context: FrameDecoder.Context,
        _ parts: [UInt64], _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        if directions[place].isClosed { return }
        if directions[place].delivery.sent(sequence, length, at: context.time) {
            let stuck = directions[place].delivery
            event(
                .stalled(
                    octets: stuck.octets, longest: stuck.longest, sends: stuck.sends, since: Instant(nanoseconds: stuck.since),
                    isAwaited: stuck.isAwaited),
                place, context, &batch)
        }
        let distance = Int(Int32(bitPattern: sequence &- directions[place].next))
        if abs(distance) > 16 << 20 {
            // Not the same connection, or far beyond what is missing: begin anew here.
            gap(place, octets: 0, context, &batch, &notes)
            directions[place].next = sequence
        } else if distance > 0 {
            queue(place, sequence, bytes, length: length, context, parts, &batch, &notes)
            return
        }
        let skip = min(0, Int(Int32(bitPattern: sequence &- directions[place].next)))
        guard length > -skip else { return }
        accept(place, bytes, from: -skip, length: length, context, parts, &batch, &notes)
        drain(place, context, &batch, &notes)
    }

    /// Octets that come next, of which the first `from` are known already.
    private mutating func accept(
        _ place: Int, _ bytes: UnsafeRawBufferPointer, from: Int, length: Int, _ context: FrameDecoder.Context,
        _ parts: [UInt64], _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        let start = directions[place].next
        directions[place].next &+= UInt32(truncatingIfNeeded: length - from)
        directions[place].received &+= UInt64(length - from)
        if from < bytes.count {
            let before = directions[place].heldOctets
            let wasTLS = directions[place].isTLS
            var framing = StreamFraming(
                limits: limits, context: context, parts: parts, sequence: start,
                origin: tls?.hasKeys == true ? .tcpWithKeys : .tcp)
            framing.take(UnsafeRawBufferPointer(rebasing: bytes[from...]), &directions[place], &batch, &notes)
            held += directions[place].heldOctets - before
            if directions[place].isTLS { secured(place, isNew: !wasTLS, context, parts, &batch, &notes) }
            if held > limits.octets { evict(&notes) }
        }
        if bytes.count < length { gap(place, octets: length - max(from, bytes.count), context, &batch, &notes) }
    }

    private mutating func queue(
        _ place: Int, _ sequence: UInt32, _ bytes: UnsafeRawBufferPointer, length: Int, _ context: FrameDecoder.Context,
        _ parts: [UInt64], _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        // Streams that are not read need no order.
        if directions[place].mode == .other || directions[place].mode == .tls {
            directions[place].next = sequence &+ UInt32(truncatingIfNeeded: length)
            return
        }
        let base = directions[place].next
        let distance = sequence &- base
        let at = directions[place].queue.firstIndex { $0.sequence &- base >= distance } ?? directions[place].queue.count
        if at < directions[place].queue.count, directions[place].queue[at].sequence == sequence,
            directions[place].queue[at].length >= length
        {
            return
        }
        directions[place].queue.insert(
            StreamDirection.Waiting(
                sequence: sequence, length: length, bytes: Array(bytes), frame: context.frame, parts: parts), at: at)
        directions[place].queuedOctets += bytes.count
        held += bytes.count
        if directions[place].queue.count > limits.queuedSegments || directions[place].queuedOctets > limits.queuedOctets {
            skipHole(place, context, &batch, &notes)
        }
        if held > limits.octets { evict(&notes) }
    }

    /// Gives up what is missing before the first waiting segment.
    private mutating func skipHole(
        _ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        guard let first = directions[place].queue.first else { return }
        let missing = Int(Int32(bitPattern: first.sequence &- directions[place].next))
        if missing > 0 {
            gap(place, octets: missing, context, &batch, &notes)
            directions[place].next = first.sequence
        }
        drain(place, context, &batch, &notes)
    }

    /// Takes over waiting segments that have become next.
    private mutating func drain(
        _ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        while let waiting = directions[place].queue.first {
            let distance = Int(Int32(bitPattern: waiting.sequence &- directions[place].next))
            guard distance <= 0 else { return }
            directions[place].queue.removeFirst()
            directions[place].queuedOctets -= waiting.bytes.count
            held -= waiting.bytes.count
            guard waiting.length > -distance else { continue }
            var elsewhere = context
            elsewhere.isElsewhere = true
            let frames = waiting.parts.isEmpty ? [waiting.frame] : waiting.parts
            waiting.bytes.withUnsafeBytes { bytes in
                accept(place, bytes, from: -distance, length: waiting.length, elsewhere, frames, &batch, &notes)
            }
        }
    }

    private mutating func gap(
        _ place: Int, octets: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        notes.gaps &+= 1
        notes.gapOctets &+= UInt64(octets)
        event(.gap(octets: UInt64(octets)), place, context, &batch)
        if directions[place].mode == .records {
            securedGap(place, context, &batch, &notes)
            return
        }
        let before = directions[place].heldOctets
        var framing = StreamFraming(limits: limits, context: context, parts: [], sequence: directions[place].next)
        framing.interrupted(&directions[place], &batch)
        held += directions[place].heldOctets - before
    }

    private mutating func close(
        _ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) {
        guard !directions[place].isClosed else { return }
        interruptPlain(place, context, &batch)
        release(place, &notes)
        held -= directions[place].heldOctets
        var framing = StreamFraming(limits: limits, context: context, parts: [], sequence: directions[place].next)
        framing.interrupted(&directions[place], &batch)
        directions[place].close()
    }

    func event(
        _ kind: StreamEvent.Kind, _ place: Int, _ context: FrameDecoder.Context, _ batch: inout PayloadBatch
    ) {
        batch.streamEvents.append(
            StreamEvent(
                frame: context.frame, time: Instant(nanoseconds: context.time), flow: directions[place].flow, kind: kind))
    }
}
