import Base

/// When phones of accounts were heard over UDP by what is not held: forgotten messages, STUN, line ends.
///
/// Without it a way over which keepalives went, forgotten since, would seem to have been silent, and a port that changed in a minute
/// would be laid to a timer of an hour.
struct LiveTrail: Sendable {
    struct Mark: Sendable {
        var number: Int
        var time: Instant
        var flow: FlowID
    }

    /// Marks of one flow that are closer than this are one: no NAT forgets so fast.
    private static let closest = Duration.seconds(10)

    let most: Int
    private(set) var marks: [Mark] = []
    private var latest: [FlowID: Instant] = [:]

    /// `most`: marks that are held, about 100 octets each.
    init(most: Int) { self.most = most }

    var isFull: Bool { marks.count >= most }

    mutating func mark(_ flow: FlowID, number: Int, at time: Instant) {
        guard flow.transport == .udp else { return }
        if let last = latest[flow], last <= time, time - last < Self.closest { return }
        latest[flow] = time
        marks.append(Mark(number: number, time: time, flow: flow))
    }

    /// Drops the older half. Before the moment returned the trail tells nothing any more.
    mutating func halve() -> Instant? {
        guard marks.count > 1 else { return nil }
        marks.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        marks.removeFirst(marks.count / 2)
        latest = [:]
        for mark in marks { latest[mark.flow] = mark.time }
        return marks.first?.time
    }
}
