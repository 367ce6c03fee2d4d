import Base

/// What dates and times are made of.
extension LogClock {
    /// `12:01:48`, `12:01:48.123456`, `12:01:48,123`, `12:01:48:123`, `3:01:48 PM`: nanoseconds since midnight, and what a digit is worth.
    static func clock(_ b: [UInt8], _ at: inout Int) -> (Int64, Int64)? {
        guard var hour = b.number(&at), hour < 24, at < b.count, b[at] == 0x3a else { return nil }
        at += 1
        guard let minute = b.number(&at), minute < 60, at < b.count, b[at] == 0x3a else { return nil }
        at += 1
        guard let second = b.number(&at), second <= 60 else { return nil }
        let (fraction, resolution) = fraction(b, &at)
        if at + 2 < b.count, b[at] == 0x20, b[at + 2] & 0xdf == 0x4d, b[at + 1] & 0xdf == 0x50 || b[at + 1] & 0xdf == 0x41,
            hour <= 12,
            at + 3 == b.count || !(0x41...0x5a).contains(b[at + 3] & 0xdf)
        {
            hour = hour % 12 + (b[at + 1] & 0xdf == 0x50 ? 12 : 0)
            at += 3
        }
        return (Int64(hour * 3600 + minute * 60 + second) * 1_000_000_000 + fraction, resolution)
    }

    static func fraction(_ b: [UInt8], _ at: inout Int) -> (Int64, Int64) {
        guard at + 1 < b.count, b[at] == 0x2e || b[at] == 0x2c || b[at] == 0x3a, LogDress.isDigit(b[at + 1]) else {
            return (0, 1_000_000_000)
        }
        // A colon parts milliseconds only: all three digits of them.
        if b[at] == 0x3a {
            guard at + 3 < b.count, LogDress.isDigit(b[at + 2]), LogDress.isDigit(b[at + 3]),
                at + 4 == b.count || !LogDress.isDigit(b[at + 4])
            else { return (0, 1_000_000_000) }
        }
        at += 1
        var unit: Int64 = 1_000_000_000
        var value: Int64 = 0
        while at < b.count, LogDress.isDigit(b[at]) {
            if unit > 1 {
                unit /= 10
                value += Int64(b[at] - 0x30) * unit
            }
            at += 1
        }
        return (value, unit)
    }

    /// `Z`, `+02:00`, ` +0200`, ` GMT+0100`, ` CEST`: nanoseconds to take off; nil and unmoved where no zone is named, or one of a name that
    /// several use.
    static func zone(_ b: [UInt8], _ at: inout Int) -> Int64? {
        var place = at
        if place < b.count, b[place] == 0x20 { place += 1 }
        for (name, hours) in zones where b.starts(with: name, at: place) {
            let end = place + name.utf8CodeUnitCount
            guard end == b.count || !(0x41...0x5a).contains(b[end] & 0xdf) else { continue }
            at = end
            var behind = end
            if hours == 0, let offset = offset(b, &behind) {
                at = behind
                return offset
            }
            return hours * 3_600_000_000_000
        }
        guard let offset = offset(b, &place) else { return nil }
        at = place
        return offset
    }

    private static let zones: [(StaticString, Int64)] = [
        ("Z", 0), ("UTC", 0), ("GMT", 0), ("CET", 1), ("CEST", 2), ("WET", 0), ("WEST", 1), ("EET", 2), ("EEST", 3), ("MSK", 3),
        ("EST", -5), ("EDT", -4), ("PST", -8), ("PDT", -7),
    ]

    /// `+02:00` or `-0200`.
    private static func offset(_ b: [UInt8], _ at: inout Int) -> Int64? {
        guard at + 4 < b.count, b[at] == 0x2b || b[at] == 0x2d else { return nil }
        let sign: Int64 = b[at] == 0x2b ? 1 : -1
        var place = at + 1
        var digits: [Int64] = []
        while place < b.count, digits.count < 4 {
            if LogDress.isDigit(b[place]) {
                digits.append(Int64(b[place] - 0x30))
            } else if b[place] != 0x3a || digits.count != 2 {
                return nil
            }
            place += 1
        }
        guard digits.count == 4, place == b.count || !LogDress.isDigit(b[place]) else { return nil }
        at = place
        return sign * ((digits[0] * 10 + digits[1]) * 3600 + (digits[2] * 10 + digits[3]) * 60) * 1_000_000_000
    }

    static func blanks(_ b: [UInt8], _ at: inout Int) -> Bool {
        let start = at
        while at < b.count, b[at] == 0x20 { at += 1 }
        return at > start
    }

    /// Between date and clock.
    static func gap(_ b: [UInt8], _ at: inout Int) -> Bool {
        let start = at
        if at < b.count, b[at] == 0x2c { at += 1 }
        while at < b.count, b[at] == 0x20 || b[at] == 9 { at += 1 }
        if at == start, at < b.count, b[at] == 0x54 || b[at] == 0x5f || b[at] == 0x3a || b[at] == 0x2d { at += 1 }
        return at > start
    }

    /// In small letters only where a slash follows.
    static func month(_ b: [UInt8], _ at: Int) -> Int? {
        guard at + 3 < b.count else { return nil }
        let names: [StaticString] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let lead = b[at + 3] == 0x2f ? b[at] & 0xdf : b[at]
        return names.firstIndex {
            b.starts(with: $0, at: at)
                || lead != b[at] && $0.utf8Start[0] == lead && b[at + 1] == $0.utf8Start[1] && b[at + 2] == $0.utf8Start[2]
        }
        .map { $0 + 1 }
    }

    static func isSlashedMonth(_ b: [UInt8], _ at: Int) -> Bool { at + 3 < b.count && b[at + 3] == 0x2f && month(b, at) != nil }

    static func isWeekday(_ b: [UInt8], _ at: Int) -> Bool {
        let names: [StaticString] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        return names.contains { b.starts(with: $0, at: at) }
    }

    /// Days from 1970-01-01 to a date.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        CivilDate(year: Int64(year), month: month, day: day).daysSinceEpoch
    }
}
