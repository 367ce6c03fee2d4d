import Base

/// Times as logs write them. Lines that jump to and fro add up to no more than a century.
struct LogClock {
    /// The last time of day and how many days were added, to see midnight pass.
    private var lastTimeOfDay: Int64?
    private var days: Int64 = 0
    /// The same for dates without a year.
    private var lastYearless: Int64?
    private var years: Int64 = 0

    /// A time without a date.
    mutating func timeOfDay(_ nanoseconds: Int64, resolution: Int64) -> LoggedTime {
        // An hour back is a clock set, half a day is midnight.
        if let last = lastTimeOfDay, nanoseconds < last - 12 * 3_600_000_000_000 { days = min(days + 1, 36_500) }
        lastTimeOfDay = nanoseconds
        return LoggedTime(Instant(nanoseconds: days * 86_400_000_000_000 + nanoseconds), .timeOfDay, resolution: resolution)
    }

    /// Nanoseconds since the start of 1970, from a date without a year.
    mutating func yearless(_ nanoseconds: Int64, resolution: Int64) -> LoggedTime {
        if let last = lastYearless, nanoseconds < last - 180 * 86_400_000_000_000 { years = min(years + 1, 100) }
        lastYearless = nanoseconds
        return LoggedTime(
            Instant(nanoseconds: nanoseconds + years * 365 * 86_400_000_000_000), .noYear, resolution: resolution)
    }

    /// A time that begins at `at`, which moves behind it: nil and unmoved when there is none.
    mutating func time(_ b: some Collection<UInt8> & RandomAccessCollection<UInt8>, _ at: inout Int) -> LoggedTime? {
        let text = Array(b)
        var place = at
        guard let found = read(text, &place) else { return nil }
        at = place
        return found
    }

    private mutating func read(_ b: [UInt8], _ at: inout Int) -> LoggedTime? {
        let start = at
        if let month = Self.month(b, at) {
            // `Jul 11 12:01:48`, `Jul  1 ...`.
            at += 3
            guard Self.blanks(b, &at), let day = b.number(&at), (1...31).contains(day), Self.blanks(b, &at),
                let (time, resolution) = Self.clock(b, &at)
            else { return nil }
            let days = Self.days(1970, month, day)
            return yearless(days * 86_400_000_000_000 + time, resolution: resolution)
        }
        guard let first = b.number(&at) else { return nil }
        if at < b.count, b[at] == 0x3a {
            at = start
            guard let (time, resolution) = Self.clock(b, &at) else { return nil }
            return timeOfDay(time, resolution: resolution)
        }
        if at < b.count, b[at] == 0x2d || b[at] == 0x2f, (1970...2200).contains(first) {
            let separator = b[at]
            at += 1
            guard let month = b.number(&at), (1...12).contains(month), at < b.count, b[at] == separator else { return nil }
            at += 1
            guard let day = b.number(&at), (1...31).contains(day), at < b.count, b[at] == 0x20 || b[at] == 0x54 else {
                return nil
            }
            at += 1
            guard let (time, resolution) = Self.clock(b, &at) else { return nil }
            var nanoseconds = Self.days(first, month, day) * 86_400_000_000_000 + time
            if at < b.count, b[at] == 0x5a {
                at += 1
            } else if at + 5 <= b.count, b[at] == 0x2b || b[at] == 0x2d {
                let sign: Int64 = b[at] == 0x2b ? -1 : 1
                var place = at + 1
                if let zone = Self.zone(b, &place) {
                    nanoseconds += sign * zone
                    at = place
                }
            }
            return LoggedTime(Instant(nanoseconds: nanoseconds), .absolute, resolution: resolution)
        }
        // Seconds since 1970, with decimals.
        if at < b.count, b[at] == 0x2e || b[at] >= 0x30 {
            at = start
            var seconds: Int64 = 0
            var digits = 0
            while at < b.count, b[at] >= 0x30, b[at] <= 0x39, digits < 11 {
                seconds = seconds * 10 + Int64(b[at] - 0x30)
                digits += 1
                at += 1
            }
            guard digits >= 9, seconds < 7_000_000_000 else { return nil }
            let (fraction, resolution) = Self.fraction(b, &at)
            return LoggedTime(Instant(nanoseconds: seconds * 1_000_000_000 + fraction), .absolute, resolution: resolution)
        }
        return nil
    }

    // MARK: Pieces

    /// `12:01:48`, `12:01:48.123456`, `12:01:48,123`: nanoseconds since midnight, and what a digit is worth.
    private static func clock(_ b: [UInt8], _ at: inout Int) -> (Int64, Int64)? {
        guard let hour = b.number(&at), hour < 24, at < b.count, b[at] == 0x3a else { return nil }
        at += 1
        guard let minute = b.number(&at), minute < 60, at < b.count, b[at] == 0x3a else { return nil }
        at += 1
        guard let second = b.number(&at), second <= 60 else { return nil }
        let (fraction, resolution) = fraction(b, &at)
        return (Int64(hour * 3600 + minute * 60 + second) * 1_000_000_000 + fraction, resolution)
    }

    private static func fraction(_ b: [UInt8], _ at: inout Int) -> (Int64, Int64) {
        guard at + 1 < b.count, b[at] == 0x2e || b[at] == 0x2c, b[at + 1] >= 0x30, b[at + 1] <= 0x39 else {
            return (0, 1_000_000_000)
        }
        at += 1
        var unit: Int64 = 1_000_000_000
        var value: Int64 = 0
        while at < b.count, b[at] >= 0x30, b[at] <= 0x39 {
            if unit > 1 {
                unit /= 10
                value += Int64(b[at] - 0x30) * unit
            }
            at += 1
        }
        return (value, unit)
    }

    /// `02:00` or `0200`, in nanoseconds.
    private static func zone(_ b: [UInt8], _ at: inout Int) -> Int64? {
        guard at + 4 <= b.count else { return nil }
        var digits: [Int64] = []
        while at < b.count, digits.count < 4 {
            if b[at] >= 0x30, b[at] <= 0x39 {
                digits.append(Int64(b[at] - 0x30))
            } else if b[at] != 0x3a || digits.count != 2 {
                return nil
            }
            at += 1
        }
        guard digits.count == 4 else { return nil }
        return ((digits[0] * 10 + digits[1]) * 3600 + (digits[2] * 10 + digits[3]) * 60) * 1_000_000_000
    }

    private static func blanks(_ b: [UInt8], _ at: inout Int) -> Bool {
        let start = at
        while at < b.count, b[at] == 0x20 { at += 1 }
        return at > start
    }

    private static func month(_ b: [UInt8], _ at: Int) -> Int? {
        guard at + 3 < b.count else { return nil }
        let names: [StaticString] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return names.firstIndex { b.starts(with: $0, at: at) }.map { $0 + 1 }
    }

    /// Days from 1970-01-01 to a date of the Gregorian calendar.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        // Years begin in March: the leap day then comes last.
        let shifted = Int64(month <= 2 ? year - 1 : year)
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * Int64(month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
