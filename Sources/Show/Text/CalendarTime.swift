import Base

/// An instant as people write it: date and time of day in UTC, milliseconds.
public struct CalendarTime: Hashable, Sendable, CustomStringConvertible {
    public let date: CivilDate
    /// Of the day, in milliseconds.
    public let milliseconds: Int64

    public init(_ instant: Instant) {
        let seconds = instant.unixSeconds
        date = CivilDate(unixSeconds: seconds)
        let ofDay = seconds - date.daysSinceEpoch * 86_400
        milliseconds = ofDay * 1000 + (instant.nanoseconds - seconds * 1_000_000_000) / 1_000_000
    }

    /// `2007-07-11 08:01:48.000`.
    public var description: String {
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return
            "\(digits(date.year, 4))-\(digits(Int64(date.month), 2))-\(digits(Int64(date.day), 2)) \(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2))"
            + ":\(digits(seconds % 60, 2)).\(digits(milliseconds % 1000, 3))"
    }
}
