/// What the other side of a TCP connection acknowledges (RFC 9293 3.8.1), and what is sent again in vain.
struct SegmentDelivery: Sendable {
    /// A segment sent that often and not acknowledged is stuck: more than loss alone brings about.
    static let mostSends = 4
    /// Nearer to the last, it is the same sending, captured twice, nanoseconds.
    static let leastApart: Int64 = 50_000_000

    /// What the other side has seen up to; nil before it says.
    private var acknowledged: UInt32?
    /// The first segment that is not: its place, length, how often it was sent and when first, nanoseconds.
    private(set) var sequence: UInt32 = 0
    private(set) var octets = 0
    private(set) var sends = 0
    private(set) var since: Int64 = 0
    private var last: Int64 = 0
    /// The other side has spoken since, and still waits for it.
    private(set) var isAwaited = false
    /// The longest acknowledged segment, and one that may become it.
    private(set) var longest = 0
    private var candidate: (end: UInt32, octets: Int)?

    var isStuck: Bool { sends >= Self.mostSends }

    /// A segment was sent. True where it is stuck.
    mutating func sent(_ start: UInt32, _ length: Int, at time: Int64) -> Bool {
        if length > max(longest, candidate?.octets ?? 0) {
            candidate = (start &+ UInt32(truncatingIfNeeded: length), length)
        }
        guard start == acknowledged else { return false }
        if sends == 0 || start != sequence {
            (sequence, octets, sends, since, isAwaited) = (start, length, 1, time, false)
        } else {
            octets = max(octets, length)
            guard time - last >= Self.leastApart else { return false }
            sends += 1
        }
        last = time
        return isStuck
    }

    /// Everything before a number has arrived. True where something stuck has moved.
    mutating func acknowledge(_ number: UInt32) -> Bool {
        if let known = acknowledged, Int32(bitPattern: number &- known) <= 0 {
            isAwaited = number == known
            return false
        }
        acknowledged = number
        if let sent = candidate, Int32(bitPattern: number &- sent.end) >= 0 {
            longest = sent.octets
            candidate = nil
        }
        defer { sends = 0 }
        return isStuck
    }
}
