import Base
import Testing

@testable import Capture

@Suite("Logs with the newest first")
struct LogOrderTests {
    private static func given(_ times: [Int?]) -> [Int] {
        let message = LoggedMessage(
            bytes: Array("OPTIONS sip:a SIP/2.0".utf8), direction: .passing, remote: nil, local: nil, transport: nil,
            natConfigured: nil,
            defects: [])
        var order = LogOrder()
        var lines: [Int] = []
        for (index, seconds) in times.enumerated() {
            let time = seconds.flatMap { LoggedTime("2026-03-04 10:00:\($0 < 10 ? "0" : "")\($0)") }
            order.add(LoggedItem(line: index + 1, lastLine: index + 1, time: time, format: nil, kind: .message(message))) {
                lines.append($0.line)
            }
        }
        order.finish { lines.append($0.line) }
        return lines
    }

    @Test("times that only fall turn the order round, whatever has none among them")
    func backward() {
        #expect(Self.given([50, 49, 48, 40, 30, 20, 10, 5]) == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(Self.given([50, 50, 40, nil, 30]) == [5, 4, 3, 2, 1])
    }

    @Test(
        "times that rise, stand still, are not there, or fall once are left alone",
        arguments: [
            [1, 2, 3, 4], [5, 5, 5], [nil, nil], [5, 4], [5, 4, 6, 3, 2, 1, 0], [50, 10, 11, 12],
        ] as [[Int?]])
    func forward(times: [Int?]) { #expect(Self.given(times) == Array(1...times.count)) }

    @Test("a log without times is given while it is read, not held to its end")
    func bounded() {
        var order = LogOrder()
        var given = 0
        for number in 1...100_000 {
            order.add(LoggedItem(line: number, lastLine: number, time: nil, format: nil, kind: .prose(""))) { _ in given += 1 }
        }
        #expect(given > 80_000)
        order.finish { _ in given += 1 }
        #expect(given == 100_000)
    }
}
