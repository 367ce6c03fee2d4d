import Base

/// How one link treats the packets put on it.
public struct LinkProperties: Hashable, Sendable {
    /// From one end to another.
    public var latency: Duration
    /// Added to `latency`, drawn anew for each packet: zero up to this. Packets of one sender keep their order all the same.
    public var jitter: Duration
    /// Chances, 0...1, drawn for each packet.
    public var loss: Double
    public var duplication: Double
    /// The chance that a packet is held back by `reorderingDelay` while later ones pass it.
    public var reordering: Double
    public var reorderingDelay: Duration
    /// The longest IP packet it carries, octets.
    public var mtu: Int
    public var isUp: Bool
    /// How many packets may be on their way at once; further ones are dropped, counted and traced.
    public var capacity: Int

    public init(
        latency: Duration = .milliseconds(1), jitter: Duration = .zero, loss: Double = 0, duplication: Double = 0,
        reordering: Double = 0, reorderingDelay: Duration = .milliseconds(50), mtu: Int = 1_500, isUp: Bool = true,
        capacity: Int = 10_000
    ) {
        self.latency = latency
        self.jitter = jitter
        self.loss = loss
        self.duplication = duplication
        self.reordering = reordering
        self.reorderingDelay = reorderingDelay
        self.mtu = mtu
        self.isUp = isUp
        self.capacity = capacity
    }
}

/// One link of a network: a LAN with many interfaces, or a pipe with two.
public struct LinkID: Hashable, Sendable {
    public var index: Int

    init(index: Int) { self.index = index }
}

/// One interface: where a host or router touches a link.
public struct InterfaceID: Hashable, Sendable {
    public var index: Int

    init(index: Int) { self.index = index }
}

/// What befell the packets put on a link.
public struct LinkCounters: Hashable, Sendable {
    /// Packets put on the link; also the ordinal, from 1, of the last.
    public var sent: UInt64 = 0
    public var delivered: UInt64 = 0
    public var duplicated: UInt64 = 0
    public var lost: UInt64 = 0
    /// For every other reason.
    public var dropped: UInt64 = 0
    /// Packets a full tap could not record.
    public var unrecorded: UInt64 = 0
}
