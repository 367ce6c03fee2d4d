import Base

/// A line of a log taken apart: when, how grave, what.
struct LogLine {
    enum Level {
        case notice, warning, error
        case debug
        /// VERBOSE, INFO and what else there is.
        case other
    }

    var time: LoggedTime?
    var level: Level?
    /// Where the program's own text begins: behind time, level and place in its source.
    var start: Int

    /// It bears a time or a level: a program wrote it as a line of its own.
    var isMarked: Bool { time != nil || level != nil }

    /// The program minds what it tells.
    var isGrave: Bool {
        switch level {
        case .notice, .warning, .error: true
        case .debug, .other, nil: false
        }
    }

    /// What only its makers want to know.
    var isDebug: Bool { level == .debug }

    init(_ b: [UInt8], _ clock: inout LogClock) {
        var at = 0
        while at < b.count, b[at] == 0x20 { at += 1 }
        start = at
        if at < b.count, b[at] == 0x5b {
            var place = at + 1
            if let time = clock.time(b, &place), place < b.count, b[place] == 0x5d {
                self.time = time
                at = place + 1
            }
        } else if at < b.count {
            var place = at
            if let time = clock.time(b, &place), place < b.count, b[place] == 0x20 {
                self.time = time
                at = place
                Self.skipHost(b, &at)
                Self.skipSecondTime(b, &at, clock)
            }
        }
        while at < b.count, b[at] == 0x20 { at += 1 }
        if time != nil { Self.skipShare(b, &at) }
        if let (level, end) = Self.level(b, at, isDated: time != nil) {
            self.level = level
            at = end
            Self.skipPlace(b, &at)
        }
        start = time != nil || level != nil ? min(at, b.count) : start
    }

    /// syslog: ` host program[pid]: `, or of RFC 5424 ` host program 812 - - `.
    private static func skipHost(_ b: [UInt8], _ at: inout Int) {
        let head = b[at...].contains(text: " - ") ? b[at...].prefix(200).split(separator: 0x20, maxSplits: 5) : []
        if head.count == 6, head[4].elementsEqual([0x2d]), head[2].allSatisfy({ LogDress.isDigit($0) || $0 == 0x2d }) {
            at = head[4].endIndex
            return
        }
        var place = at
        var words = 0
        while place < b.count, b[place] == 0x20, words < 2 {
            while place < b.count, b[place] == 0x20 { place += 1 }
            let word = place
            while place < b.count, b[place] != 0x20 { place += 1 }
            words += 1
            if place > word + 1, b[place - 1] == 0x3a, words == 2 {
                at = place
                return
            }
        }
    }

    /// A file's own time behind that of the syslog that passed it on: `... asterisk[812]: [2026-03-09 09:12:12] WARNING[55] `.
    private static func skipSecondTime(_ b: [UInt8], _ at: inout Int, _ clock: LogClock) {
        var place = at
        while place < b.count, b[place] == 0x20 { place += 1 }
        guard place < b.count, b[place] == 0x5b else { return }
        place += 1
        var clock = clock
        if clock.time(b, &place) != nil, place < b.count, b[place] == 0x5d { at = place + 1 }
    }

    /// The idle share that FreeSWITCH writes before a level: `98.93% [NOTICE]`.
    private static func skipShare(_ b: [UInt8], _ at: inout Int) {
        let share = b[at...].prefix { LogDress.isDigit($0) || $0 == 0x2e }
        guard (4...6).contains(share.count), share.endIndex + 2 < b.count, b[share.endIndex] == 0x25,
            b[share.endIndex + 1] == 0x20,
            b[share.endIndex + 2] == 0x5b
        else { return }
        at = share.endIndex + 2
    }

    /// What stands before a line's time: syslog's `<134>`, the call that FreeSWITCH names first, grep's `full:`. 0 where none does.
    static func preface(_ b: [UInt8]) -> Int {
        if b.first == 0x3c, let close = b.prefix(5).firstIndex(of: 0x3e), close > 1, b[1..<close].allSatisfy(LogDress.isDigit) {
            return close + 1
        }
        let name = b.prefix(80).prefix { $0 > 0x20 && $0 != 0x3a }
        if name.count > 2, name.endIndex + 1 < b.count, b[name.endIndex] == 0x3a, b[name.endIndex + 1] == 0x5b {
            return name.endIndex + 1
        }
        guard b.count > 37, b[36] == 0x20, b[8] == 0x2d, b[13] == 0x2d, b[18] == 0x2d, b[23] == 0x2d else { return 0 }
        return 37
    }

    private static let levels: [(StaticString, Level)] = [
        ("NOTICE", .notice), ("WARNING", .warning), ("ERROR", .error), ("VERBOSE", .other), ("DEBUG", .debug), ("DTMF", .other),
        ("SECURITY", .other), ("INFO", .other), ("[NOTICE]", .notice), ("[WARNING]", .warning), ("[ERR]", .error),
        ("[ERROR]", .error), ("[DEBUG]", .debug), ("[INFO]", .other), ("[CRIT]", .error), ("CRITICAL", .error),
    ]

    private static func level(_ b: [UInt8], _ at: Int, isDated: Bool) -> (Level, Int)? {
        guard at < b.count, b[at] == 0x5b || (0x41...0x5a).contains(b[at]) else { return nil }
        for (name, level) in levels where b.starts(with: name, at: at) {
            var end = at + name.utf8CodeUnitCount
            if b[at] == 0x5b { return (level, end) }
            // Kamailio's and our own.
            if end + 1 < b.count, b[end] == 0x3a, b[end + 1] == 0x20 { return (level, end + 1) }
            // OpenSIPS' `ERROR:core:`.
            if isDated, end + 1 < b.count, b[end] == 0x3a, (0x61...0x7a).contains(b[end + 1]) { return (level, end + 1) }
            // A level of Asterisk's always names its thread.
            guard end < b.count, b[end] == 0x5b else { return nil }
            while end < b.count, b[end] == 0x5b {
                guard let close = b[end...].firstIndex(of: 0x5d) else { return nil }
                end = close + 1
            }
            if end < b.count, b[end] == 0x3a { end += 1 }
            return (level, end)
        }
        return nil
    }

    /// `chan_sip.c:8167 check_auth: `, `chan_sip.c:8167 in check_auth: `, `chan_sip.c: `, ` sofia.c:123 `.
    private static func skipPlace(_ b: [UInt8], _ at: inout Int) {
        while at < b.count, b[at] == 0x20 { at += 1 }
        var end = at
        while end < b.count, b[end] != 0x20, b[end] != 0x3a { end += 1 }
        guard end > at + 2, end < b.count, b[end - 2] == 0x2e, b[end - 1] == 0x63, b[end] == 0x3a else { return }
        end += 1
        if b.number(&end) != nil {
            // A function's name, where there is one.
            guard end < b.count, b[end] == 0x20 else {
                at = min(end, b.count)
                return
            }
            var name = end + 1
            if b.starts(with: "in ", at: name) { name += 3 }
            var place = name
            while place < b.count, b[place] != 0x20, b[place] != 0x3a { place += 1 }
            end = place < b.count && b[place] == 0x3a ? place + 1 : name
        }
        while end < b.count, b[end] == 0x20 { end += 1 }
        at = end
    }
}
