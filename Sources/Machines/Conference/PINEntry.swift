import Base
import MediaControl

/// A party before the door: what it dialled and how often it was wrong.
struct PINEntry: Sendable {
    enum Progress: Hashable, Sendable {
        case open
        /// It is the PIN, and paid for.
        case opens
        case complete
        /// By `*`: as good as wrong.
        case givenUp
    }

    /// Longer than any PIN that makes sense; more digits make the entry wrong, not longer.
    private static let longest = 32

    let entry: RoomEntry
    private let pin: String
    private var dialled = ""
    private var latest: Instant
    private(set) var wrong = 0
    /// Whether the entry being dialled is one of those that may be wrong: only then a digit is told from a wrong one before the end.
    var isPaid = false
    let began: Instant

    init(_ entry: RoomEntry, pin: String, at now: Instant) {
        self.entry = entry
        self.pin = pin
        latest = now
        began = now
    }

    /// `#` ends an entry, `*` gives it up. The right PIN needs no `#`; how long a wrong one should have been is not told.
    mutating func key(_ digit: Character, at now: Instant) -> Progress {
        latest = now
        switch digit {
        case "#": return dialled.isEmpty ? .open : .complete
        case "*": return dialled.isEmpty ? .open : .givenUp
        default:
            if dialled.utf8.count < Self.longest { dialled.append(digit) }
            return isPaid && isRight ? .opens : .open
        }
    }

    var isRight: Bool { dialled == pin }

    /// Whether an entry without `#` has been left alone for long enough.
    func isLeftAlone(at now: Instant, pause: Duration) -> Bool { !dialled.isEmpty && now - latest >= pause }

    var isEmpty: Bool { dialled.isEmpty }

    mutating func fail() {
        wrong += 1
        dialled = ""
        isPaid = false
    }
}
