import Base

/// What a media loop needs of this machine.
public struct MediaLoopSettings: Sendable {
    /// Where media ports are bound; the unspecified address of a family stands for all of it, and others of the family are left out
    /// beside it. A family that the machine lacks must not be named.
    public var addresses: [IPAddress]
    /// RTP ports to bind, each with the port after it for RTCP. Those that something else holds are left out.
    public var ports: [UInt16]
    /// What a socket may hold until the loop comes to it, in bytes: a second of sound or more.
    public var receiveBuffer = 256 << 10

    public init(addresses: [IPAddress], ports: [UInt16]) {
        self.addresses = addresses
        self.ports = ports
    }

    /// The even ports of a range that have their neighbour in it, dealt out to `loops` loops.
    public static func ports(of range: ClosedRange<UInt16>, loops: Int = 1) -> [[UInt16]] {
        var result = [[UInt16]](repeating: [], count: max(1, loops))
        let even = range.filter { $0 % 2 == 0 && $0 > 0 && $0 < range.upperBound }
        for (index, port) in even.enumerated() { result[index % result.count].append(port) }
        return result
    }
}

/// What a media loop has done so far.
public struct MediaCounters: Sendable, Equatable {
    public var received: UInt64 = 0
    public var forwarded: UInt64 = 0
    /// Datagrams of our own: sound, reports, answers to connectivity checks.
    public var sent: UInt64 = 0
    public var dropped: UInt64 = 0
    /// The same by reason: indexed by `MediaDrop.rawValue`.
    public var drops: [UInt64] = []
    /// The kernel did not take them: no route, a full buffer, a firewall.
    public var sendFailures: UInt64 = 0
    public var legs = 0
    /// Rooms with somebody in them.
    public var rooms = 0
    /// How long each round took from its wake to its last datagram; sound is made in them, every 20 ms.
    public var rounds = DurationHistogram.rounds
    /// CPU time of the loop's thread.
    public var cpu = Duration.zero

    public init() {}
}
