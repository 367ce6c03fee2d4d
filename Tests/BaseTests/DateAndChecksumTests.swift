import Base
import Testing

@Suite struct CRC32Tests {
    @Test("CRC-32 of the check string is 0xCBF43926")
    func crc() {
        var crc = CRC32()
        crc.update(Array("1234".utf8)[...])
        crc.update(Array("56789".utf8)[...])
        #expect(crc.value == 0xcbf4_3926)
    }
}

@Suite struct CivilDateTests {
    @Test(
        "days count from 1970-01-01 both ways, leap days included",
        arguments: [
            (1970, 1, 1, 0, 4), (1969, 12, 31, -1, 3), (2000, 2, 29, 11_016, 2), (2000, 3, 1, 11_017, 3),
            (2026, 11, 30, 20_787, 1),
            (2100, 2, 28, 47_540, 0), (2100, 3, 1, 47_541, 1), (1600, 2, 29, -135_081, 2), (0, 1, 1, -719_528, 6),
            (-1, 12, 31, -719_529, 5),
        ] as [(Int64, Int, Int, Int64, Int)])
    func days(year: Int64, month: Int, day: Int, count: Int64, weekday: Int) {
        let date = CivilDate(year: year, month: month, day: day)
        #expect(date.daysSinceEpoch == count && CivilDate(daysSinceEpoch: count) == date && date.weekday == weekday)
    }

    @Test("every day of a thousand years comes after the one before")
    func everyDay() {
        for count in Int64(-200_000)..<170_000 {
            let date = CivilDate(daysSinceEpoch: count)
            guard date.daysSinceEpoch == count, (1...12).contains(date.month), (1...31).contains(date.day) else {
                Issue.record("day \(count) is \(date)")
                return
            }
        }
    }
}
