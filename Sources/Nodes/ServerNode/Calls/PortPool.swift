import Base

/// The media ports bound ahead, by media loop: the one freed longest ago is taken first, so that a late packet of an ended call does not
/// meet the next one.
struct PortPool: Sendable {
    /// A port and the loop it belongs to.
    struct Port: Hashable, Sendable {
        var loop: Int
        var number: UInt16
    }

    private var free: [Outbox<UInt16>] = []
    private(set) var inUse = 0
    /// How many there are, free or not.
    let capacity: Int

    var loops: Int { free.count }
    var freeCount: Int { free.reduce(0) { $0 + $1.count } }

    init(_ ports: [[UInt16]] = []) {
        free = ports.map { list in
            var box = Outbox<UInt16>()
            for port in list where port != 0 { box.append(port) }
            return box
        }
        capacity = free.reduce(0) { $0 + $1.count }
    }

    /// The loop with most free ports; nil without loops.
    var idlest: Int? { free.indices.max { free[$0].count < free[$1].count } }

    /// nil: the loop has none left.
    mutating func take(_ loop: Int) -> Port? {
        guard free.indices.contains(loop), let number = free[loop].next() else { return nil }
        inUse += 1
        return Port(loop: loop, number: number)
    }

    mutating func giveBack(_ port: Port) {
        guard free.indices.contains(port.loop) else { return }
        inUse -= 1
        free[port.loop].append(port.number)
    }
}
