import Base

/// An instant as people write it: date and time of day in UTC, milliseconds.
public struct CalendarTime: Hashable, Sendable, CustomStringConvertible {
    public let year: Int64
    public let month: Int64
    public let day: Int64
    /// Of the day, in milliseconds.
    public let milliseconds: Int64

    public init(_ instant: Instant) {
        let seconds = instant.unixSeconds
        var days = seconds / 86_400
        if seconds % 86_400 < 0 { days -= 1 }
        milliseconds = (seconds - days * 86_400) * 1000 + (instant.nanoseconds - seconds * 1_000_000_000) / 1_000_000
        // Days since 0000-03-01 in eras of 400 years: leap days then come last in each year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `2007-07-11 08:01:48.000`.
    public var description: String {
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let seconds = milliseconds / 1000
        return
            "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2)) \(digits(seconds / 3600, 2)):\(digits(seconds / 60 % 60, 2))"
            + ":\(digits(seconds % 60, 2)).\(digits(milliseconds % 1000, 3))"
    }
}
