import Base
import MediaControl

/// A party before the door: what it dialled and how often it was wrong.
struct PINEntry: Sendable {
    enum Verdict: Hashable, Sendable {
        /// Not complete.
        case open
        case right
        case wrong
    }

    /// Longer than any PIN that makes sense; more digits make the entry wrong, not longer.
    private static let longest = 32

    let entry: RoomEntry
    private let pin: String
    private var dialled = ""
    private var latest: Instant
    private(set) var wrong = 0
    let began: Instant

    init(_ entry: RoomEntry, pin: String, at now: Instant) {
        self.entry = entry
        self.pin = pin
        latest = now
        began = now
    }

    /// `#` ends an entry, `*` begins it anew. The right PIN needs no `#`; how long a wrong one should have been is not told.
    mutating func key(_ digit: Character, at now: Instant) -> Verdict {
        latest = now
        switch digit {
        case "#": return dialled.isEmpty ? .open : (dialled == pin ? .right : .wrong)
        case "*":
            dialled = ""
            return .open
        default:
            if dialled.utf8.count < Self.longest { dialled.append(digit) }
            return dialled == pin ? .right : .open
        }
    }

    /// Whether an entry without `#` has been left alone for long enough.
    func isLeftAlone(at now: Instant, pause: Duration) -> Bool { !dialled.isEmpty && now - latest >= pause }

    var isEmpty: Bool { dialled.isEmpty }

    mutating func fail() {
        wrong += 1
        dialled = ""
    }
}
