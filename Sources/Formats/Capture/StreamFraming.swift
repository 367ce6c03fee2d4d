import Base
import TLS

/// Cuts the octets of one TCP direction into messages: SIP (RFC 3261 18.3), STUN beside it, SIP over WebSocket.
///
/// Lives for one segment; what must last is in the `StreamDirection`.
struct StreamFraming {
    let limits: StreamTable.Limits
    let context: FrameDecoder.Context
    /// The frames that carried the octets in hand; empty: the context's.
    let parts: [UInt64]
    /// What the octets came out of.
    let origin: Origin
    /// Sequence number of the octet in hand.
    private var place: UInt32

    enum Origin {
        /// TCP, TLS on which is not read.
        case tcp
        /// TCP, while keys are at hand.
        case tcpWithKeys
        /// TLS.
        case tls
    }

    /// `sequence`: of the first octet that `take` will get.
    init(
        limits: StreamTable.Limits, context: FrameDecoder.Context, parts: [UInt64], sequence: UInt32, origin: Origin = .tcp
    ) {
        self.limits = limits
        self.context = context
        self.parts = parts
        self.origin = origin
        place = sequence
    }

    private static let mostHead = 65_536
    private static let mostAttempts = 256

    /// Octets that follow those before.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ direction: inout StreamDirection, _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) {
        switch direction.mode {
        case .tls:
            if let kind = Self.clearWord(bytes) { event(kind, direction, &batch) }
            return
        case .other, .closed: return
        case .records:
            keep(bytes, &direction)
            return
        case .undecided, .searching, .sip, .http, .webSocket: break
        }
        if direction.pending.isEmpty {
            let start = place
            let used = consume(bytes, inPending: false, &direction, &batch, &notes)
            direction.pendingSequence = start &+ UInt32(truncatingIfNeeded: used)
            keep(UnsafeRawBufferPointer(rebasing: bytes[used...]), &direction)
            return
        }
        if isForeignStart(bytes, direction) {
            let start = place
            cutShort(&direction, &batch, .miscounted)
            direction.pendingSequence = start
        }
        keep(bytes, &direction)
        guard direction.pending.count >= direction.needed else { return }
        var held: [UInt8] = []
        swap(&held, &direction.pending)
        place = direction.pendingSequence
        let used = held.withUnsafeBytes { consume($0, inPending: true, &direction, &batch, &notes) }
        if used > 0 {
            direction.pendingSequence &+= UInt32(truncatingIfNeeded: used)
            held.removeSubrange(0..<used)
            // What is left came with the octets in hand: had it been there before, its message would be gone.
            direction.frames = held.isEmpty ? [] : (parts.isEmpty ? [context.frame] : parts)
        }
        if direction.isReading { swap(&held, &direction.pending) } else { direction.frames = [] }
    }

    /// A hole follows, or the end: what waits is given as it is, if it began as a message.
    mutating func interrupted(_ direction: inout StreamDirection, _ batch: inout PayloadBatch) {
        cutShort(&direction, &batch)
        direction.webSocketMessage = nil
        direction.isCompressed = false
        if direction.isReading {
            direction.mode = .searching(attempts: 0)
            direction.isAfterGap = true
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer, _ direction: inout StreamDirection) {
        guard !bytes.isEmpty, direction.isReading else { return }
        direction.pending.append(contentsOf: bytes)
        for frame in parts.isEmpty ? [context.frame] : parts
        where direction.frames.last != frame && direction.frames.count < 4_096 {
            direction.frames.append(frame)
        }
    }

    /// Returns how many octets are done with.
    private mutating func consume(
        _ bytes: UnsafeRawBufferPointer, inPending: Bool, _ direction: inout StreamDirection, _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) -> Int {
        let start = place
        var at = 0
        while at < bytes.count {
            place = start &+ UInt32(truncatingIfNeeded: at)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            let used: Int?
            switch direction.mode {
            case .undecided, .searching: used = decide(rest, &direction, &batch, &notes)
            case .sip: used = sip(rest, inPending: inPending, &direction, &batch, &notes)
            case .http: used = http(rest, &direction, &batch, &notes)
            case .webSocket: used = webSocket(rest, &direction, &batch, &notes)
            case .records: return at
            case .tls, .other, .closed: return bytes.count
            }
            guard let used else { return at }
            at += used
        }
        direction.scanned = 0
        direction.needed = 0
        return bytes.count
    }

    /// What this stream speaks, by its octets. nil: too few to tell.
    private func decide(
        _ b: UnsafeRawBufferPointer, _ direction: inout StreamDirection, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) -> Int? {
        let isStart = direction.mode == .undecided
        if SIPStart.isStart(b) || Self.isSTUN(b) {
            direction.mode = .sip
            return 0
        }
        if b[0] == 0x0d || b[0] == 0x0a {
            direction.mode = .sip
            return 0
        }
        if b.count >= 5, b[0] >= 0x14, b[0] <= 0x17, b[1] == 3, b[2] <= 4, !isStart || b[0] == 0x16 {
            direction.mode = origin == .tcpWithKeys ? .records : .tls
            direction.side = TLSRecord.hello(b)
            event(.tls, direction, &batch)
            return origin == .tcpWithKeys ? nil : b.count
        }
        // A server that dislikes the hello, or knows that what came is none, begins and ends with an alert.
        if isStart, b[0] == 0x15, b.count < 7, b.count < 2 || b[1] == 3 { return nil }
        if isStart, let alert = Self.clearWord(b), case .tlsAlert = alert {
            event(alert, direction, &batch)
            direction.mode = .other
            return b.count
        }
        if isStart, b[0] == 0x16, b.count < 5, b.count < 2 || b[1] == 3 { return nil }
        if Self.begins(b, "GET ") || Self.begins(b, "HTTP/1.") {
            direction.mode = .http
            return 0
        }
        // A single octet may come ahead of the rest (TLS 1.0 did so on purpose).
        if isStart, SIPStart.mayBecomeStart(b) || Self.mayBegin(b, "GET ") || Self.mayBegin(b, "HTTP/1.") { return nil }
        if b.count < 20, b[0] < 2, isStart { return nil }
        if !isStart, WebSocketFrame(b)?.startsSIP(b) == true {
            direction.mode = .webSocket
            notes.webSockets &+= 1
            event(.webSocket(subprotocolSIP: true), direction, &batch)
            return 0
        }
        switch direction.mode {
        case .searching(let attempts):
            if let start = Self.nextStart(b) {
                direction.mode = .sip
                return start
            }
            direction.mode = attempts >= Self.mostAttempts ? .other : .searching(attempts: attempts + 1)
        case .undecided, .sip, .http, .webSocket, .records, .tls, .other, .closed:
            direction.mode = .other
        }
        return b.count
    }

    // MARK: SIP

    private func sip(
        _ b: UnsafeRawBufferPointer, inPending: Bool, _ direction: inout StreamDirection, _ batch: inout PayloadBatch,
        _ notes: inout CaptureNotes
    ) -> Int? {
        if b[0] == 0x0d || b[0] == 0x0a {
            var end = 1
            while end < b.count, b[end] == 0x0d || b[end] == 0x0a { end += 1 }
            emit(UnsafeRawBufferPointer(rebasing: b[..<end]), .keepalive, &direction, &batch, inPending: inPending)
            return end
        }
        if Self.isSTUN(b) {
            let length = 20 + (Int(b[2]) << 8 | Int(b[3]))
            guard length <= b.count else {
                direction.needed = length
                return nil
            }
            emit(UnsafeRawBufferPointer(rebasing: b[..<length]), .stun, &direction, &batch, inPending: inPending)
            return length
        }
        guard SIPStart.isStart(b) else {
            if SIPStart.mayBecomeStart(b) || !Self.hasLineEnd(b), b.count < 8_192 { return nil }
            // A body longer than it said, or no SIP at all: on to the next start line.
            let used = Self.nextStart(b) ?? b.count
            notes.unframedOctets &+= UInt64(used)
            event(.resynchronised(octets: UInt64(used)), direction, &batch)
            if used == b.count { direction.mode = .searching(attempts: 0) }
            return used
        }
        guard let head = Self.headEnd(b, from: max(0, direction.scanned - 3)) else {
            if b.count >= Self.mostHead {
                emit(b, .sip, &direction, &batch, inPending: inPending, flags: .cutShort)
                direction.mode = .searching(attempts: 0)
                return b.count
            }
            direction.scanned = b.count
            direction.needed = 0
            return nil
        }
        let body = min(Self.contentLength(b, head) ?? 0, limits.message)
        guard head + body <= b.count else {
            direction.scanned = head
            direction.needed = head + body
            return nil
        }
        direction.scanned = 0
        direction.needed = 0
        let end = head + body
        let isMiscounted = body > 0 && Self.goesOn(UnsafeRawBufferPointer(rebasing: b[end...]), after: b[end - 1])
        emit(
            UnsafeRawBufferPointer(rebasing: b[..<end]), .sip, &direction, &batch, inPending: inPending,
            flags: isMiscounted ? .miscounted : [])
        return end
    }

    /// A new message begins while the one before still lacks octets: its Content-Length was too great.
    private func isForeignStart(_ b: UnsafeRawBufferPointer, _ direction: StreamDirection) -> Bool {
        guard direction.mode == .sip, direction.needed > direction.pending.count, SIPStart.isStart(b) else { return false }
        return direction.pending.withUnsafeBytes { held in
            // Bodies of these types hold SIP themselves.
            guard let head = Self.headEnd(held, from: 0) else { return false }
            let fields = UnsafeRawBufferPointer(rebasing: held[..<head])
            return !Self.contains(fields, "sipfrag") && !Self.contains(fields, "message/") && !Self.contains(fields, "multipart")
        }
    }

    private mutating func cutShort(
        _ direction: inout StreamDirection, _ batch: inout PayloadBatch, _ flags: PayloadRecord.Flags = []
    ) {
        var held: [UInt8] = []
        place = direction.pendingSequence
        swap(&held, &direction.pending)
        if direction.mode == .sip, !held.isEmpty {
            held.withUnsafeBytes { bytes in
                guard SIPStart.isStart(bytes) else { return }
                var frames = direction.frames
                swap(&frames, &direction.frames)
                emit(bytes, .sip, &direction, &batch, inPending: true, flags: flags.union(.cutShort))
                swap(&frames, &direction.frames)
            }
        }
        direction.frames = []
        direction.scanned = 0
        direction.needed = 0
    }

    // MARK: WebSocket

    private func http(
        _ b: UnsafeRawBufferPointer, _ direction: inout StreamDirection, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) -> Int? {
        guard let head = Self.headEnd(b, from: max(0, direction.scanned - 3)) else {
            direction.scanned = b.count
            if b.count < 16_384 { return nil }
            direction.mode = .other
            return b.count
        }
        direction.scanned = 0
        let fields = UnsafeRawBufferPointer(rebasing: b[..<head])
        guard Self.contains(fields, "upgrade: websocket") || Self.contains(fields, "upgrade:websocket") else {
            direction.mode = .other
            return b.count
        }
        direction.mode = .webSocket
        if b[0] == 0x48 {
            notes.webSockets &+= 1
            let isSIP =
                Self.contains(fields, "sec-websocket-protocol: sip") || Self.contains(fields, "sec-websocket-protocol:sip")
            event(.webSocket(subprotocolSIP: isSIP), direction, &batch)
        }
        return head
    }

    /// RFC 6455 5.2: one frame at a time; a message ends with its last frame.
    private func webSocket(
        _ b: UnsafeRawBufferPointer, _ direction: inout StreamDirection, _ batch: inout PayloadBatch, _ notes: inout CaptureNotes
    ) -> Int? {
        guard let frame = WebSocketFrame(b) else {
            return b.count >= 14 ? unreadable(b, &direction, &notes) : nil
        }
        guard frame.length <= limits.message else { return unreadable(b, &direction, &notes) }
        let end = frame.header + frame.length
        guard end <= b.count else {
            direction.needed = end
            return nil
        }
        direction.needed = 0
        switch frame.opcode {
        case 1, 2:
            direction.webSocketMessage = frame.payload(b)
            direction.isCompressed = frame.isCompressed
        case 0:
            if direction.webSocketMessage != nil { direction.webSocketMessage?.append(contentsOf: frame.payload(b)) }
        default: return end
        }
        if (direction.webSocketMessage?.count ?? 0) > limits.message { return unreadable(b, &direction, &notes) }
        guard frame.isLast, let message = direction.webSocketMessage else {
            // The frames list would lose this part's number once its octets leave `pending`.
            return end
        }
        direction.webSocketMessage = nil
        if direction.isCompressed {
            notes.compressedWebSocket &+= 1
        } else {
            message.withUnsafeBytes { bytes in
                emit(bytes, ContentGuess(bytes), &direction, &batch, inPending: true, over: .ws, isElsewhere: true)
            }
        }
        return end
    }

    private func unreadable(
        _ b: UnsafeRawBufferPointer, _ direction: inout StreamDirection, _ notes: inout CaptureNotes
    ) -> Int {
        notes.unframedOctets &+= UInt64(b.count)
        direction.webSocketMessage = nil
        direction.mode = .searching(attempts: 0)
        return b.count
    }

    // MARK: Giving

    private func emit(
        _ bytes: UnsafeRawBufferPointer, _ content: ContentGuess, _ direction: inout StreamDirection, _ batch: inout PayloadBatch,
        inPending: Bool, flags: PayloadRecord.Flags = [], over transport: PayloadTransport = .tcp, isElsewhere: Bool = false
    ) {
        var record = PayloadRecord(
            frame: context.frame, time: Instant(nanoseconds: context.time), source: direction.flow.source,
            destination: direction.flow.destination, offset: 0, length: UInt32(clamping: bytes.count), wireLength: context.wire,
            framesStart: 0, framesCount: 0, sourcePort: direction.flow.sourcePort,
            destinationPort: direction.flow.destinationPort, ipID: context.ipID,
            flags: flags.union(.fromStream).union(context.flags.intersection(.tunnelled)), ttl: context.ttl, transport: transport,
            content: content)
        if origin == .tls {
            record.transport = transport == .ws ? .wss : .tls
        } else if !isElsewhere {
            record.sequence = place
        }
        if direction.isAfterGap {
            record.flags.insert(.afterGap)
            direction.isAfterGap = false
        }
        if inPending || isElsewhere || context.isElsewhere {
            batch.place(bytes, in: &record)
            var frames = direction.frames
            for frame in parts.isEmpty ? [context.frame] : parts where !frames.contains(frame) { frames.append(frame) }
            batch.list(frames.sorted(), in: &record)
            direction.frames = []
        } else if let start = bytes.baseAddress {
            record.offset = UInt32(truncatingIfNeeded: start - UnsafeRawPointer(batch.input.start))
        }
        batch.records.append(record)
    }

    private func event(_ kind: StreamEvent.Kind, _ direction: StreamDirection, _ batch: inout PayloadBatch) {
        batch.streamEvents.append(
            StreamEvent(frame: context.frame, time: Instant(nanoseconds: context.time), flow: direction.flow, kind: kind))
    }
}

extension StreamDirection {
    /// Its octets are still looked at.
    var isReading: Bool {
        switch mode {
        case .undecided, .searching, .sip, .http, .webSocket, .records: true
        case .tls, .other, .closed: false
        }
    }
}
