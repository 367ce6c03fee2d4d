import Base

/// Times that only what follows makes sense of: a time of day before the log's first date, and tcpdump's times since the packet before.
extension LogReader {
    /// Items and octets held at most until a date comes.
    static let mostUndated = 4_096
    static let mostUndatedOctets = 16 << 20

    /// Nothing given so far is given away while it may still turn out to be of another day.
    var isHolding: Bool { !isFinished && (clock.awaitsDate || dumpTimes.isOpen) }

    /// The first date has come: what is held belongs to its day.
    mutating func shiftHeld() {
        guard let shift = clock.shift, !isShifted else { return }
        isShifted = true
        for index in items.indices { items[index].shift(by: shift) }
    }

    /// The item takes its place, with its time put right.
    mutating func append(_ item: LoggedItem, isDump: Bool) {
        var item = item
        if isDump, let time = item.time, time.basis == .timeOfDay {
            let found = dumpTimes.add(time, at: items.count)
            for (index, instant) in found.earlier where index < items.count { items[index].time?.instant = instant }
            item.time?.instant = found.instant
        }
        shiftHeld()
        if let shift = clock.shift { item.shift(by: shift) }
        items.append(item)
        if case .message(let message) = item.kind { heldOctets += message.bytes.count }
        guard isHolding, items.count >= Self.mostUndated || heldOctets > Self.mostUndatedOctets else { return }
        clock.forgetDates()
        dumpTimes.close()
    }
}

extension LoggedItem {
    mutating func shift(by nanoseconds: Int64) {
        guard let old = time, old.basis == .timeOfDay else { return }
        time = LoggedTime(
            Instant(nanoseconds: old.instant.nanoseconds &+ nanoseconds), .absolute, resolution: old.resolution)
    }
}

/// `tcpdump -ttt`: each packet's time counts from the one before it, the first is zero; they fall, which times of day do not.
struct DumpTimes: Sendable {
    private enum State {
        case unseen
        /// All rise so far: since the first packet, or since the one before.
        case rising
        case gaps(Int64)
        case clock
    }
    private var state = State.unseen
    private var risen: [(index: Int, nanoseconds: Int64)] = []

    var isOpen: Bool { if case .rising = state { true } else { false } }

    mutating func close() {
        state = .clock
        risen = []
    }

    mutating func add(_ time: LoggedTime, at index: Int) -> (instant: Instant, earlier: [(index: Int, instant: Instant)]) {
        let told = time.instant.nanoseconds
        switch state {
        case .clock: break
        case .unseen:
            state = told == 0 && time.resolution <= 1_000 ? .rising : .clock
            if isOpen { risen = [(index, told)] }
        case .rising:
            if told > risen.last?.nanoseconds ?? 0 || told == 0 {
                risen.append((index, told))
                break
            }
            var sum: Int64 = 0
            let earlier = risen.map { (index, gap) in
                sum += gap
                return (index, Instant(nanoseconds: sum))
            }
            state = .gaps(sum + told)
            risen = []
            return (Instant(nanoseconds: sum + told), earlier)
        case .gaps(let sum):
            let (next, isOver) = sum.addingReportingOverflow(told)
            state = .gaps(isOver ? sum : next)
            return (Instant(nanoseconds: isOver ? sum : next), [])
        }
        return (time.instant, [])
    }
}
