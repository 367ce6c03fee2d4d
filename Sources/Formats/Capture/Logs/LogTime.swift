import Base

/// Times as logs write them. Lines that jump to and fro add up to no more than a few years.
///
/// What has no date is counted from 1970-01-01, what has no year from 1972: real dates of SIP begin later, so each tells what it lacks.
struct LogClock {
    /// The last time of day and how many days were added, to see midnight pass.
    private var lastTimeOfDay: Int64?
    private var days: Int64 = 0
    /// The same for dates without a year.
    private var lastYearless: Int64?
    private var years = 0
    /// The last full date as it was written, without its zone's offset: what a mere time of day most likely belongs to.
    private var lastWritten: (wall: Int64, offset: Int64)?
    /// Which of two numbers is the day in `1/2/2024`.
    private enum DateOrder {
        case unseen, dayFirst, monthFirst
        /// The first such date of the log did not tell: dates of the log then are none, so that all its times are alike.
        case ambiguous
    }
    private var order = DateOrder.unseen
    /// What a time of day of before the first date lacks to its moment; nil while none was needed.
    private(set) var shift: Int64?
    /// No date came in time: the log's times are all of a day.
    private var isDateless = false
    /// What clocks that were set back an hour lack since.
    private var setBack: Int64 = 0

    /// Times were read, and no date that they belong to.
    var awaitsDate: Bool { lastTimeOfDay != nil && lastWritten == nil && !isDateless && order != .ambiguous }

    mutating func forgetDates() { isDateless = isDateless || awaitsDate }

    private static let day: Int64 = 86_400_000_000_000

    /// A time without a date.
    mutating func timeOfDay(_ nanoseconds: Int64, resolution: Int64) -> LoggedTime {
        if let (wall, offset) = lastWritten {
            let midnight = (wall >= 0 ? wall : wall - Self.day + 1) / Self.day * Self.day
            var here = midnight + nanoseconds
            if here - wall > Self.day / 2 { here -= Self.day }
            if wall - here > Self.day / 2 { here += Self.day }
            return LoggedTime(Instant(nanoseconds: here - offset), .absolute, resolution: resolution)
        }
        // An hour back is a clock set, half a day is midnight.
        if let last = lastTimeOfDay, nanoseconds < last - Self.day / 2 { days = min(days + 1, 365) }
        lastTimeOfDay = nanoseconds
        return LoggedTime(Instant(nanoseconds: days * Self.day + nanoseconds), .timeOfDay, resolution: resolution)
    }

    /// A date without a year.
    mutating func yearless(_ month: Int, _ day: Int, _ nanoseconds: Int64, resolution: Int64) -> LoggedTime {
        let inYear = Self.days(1972, month, day) * Self.day + nanoseconds
        if let last = lastYearless, inYear < last - 180 * Self.day { years = min(years + 1, 16) }
        lastYearless = inYear
        return LoggedTime(
            Instant(nanoseconds: Self.days(1972 + years, month, day) * Self.day + nanoseconds), .noYear, resolution: resolution)
    }

    private mutating func dated(
        _ year: Int, _ month: Int, _ day: Int, _ time: Int64, _ resolution: Int64, _ b: [UInt8], _ at: inout Int
    ) -> LoggedTime {
        let wall = Self.days(year, month, day) * Self.day + time
        let zone = Self.zone(b, &at)
        if isDateless { return timeOfDay(time, resolution: resolution) }
        if zone == nil, let last = lastWritten, Self.isSetBack(from: last.wall, to: wall) { setBack += 3_600_000_000_000 }
        let offset = zone ?? -setBack
        if lastWritten == nil, let last = lastTimeOfDay {
            // The day before whose end it lies: what stands above was written before, but for lines that cross.
            let gap = wall - (days * Self.day + last) + 3_600_000_000_000
            shift = (gap < 0 ? gap - Self.day + 1 : gap) / Self.day * Self.day - offset
        }
        lastWritten = (wall, offset)
        return LoggedTime(Instant(nanoseconds: wall - offset), .absolute, resolution: resolution)
    }

    /// The end of summer time: on a Sunday, early, the clock shows nearly an hour less than before.
    private static func isSetBack(from last: Int64, to wall: Int64) -> Bool {
        let hour: Int64 = 3_600_000_000_000
        guard wall < last, last - wall <= hour, last - wall > hour / 6 * 5, last >= 0 else { return false }
        // 1970-01-01 was a Thursday.
        return (last / day + 4) % 7 == 0 && (1...2).contains(last % day / hour) && wall % day / hour <= 2
    }

