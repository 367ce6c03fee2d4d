import Base

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
        let date = CivilDate(year: year, month: month + 1, day: Int(day))
        unixSeconds = date.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second
        let weekday = CivilDate(unixSeconds: unixSeconds).weekday
        guard text.part(0..<3).equalsCaseless(SIPText(SIPDate.days[weekday])) else { throw fault }
    }

    public var text: SIPText {
        let date = CivilDate(unixSeconds: unixSeconds)
        let rest = unixSeconds - date.daysSinceEpoch * 86_400
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let name = SIPDate.months[date.month - 1]
        let monthName = name.prefix(1).uppercased() + name.dropFirst()
        let clock = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
        return "\(SIPDate.days[date.weekday]), \(two(Int64(date.day))) \(monthName) \(date.year) \(clock) GMT"
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
