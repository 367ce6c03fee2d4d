import TLS

/// One direction of a TCP connection as a capture shows it.
struct StreamDirection {
    enum Mode: Hashable {
        /// Began with its handshake; nothing said yet.
        case undecided
        /// Amid a stream, or after a hole: waits for the start of a message.
        case searching(attempts: Int)
        case sip
        /// An HTTP head that may upgrade to WebSocket.
        case http
        case webSocket
        /// TLS records that a key log may open.
        case records
        /// TLS that is not read.
        case tls
        /// Nothing of interest.
        case other
        case closed
    }

    /// A segment that came before the one it follows.
    struct Waiting {
        var sequence: UInt32
        var length: Int
        var bytes: [UInt8]
        var frame: UInt64
        var parts: [UInt64]
    }

    var flow: PackedFlow
    var mode = Mode.closed
    var isInUse = true
    /// Sequence number of the first octet, when the handshake was seen.
    var initial: UInt32?
    /// Of who was asked: the first octet of the other direction, as its answer to the SYN names it.
    var greeted: UInt32?
    /// Sequence number of the octet that comes next.
    var next: UInt32 = 0
    var isFinished = false
    var delivery = SegmentDelivery()
    var lastFrame: UInt64 = 0
    var received: UInt64 = 0
    var queue: [Waiting] = []
    var queuedOctets = 0
    /// Octets of a message that is not complete, and the frames that brought them.
    var pending: [UInt8] = []
    /// Sequence number of the first of them.
    var pendingSequence: UInt32 = 0
    var frames: [UInt64] = []
    /// Octets of `pending` in which no end of the header fields was found.
    var scanned = 0
    /// Octets `pending` must have before another look is worthwhile.
    var needed = 0
    /// A WebSocket message so far, frame by frame; nil between messages.
    var webSocketMessage: [UInt8]?
    var isCompressed = false
    var isAfterGap = false
    /// TLS: which side this is, as its first octets tell; its session's number in the table, -1 without.
    var side: TLSSide?
    var session: Int32 = -1
    /// Its records wait for the other side's hello.
    var isWaiting = false
    /// What the records hold, as a stream of its own: one, once there was any.
    var plain: [StreamDirection] = []
    /// Octets of no message, not yet reported.
    var skipped: UInt64 = 0

    init(_ flow: PackedFlow, mode: Mode = .closed) {
        self.flow = flow
        self.mode = mode
    }

    static var unused: StreamDirection {
        var result = StreamDirection(
            PackedFlow(source: PackedAddress(v4: 0), 0, destination: PackedAddress(v4: 0), 0, .tcp))
        result.isInUse = false
        return result
    }

    /// Where its octets begin, as far as none are missing since.
    var start: UInt32 { next &- UInt32(truncatingIfNeeded: received) }
    var isClosed: Bool { mode == .closed }
    var isTLS: Bool { mode == .records || mode == .tls }
    var heldOctets: Int {
        pending.count + queuedOctets + (webSocketMessage?.count ?? 0) + (plain.isEmpty ? 0 : plain[0].heldOctets)
    }

    mutating func close() {
        mode = .closed
        pending = []
        frames = []
        queue = []
        queuedOctets = 0
        webSocketMessage = nil
        plain = []
    }
}
