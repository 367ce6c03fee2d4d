import Base

/// The media ports bound ahead, by media loop: the half that was freed longest ago is used up first, so that a late packet of an ended call
/// does not meet the next one, and that in no order, so that no call's port tells the next one's.
struct PortPool: Sendable {
    /// A port and the loop it belongs to.
    struct Port: Hashable, Sendable {
        var loop: Int
        var number: UInt16
    }

    private var free: [Outbox<UInt16>] = []
    /// Taken from the last.
    private var drawn: [[UInt16]] = []
    private var entropy: Entropy
    private(set) var inUse = 0
    /// How many there are, free or not.
    let capacity: Int

    init(_ ports: [[UInt16]] = [], entropy: Entropy) {
        self.entropy = entropy
        drawn = Array(repeating: [], count: ports.count)
        free = ports.map { list in
            var box = Outbox<UInt16>()
            for port in list where port != 0 { box.append(port) }
            return box
        }
        capacity = free.reduce(0) { $0 + $1.count }
    }

    /// The loop with most free ports; nil without loops.
    var idlest: Int? { free.indices.max { freeCount($0) < freeCount($1) } }

    /// All of a room is in one loop: nobody there would hear another loop's parties, and each would count wrong PINs of its own.
    func loop(ofRoom name: String) -> Int? {
        free.isEmpty ? nil : Int(name.utf8.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) } % UInt32(free.count))
    }

    func freeCount(_ loop: Int) -> Int { free[loop].count + drawn[loop].count }

    /// nil: the loop has none left.
    mutating func take(_ loop: Int) -> Port? {
        guard free.indices.contains(loop) else { return nil }
        if drawn[loop].isEmpty {
            for _ in 0..<(free[loop].count + 1) / 2 { drawn[loop].append(free[loop].next()!) }
            drawn[loop].shuffle(using: &entropy)
        }
        guard let number = drawn[loop].popLast() else { return nil }
        inUse += 1
        return Port(loop: loop, number: number)
    }

    mutating func giveBack(_ port: Port) {
        guard free.indices.contains(port.loop) else { return }
        inUse -= 1
        free[port.loop].append(port.number)
    }
}
