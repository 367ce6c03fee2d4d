import Base

/// Gives a log's items in the order of time: what searches logs (Kibana, Graylog, `tac`) often exports the newest first.
public struct LogOrder {
    /// Times of messages that fall, with none that rises: so many make it sure at once, so few at the log's end.
    private static let sure = 6
    private static let few = 2
    /// More are not held, while times stand still and while they fall: such a log is read as it stands.
    private static let mostStill = 1 << 14
    private static let mostFalling = 1 << 20

    private enum State { case open, forward, backward }
    private var state = State.open
    private var held: [LoggedItem] = []
    private var falls = 0
    private var last: Instant?

    public init() {}

    /// Takes the next item, and gives those whose turn it is.
    public mutating func add(_ item: LoggedItem, _ give: (LoggedItem) -> Void) {
        if state == .forward {
            give(item)
            return
        }
        if state == .open, case .message = item.kind, let time = item.time?.instant {
            if let last, time > last {
                state = .forward
            } else if let last, time < last {
                falls += 1
                if falls == Self.sure { state = .backward }
            }
            last = time
        }
        held.append(item)
        if held.count > (falls == 0 ? Self.mostStill : Self.mostFalling) { state = .forward }
        if state == .forward { release(give) }
    }

    /// The log has ended.
    public mutating func finish(_ give: (LoggedItem) -> Void) {
        if falls >= Self.few, state != .forward { held.reverse() }
        release(give)
    }

    private mutating func release(_ give: (LoggedItem) -> Void) {
        for item in held { give(item) }
        held = []
    }
}