    /// A time that begins at `at`, which moves behind it: nil and unmoved when there is none.
    mutating func time(_ b: [UInt8], _ at: inout Int) -> LoggedTime? {
        guard at < b.count, LogDress.isDigit(b[at]) || (0x41...0x57).contains(b[at]) || Self.isSlashedMonth(b, at) else {
            return nil
        }
        var place = at
        guard let found = read(b, &place) else { return nil }
        at = place
        return found
    }

    private mutating func read(_ b: [UInt8], _ at: inout Int) -> LoggedTime? {
        let start = at
        if !LogDress.isDigit(b[at]) {
            if Self.isWeekday(b, at) {
                at += 3
                if at < b.count, b[at] == 0x2c { at += 1 }
                guard Self.blanks(b, &at), at < b.count else { return nil }
                if LogDress.isDigit(b[at]) { return read(b, &at) }
            }
            return named(b, &at)
        }
        guard let first = b.number(&at), at < b.count else { return nil }
        let digits = at - start
        switch b[at] {
        case 0x3a:
            at = start
            guard let (time, resolution) = Self.clock(b, &at) else { return nil }
            return timeOfDay(time, resolution: resolution)
        case 0x2d, 0x2f, 0x2e, 0x20:
            if let found = date(b, &at, first, digits) { return found }
        default: break
        }
        at = start
        return compact(b, &at)
    }

    /// `Jul 11 12:01:48`, `Jul  1 2024 12:01:48`, `Jul 1, 2024 ...`, `Jul 11 12:01:48 2024`.
    private mutating func named(_ b: [UInt8], _ at: inout Int) -> LoggedTime? {
        guard let month = Self.month(b, at) else { return nil }
        at += 3
        // MikroTik's `Mar/04/2026`.
        if at < b.count, b[at] == 0x2f {
            at += 1
            guard let day = b.number(&at), (1...31).contains(day), at < b.count, b[at] == 0x2f else { return nil }
            at += 1
            guard let year = b.number(&at), (1970...2200).contains(year), Self.gap(b, &at),
                let (time, resolution) = Self.clock(b, &at)
            else { return nil }
            return dated(year, month, day, time, resolution, b, &at)
        }
        guard Self.blanks(b, &at), let day = b.number(&at), (1...31).contains(day) else { return nil }
        if at < b.count, b[at] == 0x2c { at += 1 }
        guard Self.blanks(b, &at) else { return nil }
        var place = at
        if let year = b.number(&place), (1990...2200).contains(year), place < b.count, b[place] == 0x2c || b[place] == 0x20 {
            if b[place] == 0x2c { place += 1 }
            _ = Self.blanks(b, &place)
            if let (time, resolution) = Self.clock(b, &place) {
                at = place
                return dated(year, month, day, time, resolution, b, &at)
            }
        }
        guard let (time, resolution) = Self.clock(b, &at) else { return nil }
        place = at
        if Self.blanks(b, &place), let year = b.number(&place), (1990...2200).contains(year),
            place == b.count || !(LogDress.isDigit(b[place]) || b[place] == 0x2e || b[place] == 0x3a)
        {
            at = place
            return dated(year, month, day, time, resolution, b, &at)
        }
        return yearless(month, day, time, resolution: resolution)
    }

