/// A Date value (RFC 3261 20.17): the RFC 1123 form, and only in GMT.
public struct SIPDate: Hashable, Sendable {
    /// Seconds since the Unix epoch.
    public var unixSeconds: Int64

    public init(unixSeconds: Int64) { self.unixSeconds = unixSeconds }

    static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    /// `Sat, 13 Nov 2010 23:29:00 GMT`.
    public init(parsing text: SIPText) throws(SIPParseError) {
        let start = text.range.lowerBound
        let fault = SIPParseError(.date, at: start)
        guard text.count == 29 else { throw fault }
        let pattern = Array("aaa, 00 aaa 0000 00:00:00 aaa".utf8)
        for (index, wanted) in pattern.enumerated() {
            let byte = text[index] ?? 0
            let fits: Bool =
                switch wanted {
                case UInt8(ascii: "a"): asciiLowercased(byte) &- 0x61 < 26
                case UInt8(ascii: "0"): byte &- 0x30 <= 9
                default: byte == wanted
                }
            guard fits else { throw SIPParseError(.date, at: start + index) }
        }
        func number(_ range: Range<Int>) -> Int64 { text.part(range).decimal.map { Int64($0) } ?? 0 }
        let year = number(12..<16)
        guard text.part(26..<29).equals(literal: "GMT") else { throw SIPParseError(.date, at: start + 26) }
        guard let month = SIPDate.months.firstIndex(of: text.part(8..<11).lowercased.string) else {
            throw SIPParseError(.date, at: start + 8)
        }
        let (day, hour, minute, second) = (number(5..<7), number(17..<19), number(20..<22), number(23..<25))
        guard year >= 1900, (1...31).contains(day), hour < 24, minute < 60, second <= 60 else { throw fault }
        unixSeconds = SIPDate.daysSinceEpoch(year, Int64(month + 1), day) * 86_400 + hour * 3600 + minute * 60 + second
        guard text.part(0..<3).equalsCaseless(SIPText(SIPDate.days[SIPDate.weekday(of: unixSeconds)])) else { throw fault }
    }

    public var text: SIPText {
        let days = (unixSeconds - (unixSeconds % 86_400 + 86_400) % 86_400) / 86_400
        let rest = unixSeconds - days * 86_400
        // The civil date of a day count, in eras of 400 years that begin on 1 March.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let name = SIPDate.months[Int(month - 1)]
        let monthName = name.prefix(1).uppercased() + name.dropFirst()
        let clock = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        return "\(SIPDate.days[SIPDate.weekday(of: unixSeconds)]), \(two(day)) \(monthName) \(year) \(clock) GMT"
    }

    /// 0 is Sunday.
    private static func weekday(of seconds: Int64) -> Int {
        let days = (seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400
        return Int(((days + 4) % 7 + 7) % 7)
    }

    private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension SIPMessage {
    /// Nil where absent.
    public var date: SIPDate? {
        get throws(SIPParseError) {
            guard let header = first(.date) else { return nil }
            return try SIPDate(parsing: header.value)
        }
    }
}
