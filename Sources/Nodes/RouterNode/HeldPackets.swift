import Base

/// Packets the SIP helper sits on, by when they go on; equal times in the order in which they came.
struct HeldPackets: Sendable {
    struct Packet: Sendable {
        var interface: RouterInterface
        var bytes: [UInt8]
        var since: Instant
    }

    private var packets: [UInt64: Packet] = [:]
    private var deadlines = DeadlineQueue<UInt64>()
    private var last: UInt64 = 0

    var count: Int { packets.count }
    var nextDeadline: Instant? { deadlines.nextDeadline }

    mutating func add(_ packet: Packet, until: Instant) {
        last += 1
        packets[last] = packet
        deadlines.set(last, to: until)
    }

    mutating func popDue(at now: Instant) -> Packet? {
        deadlines.popDue(at: now).flatMap { packets.removeValue(forKey: $0) }
    }
}