    /// What goes on behind a first number and its separator: `2024-01-31`, `31.1.2024`, `31-Jan-2024`, `1/2/2024`, `01-31` and a clock.
    private mutating func date(_ b: [UInt8], _ at: inout Int, _ first: Int, _ digits: Int) -> LoggedTime? {
        let separator = b[at]
        at += 1
        if digits <= 2, let month = Self.month(b, at), (1...31).contains(first) {
            at += 3
            guard at < b.count, b[at] == separator else { return nil }
            at += 1
            guard let year = b.number(&at), (1970...2200).contains(year), Self.gap(b, &at),
                let (time, resolution) = Self.clock(b, &at)
            else { return nil }
            return dated(year, month, first, time, resolution, b, &at)
        }
        guard separator != 0x20, let second = b.number(&at), at < b.count else { return nil }
        if digits == 2, separator == 0x2d, b[at] == 0x20, (1...12).contains(first), (1...31).contains(second) {
            // Android's: month and day.
            at += 1
            guard let (time, resolution) = Self.clock(b, &at) else { return nil }
            return yearless(first, second, time, resolution: resolution)
        }
        guard b[at] == separator else { return nil }
        at += 1
        let thirdAt = at
        guard let third = b.number(&at) else { return nil }
        let hasLongYear = at - thirdAt == 4 && (1970...2200).contains(third)
        guard Self.gap(b, &at), let (time, resolution) = Self.clock(b, &at) else { return nil }
        if digits == 4, (1970...2200).contains(first), (1...12).contains(second), (1...31).contains(third) {
            return dated(first, second, third, time, resolution, b, &at)
        }
        guard digits <= 2, hasLongYear || separator == 0x2e && at - thirdAt >= 2 && third < 100 else { return nil }
        let year = hasLongYear ? third : 2000 + third
        if separator == 0x2e {
            guard (1...31).contains(first), (1...12).contains(second) else { return nil }
            return dated(year, second, first, time, resolution, b, &at)
        }
        guard (1...31).contains(first), (1...31).contains(second), first <= 12 || second <= 12 else { return nil }
        if order == .unseen { order = first > 12 ? .dayFirst : second > 12 ? .monthFirst : .ambiguous }
        guard order != .ambiguous else { return timeOfDay(time, resolution: resolution) }
        let (day, month) = order == .dayFirst ? (first, second) : (second, first)
        guard month <= 12 else { return timeOfDay(time, resolution: resolution) }
        return dated(year, month, day, time, resolution, b, &at)
    }

    /// `20240131-120148.123`, `20240131 12:01:48`; seconds, milliseconds, microseconds or nanoseconds since 1970; Polycom's `0131120148.123|`.
    private mutating func compact(_ b: [UInt8], _ at: inout Int) -> LoggedTime? {
        let start = at
        var value: Int64 = 0
        while at < b.count, LogDress.isDigit(b[at]), at - start < 19 {
            let (product, isTooMuch) = value.multipliedReportingOverflow(by: 10)
            let (sum, isOver) = product.addingReportingOverflow(Int64(b[at] - 0x30))
            guard !isTooMuch, !isOver else { return nil }
            value = sum
            at += 1
        }
        func pair(_ place: Int) -> Int { Int(b[place] - 0x30) * 10 + Int(b[place + 1] - 0x30) }
        let digits = at - start
        if digits == 8, at < b.count, b[at] == 0x2d || b[at] == 0x54 || b[at] == 0x20 {
            var (year, month, day) = (pair(start) * 100 + pair(start + 2), pair(start + 4), pair(start + 6))
            // Ribbon's `01312024 120148.123456`.
            if !(1970...2200).contains(year) {
                (year, month, day) = (pair(start + 4) * 100 + pair(start + 6), pair(start), pair(start + 2))
            }
            guard (1970...2200).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
            at += 1
            let clock = at
            if let (time, resolution) = Self.clock(b, &at) { return dated(year, month, day, time, resolution, b, &at) }
            at = clock
            while at < b.count, LogDress.isDigit(b[at]), at - clock < 7 { at += 1 }
            guard at - clock == 6, pair(clock) < 24, pair(clock + 2) < 60, pair(clock + 4) <= 60 else { return nil }
            let seconds = Int64(pair(clock) * 3600 + pair(clock + 2) * 60 + pair(clock + 4)) * 1_000_000_000
            let (fraction, resolution) = Self.fraction(b, &at)
            return dated(year, month, day, seconds + fraction, resolution, b, &at)
        }
        let scale: Int64
        switch digits {
        case 9...11: scale = 1_000_000_000
        case 13: scale = 1_000_000
        case 16: scale = 1_000
        case 19: scale = 1
        default: return nil
        }
        let (fraction, finer) = digits <= 11 ? Self.fraction(b, &at) : (0, 1_000_000_000)
        if digits == 10, at < b.count, b[at] == 0x7c, (1...12).contains(pair(start)), (1...31).contains(pair(start + 2)),
            pair(start + 4) < 24, pair(start + 6) < 60, pair(start + 8) <= 60
        {
            let seconds = Int64(pair(start + 4) * 3600 + pair(start + 6) * 60 + pair(start + 8)) * 1_000_000_000
            return yearless(pair(start), pair(start + 2), seconds + fraction, resolution: finer)
        }
        // Numbers of lines and of processes are no times.
        guard (600_000_000..<7_000_000_000).contains(value / (1_000_000_000 / scale)) else { return nil }
        return LoggedTime(Instant(nanoseconds: value * scale + fraction), .absolute, resolution: min(scale, finer))
    }
}
